"""Consents that patients gave, each a version of the form, and the parts of them that were withdrawn."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from registry.instruments.core import consent as declared
from registry.models import columns as build
from registry.models.columns import person_field
from registry.models.records.clinical import Patient, in_error_field, site_of_patient

ITEMS = declared.CONSENT.items
WITHDRAWAL_ITEMS = declared.WITHDRAWAL.items


def of_patient(related_name):
    return models.ForeignKey(Patient, models.DO_NOTHING, related_name=related_name, db_index=False, db_constraint=False)


class Consent(models.Model):
    """One consent of a patient: the first, or a further one where a new version of the form asked for it.

    It is corrected and never deleted. `version`, `updated_at` and `updated_by_id` are set by a trigger.
    """

    site = site_of_patient()
    patient = of_patient("consents")
    vars().update({item.name: build.field_for(item) for item in ITEMS})
    version = models.IntegerField(default=1, db_default=1, editable=False)
    updated_at = models.DateTimeField(null=True, editable=False)
    updated_by_id = models.BigIntegerField(null=True, editable=False)
    in_error = in_error_field()

    agreed_version: str

    class Meta:
        verbose_name = _("consent")
        verbose_name_plural = _("consents")
        ordering = ["agreed_on", "pk"]
        indexes = [models.Index(fields=["site", "patient"], name="consent_by_patient")]
        constraints = [
            models.UniqueConstraint(fields=["patient", "agreed_version"], name="consent_once_a_version"),
            models.CheckConstraint(
                condition=Q(**{f"{item.name}__isnull": False for item in ITEMS}), name="consent_whole"
            ),
            *filter(None, (build.value_constraint("consent", item) for item in ITEMS)),
        ]

    def __str__(self):
        return f"{self.patient_id} · {self.agreed_version}"


class ConsentWithdrawal(models.Model):
    """A part of the consent that a patient withdrew. It stays, unless it was recorded wrongly: that is said once."""

    site = site_of_patient()
    patient = of_patient("consent_withdrawals")
    vars().update({item.name: build.field_for(item) for item in WITHDRAWAL_ITEMS})
    recorded_by = person_field(_("recorded by"))
    recorded_at = models.DateTimeField(_("recorded"), db_default=Now())
    corrected_by = person_field(_("corrected by"))
    corrected_at = models.DateTimeField(_("corrected"), null=True)
    correction = models.CharField(_("why it was recorded wrongly"), max_length=300, blank=True)
    in_error = in_error_field()

    withdrawn_part: str

    class Meta:
        verbose_name = _("withdrawal of a part of the consent")
        verbose_name_plural = _("withdrawals of parts of consents")
        ordering = ["pk"]
        indexes = [models.Index(fields=["site", "patient"], name="withdrawal_by_patient")]
        constraints = [
            models.UniqueConstraint(
                fields=["patient", "withdrawn_part"], condition=Q(corrected_at=None), name="withdrawal_once"
            ),
            models.CheckConstraint(
                condition=Q(**{f"{item.name}__isnull": False for item in WITHDRAWAL_ITEMS}), name="withdrawal_whole"
            ),
            models.CheckConstraint(
                condition=Q(corrected_at=None, correction="") | Q(corrected_at__isnull=False) & ~Q(correction=""),
                name="withdrawal_corrected_for_a_reason",
            ),
            *filter(None, (build.value_constraint("withdrawal", item) for item in WITHDRAWAL_ITEMS)),
        ]

    def __str__(self):
        return f"{self.patient_id} · {self.withdrawn_part}"
