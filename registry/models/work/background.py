"""Work in the background: signs of life, last runs of recurring tasks, waiting messages, and backups that were made."""

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _


class Heartbeat(models.Model):
    """One row for each process or task: `beat`, `queue:NAME` (a worker takes from it), `task:NAME`.

    Nothing of a patient, hence no site and no policy; the trail leaves it out.
    """

    name = models.CharField(max_length=100, primary_key=True)
    at = models.DateTimeField()  # when it last showed life, or last ended
    seconds = models.FloatField(null=True)  # how long the last run took
    failed_at = models.DateTimeField(null=True)
    error = models.CharField(max_length=300, blank=True)  # of the last failure; kept until it succeeds again
    holder = models.CharField(max_length=100, blank=True)  # of what only one process may do

    def __str__(self):
        return self.name


class Postponed(models.Model):
    """A message to the workers that could not be sent: the broker was away. The sweeper sends it and removes the row.

    arguments  what the task is called with, encrypted: a mail holds an address and perhaps a link
    """

    task = models.CharField(max_length=100)
    arguments = models.BinaryField()
    since = models.DateTimeField(auto_now_add=True)

    def __str__(self):
        return self.task


class BackupRecord(models.Model):
    """One row for each backup that was made or failed, and for each drill that restored one. No patient is in it."""

    class Kind(models.TextChoices):
        BACKUP = "backup"
        DRILL = "drill"

    kind = models.CharField(max_length=6, choices=Kind)
    began_at = models.DateTimeField(db_default=Now())
    seconds = models.FloatField(default=0)
    file = models.CharField(max_length=200, blank=True)
    size = models.BigIntegerField(default=0)  # bytes of the file
    rows = models.BigIntegerField(default=0)  # that were saved, or came back
    seals = models.BigIntegerField(default=0)  # of the audit trail, verified by a drill
    identities = models.BigIntegerField(default=0)  # patients' keys that a drill could open with the keys it had
    error = models.CharField(max_length=300, blank=True)  # why it failed; empty where it did not

    class Meta:
        verbose_name = _("backup")
        verbose_name_plural = _("backups")
        indexes = [models.Index(fields=["kind", "-began_at"], name="backup_by_kind")]

    def __str__(self):
        return f"{self.kind} {self.file}"
