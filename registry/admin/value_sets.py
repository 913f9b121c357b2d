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
    found = [one for one in value_sets.ALL if _speaks_of(one, query)]
    if request.GET.get("format") == "csv":
        return _csv(found)
    sites = Counter(Site.objects.values_list("value_set", flat=True))
    rows = [{"set": one, "label": _said(one.label), "sites": sites[one.code]} | _told(one) for one in found]
    return _page(request, "admin/value_sets.html", _("Value sets"), rows=rows, query=query)


def _detail(request, code):
    try:
        one = value_sets.get(code)
    except KeyError:
        raise Http404 from None
    main = [
        (_said(item.label), [one.terms[f"{name}{level}"] for level in value_sets.LEVELS[1:]])
        for name, item in zip(value_sets.DIMENSIONS, eq5d5l.DIMENSIONS, strict=True)
    ]
    context = {
        "set": one,
        "levels": value_sets.LEVELS[1:],
        "main": main,
        "others": [(name, one.terms[name]) for name in ("full_health", *value_sets.INTERACTIONS) if name in one.terms],
        "examples": [(state, one.hsuv(state)) for state in (11111, 21111, 12321, 33333, WORST)],
        "sites": Site.objects.filter(value_set=code).order_by("code"),
    } | _told(one)
    return _page(request, "admin/value_set.html", f"{_said(one.label)} ({one.code})", **context)


def _page(request, template, title, **context):
    return render(request, template, admin.site.each_context(request) | {"title": title} | context)


def _said(label):
    return label.in_language((get_language() or "en")[:2])


def _speaks_of(one, query):
    told = (one.code, one.label.en, one.label.ja, one.doi, one.pubmed)
    return any(query.casefold() in text.casefold() for text in told)


def _told(one):
    """The value of the worst state, and how many of the 3125 states are worse than death in this country."""
    return {"worst": one.hsuv(WORST), "below": sum(value < 0 for value in one.table().values())}


def _csv(found):
    table = Dataset(headers=["value_set", "version", "country", "country_ja", "doi", "pubmed", "term", "coefficient"])
    for one in found:
        told = (one.code, one.version, one.label.en, one.label.ja, one.doi, one.pubmed)
        for name, value in one.terms.items():
            table.append((*told, name, str(value)))
    headers = {"Content-Disposition": 'attachment; filename="value-sets.csv"'}
    return HttpResponse(CSV().export_data(table), content_type="text/csv; charset=utf-8", headers=headers)
