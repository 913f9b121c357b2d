"""Checks of what works by itself: workers and beat, queues, recurring tasks, failed jobs, backups, seals."""

from datetime import timedelta

from celery.schedules import crontab
from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext as _

from registry.health import background_jobs, heartbeats
from registry.health.checkup.findings import FAILED, NOTE, OK, WARNING, Finding
from registry.health.checkup.words import life_words, queue_words, task_words
from registry.health.readiness import SILENCE
from registry.models import Postponed
from registry.services.operations import backup_keeping
from sites.audit import alerts, journal
from sites.moments import day_of, minute_of

LONG = 100  # messages in a queue
GRACE = 600  # seconds that a recurring task may be late, beside twice its period


def workers(looking):
    silent = [
        life_words(name)
        for name in (heartbeats.BEAT, *(heartbeats.QUEUE + queue for queue in settings.QUEUES))
        if looking.beats.get(name, (SILENCE + 1,))[0] > SILENCE
    ]
    if silent:
        return Finding(FAILED, _("Silent for two minutes or more: %(names)s.") % {"names": "; ".join(silent)})
    return Finding(OK, _("The beat and a worker of each queue show life."))


def queues(looking):
    lengths = looking.queues
    (postponed,) = looking.ask(f"SELECT count(*) FROM {Postponed._meta.db_table}")
    if lengths is None:
        words = _("Redis does not answer; %(n)s messages wait in the database.") % {"n": postponed}
        return Finding(FAILED, words)
    lines = tuple(f"{queue_words(name)}: {n}" for name, n in lengths.items())
    state = WARNING if postponed or max(lengths.values()) > LONG else OK
    return Finding(state, "; ".join(lines), (_("%(n)s wait in the database.") % {"n": postponed},) if postponed else ())


def period_of(schedule):
    """Seconds within which a task runs once; crontab: a day or a week."""
    if isinstance(schedule, crontab):
        return 7 * 86400 if schedule._orig_day_of_week != "*" else 86400
    return float(schedule)


def recurring():
    """{name of a task: the shortest period of its entries in the schedule}"""
    periods = {}
    for entry in settings.CELERY_BEAT_SCHEDULE.values():
        name = entry["task"].rpartition(".")[2]
        periods[name] = min(periods.get(name, float("inf")), period_of(entry["schedule"]))
    return periods


def tasks(looking):
    """The last run of each recurring task; one that never ran is a fault only once another has run for that long."""
    late, failed, lines = [], [], []
    oldest = max((beat[0] for beat in looking.beats.values()), default=0)
    for name, period in sorted(recurring().items()):
        words = task_words(name)
        age, took, error = looking.beats.get(heartbeats.TASK + name, (None, None, ""))
        if age is None:
            late += [words] if oldest > 2 * period + GRACE else []
            lines.append(f"{words}: –")
            continue
        late += [words] if age > 2 * period + GRACE else []
        failed += [words] if error else []
        lines.append(f"{words}: {age / 60:.0f} min, {took or 0:.2f} s{' · ' + error if error else ''}")
    if failed:
        return Finding(FAILED, _("Failed at their last run: %(names)s.") % {"names": "; ".join(failed)}, tuple(lines))
    if late:
        return Finding(WARNING, _("Late: %(names)s.") % {"names": "; ".join(late)}, tuple(lines))
    return Finding(OK, _("Each ran when it should."), tuple(lines))


def jobs(looking):
    _waiting, failed = looking.jobs
    if not failed:
        return Finding(OK, _("None failed in the last %(n)s days.") % {"n": background_jobs.DAYS})
    lines = tuple(f"{job.kind} {job.key} · {minute_of(job.at)} · {job.error}" for job in failed[:20])
    return Finding(
        NOTE,
        _("%(n)s failed in the last %(days)s days.") % {"n": len(failed), "days": background_jobs.DAYS},
        lines,
    )


def backups(looking):
    newest, drill = backup_keeping.newest()
    if late := backup_keeping.overdue(timezone.now()):
        return Finding(FAILED, late)
    if newest is None:
        return Finding(NOTE, _("None by the schedule. Set METASPINE_BACKUPS, or watch those of your own."))
    hours = (timezone.now() - newest.began_at) / timedelta(hours=1)
    words = _("The newest is %(hours)s hours old: %(rows)s rows, %(size)s MB.")
    words %= {"hours": f"{hours:.0f}", "rows": newest.rows, "size": f"{newest.size / 1e6:.1f}"}
    return Finding(OK, words, (_drilled(drill),))


def _drilled(drill):
    if drill is None:
        return _("None was restored as a drill yet.")
    words = _("Restored as a drill on %(day)s: %(rows)s rows, %(seals)s seals, in %(seconds)s s.")
    return words % {
        "day": day_of(drill.began_at).isoformat(),
        "rows": drill.rows,
        "seals": drill.seals,
        "seconds": f"{drill.seconds:.0f}",
    }


def seals(looking):
    if alerts.waits_for_a_seal():
        return Finding(FAILED, _("Events have waited for their seal for more than half an hour."))
    contents = journal.read()
    if contents.damage:
        return Finding(FAILED, _("The journal of seals outside the database: %(what)s.") % {"what": contents.damage[0]})
    if contents.last is None:
        return Finding(
            NOTE, _("Nothing has been sealed yet, or %(folder)s is empty here.") % {"folder": settings.SEAL_FOLDER}
        )
    row = looking.ask(
        "SELECT encode(hash, 'hex') FROM study_sites_auditseal WHERE number = %s", contents.last["number"]
    )
    if row is None or row[0] != contents.last["hash"]:
        return Finding(
            FAILED, _("Seal %(n)s is kept outside and not in the database.") % {"n": contents.last["number"]}
        )
    return Finding(OK, _("Seal %(n)s is the newest, and is kept outside too.") % {"n": contents.last["number"]})
