"""Comparing forms with the source: what is left to compare, and one form field by field."""

from urllib.parse import urlencode

from django.contrib import messages
from django.db import connection
from django.http import Http404
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from registry.instruments import catalogue
from registry.instruments.patient_forms import FINISHED_FORMS
from registry.models import QueryForm, State
from registry.services.monitoring import sampling
from registry.services.monitoring.sampling import LEFT
from registry.services.records.storing import Locked
from registry.services.review import verification
from registry.services.review.forms import form_row
from registry.services.review.soft_checks import Form
from registry.services.seen import Unseen
from registry.web.review.signing import known_form
from registry.web.shared import seen_words, wording
from registry.web.shared.lookup import COUNTED, last_page, names_of, page_in, patient_of
from registry.web.shared.patient_head import facts
from registry.web.shared.record_words import form_label, form_url, item_label, visit_labels
from sites.models import Site
from sites.tenancy.access import Can

PAGE = 50


@require_safe
def to_verify(request):
    """Completed forms that are not verified yet, fifty a page, by site, form and patient."""
    request.access.require(Can.VERIFY)
    labels = visit_labels()
    sites = list(Site.objects.filter(pk__in=request.access.sites_for(Can.VERIFY)))
    chosen = {name: request.GET.get(name, "").strip() for name in ("site", "form", "patient", "changed", "plan")}
    plan = sampling.plan()
    forms_left, parameters = _left(sites, chosen, labels, plan)
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT count(*) FROM (SELECT FROM ({forms_left}) AS f LIMIT {COUNTED + 1}) AS counted", parameters
        )
        count = cursor.fetchone()[0]
        last = last_page(count, PAGE)
        number = page_in(request.GET.get("page"), last)
        cursor.execute(
            f"SELECT * FROM ({forms_left}) AS f ORDER BY patient_id, place, form LIMIT {PAGE} "
            f"OFFSET {(number - 1) * PAGE}",
            parameters,
        )
        rows = cursor.fetchall()
    codes = {site.pk: site.code for site in sites}
    in_address = {name: value for name, value in chosen.items() if value}
    return render(
        request,
        "review/to_verify.html",
        {
            "rows": [
                {
                    "site": codes[site],
                    "patient_id": patient,
                    "code": code,
                    "form": form_label(Form.of(code, labels), labels),
                    "at": at,
                    "changed": changed,
                    "marks": marks,
                    "whole": plan.draws(codes[site], patient, code),
                }
                for site, patient, code, at, marks, changed, _place in rows
            ],
            "sites": sites if len(sites) > 1 else [],
            "forms": [
                *((form, QueryForm(form).label) for form in LEFT if form != QueryForm.ASSESSMENT),
                *labels.items(),
            ],
            "plan": plan,
            "chosen": chosen,
            "any_filter": bool(in_address),
            "query": urlencode(in_address),
            "count": count,
            "many": count > COUNTED,
            "counted": COUNTED,
            "number": number,
            "last": last,
        },
    )


def _left(sites, chosen, labels, plan):
    """SQL and parameters of the forms left to verify, narrowed by the filters."""
    form = chosen["form"]
    kinds = [QueryForm.ASSESSMENT.value] if form in labels else [kind for kind in LEFT if kind == form] or list(LEFT)
    by_plan = plan.is_declared and chosen["plan"] != "all"
    parameters = {
        "sites": [site.pk for site in sites if chosen["site"] in ("", site.code)],
        "patient": chosen["patient"].upper()[:40],
        "timepoint": form,
        "order": [*FINISHED_FORMS, *labels],
    }
    parts = [LEFT[kind] + " AND site_id = ANY (%(sites)s)" for kind in kinds]
    if form in labels:
        parts = [f"{part} AND timepoint_id = %(timepoint)s" for part in parts]
    if parameters["patient"]:
        parts = [f"{part} AND starts_with(patient_id, %(patient)s)" for part in parts]
    if chosen["changed"]:
        parts = [f"{part} AND jsonb_path_exists(verified, '$.*.changed_at')" for part in parts]
    used = (
        {"sites", "order"}
        | ({"timepoint"} if form in labels else set())
        | ({"patient"} if parameters["patient"] else set())
    )
    of_plan = sampling.parameters(plan, sites) if by_plan else {}
    sql = f"""
        SELECT site_id, patient_id, form, updated_at,
               (SELECT count(*) FROM jsonb_each(verified)) AS marks,
               (SELECT count(*) FROM jsonb_each(verified) WHERE value ? 'changed_at') AS changed,
               array_position(%(order)s::text[], form) AS place
        FROM ({" UNION ALL ".join(parts)}) AS {sampling.F} WHERE {sampling.STILL_ASKED if by_plan else "true"}"""
    return sql, {name: parameters[name] for name in used} | of_plan


@require_safe
def verify_next(request):
    """On to the next form that the sampling plan asks about, after the one that is named; to the list where none is."""
    request.access.require(Can.VERIFY)
    sites = Site.objects.filter(pk__in=request.access.sites_for(Can.VERIFY))
    after = request.GET.get("patient", "")[:40], request.GET.get("form", "")[:40]
    found = sampling.next_form(sampling.plan(), sites, after)
    if found:
        return redirect("verify_form", *found)
    messages.info(request, _("No form is left that the sampling plan asks about."))
    return redirect("to_verify")


@require_http_methods(["GET", "POST"])
def verify_form(request, patient_id, form):
    """One form beside the source: tick what agrees. All of it makes the form verified."""
    patient = patient_of(request, patient_id)
    if not request.access.may(Can.VERIFY, patient.site_id):
        raise Http404
    form_found = form_row(patient, known_form(form))
    if form_found is None:
        raise Http404
    error, unseen = "", None
    if request.method == "POST":
        try:
            error = _mark(request, form_found)
        except Unseen as exception:
            unseen = exception
        if not error and unseen is None:
            messages.success(request, _("Saved."))
            if request.POST.get("all") == "next":
                return redirect(f"{reverse('verify_next')}?{urlencode({'patient': patient.pk, 'form': form})}")
            return redirect("verify_form", patient.pk, form)
    labels, plan = visit_labels(), sampling.plan()
    form_found = form_row(patient_of(request, patient_id), form_found.form)
    return render(
        request,
        "review/verify.html",
        {
            "patient": patient,
            "facts": facts(patient),
            "found": form_found,
            "state": form_found.state,
            "title": form_label(form_found.form, labels),
            "form_url": form_url(patient.pk, form_found.form),
            "seen": verification.note(form_found),
            "unseen": unseen,
            "differences": seen_words.lines_of(unseen.differences, [form_found]) if unseen else [],
            "lines": _lines(form_found, plan.wanted(form_found, patient.site.code)),
            "plan": plan,
            "whole": plan.draws(patient.site.code, patient.pk, form_found.form.code),
            "done": sum(verification.is_verified(form_found.row, name) for name in form_found.comparable),
            "open": form_found.state not in (State.DRAFT, State.LOCKED),
            "error": error,
        },
        status=409 if error or unseen else 200,
    )


def _mark(request, form_row):
    """Do what was asked; returns why it could not be done, or nothing. Raises Unseen."""
    columns = request.POST.getlist("column")
    try:
        if "withdraw" in request.POST:
            verification.withdraw(access=request.access, found=form_row, columns=[request.POST["withdraw"]])
        else:
            verification.verify(
                access=request.access,
                found=form_row,
                columns=form_row.comparable if "all" in request.POST else columns,
                seen=request.POST.get("seen", ""),
            )
    except Locked:
        return _("This form is signed. It must be unlocked before it can change.")
    except verification.NotComplete:
        return _("This form is a draft: it can be verified when it is complete.")
    return ""


def _lines(form_row, wanted):
    """Each field: what is stored, and its comparison with the source."""
    row = form_row.row
    marks = {name: row.verified[name] for name in form_row.comparable if name in row.verified}
    names = names_of([mark["by"] for mark in marks.values()])
    return [
        {
            "name": name,
            "label": item_label(name),
            "value": _shown(row, name),
            "is_wanted": name in wanted,
            "mark": mark_in_words(marks.get(name), names),
            "is_verified": verification.is_verified(row, name),
        }
        for name in form_row.comparable
    ]


def _shown(row, name):
    if name in row.missing:
        return wording.reason(row.missing[name])
    return wording.shown(catalogue.item(name), getattr(row, name))


def mark_in_words(mark, names):
    """{"by", "at", "changed_at"} with moments to show, or None."""
    if mark is None:
        return None
    changed = mark.get("changed_at")
    return {
        "by": names.get(mark["by"], ""),
        "at": parse_datetime(mark["at"]),
        "changed_at": parse_datetime(changed) if changed else None,
    }
