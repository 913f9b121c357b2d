"""Logos of the study: pictures that pages and the printed protocol show. A version of the protocol names one."""

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _


class StudyLogo(models.Model):
    """A small PNG under the SHA-256 of its content. Never changed: another logo is another row."""

    digest = models.CharField(_("SHA-256"), max_length=64, unique=True)
    content = models.BinaryField(_("content"))
    added_at = models.DateTimeField(_("added"), db_default=Now())

    class Meta:
        verbose_name = _("logo")
        verbose_name_plural = _("logos")
        ordering = ["pk"]
        constraints = [models.CheckConstraint(condition=models.Q(digest__regex=r"^[0-9a-f]{64}$"), name="logo_digest")]

    def __str__(self):
        return self.digest[:12]
