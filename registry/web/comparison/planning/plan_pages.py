"""The pages of plans: those saved, the builder, and one version with its lock.

For those who may compare; to everyone else none of these addresses exists.
"""

import hashlib
import json
import re
from dataclasses import replace
from urllib.parse import urlencode

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.cache import get_conditional_response
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from registry.analysis.data import packed_snapshots
from registry.analysis.design import cohorts, plans, saved_plans
from registry.analysis.design import errors as design_errors
from registry.analysis.design.groupings import ARM_LABEL, ARMS, EVERYBODY, GROUPINGS
from registry.analysis.design.methods import ADJUSTMENTS
from registry.analysis.design.named_groups import NAMED
from registry.analysis.design.sections import SECTIONS
from registry.analysis.design.variables import sources
from registry.analysis.design.variables.columns import variable_columns
from registry.analysis.presentation.words import cohort_label
from registry.analysis.sections.comparing import comparison_tests
from registry.instruments import timepoints
from registry.instruments.spelling import read_json
from registry.models import ComparisonRun, Patient, SavedCohort, SavedPlan, Snapshot
from registry.services.files import snapshots
from registry.tasks import start_comparison
from registry.web.comparison.forms import cohort_chosen, cohorts_offered
from registry.web.comparison.planning import (
    design_fields,
    fields,
    offered,
    plan_builder,
    plan_choices,
    repeated,
    section_fields,
    section_forms,
)
from registry.web.comparison.planning.fields import SEVERAL, Field
from registry.web.comparison.planning.grid import Grid
from registry.web.comparison.planning.offered import text
from registry.web.shared.gates import for_comparing
from registry.web.shared.lookup import number_in, uuid_in
from sites.tenancy.scope import everything

MOST_COUNTED = 50_000  # patients of whom the page counts the groups at once; more are counted by the run


@require_safe
@for_comparing
def plan_list(request):
    saved = SavedPlan.objects.select_related("created_by").order_by("name", "-version")
    return render(request, "comparison/plans.html", {"saved": saved, "templates": plan_builder.TEMPLATES})


@require_http_methods(["GET", "HEAD", "POST"])
@for_comparing
def plan_new(request):
    """The builder. A template, or a saved version named by `from`, fills it in; what was chosen comes back checked."""
    given, as_json = _given(request)
    if request.method == "POST" and (part := request.GET.get("part")):
        return _part(request, given, part)
    context = {"error": "", "checked": None}
    if more := request.POST.get("more"):
        given |= {f"shown_{more}": str((number_in(given.get(f"shown_{more}")) or 0) + 1), "added": more}
    elif removed := request.POST.get("remove"):
        given = _without(given, removed)
    elif request.POST.get("lists"):
        given["whole"] = "1"
    elif request.method == "POST":
        try:
            plan = plans.from_json(_plan_json(given, as_json))
            cohort = cohort_chosen(given.get("cohort_name") or cohorts.ALL.name)
            act = request.POST.get("act", "check")
            if act != "check":
                _require_something(plan)
                plan = _as_saved(plan)
            if act in ("save", "lock"):
                return _save(request, plan, cohort, given, act == "lock")
            if act == "run":
                return _run(request, plan, cohort, given)
            context["checked"] = _checked(plan, cohort, request)
        except (ValueError, KeyError, TypeError, snapshots.Lacking) as error:
            context["error"] = design_errors.sentence(error, get_language() or "en")
    status = 422 if context["error"] else 200
    return render(request, "comparison/plan_new.html", context | _offered(given, as_json), status=status)


def _given(request):
    """(choices of the page, the plan as JSON where it is edited so)."""
    if request.method == "POST":
        given = {name: request.POST.getlist(name) if _is_several(name) else request.POST[name] for name in request.POST}
        given.setdefault("grouping", NAMED)
        return given, request.POST.get("json", "") if request.POST.get("use_json") else ""
    given, as_json = _started(request)
    return given | ({"whole": "1"} if request.GET.get("whole") else {}), as_json


def _started(request):
    """What the address starts with: a saved version, a run, a template, or nothing."""
    if (number := number_in(request.GET.get("from"))) is not None:
        saved = get_object_or_404(SavedPlan, pk=number)
        return _again(saved.plan, saved.cohort, {"name": saved.name, "note": saved.note})
    if run := ComparisonRun.objects.filter(pk=uuid_in(request.GET.get("run"))).first():
        about = {"name": run.plan["name"], "note": run.plan.get("note", ""), "snapshot": str(run.frozen_id or "")}
        return _again(run.plan, run.cohort, about)
    template = next((choice for choice in plan_builder.TEMPLATES if choice.code == request.GET.get("template")), None)
    return dict(template.choices) if template else {"grouping": NAMED}, ""


def _without(given, removed):
    """The choices without the entry that a button removes, such as `model_2`; a later one keeps its number."""
    prefix, _at, number = removed.rpartition("_")
    gone = re.compile(rf"{re.escape(prefix)}_\w+_{re.escape(number)}")
    return {name: value for name, value in given.items() if not gone.fullmatch(name)} | {"removed": prefix}


def _is_several(name):
    return name in plan_builder.SEVERAL or bool(plan_builder.SEVERAL_NUMBERED.fullmatch(name))


def _again(plan, cohort, about):
    """The choices of a plan that was made before, or its JSON where the page does not ask all that is in it."""
    choices = plan_choices.choices_of(plan)
    about |= {"cohort_name": _cohort_choice(cohort)}
    return (choices or {}) | about, "" if choices else json.dumps(plan, ensure_ascii=False, indent=1)


def _cohort_choice(cohort):
    name, version = cohort["name"], str(cohort["version"])
    row = SavedCohort.objects.filter(name=name, version=int(version)).first() if version.isdecimal() else None
    return name if name in cohorts.COHORTS or row is None else f"saved:{row.pk}"


def _plan_json(given, as_json):
    if not as_json:
        return plan_builder.compiled(given)
    try:
        return read_json(as_json)
    except ValueError as error:
        raise design_errors.refusal(
            "the plan is no JSON: {why}", "計画がJSONとして読めません：{why}", why=getattr(error, "reason", error)
        ) from error


def _save(request, plan, cohort, given, locked):
    saved = saved_plans.save(
        access=request.access,
        name=given.get("name", ""),
        plan=plan,
        cohort=cohort,
        note=(given.get("note") or "")[:1000],
        locked=locked,
    )
    messages.success(request, _("Locked: nobody can change this version.") if locked else _("Saved."))
    return redirect("comparison_plan", saved.pk)


def _require_something(plan):
    if not plan.sections and not plan.tells_tables:
        raise design_errors.refusal(
            "nothing is compared yet: tick what is compared, or add an endpoint, a model or a table",
            "比較するものがまだありません。項目を選ぶか、エンドポイント・モデル・表を追加してください。",
        )


def _as_saved(plan):
    """The Plan as it is kept, where a version of its name computes the same: it is the same plan, not another one."""
    for saved in SavedPlan.objects.filter(name=" ".join(plan.name.split())).order_by("-version"):
        try:
            saved_plan = saved_plans.plan_of(saved)
        except ValueError:  # of what is no longer collected
            continue
        if plan_choices.same(plan, saved_plan):
            return replace(saved_plan, note=plan.note)
    return plan


def _frozen(chosen):
    """The Snapshot that was chosen; None for the registry as it is. Refused where there is no such snapshot."""
    if not chosen:
        return None
    snapshot = Snapshot.objects.filter(pk=uuid_in(chosen)).first()
    if snapshot is None:
        raise design_errors.refusal(
            "the snapshot that was chosen is not here any more; choose another one, or the registry as it is now",
            "選んだスナップショットはもうありません。別のスナップショットか、現在の登録データを選んでください。",
        )
    return snapshot


def _run(request, plan, cohort, given):
    frozen = _frozen(given.get("snapshot"))
    packed_snapshots.require(frozen, (*cohorts.timepoints_needed(cohort), *plan.items_needed))
    run = start_comparison(access=request.access, plan=plan, cohort=cohort, frozen=frozen)
    return redirect("comparison_run", run.pk)


def _checked(plan, cohort, request):
    """What the plan computes, how many patients are in each group, and of how many each value that it uses is known."""
    parts = [(text(section.label), len(plan.entries(code))) for code, section in SECTIONS.items() if plan.entries(code)]
    document = json.dumps(plan.to_json(), ensure_ascii=False, indent=1)
    return {"parts": parts, "json": document} | _numbers(plan, cohort, request)


def _numbers(plan, cohort, request):
    """{"groups": [(group, n)], those in no group last, "known": [(variable, kind, visit, n)]}; None in place of the
    lists where there are too many patients to count on a page."""
    with everything(user_id=request.access.user_id, reason="sizes of a plan's groups"):
        if Patient.objects.count() > MOST_COUNTED:
            return {"groups": None, "known": None}
        needed = (*cohorts.timepoints_needed(cohort), *plan.timepoints, *plan.items_needed)
        frame = packed_snapshots.read(None, tuple(dict.fromkeys(needed)))
        chosen = cohorts.select(cohort, frame, plan.rule).chosen
        choices, places = plan.grouped_by.places(frame, plan.rule)
        mine = places[chosen]
        known = list(_known(plan, frame, chosen[mine >= 0]))
    sizes = [(text(choice.label), int((mine == place).sum())) for place, choice in enumerate(choices)]
    return {"groups": [*sizes, (_("In no group"), int((mine < 0).sum()))], "known": known}


def _known(plan, frame, chosen):
    """(variable, kind, visit, n) of everything that the plan's sections use, of the patients of its groups."""
    visits = {visit.code: visit.label for visit in (*timepoints.planned(), *plan.visits)}
    used = dict.fromkeys(
        pair for code, section in SECTIONS.items() for entry in plan.entries(code) for pair in section.uses(entry, plan)
    )
    for variable, visit in used:
        n = int(variable_columns(frame, variable, visit, plan.names).known[chosen].sum())
        yield text(variable.label), text(sources.KIND_LABELS[variable.kind]), text(visits[visit]) if visit else "", n


# What may be chosen


def _offered(given, as_json):
    """What the page shows for some choices. `whole`: with every list in it, for a browser without a script."""
    whole = bool(given.get("whole"))
    forms = section_forms.Forms(given, whole)
    grid = Grid(given)
    groups = _shown(given, "name", plan_builder.SHOWN_GROUPS, plan_builder.MOST_GROUPS)
    return forms.placed() | {
        "given": given,
        "as_json": as_json,
        "whole": whole,
        "cohorts": _with_chosen(cohorts_offered(), [given.get("cohort_name", cohorts.ALL.name)]),
        "snapshots": _snapshots(given.get("snapshot")),
        "groupings": _groupings(given),
        "arms_part": forms.part(design_fields.ARMS, given.get("grouping") == ARMS),
        "groups": [_group(given, number, forms) for number in range(1, groups + 1)],
        "shown_groups": groups,
        "more_groups": groups < plan_builder.MOST_GROUPS,
        "visits": grid.visits_shown,
        "instruments": grid.instruments(whole),
        "lost_cells": grid.lost(),
        "counted_at": grid.counted_at,
        "events": _with_chosen(_labelled(plan_builder.kinds_of_events(True)), given.get("events", ())),
        "repeats": repeated.offered(given.get("repeats", ())),
        "sections": forms.sections(),
        **{
            f"{name}_part": forms.part(some, fields.is_filled(some, given))
            for name, some in (("settings", design_fields.OF_PLAN), ("study", design_fields.TABLES_OF_STUDY))
        },
        **(_of_tests(given) if whole or _changes_tests(given) else {"tests": None}),
        "tests_open": _changes_tests(given),
    }  # fmt: skip


def _shown(given, part, least, most):
    """How many repeated fields of a part are shown: those filled in, those asked for, or the least."""
    filled = [number for number in plan_builder.numbers_of(given, part) if given.get(f"{part}_{number}")]
    asked = given.get(f"shown_{part}", "")
    return min(most, max(least, number_in(asked) or 0, *filled))


def _labelled(pairs):
    return [(code, text(label)) for code, label in pairs]


def _ticked(pairs, chosen):
    return [(code, label, code in chosen) for code, label in pairs]


def _with_chosen(pairs, chosen):
    """The pairs, and what is chosen beside them: a browser sends back what it is shown alone."""
    return _ticked([*pairs, *((code, code) for code in chosen if code not in dict(pairs))], chosen)


def _snapshots(chosen):
    """(id, label, whether it is chosen) of the registry as it is now, then of the snapshots, newest first."""
    frozen = ((str(snapshot.pk), snapshot.label) for snapshot in Snapshot.objects.order_by("-created_at"))
    return _with_chosen([("", _("The registry as it is now")), *frozen], [chosen or ""])


def _groupings(given):
    choices = [
        (NAMED, _("Groups that you name here")),
        (EVERYBODY, _("One group: everybody")),
        (ARMS, text(ARM_LABEL)),
        *_labelled((grouping.code, grouping.label) for grouping in GROUPINGS.values()),
    ]
    return _with_chosen(choices, [given.get("grouping", NAMED)])


LEVELS = Field("levels", "", SEVERAL, "levels")


def _group(given, number, forms):
    """One named group: its code and names, the levels that make it, and a saved cohort instead."""
    return {
        "number": number,
        "code": given.get(f"code_{number}", ""),
        "name": given.get(f"name_{number}", ""),
        "ja": given.get(f"ja_{number}", ""),
        "levels": forms.field(LEVELS, f"levels_{number}"),
        "cohorts": _with_chosen(
            [
                (str(cohort.pk), f"{cohort.name} · {cohort.version}")
                for cohort in SavedCohort.objects.order_by("name", "-version")
            ],
            [chosen for chosen in (given.get(f"cohort_{number}"),) if chosen],
        ),
    }


def _changes_tests(given):
    """Whether a test, an effect or a correction of the tables of what is ticked is not the usual one."""
    usual = ("", "none", "row", [])
    return any(
        value not in usual
        for name, value in given.items()
        if name in ("adjust", "family", "sensitivity") or re.fullmatch(r"(test|effect)_[a-z]+", name)
    )


def _of_tests(given):
    return {
        "tests": [_tests(kind, given) for kind in ("continuous", "ordinal", "binary", "nominal")],
        "adjustments": _ticked(_labelled(ADJUSTMENTS.items()), [given.get("adjust", "none")]),
        "families": _ticked(section_fields.FAMILIES, [given.get("family", "row")]),
        "sensitivity": _ticked(section_fields.SENSITIVITY, given.get("sensitivity", ())),
    }


def _tests(kind, given):
    """The tests and effects that fit a kind of variable, between groups."""
    tests = comparison_tests.TESTS["between"][kind]
    effects = comparison_tests.effects_offered("between", kind)
    return {
        "kind": kind,
        "label": text(sources.KIND_LABELS[kind]),
        "tests": _ticked([(code, text(test.label)) for code, test in tests.items()], [given.get(f"test_{kind}")]),
        "effects": _ticked(
            [(code, text(comparison_tests.EFFECT_LABELS[code])) for code in effects], [given.get(f"effect_{kind}")]
        ),
    }


@require_safe
@for_comparing
def plan_lists(request):
    """The lists of what is collected, with kinds and numbers, which the page's fields are filled from."""
    content = json.dumps(offered.lists_json(), ensure_ascii=False, separators=(",", ":")).encode()
    etag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    answer = get_conditional_response(request, etag=etag) or HttpResponse(content, content_type="application/json")
    answer["ETag"], answer["Cache-Control"] = etag, "private, no-cache"
    return answer


PARTS = {kind.prefix: kind for kind in (*section_forms.PLACED.values(), *section_forms.SECTIONS)}
FIELDS = {"arms": design_fields.ARMS, "settings": design_fields.OF_PLAN, "study": design_fields.TABLES_OF_STUDY}


def _part(request, given, part):
    """A part of the page that was closed, as it is for the choices of the rest."""
    if part in PARTS:
        section = section_forms.Forms(given, False).section(PARTS[part], opened=True)
        return render(request, "comparison/plan_entries.html", {"section": section})
    if part in FIELDS:
        some = section_forms.Forms(given, False).fields(FIELDS[part])
        return render(request, "comparison/plan_fields.html", {"fields": some})
    if part == "tests":
        return render(request, "comparison/plan_tests.html", _of_tests(given))
    grid = Grid(given)
    instrument = grid.instrument(request.GET.get("of", "")) if part == "grid" else None
    if instrument is None:
        raise Http404
    context = {"visits": grid.visits_shown, "counted_at": grid.counted_at, **instrument}
    return render(request, "comparison/plan_grid.html", context)


# One version


@require_safe
@for_comparing
def plan(request, plan_id):
    saved = get_object_or_404(SavedPlan.objects.select_related("created_by"), pk=plan_id)
    if request.GET.get("format") == "json":
        content = json.dumps(saved.plan, ensure_ascii=False, indent=1)
        headers = {"Content-Disposition": f'attachment; filename="plan-{saved.pk}.json"'}
        return HttpResponse(content, content_type="application/json", headers=headers)
    try:
        checked, error = _checked(saved_plans.plan_of(saved), saved_plans.cohort_of(saved), request), ""
    except ValueError as refused:  # it names what the registry no longer collects
        checked, error = None, design_errors.sentence(refused, get_language() or "en")
    versions = SavedPlan.objects.filter(name=saved.name).order_by("-version")
    context = {"saved": saved, "versions": versions, "checked": checked, "error": error}
    context["cohort"] = text(cohort_label(saved.cohort["name"]))
    return render(request, "comparison/plan.html", context | {"snapshots": _snapshots(request.GET.get("snapshot"))})


@require_POST
@for_comparing
def plan_run(request, plan_id):
    """Carry out a saved version, on a snapshot or on the registry as it is."""
    saved = get_object_or_404(SavedPlan, pk=plan_id)
    try:
        return _run(request, saved_plans.plan_of(saved), saved_plans.cohort_of(saved), request.POST)
    except (ValueError, snapshots.Lacking) as error:
        messages.error(request, design_errors.sentence(error, get_language() or "en"))
        chosen = urlencode({"snapshot": request.POST.get("snapshot", "")})
        return redirect(f"{reverse('comparison_plan', args=[saved.pk])}?{chosen}")
