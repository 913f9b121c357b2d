"""Queries: raised by people or by the soft checks, answered at the site, closed by who asked or by the data themselves.

`settle` is called by whatever stores a form: it asks about what is unlikely, keeps what was confirmed, and closes the
queries of rules that the data no longer meet. `reconcile` does the same for sets and is the one statement of it.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from django.db import connection, transaction

from registry.instruments import catalogue
from registry.instruments.base import InvalidValue, Item, Label
from registry.models import AdverseEvent, Assessment, OwnRecord, Patient, Query, QueryForm, QueryMessage, QueryState
from registry.services import seen as shown
from registry.services.follow_up import schedule
from registry.services.records.cleaning import InvalidAnswers
from registry.services.records.storing import as_json, require
from registry.services.review.soft_checks import (
    Form,
    checks_asked,
    expanded,
    findings_if,
    findings_of,
    form_of_record,
    items_of,
)
from sites.tenancy.access import Access, Can
from sites.tenancy.scope import current

TEXT = Item(name="text", label=Label("Text", "本文"), kind="text", max_length=2000)
TEXT_REQUIRED = Label("Say it in a few words.", "内容を入力してください。")


@dataclass(frozen=True)
class Said:
    """What a person was asked about unlikely answers, and what they said.

    asked  keys of the findings that the page showed
    right  key to note, for those that the person confirmed
    """

    asked: frozenset = frozenset()
    right: Mapping = field(default_factory=dict)


class Unlikely(Exception):
    """Answers hardly go together and nobody was asked about it yet; nothing was stored."""

    def __init__(self, findings: Any) -> None:
        self.findings = findings
        super().__init__(", ".join(finding.key for finding in findings))


class WrongState(Exception):
    """The query is not in a state for this: it was answered or closed in the meantime."""

    def __init__(self, query: Any) -> None:
        self.query = query
        super().__init__(f"the query is {query.state}")


@dataclass(frozen=True)
class Weighed:
    """What the rules have to say of a patient's forms, or of one: it is `settled` when the form is stored."""

    patient: Patient
    form: Form | None
    every: tuple
    findings: list
    right: Mapping

    @cached_property
    def stored(self) -> Mapping:
        """The rules' queries that there are, by key. Where nothing is found, only `settle` may ask for them."""
        return _of_rules(self.patient, self.form)

    def settle(self, *, is_open: bool | None = None) -> bool:
        """Bring the rules' queries in line; returns whether one of them may be left open.

        is_open  whether one of them is open, where the statement that stored the form has told (`OPEN_OF_ASSESSMENT`)
        """
        if is_open is None and not self.findings:
            is_open = any(query.state != QueryState.CLOSED for query in self.stored.values())
        if not self.findings and not is_open:
            return False
        _reconcile_one(self.patient, self.findings, self.form, self.every)
        for finding in self.findings:
            if finding.key in self.right and not _is_accepted(finding, self.stored.get(finding.key)):
                _confirm(self.patient, finding, self.right[finding.key])
        return True


def settle(patient: Patient, *, record: Any = None, about: Any = (), said: Any = None) -> None:
    """Bring the rules' queries of `patient` in line with what is stored now. Call it inside the saving transaction.

    The arguments are those of `weigh`. Raises Unlikely, which must undo what was stored.
    """
    weigh(patient, record=record, about=about, said=said).settle()


def weigh(patient: Patient, *, record: Any = None, about: Any = (), said: Any = None) -> Weighed:
    """What the soft checks find, as `Weighed`, if nothing has to be asked first.

    record  the assessment or event that is stored; None for one of the patient's own forms, which concerns them all
    about   names of the items that are stored: only findings about these are asked about
    said    the person's answers; None where nobody can be asked, and a finding simply becomes a query
    Raises Unlikely.
    """
    form = record and form_of_record(record)
    every = checks_asked(schedule.plans())
    findings = findings_of(patient, record and [record], every)
    weighed = Weighed(patient, form, every, findings, said.right if said else {})
    if not weighed.findings:
        return weighed
    if said is not None and (unasked := _unasked(weighed, set(about), said)):
        raise Unlikely(unasked)
    weighed.findings[:] = [
        finding
        for finding in weighed.findings
        if not finding.is_draft or finding.key in weighed.right or finding.key in weighed.stored
    ]
    return weighed


def _unasked(weighed: Weighed, names: set[str], said: Any) -> list:
    """Findings about items of these names that the person has not been asked about, and that are not known already."""
    return [
        finding
        for finding in weighed.findings
        if not finding.is_draft
        and names.intersection(expanded(finding.check.items))
        and finding.key not in said.asked
        and finding.key not in said.right
        and not _is_known(finding, weighed.stored.get(finding.key))
    ]


def _is_known(finding: Any, query: Any) -> Any:
    return query is not None and not query.mended and query.seen == finding.seen


def _is_accepted(finding: Any, query: Any) -> Any:
    return _is_known(finding, query) and query.state != QueryState.OPEN


def unlikely(patient: Patient, form: Any, answers: Any) -> Any:
    """Findings that somebody would be asked about, were `form` completed with `answers`. Nothing is stored."""
    findings = findings_if(patient, form, answers)
    stored = _of_rules(patient, form if form.timepoint or form.event or form.record else None) if findings else {}
    return [finding for finding in findings if not _is_known(finding, stored.get(finding.key))]


def discussed(access: Access) -> Any:
    """Ids of the sites whose queries the person takes part in: those of entry, and of raising queries.

    Taking part is the person's: a token that may only read reads them too.
    """
    return access.of_owner.sites_for(Can.ENTER, Can.QUERY)


def form_of(query: Any) -> Form:
    own = query.own_record.form if query.own_record_id is not None else None
    return Form(query.form, query.timepoint_id, query.event_id, own, query.own_record_id)


@dataclass(frozen=True)
class _Stored:
    """What `settle` needs to know of a rule's query."""

    state: str
    mended: bool
    seen: dict


# For the statement that stores an assessment (`fast_rows.Asked`): whether a rule's query is open about it. Most have
# none.
OPEN_OF_ASSESSMENT = (
    "may_leave_queries",
    """EXISTS (SELECT FROM registry_query AS q WHERE q.patient_id = registry_assessment.patient_id
        AND q.timepoint_id = registry_assessment.timepoint_id AND q.rule IS NOT NULL AND q.state <> 'closed')""",
)
OF_RULES = """SELECT q.form, timepoint_id, event_id, own.form, own_record_id, rule, q.state, mended, seen
    FROM registry_query AS q LEFT JOIN registry_ownrecord AS own ON own.id = q.own_record_id
    WHERE q.patient_id = %s AND rule IS NOT NULL"""


def _of_rules(patient: Patient, form: Any) -> Any:
    """The rules' queries of a patient, or of one form, by key. Plain SQL: every save asks."""
    sql, parameters = OF_RULES, [patient.pk]
    if form is not None:
        sql += " AND (timepoint_id = %s OR event_id = %s OR own_record_id = %s)"
        parameters += [form.timepoint, form.event, form.record]
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        stored = {
            (Form(*about).code, rule): _Stored(state, mended, json.loads(seen))
            for *about, rule, state, mended, seen in cursor.fetchall()
        }
    explained = {
        (code, rule): query
        for (code, before), query in stored.items()
        for rule, former in FORMERLY.items()
        if before == former and query.state == QueryState.CLOSED and not query.mended
    }
    return {f"{code}:{rule}": query for (code, rule), query in (explained | stored).items()}


FOUND = """SELECT * FROM jsonb_to_recordset(%(found)s::jsonb) AS f(
    site_id bigint, patient_id text, form text, timepoint_id text, event_id bigint, own_record_id bigint, field text,
    rule text, seen jsonb)"""
SAME = """q.patient_id = f.patient_id AND q.rule = f.rule AND q.form = f.form
    AND q.timepoint_id IS NOT DISTINCT FROM f.timepoint_id AND q.event_id IS NOT DISTINCT FROM f.event_id
    AND q.own_record_id IS NOT DISTINCT FROM f.own_record_id"""
# Rules that another asked for before they had a name of their own: what was explained then is not asked again.
FORMERLY = {"follow_up_before_surgery": "outside_visit_window"}
EXPLAINED = " OR ".join(f"f.rule = '{rule}' AND q.rule = '{before}'" for rule, before in FORMERLY.items())
RECONCILE = """
WITH found AS MATERIALIZED ({found}),
raised AS (
    INSERT INTO registry_query
        (site_id, patient_id, form, timepoint_id, event_id, own_record_id, field, rule, text, seen)
    SELECT site_id, patient_id, form, timepoint_id, event_id, own_record_id, field, rule, '', seen FROM found AS f
    WHERE NOT EXISTS (
        SELECT FROM registry_query AS q WHERE q.patient_id = f.patient_id AND q.timepoint_id = f.timepoint_id
        AND ({explained}) AND q.state = 'closed' AND NOT q.mended AND q.seen = f.seen)
    ON CONFLICT DO NOTHING RETURNING id, site_id
),
returned AS (
    UPDATE registry_query AS q SET state = 'open', mended = false, seen = f.seen FROM found AS f
    WHERE {same} AND q.state <> 'open' AND (q.mended OR q.seen <> f.seen) RETURNING q.id, q.site_id
),
mended AS (
    UPDATE registry_query AS q SET state = 'closed', mended = true
    WHERE q.rule IS NOT NULL AND q.state <> 'closed' AND {which}
      AND NOT EXISTS (SELECT FROM found AS f WHERE {same}) RETURNING q.id, q.site_id
),
told AS (
    INSERT INTO registry_querymessage (site_id, query_id, kind, text)
    SELECT site_id, id, kind, '' FROM (
        SELECT site_id, id, 'raised' AS kind FROM raised
        UNION ALL SELECT site_id, id, 'reopened' FROM returned
        UNION ALL SELECT site_id, id, 'mended' FROM mended
    ) AS steps
)
SELECT (SELECT count(*) FROM raised), (SELECT count(*) FROM returned), (SELECT count(*) FROM mended)
"""


def reconcile(findings: Any, which: Any, parameters: Any) -> Any:
    """Raise, raise again and close the queries of rules so that they are those of `found`.

    found  SQL that gives the findings, one row each, in the columns of FOUND
    which  SQL condition on `q`: the queries that are open to be closed, because their forms were looked at
    Returns how many were raised, raised again and closed.
    """
    with connection.cursor() as cursor:
        cursor.execute(RECONCILE.format(found=findings, same=SAME, which=which, explained=EXPLAINED), parameters)
        return cursor.fetchone()


def _reconcile_one(patient: Patient, findings: Any, form: Any, every: Any) -> None:
    rows = [
        {
            "site_id": patient.site_id,
            "patient_id": patient.pk,
            "form": finding.form.kind,
            "timepoint_id": finding.form.timepoint,
            "event_id": finding.form.event,
            "own_record_id": finding.form.record,
            "field": finding.field,
            "rule": finding.check.name,
            "seen": finding.seen,
        }
        for finding in findings
    ]
    which = "q.patient_id = %(patient)s AND q.rule = ANY (%(rules)s::varchar[])"
    parameters = {"patient": patient.pk, "rules": [check.name for check in every], "found": json.dumps(rows)}
    if form is not None:
        which += " AND (q.timepoint_id = %(timepoint)s OR q.event_id = %(event)s OR q.own_record_id = %(record)s)"
        parameters |= {"timepoint": form.timepoint, "event": form.event, "record": form.record}
    reconcile(FOUND, which, parameters)


def _confirm(patient: Patient, finding: Any, note: Any) -> None:
    query = Query.objects.select_for_update().get(
        patient_id=patient.pk,
        rule=finding.check.name,
        form=finding.form.kind,
        timepoint_id=finding.form.timepoint,
        event_id=finding.form.event,
        own_record_id=finding.form.record,
    )
    query.state, query.seen, query.mended = QueryState.ANSWERED, finding.seen, False
    query.save(update_fields=["state", "seen", "mended"])
    _tell(query, QueryMessage.Kind.CONFIRMED, cleaned(note, required=False))


def cleaned(text: Any, *, required: bool = True) -> Any:
    """What a person wrote, fit to be stored. Raises InvalidAnswers about the item `text`."""
    try:
        value = TEXT.clean(text) or ""
    except InvalidValue as error:
        raise InvalidAnswers({"text": [error.reason]}) from error
    if required and not value:
        raise InvalidAnswers({"text": [TEXT_REQUIRED]})
    return value


def _tell(query: Any, kind: Any, text: Any) -> None:
    QueryMessage.objects.create(site_id=query.site_id, query=query, kind=kind, text=text, by_id=current().user_id)


@transaction.atomic
def raise_query(*, access: Access, patient: Patient, form: Any, text: Any, field: Any = None) -> Any:
    """Ask about a form, or about one of its items; the same question that is still open is not asked twice.

    form   a `Form` that exists for the patient. Raises InvalidAnswers, PermissionDenied.
    """
    require(access, Can.QUERY, patient.site_id)
    text = cleaned(text)
    about = {
        "patient_id": patient.pk,
        "form": form.kind,
        "timepoint_id": form.timepoint,
        "event_id": form.event,
        "own_record_id": form.record,
        "field": field,
    }
    with connection.cursor() as cursor:  # the second of two equal questions waits here for the first
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('query'), hashtext(%s))", [patient.pk])
    same = Query.objects.unsettled().filter(**about, rule=None, text=text).first()
    if same:
        return same
    query = Query.objects.create(site_id=patient.site_id, text=text, raised_by_id=current().user_id, **about)
    _tell(query, QueryMessage.Kind.RAISED, "")
    return query


# What a query shows of the answers that it is about: nothing that identifies, and no timepoint, which is no answer.
_BUILT_IN_SHOWN = (
    frozenset(item.name for item in catalogue.ALL_ITEMS if not item.identifying)
    | {derived.name for instrument in catalogue.INSTRUMENTS for derived in instrument.derived}
) - {"timepoint"}


def _is_shown(name: str) -> bool:
    return name in _BUILT_IN_SHOWN or name in catalogue.current().own_names


def answers_about(query: Any, patient: Patient, row: Any) -> dict:
    """The answers that a query is about, as stored now: item name → value as JSON has it; nothing that identifies.

    row  the assessment or adverse event, where it is about one; `patient` for the patient's own forms
    """
    names = [query.field] if query.rule is None else [*query.seen]
    rows = [source for source in (row, patient) if source is not None]
    answers = {}
    for name in filter(None, names):
        if not _is_shown(name):
            continue
        holder = next((row for row in rows if hasattr(row, name)), None)
        if holder is not None:
            reason = holder.missing.get(name) if hasattr(holder, "missing") else None
            answers[name] = {shown.MISSING: reason} if reason else as_json(getattr(holder, name))
    return answers


def note(query: Any, patient: Patient, row: Any) -> str:
    """The note of a page that shows a query's thread and the answers that it is about (`seen.note`)."""
    return shown.note("query", query.pk, _shown(query, patient, row))


def _shown(query: Any, patient: Patient, row: Any) -> dict[str, dict[str, Any] | dict]:
    return shown.of_queries([query]) | {"answers": answers_about(query, patient, row)}


def _check_seen(query: Any, seen: Any, kind: Any) -> None:
    """Raise Unseen if the thread has gone on, or, for who judges the answers, if these are others by now."""
    patient = Patient.objects.get(pk=query.patient_id)
    try:
        shown.check(seen, "query", query.pk, _shown(query, patient, row_of(query)))
    except shown.Unseen as unseen:
        matters = [
            difference
            for difference in unseen.differences
            if kind != QueryMessage.Kind.ANSWERED or difference.part != "answers"
        ]
        if matters or not unseen.differences:
            raise shown.Unseen(matters) from unseen


def row_of(query: Any, *, lock: bool = False) -> Any:
    """The record that a query is about, the patient's own row for own forms; None where there is none yet."""
    model: Any = Patient
    key = {"pk": query.patient_id}
    if query.event_id is not None:
        model, key = AdverseEvent, {"pk": query.event_id}
    elif query.own_record_id is not None:
        model, key = OwnRecord, {"pk": query.own_record_id}
    elif query.timepoint_id is not None:
        model, key = Assessment, {"patient_id": query.patient_id, "timepoint_id": query.timepoint_id}
    rows = model.objects.select_for_update() if lock else model.objects
    return rows.filter(**key).first()


def _stepped(query: Any, kind: Any, allowed: Any, state: Any, text: Any, seen: Any) -> Any:
    """One step of a query: the locked row in its new state; the same step sent twice is one."""
    if seen is not None:
        row_of(query, lock=True)  # before the query, as whoever saves the record does
    row = Query.objects.select_for_update().get(pk=query.pk)
    if row.state not in allowed:
        last = row.messages.order_by("-pk").first()
        if row.state == state and last and (last.kind, last.text, last.by_id) == (kind, text, current().user_id):
            return row
        raise WrongState(row)
    if seen is not None:
        _check_seen(row, seen, kind)
    row.state, row.mended = state, False
    row.save(update_fields=["state", "mended"])
    _tell(row, kind, text)
    return row


@transaction.atomic
def answer(*, access: Access, query: Any, text: Any, seen: Any = None) -> Any:
    """Answer an open query, at the site. Raises InvalidAnswers, PermissionDenied, WrongState, Unseen.

    seen  `note` of the page that showed the query; None for however it stands
    """
    require(access, Can.ENTER, query.site_id)
    return _stepped(query, QueryMessage.Kind.ANSWERED, (QueryState.OPEN,), QueryState.ANSWERED, cleaned(text), seen)


@transaction.atomic
def close(*, access: Access, query: Any, text: str = "", seen: Any = None) -> Any:
    """Close a query, answered or not. `seen` and what it raises are those of `answer`."""
    require(access, Can.QUERY, query.site_id)
    before = (QueryState.OPEN, QueryState.ANSWERED)
    return _stepped(query, QueryMessage.Kind.CLOSED, before, QueryState.CLOSED, cleaned(text, required=False), seen)


@transaction.atomic
def reopen(*, access: Access, query: Any, text: Any, seen: Any = None) -> Any:
    """Ask again, saying why the answer does not do. `seen` and what it raises are those of `answer`."""
    require(access, Can.QUERY, query.site_id)
    before = (QueryState.ANSWERED, QueryState.CLOSED)
    return _stepped(query, QueryMessage.Kind.REOPENED, before, QueryState.OPEN, cleaned(text), seen)


STEPS = {"answer": answer, "close": close, "reopen": reopen}
AT_MOST = 2000  # queries raised at once


@dataclass(frozen=True)
class Wanted:
    """Answers to ask many sites about: an item of a form, and what stands there.

    kind, timepoint  the form; field: the item
    has              a reason code, `missing` for any reason, `empty` for neither value nor reason, or `value`
    value            the clean value, with `value`
    """

    kind: str
    field: str
    has: str
    timepoint: str | None = None
    value: object = None

    def __post_init__(self) -> None:
        if catalogue.item(self.field).identifying:
            raise ValueError(f"nobody is told which records have a certain {self.field}")


_ROWS = {
    QueryForm.ASSESSMENT: Assessment,
    QueryForm.ADVERSE_EVENT: AdverseEvent,
    QueryForm.OWN_RECORD: OwnRecord,
}
# Where a query holds the number of a record of which a patient has several.
_NUMBERED = {QueryForm.ADVERSE_EVENT: "event_id", QueryForm.OWN_RECORD: "own_record_id"}


def matching(access: Access, wanted: Any, site_ids: Iterable[int]) -> Any:
    """Records that `wanted` is about and nobody was asked about: (site id, patient id, number of event or record)."""
    model: Any = _ROWS.get(wanted.kind, Patient)
    rows = model.objects.filter(site_id__in=set(access.sites_for(Can.QUERY)).intersection(site_ids))
    if wanted.timepoint:
        rows = rows.filter(timepoint_id=wanted.timepoint)
    elif wanted.kind == QueryForm.OWN_RECORD:
        rows = rows.filter(form=catalogue.instrument_of(wanted.field).code)
    match wanted.has:
        case "value":
            rows = rows.filter(**{wanted.field: wanted.value})
        case "empty":
            rows = rows.filter(**{f"{wanted.field}__isnull": True}).exclude(missing__has_key=wanted.field)
        case "missing":
            rows = rows.filter(missing__has_key=wanted.field)
        case reason:
            rows = rows.filter(**{f"missing__{wanted.field}": reason})
    asked = Query.objects.unsettled().filter(
        rule=None, form=wanted.kind, timepoint_id=wanted.timepoint, field=wanted.field
    )
    if wanted.kind in _NUMBERED:
        rows = rows.exclude(pk__in=asked.values(_NUMBERED[wanted.kind]))
        return rows.order_by("patient_id", "pk").values_list("site_id", "patient_id", "pk")
    rows = rows.exclude(patient_id__in=asked.values("patient_id")).order_by("patient_id")
    return [(site, patient, None) for site, patient in rows.values_list("site_id", "patient_id")]


def bulk_note(wanted: Any, rows: Any) -> str:
    """The note of a page that shows which records would be asked about: `rows` of `matching` (`seen.note`)."""
    return shown.note("raise queries", _asked(wanted), _records(rows))


def _asked(wanted: Any) -> str:
    return f"{wanted.kind}:{wanted.timepoint}:{wanted.field}:{wanted.has}:{wanted.value}"


def _records(rows: Any) -> dict[str | Any, dict]:
    return {f"{patient}/event-{number}" if number else patient: {} for _site, patient, number in rows}


@transaction.atomic
def raise_many(*, access: Access, wanted: Any, text: Any, site_ids: Iterable[int], seen: Any = None) -> int:
    """Ask the same about every record that `wanted` names; returns how many queries were raised, at most AT_MOST.

    Doing it twice asks once.
    seen  `bulk_note` of the page that showed which; None for whichever there are
    Raises InvalidAnswers, PermissionDenied, Unseen.
    """
    require(access, Can.QUERY, None)
    text = cleaned(text)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('queries'))")
    rows = list(matching(access, wanted, site_ids)[:AT_MOST])
    if seen is not None:
        shown.check(seen, "raise queries", _asked(wanted), _records(rows))
    about = {"form": wanted.kind, "timepoint_id": wanted.timepoint, "field": wanted.field, "text": text}
    who = current().user_id
    raised = Query.objects.bulk_create(
        Query(site_id=site, patient_id=patient, raised_by_id=who, **about, **_of_record(wanted.kind, number))
        for site, patient, number in rows
    )
    QueryMessage.objects.bulk_create(
        QueryMessage(site_id=query.site_id, query=query, kind=QueryMessage.Kind.RAISED, by_id=who) for query in raised
    )
    return len(raised)


def _of_record(kind: str, number: int | None) -> dict[str, int | None]:
    return {_NUMBERED[QueryForm(kind)]: number} if kind in _NUMBERED else {}


def unsettled_by_form(patient: Patient) -> dict[str, int]:
    """How many queries of a patient are not closed, by the code of their form."""
    rows = Query.objects.unsettled().filter(patient_id=patient.pk, site_id=patient.site_id).order_by()
    about = ("form", "timepoint_id", "event_id", "own_record__form", "own_record_id")
    counts = Counter(Form(*of).code for of in rows.values_list(*about))
    return dict(counts)


def items_for(form_kind: Any, own: str | None = None) -> dict[Any, Item]:
    """Items that a query may be about, by name: those of the form that are no identifiers. `own`: a repeating form."""
    return {name: catalogue.item(name) for name in _in_order(items_of(form_kind, own))}


def _in_order(names: Any) -> list:
    order = [item.name for item in catalogue.current().all_items]
    return sorted(names, key=order.index)
