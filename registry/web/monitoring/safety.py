"""Adverse events as a line listing with what became of the notices, its file, and who is told of serious ones."""

from datetime import date
from urllib.parse import urlencode

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import Http404
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from registry.instruments import catalogue
from registry.models import SafetyNotice
from registry.services.files import file_formats
from registry.services.monitoring import safety
from registry.services.monitoring.safety import Wanted
from registry.services.protocol import publishing
from registry.web.shared import cells, identified, wording
from registry.web.shared.cells import escape
from registry.web.shared.lookup import COUNTED, counted, last_page, page_in
from registry.web.shared.transfers import csv_answer
from sites import audit
from sites.confirming import confirmed
from sites.models import Site
from sites.tenancy.access import Can
from sites.tenancy.scope import current, entered

PAGE = 50
CHUNK = 1000
SHOWN = (
    "kind", "onset_date", "ae_end_date", "ae_seriousness", "ae_relatedness", "ae_expectedness", "ae_outcome",
    "ae_ctcae_grade", "clavien_dindo", "ae_meddra_code",
)  # fmt: skip
ON_WIDE_SCREENS = {"ae_end_date", "ae_relatedness", "ae_expectedness", "ae_ctcae_grade", "ae_meddra_code"}
DAYS = {"onset_date", "ae_end_date"}
NOTICES = ("people_told", "mails_sent", "acknowledged", "mails_failing")


@require_safe
def safety_listing(request):
    """Fifty adverse events a page, the newest first, narrowed by what stands in the address."""
    request.access.require(Can.READ)
    wanted, in_address = _wanted(request.GET)
    rows = safety.listing(request.access, wanted)
    count = counted(rows)
    last = last_page(count, PAGE)
    number = page_in(request.GET.get("page"), last)
    sites = Site.of(request.access.sites_for(Can.READ))
    lines = _lines(safety.with_notices(rows[(number - 1) * PAGE : number * PAGE]))
    waiting = [(notice, _lines([notice.event])[0]) for notice in safety.to_acknowledge(request.access)]
    numbers = [line["event"].patient_id for line in lines] + [notice.patient_id for notice, _line in waiting]
    beside = identified.beside(request, numbers)
    return render(
        request,
        "monitoring/safety.html",
        {
            "rows": lines,
            "written": cells.joined(_written(lines, beside, several=len(sites) > 1)),
            "identified": beside,
            "heads": [(wording.words(catalogue.item(name).label), name in ON_WIDE_SCREENS) for name in SHOWN],
            "filters": [_filter(name, request.GET.get(name, "")) for name in safety.FILTERS],
            "sites": sites if len(sites) > 1 else [],
            "sent": request.GET,
            "query": urlencode(in_address),
            "waiting": waiting,
            "count": count,
            "many": count > COUNTED,
            "counted": COUNTED,
            "number": number,
            "last": last,
        },
    )


def _filter(name, chosen):
    item = catalogue.item(name)
    options = [(str(choice.code), capfirst(wording.words(choice.label))) for choice in item.choices]
    return {"name": name, "label": wording.words(item.label), "options": options, "chosen": chosen}


def _wanted(sent):
    """(Wanted, what of the address it stands for); what fits no code or day is left out."""
    codes, addresses = [], {}
    for name in safety.FILTERS:
        try:
            value = catalogue.item(name).clean(sent.get(name, ""))
        except (ValueError, ValidationError):
            continue
        if value is not None:
            codes.append((name, value))
            addresses[name] = value
    days = {}
    for name in ("first", "last"):
        try:
            days[name] = date.fromisoformat(sent.get(name, ""))
            addresses[name] = sent[name]
        except ValueError:
            days[name] = None
    for name in ("site", "serious"):
        if sent.get(name):
            addresses[name] = sent[name][:40]
    return Wanted(
        sent.get("site", "")[:40], tuple(codes), days["first"], days["last"], bool(sent.get("serious"))
    ), addresses


def _lines(events):
    """Of each event whether it is serious, and what it says of each of SHOWN; what many say is worded once."""
    items, worded = [catalogue.item(name) for name in SHOWN], wording.Worded()
    return [
        {
            "event": event,
            "serious": event.ae_seriousness in safety.SERIOUS,
            "cells": [worded(item, getattr(event, item.name)) for item in items],
        }
        for event in events
    ]


def _written(lines, beside, *, several):
    """Rows of the listing as HTML; `several` where they say of which site each is."""
    patients = reverse("patients")
    kinds = [f' class="{kind}"' if kind else "" for kind in map(_kind_of_cell, SHOWN)]
    for line in lines:
        event = line["event"]
        number = escape(event.patient_id)
        address = f"{patients}{number}/adverse-events/{event.pk}/"
        yield (
            f'<tr data-href="{address}"><th scope="row" class="pinned"><a class="code" href="{address}">{number}</a>'
            f"{cells.beside(beside, event.patient_id)}</th>"
            + (f"<td>{escape(event.site.code)}</td>" if several else "")
            + "".join(f"<td{kind}>{escape(cell)}</td>" for kind, cell in zip(kinds, line["cells"], strict=True))
            + f"<td>{_told(event, line['serious'])}</td></tr>"
        )


def _kind_of_cell(name):
    return " ".join(filter(None, ("wide-only" if name in ON_WIDE_SCREENS else "", "nowrap" if name in DAYS else "")))


def _told(event, serious):
    """Who was told of an event."""
    if not event.told:
        return f'<strong class="answer-query">{escape(_("nobody yet"))}</strong>' if serious else wording.NOTHING
    counts = {"n": event.told, "mailed": event.mailed, "noted": event.noted}
    words = escape(_("%(n)s people, %(mailed)s by mail, %(noted)s took note") % counts)
    if event.failing:
        failing = escape(_("%(n)s mails failed, tried again") % {"n": event.failing})
        words += f' <strong class="answer-query">{failing}</strong>'
    return words


@require_POST
def safety_csv(request):
    """The events that the filters let through, as one file with codes; that it was taken is on record."""
    request.access.require(Can.READ)
    wanted, addresses = _wanted(request.GET)
    sites = safety.listing(request.access, wanted).order_by().values_list("site_id", flat=True).distinct()
    for site_id in set(sites):
        audit.record("safety_listing_exported", site_id=site_id, detail={"filters": addresses})
    name = f"metaspine-adverse-events-{timezone.localdate()}.csv"
    return csv_answer(name, ("site", "patient", *SHOWN, *NOTICES), _rows(request.access, wanted, current()))


def _rows(access, wanted, scope):
    """Rows of the file in chunks, each with a transaction of its own; an event that comes or goes meanwhile neither
    repeats nor hides another one."""
    last = None
    while True:
        with entered(scope), transaction.atomic():
            events = safety.with_notices(safety.listing(access, wanted, after=last)[:CHUNK])
        if not events:
            return
        yield [
            (event.site.code, event.patient_id, *map(_cell, (getattr(event, name) for name in SHOWN)),
             event.told, event.mailed, event.noted, event.failing)
            for event in events
        ]  # fmt: skip
        last = events[-1]


def _cell(value):
    return "" if value is None else file_formats.guarded(str(value))


@require_POST
def acknowledge_event(request, notice_id):
    """Note that one has seen a serious event of which one was told; to anybody else there is none."""
    try:
        safety.acknowledge(access=request.access, notice_id=notice_id)
    except SafetyNotice.DoesNotExist:
        raise Http404 from None
    messages.success(request, _("Noted that you have seen it."))
    return redirect("safety")


@require_http_methods(["GET", "POST"])
@confirmed
def safety_people(request):
    """Who is told of serious adverse events; POST declares it anew, as a version of the protocol."""
    request.access.require(Can.ADMINISTER)
    faults, note = [], request.POST.get("note", "").strip()[:300]
    chosen = set(safety.recipients().people)
    if request.method == "POST":
        chosen = {int(key) for key in request.POST.getlist("person") if key.isdecimal() and len(key) < 18}
        faults = _declare(request.access, chosen, note)
        if not faults:
            messages.success(request, _("Saved as the next version of the protocol."))
            return redirect("safety_people")
    return render(
        request,
        "monitoring/safety_people.html",
        {
            "people": [(person, person.pk in chosen) for person in safety.candidates()],
            "mail": settings.MAIL,
            "faults": faults,
            "note": note,
        },
        status=422 if faults else 200,
    )


def _declare(access, people, note):
    if not note:
        return [_("Say why: it stands in the version of the protocol.")]
    try:
        safety.declare(access=access, people=people, note=note)
    except publishing.InvalidDefinition as error:
        return [f"{fault.value}: {wording.sentence(fault.reason)}" for fault in error.faults]
    return []
