"""Notices of serious adverse events: who was told by mail, whether it went out, and who took note of it."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from registry.models.columns import person_field
from registry.models.records.clinical import AdverseEvent, Patient, site_of_patient


class SafetyNotice(models.Model):
    """One person's notice of one serious event. A row is never deleted but with its patient.

    seriousness  the criterion that the event met when the notice was made: a graver one makes another notice
    sent_at      when the mail was handed over; null while it waits or where there is no mail
    tries        how often sending it was tried; `fault` is why the last try failed, without anybody's data
    """

    site = site_of_patient()
    patient = models.ForeignKey(Patient, models.DO_NOTHING, related_name="+", db_index=False, db_constraint=False)
    event = models.ForeignKey(
        AdverseEvent, models.DO_NOTHING, related_name="notices", db_index=False, db_constraint=False
    )
    person = person_field(_("person"), null=False)
    seriousness = models.CharField(_("seriousness"), max_length=16)
    made_at = models.DateTimeField(_("made"), db_default=Now())
    sent_at = models.DateTimeField(_("sent"), null=True)
    tried_at = models.DateTimeField(_("last tried"), null=True)
    tries = models.SmallIntegerField(_("tries"), default=0)
    fault = models.CharField(_("why it failed"), max_length=100, blank=True)
    acknowledged_at = models.DateTimeField(_("acknowledged"), null=True)

    class Meta:
        verbose_name = _("safety notice")
        verbose_name_plural = _("safety notices")
        ordering = ["-pk"]
        indexes = [
            models.Index(fields=["site", "patient"], name="safety_notice_by_patient"),
            models.Index(fields=["person"], condition=Q(acknowledged_at=None), name="safety_notice_waiting"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["event", "person", "seriousness"], name="safety_notice_once"),
        ]

    def __str__(self):
        return f"{self.patient_id} · {self.seriousness}"
