"""The study's protocol as data: its versions, own instruments in the making, and repeating forms of the study's own.

The columns of own items are no fields of these classes: publishing adds them to the tables of patients, assessments
and own records, and `registry.models.study.own` adds them to the models then.
"""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from registry.models.records.clinical import Record, State, of_patient, site_of_patient, state_constraint, state_field
from sites.models import User


def _by(verbose_name):
    return models.ForeignKey(
        User, models.PROTECT, related_name="+", null=True, db_constraint=False, verbose_name=verbose_name
    )


class ProtocolVersion(models.Model):
    """One state of the whole protocol, from the moment it was published. Never changed or removed: the newest holds.

    document  study, instruments with their documents, matrix of instruments and visits, arms, eligibility, consent
    asked     form (and visit) to the names of the items that a complete form needs, whatever is answered elsewhere
    """

    document = models.JSONField(_("protocol"))
    asked = models.JSONField(_("asked"), default=dict)
    note = models.CharField(_("what changed and why"), max_length=300)
    created_by = _by(_("published by"))
    created_at = models.DateTimeField(_("published"), db_default=Now())

    class Meta:
        verbose_name = _("version of the protocol")
        verbose_name_plural = _("versions of the protocol")
        ordering = ["pk"]

    def __str__(self):
        return f"{self.pk}"


class OwnInstrument(models.Model):
    """A version of one of the study's own instruments: a draft until it is published, and never changed afterwards."""

    code = models.CharField(_("code"), max_length=20)
    version = models.PositiveSmallIntegerField(_("version"), default=1)
    document = models.JSONField(_("declaration"))
    is_draft = models.BooleanField(_("draft"), default=True)
    changed_at = models.DateTimeField(_("changed"), auto_now=True)
    changed_by = _by(_("changed by"))

    class Meta:
        verbose_name = _("own instrument")
        verbose_name_plural = _("own instruments")
        ordering = ["code", "version"]
        constraints = [
            models.UniqueConstraint(fields=["code", "version"], name="own_instrument_version_once"),
            models.UniqueConstraint(fields=["code"], condition=Q(is_draft=True), name="own_instrument_one_draft"),
        ]

    def __str__(self):
        return f"{self.code} {self.version}"


class OwnColumn(models.Model):
    """A column that publishing added. Written by the database's own function `publish_own_columns` alone."""

    name = models.CharField(max_length=24, primary_key=True)
    table_name = models.CharField(max_length=40)
    kind = models.CharField(max_length=12)
    form = models.CharField(max_length=20)

    class Meta:
        verbose_name = _("column of an own item")
        verbose_name_plural = _("columns of own items")
        ordering = ["table_name", "name"]

    def __str__(self):
        return f"{self.table_name}.{self.name}"


class OwnRecord(Record):
    """One filled-in copy of a repeating form of the study's own, such as a course of radiotherapy."""

    patient = of_patient("own_records")
    site = site_of_patient()
    form = models.CharField(_("form"), max_length=20)
    state = state_field(_("state"))
    asked_by = models.IntegerField(_("version of the protocol"), null=True, editable=False)

    class Meta:
        verbose_name = _("own record")
        verbose_name_plural = _("own records")
        ordering = ["patient", "form", "pk"]
        indexes = [models.Index(fields=["site", "patient"], name="own_record_by_site")]
        constraints = [
            state_constraint("own_record_state_known", "state"),
            models.CheckConstraint(condition=Q(form__regex=r"^[a-z][a-z0-9_]{0,19}$"), name="own_record_form_shape"),
        ]

    def __str__(self):
        return f"{self.patient_id} · {self.form} · {self.pk}"


COMPLETE = (State.COMPLETE, State.VERIFIED, State.LOCKED)
