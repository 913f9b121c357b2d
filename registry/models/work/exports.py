"""Exports that people asked for: what was chosen, how far it is, where the file lies and until when."""

import uuid

from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from registry.models.columns import person_field
from registry.models.jobs import Job


class Export(Job):
    """The row is the job. The file lies outside the database, until `expires_at`."""

    class Status(models.TextChoices):
        QUEUED = "queued", _("Queued")
        RUNNING = "running", _("Running")
        DONE = "done", _("Ready")
        FAILED = "failed", _("Failed")
        CANCELLED = "cancelled", _("Cancelled")
        EXPIRED = "expired", _("Expired")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    status = models.CharField(max_length=9, choices=Status, default=Status.QUEUED)
    choices = models.JSONField()  # registry.exports.choices
    site_ids = models.JSONField()  # of the sites whose patients come in: those of the person, when it was asked for
    requested_by = person_field(null=False)
    expires_at = models.DateTimeField(null=True)
    rows_expected = models.BigIntegerField(default=0)
    rows_written = models.BigIntegerField(default=0)
    error = models.JSONField(null=True)  # why it failed, in both languages
    filename = models.CharField(max_length=120, blank=True)
    size = models.BigIntegerField(null=True)
    sha256 = models.CharField(max_length=64, blank=True)
    manifest = models.JSONField(null=True)

    class Meta:
        verbose_name = _("export")
        verbose_name_plural = _("exports")
        ordering = ["-requested_at"]

    def __str__(self):
        return f"{self.id} · {self.status}"

    @property
    def share(self):
        """How far it is, 0 to 1."""
        return min(1.0, self.rows_written / self.rows_expected) if self.rows_expected else 0.0


class ExportPreset(models.Model):
    """What somebody exports again and again, under a name: own, or shared with everybody who exports."""

    name = models.CharField(pgettext_lazy("thing", "name"), max_length=80)
    choices = models.JSONField()  # registry.exports.presets: the words of a request
    shared = models.BooleanField(_("for everybody"), default=False)
    created_by = person_field(null=False)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name = _("export preset")
        verbose_name_plural = _("export presets")
        ordering = ["name", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["created_by", "name"], name="export_preset_once"),
            models.UniqueConstraint(fields=["name"], condition=models.Q(shared=True), name="shared_preset_once"),
        ]

    def __str__(self):
        return self.name
