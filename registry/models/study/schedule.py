"""The schedule as data: versions of the plan, and what ends a patient's follow-up before its last visit."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from registry.instruments.core import follow_up_end as end
from registry.models import columns as build
from registry.models.records.clinical import Patient, Timepoint, in_error_field, site_of_patient
from sites.models import User


class ScheduleVersion(models.Model):
    """A plan for patients operated from a day on. Never changed or removed: a later version takes its place."""

    effective_from = models.DateField(_("for patients operated from"))
    note = models.CharField(_("why"), max_length=300, blank=True)
    created_by = models.ForeignKey(
        User, models.PROTECT, related_name="+", null=True, db_constraint=False, verbose_name=_("published by")
    )
    created_at = models.DateTimeField(_("published"), db_default=Now())

    class Meta:
        verbose_name = _("version of the schedule")
        verbose_name_plural = _("versions of the schedule")
        ordering = ["effective_from", "pk"]

    def __str__(self):
        return str(self.effective_from)


class ScheduledVisit(models.Model):
    """A planned visit in one version: target day from surgery, and its window in days before and after."""

    version = models.ForeignKey(ScheduleVersion, models.PROTECT, related_name="visits")
    timepoint = models.ForeignKey(Timepoint, models.PROTECT, related_name="+", verbose_name=_("timepoint"))
    target_day = models.SmallIntegerField(_("target day"))
    days_before = models.PositiveSmallIntegerField(_("days before"))
    days_after = models.PositiveSmallIntegerField(_("days after"))

    class Meta:
        verbose_name = _("planned visit")
        verbose_name_plural = _("planned visits")
        ordering = ["version", "target_day"]
        constraints = [
            models.UniqueConstraint(fields=["version", "timepoint"], name="scheduled_once_a_version"),
        ]

    def __str__(self):
        return f"{self.version_id} · {self.timepoint_id}"


ITEMS = end.FOLLOW_UP_END.items


class FollowUpEnd(models.Model):
    """Why a patient's follow-up ended while the patient was alive, and when. Without a row it goes on.

    `version`, `updated_at` and `updated_by_id` are set by a trigger.
    """

    patient = models.OneToOneField(
        Patient, models.CASCADE, primary_key=True, related_name="follow_up_end", db_constraint=False
    )
    site = site_of_patient()
    vars().update({item.name: build.field_for(item) for item in ITEMS})
    version = models.IntegerField(default=1, db_default=1, editable=False)
    updated_at = models.DateTimeField(null=True, editable=False)
    updated_by_id = models.BigIntegerField(null=True, editable=False)
    in_error = in_error_field()

    end_kind: str
    end_data_use: str | None

    class Meta:
        verbose_name = _("end of follow-up")
        verbose_name_plural = _("ends of follow-up")
        constraints = [
            models.CheckConstraint(
                condition=Q(end_kind__isnull=False, end_date__isnull=False, end_reason__isnull=False),
                name="follow_up_end_named",
            ),
            models.CheckConstraint(
                condition=Q(end_kind=end.WITHDRAWN, end_data_use__isnull=False)
                | (~Q(end_kind=end.WITHDRAWN) & Q(end_data_use__isnull=True)),
                name="follow_up_end_data_use",
            ),
            *filter(None, (build.value_constraint("follow_up_end", item) for item in ITEMS)),
        ]

    def __str__(self):
        return f"{self.patient_id} · {self.end_kind}"
