"""Prometheus metrics at /health/metrics: requests of this host's web processes, and what the database knows.

Where METASPINE_METRICS_TOKEN is set; whoever asks shows it (Authorization: Bearer …). Web processes share their counts
in files of PROMETHEUS_MULTIPROC_DIR, which settings.py makes before this module is loaded. No number is of a patient.
"""

import functools
import os
import shutil
from itertools import chain

from django.conf import settings
from django.core.cache import cache
from django.db import DatabaseError, connection, transaction
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector

from registry import __version__
from registry.health import background_jobs, heartbeats
from registry.health.readiness import OK, readiness
from registry.models import Postponed
from registry.services.operations import backup_keeping
from sites.audit import alerts
from sites.database import replica
from sites.tenancy.scope import everything

BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


def is_asked_by(request):
    """Whether a request shows the token."""
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    return kind.lower() == "bearer" and constant_time_compare(token, settings.METRICS_TOKEN)


def count(view, method, status, seconds):
    """Count a request that was answered; nothing where nobody asks for metrics."""
    if settings.METRICS_TOKEN:
        requests, durations = _of_this_process()
        requests.labels(view or "none", method, f"{status // 100}xx").inc()
        durations.labels(view or "none").observe(seconds)


@functools.cache
def _of_this_process():
    labels = ["view", "method", "status"]
    return (
        Counter("metaspine_requests", "Requests answered", labels),
        Histogram("metaspine_request_seconds", "Time to answer", ["view"], buckets=BUCKETS),
    )


def exposition():
    """(content, its type): all metrics in the text format of Prometheus."""
    requests = CollectorRegistry()
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        MultiProcessCollector(requests)
    else:
        requests = REGISTRY
    operations = CollectorRegistry()
    operations.register(Operations())
    return generate_latest(requests) + generate_latest(operations), CONTENT_TYPE_LATEST


class Operations:
    """What is read when somebody asks: readiness, signs of life, queues, jobs, backups, seals, room."""

    def collect(self):
        yield _gauge("metaspine_info", "The version", {(("version", __version__),): 1})
        states = readiness()
        yield _gauge(
            "metaspine_ready", "Whether a part is well", {(("part", p),): state == OK for p, state in states.items()}
        )
        if states["database"] != OK:
            return
        with everything(reason="metrics"), transaction.atomic():
            yield from _work()
            yield from _backups()
            yield from _database()
        yield _gauge("metaspine_disk_free_bytes", "Room for files", _room())

    def describe(self):
        return []


def _gauge(name, words, values):
    """values: {((label, value), …): number}"""
    labels = [label for label, _value in next(iter(values), ())]
    family = GaugeMetricFamily(name, words, labels=labels)
    for pairs, number in values.items():
        family.add_metric([value for _label, value in pairs], float(number))
    return family


def _named(label, values):
    return {((label, name),): number for name, number in values.items()}


def _work():
    beats, _noted = heartbeats.all_of_them()
    yield _gauge(
        "metaspine_heartbeat_age_seconds", "Since a sign of life", _named("name", {n: b[0] for n, b in beats.items()})
    )
    tasks = {n.removeprefix(heartbeats.TASK): b for n, b in beats.items() if n.startswith(heartbeats.TASK)}
    yield _gauge(
        "metaspine_task_failed",
        "Whether the last run failed",
        _named("task", {n: bool(b[2]) for n, b in tasks.items()}),
    )
    yield _gauge(
        "metaspine_task_seconds", "Time of the last run", _named("task", {n: b[1] or 0 for n, b in tasks.items()})
    )
    yield _gauge(
        "metaspine_queue_messages", "Messages that wait", _named("queue", cache.lengths(settings.QUEUES) or {})
    )
    yield _gauge("metaspine_postponed_messages", "Messages kept while Redis is away", {(): Postponed.objects.count()})
    counted = {}
    for job in chain(*background_jobs.lately(days=1)):
        pairs = (("kind", job.kind), ("status", job.status))
        counted[pairs] = counted.get(pairs, 0) + 1
    yield _gauge("metaspine_jobs", "Jobs that wait, run, or failed within a day", counted)


def _backups():
    now, newest, drill = timezone.now(), backup_keeping.last("backup"), backup_keeping.latest("drill")
    if newest:
        yield _gauge(
            "metaspine_backup_age_seconds", "Since a good backup", {(): (now - newest.began_at).total_seconds()}
        )
        yield _gauge("metaspine_backup_bytes", "Size of the newest", {(): newest.size})
    if drill:
        yield _gauge("metaspine_drill_age_seconds", "Since a drill", {(): (now - drill.began_at).total_seconds()})
        yield _gauge("metaspine_drill_failed", "Whether the newest drill failed", {(): bool(drill.error)})
    yield _gauge(
        "metaspine_sealing_behind", "Whether events wait too long for a seal", {(): alerts.is_sealing_behind()}
    )


def _database():
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT (SELECT sum(numbackends) FROM pg_stat_database), current_setting('max_connections')::int, "
            "pg_database_size(current_database())"
        )
        used, allowed, size = cursor.fetchone()
    yield _gauge("metaspine_database_connections", "Connections in use", {(): used})
    yield _gauge("metaspine_database_connections_allowed", "Connections that the server allows", {(): allowed})
    yield _gauge("metaspine_database_bytes", "Size of the database", {(): size})
    if replica.exists():
        yield _gauge("metaspine_replica_behind_seconds", "How far the read replica is behind", {(): _behind()})


def _behind():
    """Seconds; infinite where the replica does not answer or is none."""
    try:
        state = replica.state()
    except DatabaseError:
        return float("inf")
    return state.behind if state.follows else float("inf")


def _room():
    folders = {"exports": settings.EXPORT_FOLDER, "seals": settings.SEAL_FOLDER}
    return _named("folder", {name: shutil.disk_usage(path).free for name, path in folders.items() if path.exists()})
