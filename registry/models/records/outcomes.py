"""What Celery computes from assessments: utilities and changes from baseline.

Both are derived data, rebuilt at any time, so they carry no foreign keys (a check of a million keys costs more than
the computation) and no audit trail. A trigger removes them with their assessment.
"""

from django.db import models
from django.utils.translation import gettext_lazy as _


class Utility(models.Model):
    """The EQ-5D-5L health state utility value (HSUV) of one assessment by one value set."""

    pk = models.CompositePrimaryKey("assessment_id", "value_set")
    site_id = models.BigIntegerField()
    assessment_id = models.BigIntegerField()
    value_set = models.CharField(max_length=8)
    # The state that was valued: a utility whose state is not the assessment's any more is stale and not shown.
    eq5d_state = models.IntegerField()
    hsuv = models.FloatField()

    class Meta:
        verbose_name = _("utility")
        verbose_name_plural = _("utilities")


class Change(models.Model):
    """The change of one assessment from the preoperative one, each null unless both values are known."""

    pk = models.CompositePrimaryKey("assessment_id", "value_set")
    site_id = models.BigIntegerField()
    assessment_id = models.BigIntegerField()
    value_set = models.CharField(max_length=8)
    delta_pain_vas_mm = models.SmallIntegerField(null=True)
    delta_barthel_total = models.SmallIntegerField(null=True)
    delta_hsuv = models.FloatField(null=True)
    delta_eq_vas = models.SmallIntegerField(null=True)

    class Meta:
        verbose_name = _("change from baseline")
        verbose_name_plural = _("changes from baseline")
