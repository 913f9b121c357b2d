"""Erasures: whose identifiers or whole records were destroyed at the patient's wish, when, by whom and why."""

import uuid

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from registry.models.columns import person_field
from registry.models.jobs import Job, StagedJob
from registry.models.records.clinical import site_of_patient


class Erasure(models.Model):
    """One erasure. Never changed nor removed; triggers refuse that what it erased comes back (registry/guards).

    It names the patient by number alone, without a key to the patient's row, which may be gone.
    """

    class Extent(models.TextChoices):
        IDENTIFIERS = "identifiers", _("Direct identifiers only")
        EVERYTHING = "everything", _("The whole record")

    site = site_of_patient()
    patient_id = models.CharField(_("patient ID"), max_length=40, db_collation="C")
    extent = models.CharField(_("what was erased"), max_length=11, choices=Extent)
    reason = models.CharField(_("reason"), max_length=300)
    rows = models.JSONField(_("rows"), default=dict)  # name of table to number of rows that went
    erased_at = models.DateTimeField(_("erased"), db_default=Now())
    erased_by = person_field(_("erased by"))

    class Meta:
        verbose_name = _("erasure")
        verbose_name_plural = _("erasures")
        ordering = ["-erased_at", "-pk"]
        constraints = [
            models.UniqueConstraint(fields=["patient_id", "extent"], name="erasure_once"),
            models.CheckConstraint(condition=Q(extent__in=["identifiers", "everything"]), name="erasure_extent_known"),
            models.CheckConstraint(condition=~Q(reason=""), name="erasure_has_reason"),
        ]

    def __str__(self):
        return f"{self.patient_id} · {self.extent}"


class Erasing(Job):
    """An erasure that somebody asked for and that is not done. The row is the job; it goes when the Erasure comes."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    status = models.CharField(max_length=9, choices=StagedJob.Status, default=StagedJob.Status.QUEUED)
    site = site_of_patient()
    patient_id = models.CharField(_("patient ID"), max_length=40, db_collation="C")
    extent = models.CharField(_("what is erased"), max_length=11, choices=Erasure.Extent)
    reason = models.CharField(_("reason"), max_length=300)
    requested_by = person_field()
    error = models.JSONField(null=True)  # why it failed, in both languages

    class Meta:
        verbose_name = _("requested erasure")
        verbose_name_plural = _("requested erasures")
        ordering = ["-requested_at"]
        constraints = [
            models.UniqueConstraint(fields=["patient_id", "extent"], name="erasing_once"),
            models.CheckConstraint(condition=Q(extent__in=["identifiers", "everything"]), name="erasing_extent_known"),
            models.CheckConstraint(condition=~Q(reason=""), name="erasing_has_reason"),
        ]

    def __str__(self):
        return f"{self.patient_id} · {self.extent} · {self.status}"
