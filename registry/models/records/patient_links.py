"""Links by which patients answer for themselves, without an account."""

from django.db import models
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from registry.instruments.extra.respondent import RESPONDENTS, SELF
from registry.models.columns import person_field
from registry.models.records.clinical import Patient, in_error_field, site_of_patient
from sites.languages import LanguageField


class PatientLink(models.Model):
    """One link for one patient's answers at one timepoint. `services.patient_links` does everything with it.

    Only a hash of the link's token is kept. The policies show a row to those who enter data at the site, and to whoever
    holds the link (registry/guards); a trigger keeps what was sent as it was sent.

    answers     item name to the answer, or to a reason for none
    settled_at  when somebody at the site took the answers over, or refused them (`refusal` says why)
    """

    site = site_of_patient()
    patient = models.ForeignKey(
        Patient, models.DO_NOTHING, related_name="patient_links", db_index=False, db_constraint=False
    )
    timepoint = models.CharField(_("timepoint"), max_length=16)
    token_hash = models.CharField(max_length=64, unique=True)
    language = LanguageField(_("language"))
    respondent = models.CharField(
        _("who answers"),
        max_length=11,
        choices=[(respondent.code, respondent.label.en) for respondent in RESPONDENTS],
        default=SELF,
    )
    answers = models.JSONField(_("answers"), default=dict)
    created_by = person_field(null=False)
    created_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField()
    opened_at = models.DateTimeField(null=True)
    submitted_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)
    settled_at = models.DateTimeField(null=True)
    settled_by = person_field()
    refusal = models.CharField(_("reason"), max_length=300, blank=True)
    in_error = in_error_field()  # that of the patient or visit it is for

    class Meta:
        verbose_name = _("patient link")
        verbose_name_plural = _("patient links")
        ordering = ["-pk"]
        indexes = [models.Index(fields=["site", "patient", "timepoint"], name="patient_link_of_form")]

    def __str__(self):
        return f"{self.patient_id} · {self.timepoint}"

    @property
    def state(self):
        """`open`, `expired`, `revoked`, `arrived` (waits for the site), `accepted` or `refused`."""
        if self.settled_at:
            return "refused" if self.refusal else "accepted"
        if self.submitted_at:
            return "arrived"
        if self.revoked_at:
            return "revoked"
        return "open" if self.expires_at > timezone.now() else "expired"
