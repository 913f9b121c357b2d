"""The study in the browser: the guide of its set-up, what it is, the matrix of what is asked when, its versions."""

from django.contrib import messages
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_safe

from registry.instruments import catalogue
from registry.instruments.base import half_width_number
from registry.instruments.catalogue import ASKED
from registry.models import ProtocolVersion, QueryForm
from registry.protocol.definitions import Fault
from registry.services.protocol import branding, bringing, setup
from registry.web.study import documents
from registry.web.study.own_instruments import KINDS, RECORDS, title_of
from registry.web.study.publishing import published
from sites.confirming import confirmed
from sites.tenancy.access import BLINDABLE, ROLE_LABELS, Can


@require_safe
def guide(request):
    """The steps of the set-up: what is done, what is missing, and where."""
    request.access.require(Can.ADMINISTER)
    steps = setup.steps()
    return render(request, "study/guide.html", {"steps": steps, "open": sum(bool(step.missing) for step in steps)})


@require_http_methods(["GET", "POST"])
@confirmed
def about(request):
    """Names, numbers, contact, arms, criteria, consent and ethics of the study."""
    request.access.require(Can.ADMINISTER)
    known, faults, note = setup.document().get("study") or {}, [], request.POST.get("note", "").strip()
    if request.method == "POST":
        logo, fault = _logo(request, known.get("logo") or "")
        known = _about_in(request.POST) | {"logo": logo}
        if fault:
            faults = [fault]
        else:
            success = _("Saved as the next version of the protocol.")
            faults = published(request, setup.save_about, success, note=note, about=known)
            if faults is None:
                return redirect("study")
    lists = [
        {"name": key, "title": title, "help": text, "text": _as_text(key, known.get(key) or ())}
        for key, (title, text) in _lists().items()
    ]
    return render(
        request,
        "study/about.html",
        {
            "about": known,
            "lists": lists,
            "faults": faults,
            "note": note,
            "arm_at": known.get("arm_at") or setup.ARM_FORMS[0],
            "arm_forms": [(form, QueryForm(form).label) for form in setup.ARM_FORMS],
            "blindable": [(role, ROLE_LABELS[role]) for role in BLINDABLE],
        },
        status=422 if request.method == "POST" else 200,
    )


def _as_text(key, entries):
    if key in WAYS:
        return WAYS[key][1](entries)
    return documents.choices_text({"choices": entries})


# How lists that say more than a code and its labels are read from their lines and written back.
WAYS = {
    "consent": (documents.consents_in, documents.consents_text),
    "ethics": (documents.ethics_in, documents.ethics_text),
    "inclusion": (documents.criteria_in, documents.criteria_text),
    "exclusion": (documents.criteria_in, documents.criteria_text),
}


def _logo(request, before):
    """(digest of the logo that is to be, what is wrong with the one that was sent)."""
    if "without_logo" in request.POST:
        return "", None
    upload = request.FILES.get("logo")
    if upload is None:
        return before, None
    if upload.size > branding.LARGEST:
        return before, Fault(0, "logo", "", branding.TOO_HEAVY.format(kb=-(-upload.size // 1024)))
    digest, fault = branding.keep_logo(upload.read())
    return digest or before, fault


CRITERIA_HELP = gettext_lazy(
    "One a line: code | English | 日本語 | condition. A condition is checked by the machine, of what the baseline "
    "answers: [sins_pain] >= 1. Without one somebody answers yes or no."
)


def _lists():
    return {
        "arms": (_("Arms"), _("One a line: code | English | 日本語. Leave empty for one group.")),
        "inclusion": (_("Inclusion criteria"), CRITERIA_HELP),
        "exclusion": (_("Exclusion criteria"), CRITERIA_HELP),
        "consent": (
            _("Versions of the consent form"),
            _(
                "One a line, the newest last: version | English | 日本語 | in force since (2026-05-01) | again | "
                "languages (en, ja). With “again” everybody who signed an older version is asked once more."
            ),
        ),
        "ethics": (
            _("Ethics approvals"),
            _("One a line: code of the site | number of the approval | approved on (2026-05-01) | valid until."),
        ),
    }


def _about_in(post):
    about = {name: post.get(name, "").strip() for name in setup.TEXTS}
    about |= {name: half_width_number(post.get(name, "").strip()) for name in ("target", "minimum_age")}
    about["name"] = documents.label_in(post, "name")
    about["single_arm"] = "single_arm" in post
    lists = {name: documents.choices_in(post.get(name, "")) for name in setup.LISTS}
    about["arm_at"] = post.get("arm_at") or setup.ARM_FORMS[0]
    about["blind"] = [role for role in BLINDABLE if role in post.getlist("blind")]
    read = {key: read(post.get(key, "")) for key, (read, _write) in WAYS.items()}
    return about | lists | read


@require_http_methods(["GET", "POST"])
@confirmed
def matrix(request):
    """Which instrument is asked at which visit: asked, optional, not asked; the core's too."""
    request.access.require(Can.ADMINISTER)
    visits, note = setup.visits(), request.POST.get("note", "").strip()
    rows = [*setup.of_baseline(), *setup.of_visits()]
    if request.method == "POST":
        states = {
            (form.code, code): request.POST.get(f"{form.code}@{code}", "")
            for form in setup.of_visits()
            for code, _label in visits
        }
        off = [row.code for row in rows if f"off@{row.code}" in request.POST]
        if note:
            setup.save_matrix(access=request.access, off=off, states=states, note=note)
            messages.success(request, _("Saved as the next version of the protocol. Forms that are complete stay so."))
            return redirect("study_matrix")
        messages.error(request, _("Say why: it stands in the version of the protocol."))
    protocol = catalogue.current()
    baseline = {instrument.code for instrument in setup.of_baseline()}
    lines = [
        {
            "instrument": row,
            "is_core": not row.own,
            "off": row.code in protocol.off,
            "cells": []
            if row.code in baseline
            else [(code, label, protocol.matrix.get(row.code, {}).get(code, "asked")) for code, label in visits],
            "of_baseline": row.code in baseline,
        }
        for row in rows
    ]
    words = {"asked": _("Asked"), "optional": _("Optional"), "not_asked": _("Not asked")}
    return render(
        request,
        "study/matrix.html",
        {"visits": visits, "lines": lines, "states": [(code, words[code]) for code in ASKED], "note": note},
        status=422 if request.method == "POST" else 200,
    )


@require_safe
def versions(request):
    """Every version of the protocol, the newest first: when, who and why."""
    if not request.access.may(Can.READ):
        request.access.require(Can.ADMINISTER)
    return render(
        request,
        "study/versions.html",
        {"versions": ProtocolVersion.objects.select_related("created_by").order_by("-pk")},
    )


@require_safe
def printed(request):
    """The whole protocol as a document to be read and printed."""
    if not request.access.may(Can.READ):
        request.access.require(Can.ADMINISTER)
    document = setup.document()
    version = ProtocolVersion.objects.select_related("created_by").order_by("-pk").first()
    current = catalogue.current()
    own = [
        {"title": title_of(entry["document"]), "document": entry["document"], "version": entry["version"],
         "record": RECORDS.get(entry["document"]["record"]),
         "items": [(item, KINDS.get(item["kind"])) for item in entry["document"]["items"]]}
        for entry in bringing.published()
        if not entry.get("retired")
    ]  # fmt: skip
    visits = setup.visits()
    words = {"asked": "●", "optional": "○", "not_asked": "–"}
    rows = [
        (form, [words[current.how(form.code, code)] for code, _label in visits])
        for form in setup.of_visits()
        if form.code not in current.off
    ]
    return render(
        request,
        "study/printed.html",
        {"about": document.get("study") or {}, "version": version, "own": own, "visits": visits, "rows": rows,
         "brand_logo": branding.current().logo,
         "lists": [(title, document.get("study", {}).get(key)) for key, (title, _help) in _lists().items()]},
    )  # fmt: skip
