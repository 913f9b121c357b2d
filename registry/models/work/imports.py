"""Imports: what was uploaded, how far it is, what came of it; and the mappings that people keep. Platform tables."""

import uuid

from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from registry.models.columns import person_field
from registry.models.jobs import StagedJob


class Import(StagedJob):
    """One import, or the undoing of one. The row is the job; its `heartbeat_at` is the last act of a person too.

    It holds no clinical value and no identifier: those are in `ImportPart`, sealed with this row's `key`.
    """

    class Status(models.TextChoices):
        OPEN = "open", _("Waiting for choices")
        QUEUED = "queued", _("Queued")
        RUNNING = "running", _("Running")
        CHECKED = "checked", _("Checked, not stored")
        DONE = "done", _("Stored")
        FAILED = "failed", _("Failed")
        CANCELLED = "cancelled", _("Cancelled")
        DISCARDED = "discarded", _("Discarded")

    class Act(models.TextChoices):
        READ = "read", _("Read")
        CHECK = "check", _("Check")
        STORE = "store", _("Store")
        UNDO = "undo", _("Undo")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    status = models.CharField(max_length=9, choices=Status, default=Status.OPEN)
    act = models.CharField(max_length=5, choices=Act, default=Act.CHECK)  # what a worker is to do, or did last
    undoes = models.OneToOneField("self", models.PROTECT, null=True, related_name="undone_by")
    requested_by = person_field(null=False)
    sites = models.JSONField(null=True)  # ids of the sites that it reaches; null for all (registry.imports.reach)
    key = models.BinaryField(editable=False)  # of its parts, encrypted with the deployment's key
    files = models.JSONField(default=list)  # name, size and sha256 of each file
    choices = models.JSONField(default=list)  # how each file is read: encoding, delimiter, sheets, formulas
    mapping = models.JSONField(null=True)  # registry.imports.files.mapping; null for files in the registry's own shape
    mapping_name = models.CharField(max_length=80, blank=True)
    counts = models.JSONField(default=dict)  # by name of file: new, changed, unchanged; and errors, warnings
    seen = models.CharField(max_length=64, blank=True)  # hash over what the dry run would change
    update = models.BooleanField(default=False)
    reason = models.CharField(max_length=200, blank=True)
    error = models.TextField(blank=True)
    # Where the audit trail tells of it, once stored: events after `trail_from`, up to `trail_to`, of one transaction.
    transaction_id = models.BigIntegerField(null=True)
    trail_from = models.BigIntegerField(null=True)
    trail_to = models.BigIntegerField(null=True)

    class Meta:
        verbose_name = _("import")
        verbose_name_plural = _("imports")
        ordering = ["-requested_at"]

    def __str__(self):
        return f"{self.id} · {self.status}"


class ImportPart(models.Model):
    """A piece of an import's files or of its report, encrypted; gone once the import is decided."""

    belongs_to = models.ForeignKey(Import, models.CASCADE, related_name="parts")
    name = models.CharField(max_length=40)
    position = models.PositiveIntegerField()
    content = models.BinaryField()

    class Meta:
        verbose_name = _("part of an import")
        verbose_name_plural = _("parts of imports")
        constraints = [models.UniqueConstraint(fields=["belongs_to", "name", "position"], name="import_part_once")]


class ImportMapping(models.Model):
    """How the columns and codes of somebody's files become the registry's, under a name that everybody may use."""

    name = models.CharField(pgettext_lazy("thing", "name"), max_length=80, unique=True)
    mapping = models.JSONField()  # registry.imports.files.mapping
    created_by = person_field(null=False)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name = _("import mapping")
        verbose_name_plural = _("import mappings")
        ordering = ["name"]

    def __str__(self):
        return self.name
