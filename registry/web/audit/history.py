"""The history of a patient's records, field by field, from the audit trail."""

import json
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cache, lru_cache, partial

from django.apps import apps
from django.db.models import DateField, DateTimeField, Q
from django.shortcuts import render
from django.utils.text import capfirst
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from registry.instruments import catalogue
from registry.instruments.base import Label
from registry.instruments.core.consent import CONSENT, WITHDRAWAL
from registry.instruments.core.follow_up_end import FOLLOW_UP_END
from registry.instruments.levels import from_mask
from registry.instruments.patient_forms import STATE_COLUMNS
from registry.models import AdverseEvent, Assessment, Consent, ConsentWithdrawal, OwnRecord, QueryState
from registry.services.current_protocol import hidden_names
from registry.services.entry.transfers import sites_with_trail
from registry.web.shared import wording
from registry.web.shared.lookup import names_of, patient_of
from registry.web.shared.tags import STATES
from sites.models import AuditEvent
from sites.tenancy.access import Can
from sites.tenancy.scope import current, with_errors

# What columns are called that no model names; those that neither names are of the machinery, and told in a number.
COLUMNS = {
    "accepted_at": gettext_lazy("Accepted"),
    "created_at": gettext_lazy("Created"),
    "date_joined": gettext_lazy("Added"),
    "expires_at": gettext_lazy("Expires"),
    "last_login": gettext_lazy("Last sign-in"),
    "name": gettext_lazy("Name"),
    "password": gettext_lazy("Password"),
    "reason": gettext_lazy("Reason"),
    "requested_at": gettext_lazy("Asked for"),
    "revoked_at": gettext_lazy("Revoked"),
    "sign_in_epoch": gettext_lazy("All sessions ended, times"),
    "status": gettext_lazy("State"),
}
# Columns that say which row it is, not what was answered.
KEYS = {"id", "patient_id", "site_id", "timepoint_id", "version", "updated_at", "updated_by_id", "key"}
SHOWN = 500


# Every item and derived value, in the order of the forms.
@lru_cache(maxsize=4)
def _order(current):
    every = (part for instrument in current.instruments for part in instrument.parts)
    return {part.name: place for place, part in enumerate(every)}


@dataclass(frozen=True)
class Line:
    """One field that changed."""

    label: str
    old: str
    new: str


@dataclass
class Entry:
    """One stored change or act: when, by whom, why, and the fields that it touched."""

    event: AuditEvent
    who: str
    what: str
    record: str
    lines: list[Line] = field(default_factory=list)


@require_safe
def history(request, patient_id):
    """What happened to the records of a patient, newest first; `?record=` narrows it to one of them."""
    patient = patient_of(request, patient_id)
    records = records_of(patient)
    chosen = request.GET.get("record", "")
    wanted = {chosen: records[chosen]} if chosen in records else records
    condition = Q()
    for _label, table, row_id in wanted.values():
        condition |= Q(table_name=table, row_id=row_id)
    events = list(AuditEvent.objects.filter(condition, site_id__in=sites_with_trail(patient)).order_by("-pk")[:SHOWN])
    names = names_of([event.user_id for event in events])
    labels = {(table, row_id): label for label, table, row_id in records.values()}
    identifies = request.access.may(Can.IDENTIFY, patient.site_id)
    entries = [
        Entry(
            event,
            names.get(event.user_id) or _("System"),
            act_in_words(event.action),
            labels[event.table_name, event.row_id],
            lines_of(event, identifies),
        )
        for event in events
    ]
    return render(
        request,
        "audit/history.html",
        {
            "patient": patient,
            "entries": [entry for entry in entries if entry.lines or entry.event.action not in ("insert", "update")],
            "records": [(key, label) for key, (label, _table, _row) in records.items()],
            "chosen": chosen if chosen in records else "",
            "cut": len(events) == SHOWN,
        },
    )


def records_of(patient):
    """Key in the address to (label, table, row id) of every record of the patient."""
    records = {
        "patient": (_("Patient, baseline, surgery, follow-up"), "registry_patient", patient.pk),
        "identifiers": (_("Identifiers"), "registry_identity", patient.pk),
    }
    with with_errors():
        records |= _visits_of(patient)
        records["follow_up_end"] = (wording.words(FOLLOW_UP_END.title), "registry_followupend", patient.pk)
        return records | _events_of(patient) | _own_records_of(patient) | _consents_of(patient)


def _visits_of(patient):
    own = Assessment.objects.filter(patient=patient, site_id=patient.site_id).order_by("timepoint__position", "pk")
    names = ("timepoint_id", "timepoint__label", "timepoint__label_ja", "pk", "in_error")
    records = {}
    for code, label, label_ja, pk, in_error in own.values_list(*names):
        key = f"{code}-{pk}" if in_error else code
        records[key] = (_marked(wording.words(Label(label, label_ja)), in_error), "registry_assessment", str(pk))
    return records


def _events_of(patient):
    kind, records = catalogue.item("kind"), {}
    for event in AdverseEvent.objects.filter(patient=patient, site_id=patient.site_id):
        label = f"{_('Adverse event')}: {wording.shown(kind, event.kind)}"
        records[f"event-{event.pk}"] = (_marked(label, event.in_error), "registry_adverseevent", str(event.pk))
    return records


def _consents_of(patient):
    own = {"site_id": patient.site_id, "patient_id": patient.pk}
    records = {}
    for consent in Consent.objects.filter(**own):
        label = _marked(f"{wording.words(CONSENT.title)} {consent.agreed_version}", consent.in_error)
        records[f"consent-{consent.pk}"] = (label, "registry_consent", str(consent.pk))
    for row in ConsentWithdrawal.objects.filter(**own):
        part = wording.shown(catalogue.item("withdrawn_part"), row.withdrawn_part)
        label = _marked(f"{wording.words(WITHDRAWAL.title)}: {part}", row.in_error)
        records[f"withdrawal-{row.pk}"] = (label, "registry_consentwithdrawal", str(row.pk))
    return records


def _own_records_of(patient):
    titles = {repeat.code: wording.words(repeat.title) for repeat in catalogue.current().repeats}
    if not titles:
        return {}
    own = OwnRecord.objects.filter(patient=patient, site_id=patient.site_id)
    return {
        f"{form}.{pk}": (_marked(f"{titles.get(form, form)} {pk}", in_error), "registry_ownrecord", str(pk))
        for form, pk, in_error in own.values_list("form", "pk", "in_error")
    }


def _marked(label, in_error):
    return _("%(record)s (entered in error)") % {"record": label} if in_error else label


# What is on record about changes of rows, and the acts that change none, in the order of a list to choose from.
ROW_ACTIONS = {
    "insert": gettext_lazy("Created"),
    "update": gettext_lazy("Changed"),
    "delete": gettext_lazy("Deleted"),
}
ACTS = {
    "identifiers_viewed": gettext_lazy("Identifiers viewed"),
    "identifiers_shown": gettext_lazy("Identifiers shown in lists"),
    "patient_transferred": gettext_lazy("Patient moved to another site"),
    "pair_decided": gettext_lazy("Decided whether two records are one patient"),
    "records_merged": gettext_lazy("Records of one patient merged"),
    "paper_printed": gettext_lazy("Forms printed"),
    "identification_log": gettext_lazy("Subject identification log opened"),
    "access_counted": gettext_lazy("Somebody's access looked at"),
    "digest_sent": gettext_lazy("Daily e-mail sent"),
    "audit_exported": gettext_lazy("Audit trail downloaded"),
    "sign_in_locked": gettext_lazy("Sign-in locked after too many attempts"),
    "session_expired": gettext_lazy("Session expired"),
    "session_ended": gettext_lazy("Session ended"),
    "sessions_ended": gettext_lazy("All sessions of a person ended"),
    "confirmation_failed": gettext_lazy("Wrong password where it was asked for again"),
    "second_factor_added": gettext_lazy("Second factor added"),
    "second_factor_removed": gettext_lazy("Second factor removed"),
    "second_factor_failed": gettext_lazy("Wrong second factor"),
    "second_factor_reset": gettext_lazy("Second factor taken away by an administrator"),
    "invitation_accepted": gettext_lazy("Invitation accepted"),
    "password_link_made": gettext_lazy("Link for a new password made"),
    "single_sign_on_connected": gettext_lazy("Account tied to the single sign-on"),
    "delegation_log_exported": gettext_lazy("Delegation log downloaded"),
    "comparison_downloaded": gettext_lazy("Comparison downloaded"),
    "comparison_requested": gettext_lazy("Comparison asked for"),
    "export": gettext_lazy("Data exported"),
    "export_expired": gettext_lazy("File of an export removed"),
    "purged": gettext_lazy("Old records removed"),
    "import": gettext_lazy("Data imported"),
    "queries_exported": gettext_lazy("Queries downloaded"),
    "screening_exported": gettext_lazy("Screening log downloaded"),
    "attachment_opened": gettext_lazy("Attached file opened"),
    "signed": gettext_lazy("Forms signed"),
    "downloads_limited": gettext_lazy("Downloads stopped: too many in an hour"),
    "signature_broken": gettext_lazy("Broken signature seen"),
    "signing_refused": gettext_lazy("Signing refused: wrong password"),
    "unlocked": gettext_lazy("Signed forms unlocked"),
    "unlocking_refused": gettext_lazy("Unlocking refused: wrong password"),
    "sealing_refused": gettext_lazy("Sealing of the audit trail refused"),
    "verification_failed": gettext_lazy("Verification of the audit trail failed"),
    "guards_changed": gettext_lazy("Guards of the database changed"),
    "backup_overdue": gettext_lazy("Backups too old, or not to be restored"),
    "safety_mail_failed": gettext_lazy("Mails about serious adverse events failed"),
    "safety_listing_exported": gettext_lazy("Listing of adverse events downloaded"),
    "visit_report_made": gettext_lazy("Report of a monitoring visit made"),
    "scorecard_downloaded": gettext_lazy("Scorecard downloaded"),
    "job_retried": gettext_lazy("Failed job sent once more"),
    "task_started": gettext_lazy("Recurring task started by hand"),
    "seals_lost": gettext_lazy("Loss of seals accepted"),
    "import_undone": gettext_lazy("Import undone"),
    "admin_export": gettext_lazy("Administrators' list exported"),
    "sign_in": gettext_lazy("Signed in"),
    "sign_in_failed": gettext_lazy("Sign-in failed"),
    "sign_out": gettext_lazy("Signed out"),
    "export_downloaded": gettext_lazy("Export downloaded"),
    "snapshot": gettext_lazy("Snapshot made"),
    "keys_rotated": gettext_lazy("Keys rotated"),
}


def act_in_words(action):
    """What an event of the trail did, in the language of the page."""
    words = ROW_ACTIONS.get(action) or ACTS.get(action)
    return str(words) if words else action.replace("_", " ")


def unseen_columns(event):
    """Columns of an event that the trail keeps from whoever must not know the arms of the study."""
    if not current().blind:
        return frozenset()
    hidden = hidden_names()
    if event.table_name == "registry_querymessage":
        return hidden | {"text"}  # of which query, the trail does not say
    named = json.dumps([event.old, event.new])
    if event.table_name == "registry_query" and any(f'"{name}"' in named for name in hidden):
        return hidden | {"field", "seen", "text"}
    return hidden


def lines_of(event, identifies):
    """The fields that an event touched; values of identifying ones only if `identifies`, of encrypted ones never."""
    return [Line(label, *texts()) for label, texts in fields_of(event, identifies)]


def fields_of(event, identifies):
    """(label, function that tells before and after in words) of each field that an event touched: a list that only
    says how many there are words none of them.
    """
    if event.action not in ("insert", "update", "delete"):
        return []
    old, new = event.old or {}, event.new or {}
    if event.table_name == "registry_identity":
        return [
            (wording.words(_label(event.table_name, name)), lambda: ("", _("changed, not shown here")))
            for name in (*new, *(field for field in old if field not in new))
            if name not in KEYS
        ]
    fields, unnamed, of_page = [], 0, (get_language(), catalogue.current())
    for name in sorted({*old, *new} - KEYS - unseen_columns(event), key=_places()):
        if name == "missing":
            fields += _reason_fields(old.get(name) or {}, new.get(name) or {})
        elif (before := old.get(name)) != (after := new.get(name)):
            if label := _label_in(*of_page, event.table_name, name):
                fields.append((label, partial(_values, event.table_name, name, before, after, identifies)))
            else:
                unnamed += 1
    if unnamed:
        fields.append((_("Technical fields"), lambda: ("", _("%(n)s, in the file") % {"n": unnamed})))
    return fields


def _values(table, name, before, after, identifies):
    item = _item(name)
    if item is not None and item.identifying and not identifies:
        return "", _("changed, for the site's own people only")
    column = _columns(table).get(name)
    return _value(name, item, before, column), _value(name, item, after, column)


def _reason_fields(old, new):
    none = _("no answer")
    return [
        (f"{_label('', name)} · {none}", partial(_reasons, old.get(name), new.get(name)))
        for name in dict.fromkeys((*old, *new))
        if old.get(name) != new.get(name)
    ]


def _reasons(old, new):
    return wording.reason(old), wording.reason(new)


def _places():
    """Where a column stands among others, as a key to sort names by."""
    order = _order(catalogue.current())
    return lambda name: (order.get(name, len(order) if name != "assessment_date" else -1), name)


def _item(name):
    try:
        return catalogue.item(name)
    except KeyError:
        return None


def _label(table, name):
    """What a column is called: by its declaration, or else by its model."""
    return _label_in(get_language(), catalogue.current(), table, name)


@lru_cache(maxsize=4096)
def _label_in(language, current, table, name):
    """`_label` of the page's language and the catalogue of the moment: looked up once for both."""
    identity_labels = {"hospital_number": _("Hospital number"), "initials": _("Initials")}
    if name in identity_labels:
        return identity_labels[name]
    if name in _order(current):
        instrument = catalogue.instrument_of(name)
        part = _item(name) or catalogue.derived(name)
        label = wording.words(part.label)
        # An item of a scored instrument says little by itself: pain, location, bladder.
        return f"{wording.words(instrument.title)}: {label}" if instrument.derived and _item(name) else label
    if item := _item(name):
        return wording.words(item.label)
    column = _columns(table).get(name)
    named = column is not None and (column._verbose_name or COLUMNS.get(name) or _refers_to(column))
    return str(capfirst(named)) if named else ""


def _refers_to(column):
    """What a reference without a name of its own is a reference to."""
    return column.related_model._meta.verbose_name if column.related_model else ""


@cache
def _columns(table):
    """Name of each column of a table to the model's field."""
    models = (model for model in apps.get_models() if model._meta.db_table == table)
    return {concrete_field.column: concrete_field for model in models for concrete_field in model._meta.concrete_fields}


def _value(name, item, value, column):
    if value is None:
        return "–"
    if name in ("state", *STATE_COLUMNS.values()):
        return str(STATES.get(value) or dict(QueryState.choices).get(value, value))
    if name == "verified":
        return ", ".join(_label("", code) for code in sorted(value, key=_places())) or "–"
    if name in ("segment_group", "segment_adjudicated"):
        return wording.segment(value)
    if name == "in_error":
        return _("Yes")
    if item is None:
        return _derived(name, value, column)
    return wording.shown(item, from_mask(value) if item.kind == "levels" else value)


def _plainly(column, value):
    """A value of a column that is no item: a choice, a truth, a moment or a list in words."""
    if isinstance(value, bool):
        return _("Yes") if value else _("No")
    if isinstance(value, list):
        return wording.listed(str(part) for part in value) or wording.NOTHING
    if isinstance(value, dict):
        return wording.listed(f"{key}: {part}" for key, part in value.items()) or wording.NOTHING
    if isinstance(column, DateTimeField):
        return wording.moment(datetime.fromisoformat(value))
    if isinstance(column, DateField):
        return wording.day(date.fromisoformat(value))
    return str(dict(getattr(column, "flatchoices", ())).get(value, value))


def _derived(name, value, column):
    try:
        choices = getattr(catalogue.derived(name), "choices", ())
    except KeyError:
        return _plainly(column, value)
    return next((wording.words(choice.label) for choice in choices if choice.code == value), str(value))
