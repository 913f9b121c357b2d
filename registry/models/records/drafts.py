"""Drafts: what somebody is typing into a form and has not saved."""

from django.conf import settings
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from registry.models.records.clinical import Patient, site_of_patient


class Draft(models.Model):
    """What one person typed into one form since it was last saved, right or wrong; gone once the form is saved.

    It is no record: nobody but its author ever sees it, no analysis and no export reads it, and so its changes are not
    in the audit trail, which has what comes of it. The policies show a row to its author alone (registry/guards).

    form       the form's code (services.findings.Form.code), or `event-new`
    typed      name of a field to the list of what is in it; only fields that were touched
    based_on   version of the record that was on the page; null where there was none
    discarded_at  since when the author does not want it any more; for a while it can be brought back
    """

    site = site_of_patient()
    patient = models.ForeignKey(Patient, models.DO_NOTHING, related_name="drafts", db_index=False, db_constraint=False)
    form = models.CharField(_("form"), max_length=32)
    person = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="drafts", db_index=False, db_constraint=False
    )
    typed = models.JSONField(_("as typed"))
    based_on = models.IntegerField(null=True)
    updated_at = models.DateTimeField(_("last typed"), db_default=Now())
    discarded_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("draft")
        verbose_name_plural = _("drafts")
        ordering = ["-updated_at"]
        constraints = [models.UniqueConstraint(fields=["person", "patient", "form"], name="draft_once_a_form")]

    def __str__(self):
        return f"{self.patient_id} · {self.form}"
