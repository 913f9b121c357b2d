"""The rows behind a number of the page on quality: patients with their visit, at the sites that one reads."""

from django.http import Http404
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from registry.models import QueryForm
from registry.services.follow_up import schedule
from registry.services.quality import entry_delay, measured_numbers, missing_items, visit_states
from registry.web.quality.words import state_words
from registry.web.shared import identified, wording
from registry.web.shared.record_words import item_label, visit_labels
from sites.models import Site
from sites.tenancy.access import Can

MOST = 500


@require_safe
def quality_rows(request):
    """At most five hundred rows: `what` (visits, missing, numbers, delay), and what the number was of."""
    request.access.require(Can.READ)
    sites = Site.of(request.access.sites_for(Can.READ))
    code = request.GET.get("site", "")
    ids = [site.pk for site in sites if code in ("", site.code)]
    kind = _KINDS.get(request.GET.get("what", ""))
    if kind is None:
        raise Http404
    title, heads, rows = kind(request.GET, ids)
    labels = visit_labels()
    lines = [_line(row, labels) for row in rows[:MOST]]
    return render(
        request,
        "quality/rows.html",
        {
            "title": title,
            "site": code,
            "heads": heads,
            "lines": lines,
            "more": len(rows) > MOST,
            "most": MOST,
            "identified": identified.beside(request, [line["patient"] for line in lines]),
        },
    )


def _line(row, labels):
    patient, form, *cells = row
    own = form in (QueryForm.BASELINE, QueryForm.SURGERY)
    return {
        "patient": patient,
        "form": str(QueryForm(form).label) if own else labels.get(form, form),
        "url": reverse(f"patient_{form}", args=[patient]) if own else reverse("assessment", args=[patient, form]),
        "cells": cells,
    }


def _visits(sent, ids):
    state, code = sent.get("state", ""), sent.get("visit", "")
    if state not in visit_states.STATES:
        raise Http404
    visits = visit_states.rows(ids, schedule.plans(), timezone.localdate(), code=code[:20], state=state, limit=MOST + 1)
    rows = [(patient, visit, wording.day(day)) for patient, visit, day in visits]
    return f"{_('Visits')}: {state_words()[state]}", [_("Day")], rows


def _missing(sent, ids):
    name, reason = sent.get("item", ""), sent.get("reason", "")
    if not any(name in names for _table, _state, names in missing_items.FORMS.values()):
        raise Http404
    title = f"{_('Without a value')}: {item_label(name)}"
    if reason:
        title += f" · {wording.reason(reason)}"
    return title, [], missing_items.rows(ids, name=name, reason=reason[:40], limit=MOST + 1)


def _numbers(sent, ids):
    name = sent.get("item", "")
    if name not in measured_numbers.ITEMS:
        raise Http404
    return item_label(name), [_("Value")], measured_numbers.rows(ids, name=name, limit=MOST + 1)


def _delay(sent, ids):
    rows = [
        (patient, visit, wording.day(day), days) for patient, visit, day, days in entry_delay.rows(ids, limit=MOST + 1)
    ]
    return _("From the visit to its entry"), [_("Day"), _("Days until it was stored")], rows


_KINDS = {"visits": _visits, "missing": _missing, "numbers": _numbers, "delay": _delay}
