"""Frozen states of the registry: what an analysis or a safety board used, kept as it was."""

import uuid

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from registry.models.columns import person_field
from registry.models.jobs import StagedJob
from registry.models.records.clinical import site_of_patient


class Snapshot(models.Model):
    """A frozen state. Neither this row nor its parts ever change: triggers refuse it."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    label = models.CharField(_("label"), max_length=80, unique=True)
    note = models.TextField(_("note"), blank=True)
    hash = models.CharField(max_length=80)  # sha256 of every cell, whatever the snapshot is called
    rows = models.JSONField()  # name of table to number of rows
    columns = models.JSONField()  # name of table to its columns: [name, type of PostgreSQL]
    created_by = person_field()
    created_at = models.DateTimeField(db_default=Now())  # nothing that was stored before it is lacking

    class Meta:
        verbose_name = _("snapshot")
        verbose_name_plural = _("snapshots")
        ordering = ["-created_at"]

    def __str__(self):
        return self.label


class Freezing(StagedJob):
    """A snapshot that somebody asked for. The row is the job; the Snapshot that comes of it has the same key."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    status = models.CharField(max_length=9, choices=StagedJob.Status, default=StagedJob.Status.QUEUED)
    label = models.CharField(_("label"), max_length=80)
    note = models.TextField(_("note"), blank=True)
    requested_by = person_field(null=False)
    error = models.JSONField(null=True)  # why it failed, in both languages

    class Meta:
        verbose_name = _("freezing")
        verbose_name_plural = _("freezings")
        ordering = ["-requested_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["label"], condition=models.Q(status__in=["queued", "running"]), name="freezing_label_once"
            ),
        ]

    def __str__(self):
        return f"{self.label} · {self.status}"


class SnapshotPart(models.Model):
    """Rows of one site in one table of a snapshot: CSV, compressed. Row-level security guards it like the table."""

    snapshot = models.ForeignKey(Snapshot, models.PROTECT, related_name="parts")
    site = site_of_patient()
    table = models.CharField(max_length=20)
    position = models.PositiveIntegerField()
    hash = models.CharField(max_length=64)  # sha256 of the CSV
    data = models.BinaryField()

    class Meta:
        verbose_name = _("part of a snapshot")
        verbose_name_plural = _("parts of snapshots")
        ordering = ["snapshot", "table", "site", "position"]
        constraints = [
            models.UniqueConstraint(fields=["snapshot", "table", "site", "position"], name="snapshot_part_once"),
        ]

    def __str__(self):
        return f"{self.snapshot_id} · {self.table} · {self.position}"
