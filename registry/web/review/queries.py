"""Queries in the browser: the list, one query with its thread, raising one or many, and the list as a file."""

from urllib.parse import urlencode

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import connection, transaction
from django.http import Http404
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from registry.instruments import catalogue
from registry.instruments.base import MISSING_LABELS, InvalidValue
from registry.models import AdverseEvent, Patient, Query, QueryForm, QueryState
from registry.services.files import file_formats
from registry.services.records import extras
from registry.services.records.cleaning import InvalidAnswers
from registry.services.review import queries
from registry.services.review.forms import form_row, own_records_of
from registry.services.review.queries import Wanted, WrongState, discussed
from registry.services.review.soft_checks import OF_RECORDS, Form, form_of_record
from registry.services.seen import Unseen
from registry.web.review.query_filters import Filters, choices, matching, sites_of
from registry.web.review.query_words import lines
from registry.web.shared import identified, seen_words, wording
from registry.web.shared.lookup import COUNTED, counted, last_page, page_in, patient_of
from registry.web.shared.patient_head import facts
from registry.web.shared.record_words import form_label, form_url, item_label, visit_labels
from registry.web.shared.transfers import csv_answer
from sites import audit
from sites.tenancy.access import Can
from sites.tenancy.scope import current, entered

PAGE = 50
BESIDE = ("site", "own_record")  # what a line reads beside its query
CHUNK = 1000


def _require_part(access):
    if not discussed(access):
        raise PermissionDenied


def waiting(access):
    """How many queries wait for this person, up to 100: to answer at the own site, or to close."""
    if not connection.in_atomic_block:
        return 0  # an error page: outside a transaction there is no scope
    condition, parameters = [], []
    for ability, state in ((Can.ENTER, QueryState.OPEN), (Can.QUERY, QueryState.ANSWERED)):
        if sites := access.sites_for(ability):
            condition.append("site_id = ANY (%s) AND state = %s")
            parameters += [list(sites), str(state)]
    if not condition:
        return 0
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM (SELECT FROM registry_query WHERE "
            + " OR ".join(f"({part})" for part in condition)
            + " LIMIT 100) AS counted",
            parameters,
        )
        return cursor.fetchone()[0]


@require_safe
def query_list(request):
    """Fifty queries a page, the oldest first."""
    _require_part(request.access)
    filters = Filters.of(request.GET)
    rows = matching(request.access, filters)
    count = counted(rows)
    last = last_page(count, PAGE)
    number = page_in(request.GET.get("page"), last)
    shown = lines(rows.select_related(*BESIDE).order_by("raised_at", "pk")[(number - 1) * PAGE : number * PAGE])
    now, parameters = timezone.now(), filters.as_address()
    for line in shown:
        line.days = (now - line.query.raised_at).days
    return render(
        request,
        "review/queries/list.html",
        {
            "rows": shown,
            "identified": identified.beside(request, [line.query.patient_id for line in shown]),
            "filters": filters,
            "choices": choices(request.access, filters),
            "any_filter": bool(parameters),
            "query": urlencode(parameters),
            "several_sites": len(discussed(request.access)) > 1,
            "may_raise": request.access.may(Can.QUERY),
            "count": count,
            "many": count > COUNTED,
            "counted": COUNTED,
            "number": number,
            "last": last,
            "first_row": (number - 1) * PAGE + 1 if shown else 0,
            "last_row": (number - 1) * PAGE + len(shown),
        },
    )


def query_of(request, query_id):
    """The query in the address; Http404 for one of a site in whose queries the person takes no part."""
    visible = Query.objects.visible_to(request.access).filter(site_id__in=discussed(request.access))
    return get_object_or_404(visible, pk=query_id)


@require_http_methods(["GET", "POST"])
def query_page(request, query_id):
    """One query with its thread; POST takes a step: `answer`, `close` or `reopen`, with a text."""
    query = query_of(request, query_id)
    errors, text, status, unseen = [], "", 200, None
    if request.method == "POST":
        step, text = request.POST.get("step", ""), request.POST.get("text", "")
        if step not in queries.STEPS:
            errors, status = [_("Choose what is to happen with this query.")], 422
        else:
            try:
                seen = request.POST.get("seen", "")
                queries.STEPS[step](access=request.access, query=query, text=text, seen=seen)
            except InvalidAnswers as error:
                errors, status = [wording.words(reason) for reason in error.errors["text"]], 422
            except Unseen as exception:
                query.refresh_from_db()
                unseen, status = exception, 409
            except WrongState:
                query.refresh_from_db()
                errors = [
                    _("This query is %(state)s in the meantime. Nothing was stored.")
                    % {"state": query.get_state_display().lower()}
                ]
                status = 409
            else:
                messages.success(request, _("Saved."))
                return redirect(_next(request) or query_url(query))
    (line,) = lines(Query.objects.filter(pk=query.pk).select_related(*BESIDE), threads=True)
    may_ask = request.access.may(Can.QUERY, query.site_id)
    patient, row = Patient.objects.get(pk=query.patient_id), queries.row_of(query)
    return render(
        request,
        "review/queries/query.html",
        {
            "seen": queries.note(line.query, patient, row),
            "answers": seen_words.answers_about(line.query, patient, row),
            "unseen": unseen,
            "differences": seen_words.lines_of(unseen.differences) if unseen else [],
            "line": line,
            "query": line.query,
            "errors": errors,
            "text": text,
            "next": _next(request),
            "may_answer": request.access.may(Can.ENTER, query.site_id) and query.state == QueryState.OPEN,
            "may_close": may_ask and query.state != QueryState.CLOSED,
            "may_reopen": may_ask and query.state != QueryState.OPEN,
        },
        status=status,
    )


def query_url(query):
    return reverse("query", args=[query.pk])


def _next(request):
    """Where to go afterwards: an address of this site, or nothing."""
    wanted = request.POST.get("next") or request.GET.get("next", "")
    return wanted if wanted.startswith("/") and url_has_allowed_host_and_scheme(wanted, allowed_hosts=None) else ""


@require_http_methods(["GET", "POST"])
def query_new(request, patient_id):
    """Raise a query about a form of a patient, or one of its items; both may be in the address."""
    patient = patient_of(request, patient_id)
    if not request.access.may(Can.QUERY, patient.site_id):
        raise Http404
    labels = visit_labels()
    sent = request.POST if request.method == "POST" else request.GET
    form = _form_of(patient, sent.get("form", "baseline"), labels)
    field, text, errors = sent.get("field", ""), request.POST.get("text", ""), {}
    items = queries.items_for(form.kind, form.own)
    if field and field not in items:
        errors["field"] = [_("This form has no such item.")]
    if request.method == "POST" and not errors:
        try:
            query = queries.raise_query(
                access=request.access, patient=patient, form=form, field=field or None, text=text
            )
        except InvalidAnswers as error:
            errors = {"text": [wording.words(reason) for reason in error.errors["text"]]}
        else:
            messages.success(request, _("The query was raised."))
            return redirect(_next(request) or query_url(query))
    return render(
        request,
        "review/queries/new.html",
        {
            "patient": patient,
            "facts": facts(patient),
            "form": form,
            "form_label": form_label(form, labels),
            "form_url": form_url(patient.pk, form),
            "forms": _forms_of(patient, labels),
            "items": [(name, item_label(name)) for name in items],
            "field": field,
            "text": text,
            "next": _next(request),
            "errors": errors,
        },
        status=422 if errors and request.method == "POST" else 200,
    )


def _form_of(patient, code, labels):
    form = Form.of(code, labels)
    if form is None:
        raise Http404
    if (
        form.event is not None
        and not AdverseEvent.objects.filter(pk=form.event, patient_id=patient.pk, site_id=patient.site_id).exists()
    ):
        raise Http404
    if form.own is not None and form_row(patient, form) is None:
        raise Http404
    return form


def _forms_of(patient, labels):
    own = [(form.value, form.label) for form in QueryForm if form not in OF_RECORDS]
    kind = catalogue.item("kind")
    events = [
        (f"event-{event.pk}", f"{QueryForm.ADVERSE_EVENT.label}: {wording.shown(kind, event.kind)}")
        for event in AdverseEvent.objects.filter(patient_id=patient.pk, site_id=patient.site_id).order_by("pk")
    ]
    records = [form_of_record(record) for record in own_records_of(patient)]
    return own + list(labels.items()) + events + [(form.code, form_label(form, labels)) for form in records]


@require_http_methods(["GET", "POST"])
def query_bulk(request):
    """Ask the same about every record whose answer is of a kind: first how many there are, then the question."""
    request.access.require(Can.QUERY)
    labels, sites = visit_labels(), _raising_sites(request.access)
    wanted, problems = _wanted(request.GET, labels)
    site_ids = [site.pk for site in sites if request.GET.get("site", "") in ("", site.code)]
    rows = list(queries.matching(request.access, wanted, site_ids)[: queries.AT_MOST + 1]) if wanted else []
    text, errors, unseen = request.POST.get("text", ""), [], None
    if request.method == "POST" and wanted:
        sent = {"wanted": wanted, "text": text, "site_ids": site_ids, "seen": request.POST.get("seen", "")}
        try:
            raised = queries.raise_many(access=request.access, **sent)
        except Unseen as exception:
            unseen = exception
        except InvalidAnswers as error:
            errors = [wording.words(reason) for reason in error.errors["text"]]
        else:
            message = ngettext("%(n)s query was raised.", "%(n)s queries were raised.", raised) % {"n": raised}
            messages.success(request, message)
            return redirect("queries")
    return render(
        request,
        "review/queries/bulk.html",
        {
            "sent": {name: request.GET.get(name, "") for name in ("form", "field", "has", "value", "site")},
            "forms": _bulk_forms(labels),
            "items": _bulk_items(),
            "conditions": _conditions(),
            "sites": sites if len(sites) > 1 else [],
            "wanted": wanted,
            "problems": problems,
            "count": min(len(rows), queries.AT_MOST),
            "too_many": len(rows) > queries.AT_MOST,
            "at_most": queries.AT_MOST,
            "first": [patient for _site, patient, _event in rows[:12]],
            "text": text,
            "errors": errors,
            "seen": queries.bulk_note(wanted, rows[: queries.AT_MOST]) if wanted else "",
            "unseen": unseen,
            "differences": seen_words.lines_of(unseen.differences) if unseen else [],
            "address": request.get_full_path(),
        },
        status=409 if unseen else 422 if errors or problems or (request.method == "POST" and not wanted) else 200,
    )


def _raising_sites(access):
    asking = set(access.sites_for(Can.QUERY))
    return [site for site in sites_of(access) if site.pk in asking]


def _bulk_forms(labels):
    without = {QueryForm.ASSESSMENT} if catalogue.current().repeats else {QueryForm.ASSESSMENT, QueryForm.OWN_RECORD}
    return list(labels.items()) + [(form.value, form.label) for form in QueryForm if form not in without]


def _bulk_items():
    """Items to choose from, by instrument: those of the core, and of the extras that are on."""
    return [
        (
            wording.words(instrument.title),
            [(item.name, wording.words(item.label)) for item in instrument.items if not item.identifying],
        )
        for instrument in extras.asked()
    ]


def _conditions():
    return [
        ("missing", _("is missing, for any reason")),
        *(
            (code, _("is missing: %(reason)s") % {"reason": wording.words(label)})
            for code, label in MISSING_LABELS.items()
        ),
        ("empty", _("has neither value nor reason")),
        ("value", _("has the value…")),
    ]


def _wanted(sent, labels):
    """(Wanted, []) for a filter that says enough; (None, problems) otherwise, without problems for an empty one."""
    form, field, has = (sent.get(name, "") for name in ("form", "field", "has"))
    if not {"form", "field", "has"} & sent.keys():
        return None, []  # nothing was asked for yet
    kind = QueryForm.ASSESSMENT if form in labels else form
    if kind not in QueryForm.values or (kind == QueryForm.ASSESSMENT and form not in labels):
        return None, [_("Choose a form.")]
    if field not in queries.items_for(kind) or catalogue.item(field).identifying:
        return None, [_("This form has no such item.")]
    if has not in dict(_conditions()):
        return None, [_("Choose what stands there.")]
    if kind == QueryForm.ADVERSE_EVENT and has not in ("value", "empty", "missing"):
        return None, [_("Adverse events keep no reasons for missing values.")]
    value = None
    if has == "value":
        try:
            value = catalogue.item(field).clean(sent.get("value", ""))
        except InvalidValue as error:
            return None, [wording.said(catalogue.item(field), error.reason)]
        if value is None:
            return None, [_("Say which value.")]
    timepoint = form if kind == QueryForm.ASSESSMENT else None
    return Wanted(str(kind), field, has, timepoint=timepoint, value=value), []


HEADER = (
    "query", "site", "patient", "form", "item", "rule", "state", "question", "raised_by", "raised_at", "age_days",
    "last_step", "last_by", "last_at", "last_text",
)  # fmt: skip


@require_POST
def query_csv(request):
    """The queries that the filters let through, as one file; that it was taken is on record."""
    _require_part(request.access)
    filters = Filters.of(request.GET)
    for site_id in matching(request.access, filters).order_by().values_list("site_id", flat=True).distinct():
        audit.record("queries_exported", site_id=site_id, detail={"filters": filters.as_address()})
    name = f"metaspine-queries-{timezone.localdate()}.csv"
    return csv_answer(name, HEADER, _rows(request.access, filters, current()))


def _rows(access, filters, scope):
    """Rows of the file in chunks, each with a transaction of its own."""
    last = 0
    while True:
        with entered(scope), transaction.atomic():
            rows = matching(access, filters).filter(pk__gt=last).select_related(*BESIDE).order_by("pk")[:CHUNK]
            shown = lines(rows, threads=True)
        if not shown:
            return
        now = timezone.now()
        yield [_cells(line, now) for line in shown]
        last = shown[-1].query.pk


def _cells(line, now):
    query, step = line.query, line.steps[-1] if line.steps else None
    return [
        query.pk,
        query.site.code,
        query.patient_id,
        query.timepoint_id or query.form,
        query.field or "",
        query.rule or "",
        query.state,
        file_formats.guarded(line.question),
        file_formats.guarded(line.raised_by),
        query.raised_at.isoformat(timespec="seconds"),
        (now - query.raised_at).days,
        step.kind if step else "",
        file_formats.guarded(step.who) if step else "",
        step.at.isoformat(timespec="seconds") if step else "",
        file_formats.guarded(step.text) if step else "",
    ]
