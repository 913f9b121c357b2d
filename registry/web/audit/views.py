"""The audit trail, page by page, and as a file."""

import json
from urllib.parse import urlencode

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from registry.instruments import catalogue
from registry.web.audit import trail_rows
from registry.web.audit.filters import (
    Filters,
    action_choices,
    encrypted,
    people_of,
    sites_of,
    table_choices,
    table_in_words,
    tables,
    trail,
)
from registry.web.audit.history import ROW_ACTIONS, Line, act_in_words, fields_of, unseen_columns
from registry.web.audit.subjects import NOBODY, subjects_of
from registry.web.shared.lookup import names_of, number_in
from registry.web.shared.transfers import csv_answer
from sites import audit
from sites.resources import guarded
from sites.tenancy.access import Can
from sites.tenancy.scope import current, entered

PAGE = 50
FEW = 4  # fields that an event shows on the list; those of one with more are shown when it is opened
CHUNK = 2000
HIDDEN = "changed"  # instead of a value that the person may not see
# No own item is a direct identifier.
IDENTIFYING = frozenset(
    item.name for instrument in catalogue.INSTRUMENTS for item in instrument.items if item.identifying
)


def _require_any(access, *abilities):
    if not any(access.may(ability) for ability in abilities):
        raise PermissionDenied


@require_safe
def audit_page(request):
    """Fifty events, newest first; `before` is the id that the page before ended with, `open` that of an event whose
    fields are shown, however many they are."""
    _require_any(request.access, Can.READ, Can.ADMINISTER)
    filters = Filters.of(request.GET)
    before = number_in(request.GET.get("before"))
    events = trail(request.access, filters)
    if before is not None:
        events = events.filter(pk__lt=before)
    rows = list(events.order_by("-pk")[: PAGE + 1])
    more, rows = len(rows) > PAGE, rows[:PAGE]
    sites = sites_of(request.access)
    codes = {site.pk: site.code for site in sites}
    names = names_of([row.user_id for row in rows])
    subjects = subjects_of(rows)
    identified = set(request.access.sites_for(Can.IDENTIFY))
    parameters = filters.as_address()
    lines = [
        {
            "event": row,
            "site": codes.get(row.site_id, ""),
            "who": names.get(row.user_id, ""),
            "what": act_in_words(row.action),
            "table": table_in_words(row.table_name),
            "subject": subjects.get((row.table_name, row.row_id), NOBODY),
            **_fields(row, row.site_id in identified, opened=str(row.pk) == request.GET.get("open")),
        }
        for row in rows
    ]
    here = urlencode(parameters | ({"before": before} if before else {}))
    return render(
        request,
        "audit/trail.html",
        {
            "rows": lines,
            "written": trail_rows.of(lines, several=len(sites) > 1, here=here),
            "filters": filters,
            "any_filter": bool(parameters),
            "sites": [(site.pk, site) for site in sites] if len(sites) > 1 else [],
            "several": len(sites) > 1,
            "people": people_of(request.access),
            "tables": table_choices(),
            "actions": action_choices(),
            "query": urlencode(parameters),
            "older": urlencode(parameters | {"before": rows[-1].pk}) if more else "",
            "first_page": not before,
            "may_export": _may_export(request.access),
        },
    )


def _fields(event, identifies, *, opened):
    """How many fields an event touched, and their lines where these are few or the event is opened."""
    fields = fields_of(event, identifies) if event.table_name in tables() else []
    shown = fields if opened or len(fields) <= FEW else ()
    return {"fields": len(fields), "opened": opened, "lines": [Line(label, *texts()) for label, texts in shown]}


def _may_export(access):
    return access.may(Can.EXPORT) or access.may(Can.ADMINISTER)


HEADER = (
    "event", "at", "site", "table", "row", "patient", "timepoint", "action", "person", "person_name",
    "reason", "request", "transaction", "old", "new",
)  # fmt: skip


@require_POST
def audit_csv(request):
    """The events that the filters let through, newest first, as one file; that it was taken is an event itself."""
    if not _may_export(request.access):
        raise PermissionDenied
    filters = Filters.of(request.GET)
    newest = trail(request.access, filters).order_by("-pk").values_list("pk", flat=True).first() or 0
    concerned = {filters.site} if filters.site is not None else set(request.access.sites_for(Can.READ))
    if request.access.may(Can.ADMINISTER) and filters.site is None:
        concerned.add(None)
    for site_id in concerned.intersection([*request.access.sites_for(Can.READ), None]):
        audit.record("audit_exported", site_id=site_id, detail={"filters": filters.as_address()})
    name = f"metaspine-audit-{timezone.localdate()}.csv"
    return csv_answer(name, HEADER, _rows(request.access, filters, newest, current()))


def _rows(access, filters, newest, scope):
    """Rows of the file in chunks: each has a transaction of its own, with the scope of the request, and between two
    chunks there is none."""
    below, identified = newest + 1, set(access.sites_for(Can.IDENTIFY))
    while True:
        with entered(scope), transaction.atomic():
            events = list(trail(access, filters).filter(pk__lt=below).order_by("-pk")[:CHUNK])
            names = names_of({event.user_id for event in events})
            codes = {site.pk: site.code for site in sites_of(access)}
            subjects = subjects_of(events)
            # Within the scope: it says what a person must not know.
            cells = [
                _cells(
                    event,
                    names,
                    codes,
                    subjects.get((event.table_name, event.row_id), NOBODY),
                    event.site_id in identified,
                )
                for event in events
            ]
        if not events:
            return
        yield cells
        below = events[-1].pk


def _cells(event, names, codes, subject, identifies):
    return [
        event.pk,
        event.at.isoformat(),
        codes.get(event.site_id, ""),
        event.table_name,
        guarded(event.row_id),
        guarded(subject.patient_id),
        guarded(subject.timepoint),
        event.action,
        event.user_id or "",
        guarded(names.get(event.user_id, "")),
        guarded(event.reason),
        event.request_id,
        event.transaction_id,
        _as_json(event, event.old, identifies),
        _as_json(event, event.new, identifies),
    ]


def _as_json(event, values, identifies):
    """Values as they are on record, but encrypted ones, and identifying ones unless they are of the person's site."""
    if values is None:
        return ""
    if event.action in ROW_ACTIONS:
        secret = encrypted().get(event.table_name, frozenset())
        secret = secret if identifies else secret | IDENTIFYING
        secret |= unseen_columns(event)
        values = {name: HIDDEN if name in secret else value for name, value in values.items()}
    return json.dumps(values, ensure_ascii=False)
