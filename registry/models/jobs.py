"""Job: the columns that every row has which a worker carries out (`registry.services.jobs`)."""

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _


class Job(models.Model):
    """A row that is a job; Celery only carries its id. A model adds `status`, `requested_by`, `error` and its own."""

    requested_at = models.DateTimeField(db_default=Now())
    started_at = models.DateTimeField(null=True)  # of the attempt that has it; names that attempt too
    heartbeat_at = models.DateTimeField(null=True, db_default=Now())  # a running job without a recent one has no worker
    finished_at = models.DateTimeField(null=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    cancel_requested = models.BooleanField(default=False)

    class Meta:
        abstract = True


class StagedJob(Job):
    """A job that says how far it is, and at what."""

    class Status(models.TextChoices):
        QUEUED = "queued", _("Queued")
        RUNNING = "running", _("Running")
        DONE = "done", _("Done")
        FAILED = "failed", _("Failed")
        CANCELLED = "cancelled", _("Cancelled")

    progress = models.FloatField(default=0)  # 0 to 1
    stage = models.CharField(max_length=80, blank=True)

    class Meta:
        abstract = True
