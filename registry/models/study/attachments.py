"""Files of a patient: a signed page, a report, a picture. Encrypted with the patient's key, as identifiers are."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from registry.models.columns import person_field
from registry.models.records.clinical import in_error_field, site_of_patient
from registry.models.study.consents import of_patient


class Attachment(models.Model):
    """One file. Its name and content are ciphertext, of whose key nothing is left once the identity is erased.

    form     what it belongs to: "patient", "consent", or a form of the patient
    record   which of several: the code of a visit, the number of an event or own record; "" otherwise
    content  the ciphertext; null once it was removed, of which who, when and why stay
    """

    class Kind(models.TextChoices):
        CONSENT = "consent", _("Signed page of the consent")
        REPORT = "report", _("Report")
        IMAGE = "image", _("Picture")
        OTHER = "other", _("Other")

    site = site_of_patient()
    patient = of_patient("attachments")
    form = models.CharField(_("form"), max_length=20)
    record = models.CharField(_("record"), max_length=40, blank=True)
    kind = models.CharField(_("kind"), max_length=7, choices=Kind)
    name = models.BinaryField(pgettext_lazy("thing", "name"))
    media_type = models.CharField(_("type"), max_length=40)
    size = models.IntegerField(_("size"))
    content = models.BinaryField(_("content"), null=True)
    added_by = person_field(_("added by"))
    added_at = models.DateTimeField(_("added"), db_default=Now())
    removed_by = person_field(_("removed by"))
    removed_at = models.DateTimeField(_("removed"), null=True)
    removed_reason = models.CharField(_("reason for removing it"), max_length=300, blank=True)
    in_error = in_error_field()

    class Meta:
        verbose_name = _("attachment")
        verbose_name_plural = _("attachments")
        ordering = ["pk"]
        indexes = [models.Index(fields=["site", "patient"], name="attachment_by_patient")]
        constraints = [
            models.CheckConstraint(
                condition=Q(removed_at=None, removed_reason="", content__isnull=False)
                | Q(removed_at__isnull=False, content=None) & ~Q(removed_reason=""),
                name="attachment_removed_for_a_reason",
            ),
            models.CheckConstraint(condition=Q(size__gt=0, size__lte=10 * 1024 * 1024), name="attachment_size"),
            models.CheckConstraint(
                condition=Q(media_type__in=["application/pdf", "image/png", "image/jpeg"]), name="attachment_type"
            ),
            models.CheckConstraint(
                condition=Q(kind__in=["consent", "report", "image", "other"]), name="attachment_kind_known"
            ),
        ]

    def __str__(self):
        return f"{self.patient_id} · {self.pk}"
