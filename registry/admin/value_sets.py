"""The value sets to look at: part of the program, published elsewhere, so there is nothing here to change."""

from collections import Counter

from django.contrib import admin
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe
from import_export.formats.base_formats import CSV
from tablib import Dataset

from registry.instruments import value_sets
from registry.instruments.core import eq5d5l
from sites.models import Site

WORST = 55555


@require_safe
def value_set_list(request):
    """Every value set, or those with a word in their code, country or source; as CSV every coefficient of them."""
    return admin.site.admin_view(_list)(request)


@require_safe
def value_set_detail(request, code):
    """One value set with its coefficients."""
    return admin.site.admin_view(_detail)(request, code=code)


def _list(request):
    query = request.GET.get("q", "").strip()
    sets = [value_set for value_set in value_sets.ALL if _speaks_of(value_set, query)]
    if request.GET.get("format") == "csv":
        return _csv(sets)
    sites = Counter(Site.objects.values_list("value_set", flat=True))
    rows = [
        {"set": value_set, "label": _said(value_set.label), "sites": sites[value_set.code]} | _told(value_set)
        for value_set in sets
    ]
    return _page(request, "admin/value_sets.html", _("Value sets"), rows=rows, query=query)


def _detail(request, code):
    try:
        value_set = value_sets.get(code)
    except KeyError:
        raise Http404 from None
    main = [
        (_said(item.label), [value_set.terms[f"{name}{level}"] for level in value_sets.LEVELS[1:]])
        for name, item in zip(value_sets.DIMENSIONS, eq5d5l.DIMENSIONS, strict=True)
    ]
    context = {
        "set": value_set,
        "levels": value_sets.LEVELS[1:],
        "main": main,
        "others": [
            (name, value_set.terms[name])
            for name in ("full_health", *value_sets.INTERACTIONS)
            if name in value_set.terms
        ],
        "examples": [(state, value_set.hsuv(state)) for state in (11111, 21111, 12321, 33333, WORST)],
        "sites": Site.objects.filter(value_set=code).order_by("code"),
    } | _told(value_set)
    return _page(request, "admin/value_set.html", f"{_said(value_set.label)} ({value_set.code})", **context)


def _page(request, template, title, **context):
    return render(request, template, admin.site.each_context(request) | {"title": title} | context)


def _said(label):
    return label.in_language((get_language() or "en")[:2])


def _speaks_of(value_set, query):
    texts = (value_set.code, value_set.label.en, value_set.label.ja, value_set.doi, value_set.pubmed)
    return any(query.casefold() in text.casefold() for text in texts)


def _told(value_set):
    """The value of the worst state, and how many of the 3125 states are worse than death in this country."""
    return {"worst": value_set.hsuv(WORST), "below": sum(value < 0 for value in value_set.table().values())}


def _csv(sets):
    table = Dataset(headers=["value_set", "version", "country", "country_ja", "doi", "pubmed", "term", "coefficient"])
    for value_set in sets:
        fields = (
            value_set.code,
            value_set.version,
            value_set.label.en,
            value_set.label.ja,
            value_set.doi,
            value_set.pubmed,
        )
        for name, value in value_set.terms.items():
            table.append((*fields, name, str(value)))
    headers = {"Content-Disposition": 'attachment; filename="value-sets.csv"'}
    return HttpResponse(CSV().export_data(table), content_type="text/csv; charset=utf-8", headers=headers)
