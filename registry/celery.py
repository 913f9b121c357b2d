"""The Celery application: `celery -A registry worker`, and what becomes of a message while the broker is away."""

import logging
import os

from celery import Celery, Task
from celery.signals import beat_init, setup_logging, task_postrun, task_prerun, worker_init
from kombu.exceptions import OperationalError

from sites.logs import request_id

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "registry.settings")

log = logging.getLogger(__name__)

HEARTBEAT = 10  # seconds between two signs of life of a worker


class PostponableTask(Task):
    """A task whose sender neither fails nor waits while the broker is away: the message is kept in the database.

    The sweeper sends it once the broker answers again (`services.operations.postponed`). A task with `derived = True`
    is not kept: what it does follows from what is stored, and the sweeper finds it by that.
    """

    derived = False

    def apply_async(self, args=None, kwargs=None, *, producer=None, **options):
        if asked := request_id.current():
            options["headers"] = {"asked_by": asked} | (options.get("headers") or {})
        if producer is not None or self.app.conf.task_always_eager:  # the clock's: it comes again
            return super().apply_async(args, kwargs, producer=producer, **options)
        from sites.database.redis_cache import circuit  # needs the settings

        if not circuit.is_open:
            try:
                answer = super().apply_async(args, kwargs, retry=False, **options)
            except OperationalError as error:
                circuit.failed(error)
            else:
                circuit.answered()
                return answer
        if not self.derived:
            from registry.services.operations.postponed import keep  # needs the models

            keep(self.name, args, kwargs)
        log.warning(
            "%s: %s", self.name, "the sweeper will find it" if self.derived else "kept until the broker is back"
        )
        return None


app = Celery("registry", task_cls=PostponableTask)
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@setup_logging.connect
def keep_our_logging(**kwargs):
    """Worker and beat log as settings.LOGGING says, secrets taken out, and not in Celery's own way."""


@task_prerun.connect
def work_for(task=None, task_id="", **kwargs):
    """What the task logs names the request that it follows from, or else the task itself."""
    if not task.app.conf.task_always_eager:
        asked = (task.request.headers or {}).get("asked_by") or getattr(task.request, "asked_by", None)
        request_id.begin(asked or task_id.replace("-", ""), task.name)


@task_postrun.connect
def work_for_nobody(task=None, **kwargs):
    if not task.app.conf.task_always_eager:
        request_id.begin("")


@worker_init.connect
def refuse_unguarded(**kwargs):
    """A worker does nothing in a database that does not guard itself."""
    from registry.guards.checks import serve_guarded

    serve_guarded()


@worker_init.connect
def keep_quiet(sender=None, **kwargs):
    """A worker listens to no other one, and says every ten seconds that it lives, not every two: it is idle mostly.

    Nothing asks what workers tell each other: signs of life are in the database (`registry.health.signals`).
    """
    if sender is not None:
        sender.options.update(without_gossip=True, without_mingle=True, heartbeat_interval=HEARTBEAT)


@worker_init.connect
@beat_init.connect
def show_life(**kwargs):
    """A worker and a beat say that they live; a web process, which only sends, has no use for that."""
    import registry.health.signals  # noqa: F401  connects them
