"""Which extra instruments this registry asks."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from registry.instruments import extras


class InstrumentSwitch(models.Model):
    """An extra that somebody has switched at least once. Without a row it is off; who changed it is in the trail."""

    code = models.CharField(_("instrument"), max_length=20, primary_key=True)
    on = models.BooleanField(_("switched on"))

    class Meta:
        verbose_name = _("extra instrument")
        verbose_name_plural = _("extra instruments")
        ordering = ["code"]

    def __str__(self):
        switch = extras.SWITCHES.get(self.code)
        return switch.title.en if switch else self.code
