"""Records that were entered in error: which, why, by whom, and whether that was taken back."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from registry.models.columns import person_field
from registry.models.records.clinical import Patient, site_of_patient


class EnteredInError(models.Model):
    """The mark of one record. What hangs on the record has the same number in its column `in_error`.

    A row is never deleted but with its patient, and never changed but that it is taken back once (registry/guards).

    form    what kind of record it is
    record  the key of its row, as text; a patient's is the patient's number
    code    timepoint of an assessment, code of an own form; "" otherwise
    merged_into  number of the patient whose record has taken this patient's over; "" otherwise
    """

    class Kind(models.TextChoices):
        PATIENT = "patient", _("Patient")
        ASSESSMENT = "assessment", _("Assessment")
        ADVERSE_EVENT = "adverse_event", _("Adverse event")
        OWN_RECORD = "own_record", _("Own record")

    site = site_of_patient()
    patient = models.ForeignKey(Patient, models.DO_NOTHING, related_name="+", db_index=False, db_constraint=False)
    form = models.CharField(_("form"), max_length=13, choices=Kind)
    record = models.CharField(_("record"), max_length=40)
    code = models.CharField(_("timepoint or form"), max_length=20, blank=True)
    reason = models.CharField(_("reason"), max_length=300)
    merged_into = models.CharField(_("merged into"), max_length=40, blank=True, default="", db_default="")
    marked_by = person_field(_("marked by"))
    marked_at = models.DateTimeField(_("marked"), db_default=Now())
    taken_back_by = person_field(_("taken back by"))
    taken_back_at = models.DateTimeField(_("taken back"), null=True)
    taken_back_reason = models.CharField(_("reason for taking it back"), max_length=300, blank=True)

    class Meta:
        verbose_name = _("entry in error")
        verbose_name_plural = _("entries in error")
        ordering = ["-pk"]
        indexes = [models.Index(fields=["site", "patient"], name="entered_in_error_by_patient")]
        constraints = [
            models.UniqueConstraint(
                fields=["form", "record"], condition=Q(taken_back_at=None), name="entered_in_error_once"
            ),
            models.CheckConstraint(
                condition=Q(form__in=["patient", "assessment", "adverse_event", "own_record"]),
                name="entered_in_error_form_known",
            ),
            models.CheckConstraint(condition=~Q(reason=""), name="entered_in_error_reason"),
            models.CheckConstraint(
                condition=Q(taken_back_at=None, taken_back_reason="")
                | Q(taken_back_at__isnull=False) & ~Q(taken_back_reason=""),
                name="entered_in_error_taken_back_for_a_reason",
            ),
        ]

    def __str__(self):
        return f"{self.patient_id} · {self.form}"
