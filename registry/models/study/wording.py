"""Licensed wording of questionnaires, per language, as an administrator loaded it. No export reads it."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _


class LicensedWording(models.Model):
    """The wording of one questionnaire in one language, from when it was loaded: the newest row holds.

    Rows are only added to (registry/guards). A row without wording takes back what was there.

    questionnaire   code of one of registry.services.protocol.wording.questionnaires
    document        what it says: {"intro", "copyright", "items": {name: {"text", "choices", "low", "high"}}}, or {}
    licence         number or date of the permission to use it
    is_placeholder  not the owner's wording: texts of a demonstration
    """

    questionnaire = models.CharField(_("questionnaire"), max_length=20)
    language = models.CharField(_("language"), max_length=5)
    document = models.JSONField(_("wording"))
    licence = models.CharField(_("licence"), max_length=200)
    is_placeholder = models.BooleanField(_("placeholder"), default=False, db_default=False)
    loaded_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", null=True, db_constraint=False,
        verbose_name=_("loaded by"),
    )  # fmt: skip
    loaded_at = models.DateTimeField(_("loaded"), db_default=Now())

    class Meta:
        verbose_name = _("licensed wording")
        verbose_name_plural = _("licensed wordings")
        ordering = ["pk"]
        indexes = [models.Index(fields=["language", "questionnaire", "-id"], name="licensed_wording_newest")]
        constraints = [models.CheckConstraint(condition=~Q(licence=""), name="licensed_wording_licence")]

    def __str__(self):
        return f"{self.questionnaire} · {self.language}"
