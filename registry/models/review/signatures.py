"""Signatures: who confirmed which forms of a patient, when, in which words, and the hash of what was signed.

A row is never changed nor deleted (registry/guards): a signature that no longer holds is shown as broken.
"""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from registry.models.columns import person_field
from registry.models.records.clinical import Patient, site_of_patient
from sites.moments import day_of


class Signature(models.Model):
    """One act of signing.

    forms         what was signed: [{"form": "preop", "row": 17, "columns": [names]}, …], in the order of the hash
    sha256        of the canonical text (registry.services.review.signing)
    mac           the same under the deployment's key, which the database does not have; "" of release 0.1.0 alone
    acknowledged  ids of queries that were not settled, and known to the person who signed
    """

    site = site_of_patient()
    patient = models.ForeignKey(
        Patient, models.DO_NOTHING, related_name="signatures", db_index=False, db_constraint=False
    )
    signed_by = person_field(_("signed by"), null=False)
    signed_at = models.DateTimeField(_("signed"))
    name = models.CharField(_("name"), max_length=120)
    meaning = models.TextField(_("meaning"))
    forms = models.JSONField(_("forms"))
    acknowledged = models.JSONField(_("acknowledged queries"), default=list)
    sha256 = models.CharField("SHA-256", max_length=64)
    mac = models.CharField("HMAC", max_length=64, blank=True, default="", db_default="")

    class Meta:
        verbose_name = _("signature")
        verbose_name_plural = _("signatures")
        ordering = ["-signed_at", "-pk"]
        indexes = [models.Index(fields=["site", "patient"], name="signature_by_patient")]
        constraints = [
            models.CheckConstraint(condition=Q(sha256__regex=r"^[0-9a-f]{64}$"), name="signature_hash_shape"),
            models.CheckConstraint(condition=Q(mac__regex=r"^([0-9a-f]{64})?$"), name="signature_mac_shape"),
        ]

    def __str__(self):
        return f"{self.patient_id} · {self.name} · {day_of(self.signed_at)}"
