"""Screening log: one row for each person whom a site looked at for the study."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from registry.instruments.core import screening as declared
from registry.models import columns as build
from registry.models.records.clinical import Patient, site_of_patient

ITEMS = declared.SCREENING.items


def _reasoned():
    """An outcome has one of the reasons that go with it, or none where it needs none."""
    condition = Q(screen_reason=None) & ~Q(screen_outcome__in=list(declared.REASONS))
    for outcome, reasons in declared.REASONS.items():
        fitting = [reason.code for reason in reasons]
        condition |= Q(screen_outcome=outcome, screen_reason__isnull=False, screen_reason__in=fitting)
    return condition


class ScreeningEntry(models.Model):
    """One line of a site's screening log. It is corrected and never deleted.

    number   of the site's own log, from 1
    patient  whom the person became; null again once that record is erased
    `version`, `updated_at` and `updated_by_id` are set by a trigger.
    """

    site = site_of_patient()
    number = models.IntegerField(_("number in the log"))
    vars().update({item.name: build.field_for(item) for item in ITEMS})
    patient = models.OneToOneField(
        Patient, models.DO_NOTHING, related_name="screening", null=True, db_constraint=False, verbose_name=_("patient")
    )
    version = models.IntegerField(default=1, db_default=1, editable=False)
    updated_at = models.DateTimeField(null=True, editable=False)
    updated_by_id = models.BigIntegerField(null=True, editable=False)

    screen_outcome: str
    screen_reason: str | None

    class Meta:
        verbose_name = _("entry of the screening log")
        verbose_name_plural = _("entries of the screening log")
        ordering = ["-screened_on", "-pk"]
        constraints = [
            models.UniqueConstraint(fields=["site", "number"], name="screening_number_once"),
            models.CheckConstraint(
                condition=Q(screened_on__isnull=False, screen_outcome__isnull=False), name="screening_named"
            ),
            models.CheckConstraint(condition=_reasoned(), name="screening_reason_of_outcome"),
            models.CheckConstraint(
                condition=Q(screen_criterion=None) | Q(screen_reason__isnull=False, screen_reason=declared.CRITERION),
                name="screening_criterion",
            ),
            models.CheckConstraint(
                condition=Q(patient=None) | Q(screen_outcome__in=[declared.ENROLLED, declared.IN_ERROR]),
                name="screening_enrolled",
            ),
            *filter(None, (build.value_constraint("screening", item) for item in ITEMS)),
        ]

    def __str__(self):
        return f"{self.site_id} · {self.number}"
