"""Queries: questions about what a form says, from the first doubt to the answer that settles it.

The database keeps the rules that matter: a query's question never changes, its messages are only added to, and who may
open, answer and close it follows from the transaction's scope (registry/guards).
"""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from registry.models.columns import person_field
from registry.models.records.clinical import Patient, in_error_field, site_of_patient


class QueryState(models.TextChoices):
    OPEN = "open", _("Open")
    ANSWERED = "answered", _("Answered")
    CLOSED = "closed", _("Closed")


class QueryForm(models.TextChoices):
    """The kind of form that a query is about; the query names the timepoint, adverse event or own record beside it."""

    BASELINE = "baseline", _("Baseline")
    SURGERY = "surgery", _("Surgery")
    FOLLOW_UP = "follow_up", _("Follow-up")
    ASSESSMENT = "assessment", _("Assessment")
    ADVERSE_EVENT = "adverse_event", _("Adverse event")
    OWN_RECORD = "own_record", _("Repeating form")


class QueryQuerySet(models.QuerySet):
    def visible_to(self, access):
        """Queries of the sites that `access` may read. The row-level-security policy says the same."""
        return self.filter(site_id__in=access.scope().read)

    def unsettled(self):
        return self.exclude(state=QueryState.CLOSED)


class Query(models.Model):
    """One question about a form, or about one item of it.

    field   name of the item; null for the form as a whole
    rule    name of the soft check that raised it; null where a person did
    text    the question as a person asked it; a rule's words come from its declaration
    seen    the answers that the rule found unlikely, when it last did: others are another question
    mended  closed by the rule itself, because the answers no longer meet it
    """

    site = site_of_patient()
    patient = models.ForeignKey(Patient, models.DO_NOTHING, related_name="queries", db_index=False, db_constraint=False)
    form = models.CharField(_("form"), max_length=13, choices=QueryForm)
    timepoint = models.ForeignKey(
        "registry.Timepoint", models.PROTECT, null=True, related_name="+", db_index=False, db_constraint=False
    )
    event = models.ForeignKey(
        "registry.AdverseEvent", models.DO_NOTHING, null=True, related_name="+", db_index=False, db_constraint=False
    )
    own_record = models.ForeignKey(
        "registry.OwnRecord", models.DO_NOTHING, null=True, related_name="+", db_index=False, db_constraint=False
    )
    field = models.CharField(_("item"), max_length=63, null=True)
    rule = models.CharField(_("rule"), max_length=63, null=True)
    text = models.TextField(_("question"), blank=True)
    state = models.CharField(
        _("state"), max_length=8, choices=QueryState, default=QueryState.OPEN, db_default=QueryState.OPEN.value
    )
    seen = models.JSONField(_("answers in question"), default=dict, db_default=models.Value({}, models.JSONField()))
    mended = models.BooleanField(_("closed by the rule"), default=False, db_default=False)
    raised_by = person_field(_("raised by"))
    raised_at = models.DateTimeField(_("raised"), db_default=Now())
    changed_at = models.DateTimeField(_("last message"), db_default=Now())
    in_error = in_error_field()  # that of the record it is about

    objects = QueryQuerySet.as_manager()

    class Meta:
        verbose_name = _("query")
        verbose_name_plural = _("queries")
        ordering = ["-raised_at", "-pk"]
        indexes = [
            models.Index(fields=["site", "state", "-raised_at"], name="query_by_site"),
            models.Index(fields=["patient"], name="query_by_patient"),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(state__in=QueryState.values), name="query_state_known"),
            models.CheckConstraint(condition=Q(form__in=QueryForm.values), name="query_form_known"),
            models.CheckConstraint(
                condition=Q(form="assessment", timepoint__isnull=False) | ~Q(form="assessment") & Q(timepoint=None),
                name="query_timepoint_fits",
            ),
            models.CheckConstraint(
                condition=Q(form="adverse_event", event__isnull=False) | ~Q(form="adverse_event") & Q(event=None),
                name="query_event_fits",
            ),
            models.CheckConstraint(
                condition=Q(form="own_record", own_record__isnull=False) | ~Q(form="own_record") & Q(own_record=None),
                name="query_own_record_fits",
            ),
            models.CheckConstraint(condition=Q(rule__isnull=False) | ~Q(text=""), name="query_asks_something"),
            models.UniqueConstraint(
                fields=["patient", "form", "timepoint", "event", "own_record", "rule", "in_error"],
                condition=Q(rule__isnull=False),
                nulls_distinct=False,
                name="query_once_a_rule",
            ),
            # The target of the messages' composite key.
            models.UniqueConstraint(fields=["site", "id"], name="query_site_unique"),
        ]

    def __str__(self):
        return f"{self.patient_id} · {self.form} · {self.field or self.rule or ''}"


class QueryMessage(models.Model):
    """One step of a query, never changed: who did what, when, and the words to it. Nobody is the rule itself."""

    class Kind(models.TextChoices):
        RAISED = "raised", _("Raised")
        CONFIRMED = "confirmed", _("Confirmed as right")
        ANSWERED = "answered", _("Answered")
        REOPENED = "reopened", _("Opened again")
        CLOSED = "closed", _("Closed")
        MENDED = "mended", _("Closed: the data were mended")

    site = site_of_patient()
    query = models.ForeignKey(Query, models.DO_NOTHING, related_name="messages", db_index=False, db_constraint=False)
    kind = models.CharField(_("step"), max_length=9, choices=Kind)
    text = models.TextField(_("text"), blank=True)
    by = person_field(_("by"))
    at = models.DateTimeField(_("at"), db_default=Now())

    class Meta:
        verbose_name = _("query message")
        verbose_name_plural = _("query messages")
        ordering = ["pk"]
        indexes = [models.Index(fields=["query"], name="query_message_by_query")]
        constraints = [
            models.CheckConstraint(
                condition=Q(kind__in=["raised", "confirmed", "answered", "reopened", "closed", "mended"]),
                name="query_message_kind_known",
            )
        ]

    def __str__(self):
        return f"{self.query_id} · {self.kind}"
