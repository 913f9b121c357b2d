"""Comparison runs: what was asked, how far it is, what came out. The row is the job."""

import uuid

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from registry.models.jobs import StagedJob


class WithoutPatients(models.Manager):
    """Leaves out the patients of a run, who may be a million, until they are asked for."""

    def get_queryset(self):
        return super().get_queryset().defer("patients")


class ComparisonRun(StagedJob):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    status = models.CharField(max_length=9, choices=StagedJob.Status, default=StagedJob.Status.QUEUED)
    plan = models.JSONField()  # registry.analysis: variables, kinds, tests, adjustments, value set, timepoints
    cohort = models.JSONField()  # registry.analysis: the filters, in order
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    error = models.TextField(blank=True)
    result = models.JSONField(null=True)
    snapshot = models.CharField(max_length=80, blank=True)  # sha256 of the data that went in
    # The frozen state that the data are read from; the registry as it is at that moment where there is none.
    frozen = models.ForeignKey("Snapshot", models.PROTECT, null=True, related_name="runs")
    patients = models.JSONField(null=True)  # IDs of those analysed, ascending: for who may read all sites' records

    objects = WithoutPatients()

    class Meta:
        verbose_name = _("comparison run")
        verbose_name_plural = _("comparison runs")
        ordering = ["-requested_at"]
        constraints = [
            # A result never changes after the fact: a trigger refuses it too.
            models.CheckConstraint(
                condition=models.Q(status="done", result__isnull=False) | ~models.Q(status="done"),
                name="comparison_run_done_has_result",
            ),
        ]

    def __str__(self):
        return f"{self.id} · {self.status}"
