"""A patient's way between sites and records: transfers to another site, and merges of two records of one patient."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from registry.models.columns import person_field
from registry.models.records.clinical import Patient, site_of_patient
from sites.models import Site

LONGEST_REASON = 300


class Transfer(models.Model):
    """That a patient went from one site to another. `move_patient` in the database writes it, and nothing else can.

    `site` is the one that the patient left; both sites read the row. The number stays the patient's, so that the site
    that was left gives it to nobody.
    """

    site = site_of_patient()
    to_site = models.ForeignKey(Site, models.PROTECT, related_name="+", db_index=False, verbose_name=_("to site"))
    patient_id = models.CharField(_("patient ID"), max_length=40, db_collation="C")
    reason = models.CharField(_("reason"), max_length=LONGEST_REASON)
    transferred_by = person_field(_("transferred by"))
    transferred_at = models.DateTimeField(_("transferred"), db_default=Now())

    class Meta:
        verbose_name = _("transfer")
        verbose_name_plural = _("transfers")
        ordering = ["-pk"]
        indexes = [models.Index(fields=["patient_id"], name="transfer_by_patient")]
        constraints = [
            models.CheckConstraint(condition=~Q(reason=""), name="transfer_has_reason"),
            models.CheckConstraint(condition=~Q(site=models.F("to_site")), name="transfer_to_another_site"),
        ]

    def __str__(self):
        return f"{self.patient_id} → {self.to_site_id}"


class Merge(models.Model):
    """That the record `merged` was taken into the one of `patient`, what came of it, and whether it was taken back.

    entry    the number of the EnteredInError that `merged` has since
    copied   [{"form", "record", "version", "replaced"}]: rows that came of it; `replaced`: the entry of what gave way
    before   values of the patient's own columns that were replaced, as JSON has them
    version  of the patient once it was done: it can be taken back until the next entry
    """

    site = site_of_patient()
    patient = models.ForeignKey(Patient, models.DO_NOTHING, related_name="+", db_index=False, db_constraint=False)
    merged = models.CharField(_("merged record"), max_length=40, db_collation="C")
    entry = models.BigIntegerField(_("entry in error"))
    reason = models.CharField(_("reason"), max_length=LONGEST_REASON)
    copied = models.JSONField(default=list)
    before = models.JSONField(default=dict)
    version = models.IntegerField(_("version"))
    merged_by = person_field(_("merged by"))
    merged_at = models.DateTimeField(_("merged"), db_default=Now())
    taken_back_by = person_field(_("taken back by"))
    taken_back_at = models.DateTimeField(_("taken back"), null=True)
    taken_back_reason = models.CharField(_("reason for taking it back"), max_length=LONGEST_REASON, blank=True)

    class Meta:
        verbose_name = _("merge")
        verbose_name_plural = _("merges")
        ordering = ["-pk"]
        indexes = [models.Index(fields=["site", "patient"], name="merge_by_patient")]
        constraints = [
            models.CheckConstraint(condition=~Q(reason=""), name="merge_has_reason"),
            models.UniqueConstraint(fields=["merged"], condition=Q(taken_back_at=None), name="merge_once"),
        ]

    def __str__(self):
        return f"{self.merged} → {self.patient_id}"


def _site(verbose_name):
    return models.ForeignKey(Site, models.PROTECT, related_name="+", db_index=False, verbose_name=verbose_name)


class SuspectedPair(models.Model):
    """Two records of two sites that may be one patient: a question to the data manager, without any identifier.

    No site is told of it: the row has two sites and belongs to neither. `first` is the smaller number.
    """

    class State(models.TextChoices):
        OPEN = "open", _("Open")
        TWO = "two", _("Two patients")
        ONE = "one", _("One patient")

    first = models.CharField(_("first record"), max_length=40, db_collation="C")
    second = models.CharField(_("second record"), max_length=40, db_collation="C")
    first_site = _site(_("first site"))
    second_site = _site(_("second site"))
    state = models.CharField(_("state"), max_length=4, choices=State, default=State.OPEN)
    reason = models.CharField(_("reason"), max_length=LONGEST_REASON, blank=True)
    found_at = models.DateTimeField(_("found"), db_default=Now())
    decided_by = person_field(_("decided by"))
    decided_at = models.DateTimeField(_("decided"), null=True)

    class Meta:
        verbose_name = _("suspected pair")
        verbose_name_plural = _("suspected pairs")
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["first", "second"], name="suspected_pair_once"),
            models.CheckConstraint(condition=Q(state__in=["open", "two", "one"]), name="suspected_pair_state_known"),
            models.CheckConstraint(condition=Q(state="open") | ~Q(reason=""), name="suspected_pair_for_a_reason"),
        ]

    def __str__(self):
        return f"{self.first} · {self.second}"
