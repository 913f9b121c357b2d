"""Plans that people keep, and those they lock: a version never changes; a change is a new version."""

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from registry.models.columns import person_field


class SavedPlan(models.Model):
    """A platform table without patients. A trigger refuses every change of a row, and its removal.

    A locked version is a statistical analysis plan: written down before the data that it is about were frozen.
    """

    name = models.CharField(max_length=80)
    version = models.PositiveIntegerField()
    plan = models.JSONField()  # registry.analysis.design.plans
    cohort = models.JSONField()  # registry.analysis.design.cohorts: whom it is about
    note = models.TextField(blank=True)
    locked = models.BooleanField(default=False)
    # The newest snapshot when it was locked: every later one was frozen after the plan. Empty where there was none.
    last_snapshot = models.CharField(max_length=80, blank=True)
    created_by = person_field()
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        verbose_name = _("saved plan")
        verbose_name_plural = _("saved plans")
        ordering = ["name", "-version"]
        constraints = [
            models.UniqueConstraint(fields=["name", "version"], name="saved_plan_version_once"),
        ]

    def __str__(self):
        return f"{self.name} · {self.version}"
