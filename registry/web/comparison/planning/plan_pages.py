"""The pages of plans: those saved, the builder, and one version with its lock.

For those who may compare; to everyone else none of these addresses exists.
"""

import json
import re
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from registry.analysis.data import packed_snapshots
from registry.analysis.design import cohorts, plans, saved_plans
from registry.analysis.design import errors as design_errors
from registry.analysis.design.groupings import EVERYBODY
from registry.analysis.design.methods import ADJUSTMENTS
from registry.analysis.design.named_groups import NAMED
from registry.analysis.design.sections import SECTIONS
from registry.analysis.design.variables import known, sources
from registry.analysis.presentation.words import cohort_label
from registry.analysis.sections.comparing import comparison_tests
from registry.models import ComparisonRun, Patient, SavedCohort, SavedPlan, Snapshot
from registry.services.files import snapshots
from registry.tasks import start_comparison
from registry.web.comparison.forms import _cohort as cohort_chosen
from registry.web.comparison.forms import _cohorts as cohorts_offered
from registry.web.comparison.planning import plan_builder, recoding, repeated, section_fields, section_forms
from registry.web.shared.gates import for_comparing
from registry.web.shared.lookup import number_in
from sites.tenancy.scope import everything

MOST_COUNTED = 50_000  # patients of whom the page counts the groups at once; more are counted by the run


def _text(label):
    return label.in_language(get_language() or "en")


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
    context = {"error": "", "checked": None}
    if more := request.POST.get("more"):
        given |= {f"shown_{more}": str((number_in(given.get(f"shown_{more}")) or 0) + 1), "added": more}
    elif removed := request.POST.get("remove"):
        given = _without(given, removed)
    elif request.method == "POST":
        try:
            plan = plans.from_json(_plan_json(given, as_json))
            cohort = cohort_chosen(given.get("cohort_name") or cohorts.ALL.name)
            act = request.POST.get("act", "check")
            if act in ("save", "lock"):
                return _save(request, plan, cohort, given, act == "lock")
            if act == "run":
                return _run(request, plan, cohort, given)
            context["checked"] = _checked(plan, cohort, request)
        except (ValueError, KeyError, TypeError, snapshots.Lacking, SavedCohort.DoesNotExist) as error:
            context["error"] = design_errors.told(error, get_language() or "en")
    status = 422 if context["error"] else 200
    return render(request, "comparison/plan_new.html", context | _offered(given, as_json), status=status)


def _given(request):
    """(choices of the page, the plan as JSON where it is edited so)."""
    if request.method == "POST":
        several = {"cells", "events", "repeats", "sensitivity", "covariates"}
        names = request.POST.keys()
        given = {
            name: request.POST.getlist(name) if name in several or _is_several(name) else request.POST[name]
            for name in names
        }
        return given, request.POST.get("json", "") if request.POST.get("use_json") else ""
    if (number := number_in(request.GET.get("from"))) is not None:
        saved = get_object_or_404(SavedPlan, pk=number)
        return _again(saved.plan, saved.cohort, {"name": saved.name, "note": saved.note})
    if run := ComparisonRun.objects.filter(pk=_uuid(request.GET.get("run"))).first():
        return _again(run.plan, run.cohort, {"name": run.plan["name"], "note": run.plan.get("note", "")})
    template = next((one for one in plan_builder.TEMPLATES if one.code == request.GET.get("template")), None)
    return dict(template.choices) if template else {"grouping": NAMED}, ""


def _without(given, removed):
    """The choices without the entry that a button removes, such as `model_2`; a later one keeps its number."""
    prefix, _at, number = removed.rpartition("_")
    gone = re.compile(rf"{re.escape(prefix)}_\w+_{re.escape(number)}")
    return {name: value for name, value in given.items() if not gone.fullmatch(name)} | {"removed": prefix}


def _is_several(name):
    return name.startswith("levels_") or bool(section_fields.SEVERAL_NAMES.fullmatch(name))


def _uuid(text):
    try:
        return UUID(text or "")
    except ValueError:
        return None


def _again(plan, cohort, about):
    """The choices of a plan that was made before, or its JSON where the page does not ask all that is in it."""
    choices = plan_builder.choices_of(plan)
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
        return json.loads(as_json)
    except ValueError as error:
        raise design_errors.refusal(
            "the plan is no JSON: {why}", "計画がJSONとして読めません：{why}", why=error
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


def _run(request, plan, cohort, given):
    frozen = Snapshot.objects.filter(pk=given["snapshot"]).first() if given.get("snapshot") else None
    packed_snapshots.require(frozen, (*cohorts.timepoints_needed(cohort), *plan.items_needed))
    run = start_comparison(access=request.access, plan=plan, cohort=cohort, frozen=frozen)
    return redirect("comparison_run", run.pk)


def _checked(plan, cohort, request):
    """What the plan computes and how many patients are in each group."""
    parts = [
        (_text(section.label), len(plan.entries(code))) for code, section in SECTIONS.items() if plan.entries(code)
    ]
    told = json.dumps(plan.to_json(), ensure_ascii=False, indent=1)
    return {"parts": parts, "groups": _group_sizes(plan, cohort, request), "json": told}


def _group_sizes(plan, cohort, request):
    """[(group, n)] with those in no group last; None where there are too many patients to count on a page."""
    with everything(user_id=request.access.user_id, reason="sizes of a plan's groups"):
        if Patient.objects.count() > MOST_COUNTED:
            return None
        of_groups = plan.named.timepoints_needed() if plan.named else ()
        frame = packed_snapshots.read(None, (*cohorts.timepoints_needed(cohort), *of_groups))
        chosen = cohorts.select(cohort, frame, plan.rule).chosen
        choices, places = plan.grouped_by.places(frame, plan.rule)
    mine = places[chosen]
    sizes = [(_text(choice.label), int((mine == place).sum())) for place, choice in enumerate(choices)]
    return [*sizes, (_("In no group"), int((mine < 0).sum()))]


# What may be chosen


def _offered(given, as_json):
    offered = sources.offered()
    with_counts, counted_at = known.counts()
    ticked = set(given.get("cells", ()))
    groups = _shown(given, "name", plan_builder.SHOWN_GROUPS, plan_builder.MOST_GROUPS)
    return {
        "given": given,
        "as_json": as_json,
        "cohorts": _with_chosen(cohorts_offered(), [given.get("cohort_name", cohorts.ALL.name)]),
        "snapshots": Snapshot.objects.order_by("-created_at"),
        "groupings": _groupings(given),
        "groups": [_group(given, number, offered) for number in range(1, groups + 1)],
        "shown_groups": groups,
        "counted_at": counted_at,
        "more_groups": groups < plan_builder.MOST_GROUPS,
        "recodings": (recodings := _recodings(given, offered)),
        "shown_recodings": len(recodings),
        "more_recodings": len(recodings) < recoding.MOST,
        "visits": [(code, _text(label)) for code, label in plan_builder.visits()],
        "instruments": [*_own(given, with_counts, ticked), *_instruments(offered, with_counts, ticked)],
        "events": _ticked([(plan_builder.ANY, _("any complication")), *_labelled(plan_builder.kinds_of_events())],
                          given.get("events", ())),
        "repeats": repeated.offered(given.get("repeats", ())),
        "sections": (asked := section_forms.offered(given, offered, plan_builder.visits()))["sections"],
        "matching": asked["matching"],
        "covariates": _covariates(offered, given.get("covariates", ())),
        "tests": [_tests(kind, given) for kind in ("continuous", "ordinal", "binary", "nominal")],
        "adjustments": _ticked(_labelled(ADJUSTMENTS.items()), [given.get("adjust", "none")]),
        "families": _ticked([("row", _("the pairs of each row")), ("section", _("the whole table"))],
                            [given.get("family", "row")]),
        "sensitivity": _ticked([("complete_cases", _("Complete cases")), ("worst_rank", _("The dead ranked worst"))],
                               given.get("sensitivity", ())),
    }  # fmt: skip


def _shown(given, part, least, most):
    """How many repeated fields of a part are shown: those filled in, those asked for, or the least."""
    filled = [number for number in plan_builder.numbers_of(given, part) if given.get(f"{part}_{number}")]
    asked = given.get(f"shown_{part}", "")
    return min(most, max(least, number_in(asked) or 0, *filled))


def _recodings(given, offered):
    """The variables that the plan defines, one empty at least: item, names, categories, and the item's codes."""
    shown = _shown(given, "item", 1, recoding.MOST)
    fits = [
        (source.name, f"{_text(source.title)}: {_text(source.label)}")
        for source in offered.values()
        if source.kind != sources.DATE
    ]
    return [
        {
            "number": number,
            "items": _ticked(fits, [given.get(f"item_{number}")]),
            "own": given.get(f"own_{number}", ""),
            "own_ja": given.get(f"own_ja_{number}", ""),
            "categories": given.get(f"categories_{number}", ""),
            "codes": _codes(offered.get(given.get(f"item_{number}"))),
        }
        for number in range(1, shown + 1)
    ]


def _codes(source):
    """“A: complete; B: sensory only …”: what may stand in a category of this item."""
    if source is None or not source.categories:
        return ""
    return "; ".join(f"{choice.code}: {_text(choice.label)}" for choice in source.categories)


def _own(given, counts, ticked):
    """The variables that the plan defines, as the first instrument of the grid."""
    columns, rows = [code for code, _label in plan_builder.visits()], []
    for number in plan_builder.numbers_of(given, "item"):
        try:
            variable = recoding.variable_of(given, number)
        except ValueError:  # told above the form
            continue
        if variable is None:
            continue
        seen = recoding.kinds([variable])[variable["name"]]
        cells = [_own_cell(variable, seen.source, code, counts, ticked) for code in columns if seen.at_visit]
        one = None if seen.at_visit else _own_cell(variable, seen.source, "", counts, ticked)
        label = variable["label"]["ja" if (get_language() or "").startswith("ja") else "en"]
        rows.append((label, _text(sources.KIND_LABELS[seen.kind]), _usual(seen.kind), one, cells))
    return [(_("Variables of this plan"), rows, True)] if rows else []


def _own_cell(variable, source, visit, counts, ticked):
    """A cell of a defined variable: known for whom its item is."""
    value = f"{variable['name']}@{visit}" if visit else variable["name"]
    return _cell(source, visit, counts, ticked) | {"value": value, "ticked": value in ticked}


def _labelled(pairs):
    return [(code, _text(label)) for code, label in pairs]


def _ticked(pairs, chosen):
    return [(code, label, code in chosen) for code, label in pairs]


def _with_chosen(pairs, chosen):
    """The pairs, and what is chosen beside them: a browser sends back what it is shown alone."""
    return _ticked([*pairs, *((code, code) for code in chosen if code not in dict(pairs))], chosen)


def _groupings(given):
    choices = [
        (NAMED, _("Groups that you name here")),
        (plan_builder.SEGMENTS, _("Segment group")),
        (EVERYBODY, _("One group: everybody")),
    ]
    return _ticked(choices, [given.get("grouping", NAMED)])


def _group(given, number, offered):
    """One named group: its names, the levels that make it by instrument, and a saved cohort instead."""
    chosen = set(given.get(f"levels_{number}", ()))
    levels = [
        (_text(source.label), [(f"{source.name}={choice.code}", _text(choice.label)) for choice in source.categories])
        for source in offered.values()
        if not source.at_visit and source.categories and not source.built_in and ":" not in source.name
    ]
    return {
        "number": number,
        "name": given.get(f"name_{number}", ""),
        "ja": given.get(f"ja_{number}", ""),
        "levels": [(name, _ticked(choices, chosen)) for name, choices in levels],
        "cohorts": [
            (str(cohort.pk), f"{cohort.name} · {cohort.version}", str(cohort.pk) == given.get(f"cohort_{number}"))
            for cohort in SavedCohort.objects.order_by("name", "-version")
        ],
    }


def _instruments(offered, counts, ticked):
    """[(title, [(label, kind, test, cells)])]: a cell a visit, or one for what is of the patient."""
    columns = [code for code, _label in plan_builder.visits()]
    by_title = {}
    for source in offered.values():
        if source.name == "assessment_date":
            continue
        cells = [_cell(source, code, counts, ticked) for code in columns] if source.at_visit else []
        one = None if source.at_visit else _cell(source, "", counts, ticked)
        row = (_text(source.label), _text(sources.KIND_LABELS[source.kind]), _usual(source.kind), one, cells)
        by_title.setdefault(_text(source.title), []).append(row)
    return [
        (title, rows, any(cell and cell["ticked"] for row in rows for cell in (row[3], *row[4])))
        for title, rows in by_title.items()
    ]


def _cell(source, visit, counts, ticked):
    value = f"{source.name}@{visit}" if visit else source.name
    n = counts.get((source.name, visit), 0) if visit != plan_builder.LAST["code"] else None
    return {"value": value, "n": n, "ticked": value in ticked, "visit": visit}


def _usual(kind):
    """The test that a row of this kind has by itself, between two groups."""
    test = comparison_tests.test_of("between", kind, "", 2)
    return _text(test.label) if test else ""


def _covariates(offered, chosen):
    fits = [source for source in offered.values() if source.kind != sources.DATE]
    pairs = [
        (f"{source.name}@preop" if source.at_visit else source.name, _text(source.label))
        for source in fits
        if source.name not in ("followup_months", "died")
    ]
    return _with_chosen(pairs, chosen)


def _tests(kind, given):
    """The tests and effects that fit a kind of variable, between groups."""
    tests = comparison_tests.TESTS["between"][kind]
    effects = comparison_tests.effects_offered("between", kind)
    return {
        "kind": kind,
        "label": _text(sources.KIND_LABELS[kind]),
        "tests": _ticked([(code, _text(test.label)) for code, test in tests.items()], [given.get(f"test_{kind}")]),
        "effects": _ticked(
            [(code, _text(comparison_tests.EFFECT_LABELS[code])) for code in effects], [given.get(f"effect_{kind}")]
        ),
    }


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
        checked, error = None, design_errors.told(refused, get_language() or "en")
    versions = SavedPlan.objects.filter(name=saved.name).order_by("-version")
    context = {"saved": saved, "versions": versions, "checked": checked, "error": error}
    context["cohort"] = _text(cohort_label(saved.cohort["name"]))
    return render(request, "comparison/plan.html", context | {"snapshots": Snapshot.objects.order_by("-created_at")})


@require_POST
@for_comparing
def plan_run(request, plan_id):
    """Carry out a saved version, on a snapshot or on the registry as it is."""
    saved = get_object_or_404(SavedPlan, pk=plan_id)
    try:
        return _run(request, saved_plans.plan_of(saved), saved_plans.cohort_of(saved), request.POST)
    except (ValueError, snapshots.Lacking) as error:
        messages.error(request, design_errors.told(error, get_language() or "en"))
        return redirect("comparison_plan", saved.pk)
