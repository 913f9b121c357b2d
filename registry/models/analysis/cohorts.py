"""Cohorts that people keep: declared steps under a name. A version never changes; a change is a new version."""

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from registry.models.columns import person_field


class SavedCohort(models.Model):
    """A platform table without patients. A trigger refuses every change of a row, and its removal."""

    name = models.CharField(max_length=80)
    version = models.PositiveIntegerField()
    steps = models.JSONField()  # registry.analysis.design.cohorts: each step's code and parameters, in order
    note = models.TextField(blank=True)
    created_by = person_field(null=False)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        verbose_name = _("saved cohort")
        verbose_name_plural = _("saved cohorts")
        ordering = ["name", "-version"]
        constraints = [
            models.UniqueConstraint(fields=["name", "version"], name="saved_cohort_version_once"),
        ]

    def __str__(self):
        return f"{self.name} · {self.version}"
