"""The cohort pages: those saved, the builder with its flow, and the patients behind each number.

For those who may compare; to everyone else none of these addresses exists.
"""

from urllib.parse import urlencode
from uuid import UUID

from django.core.paginator import Paginator
from django.db import transaction
from django.http import Http404
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from registry import tasks
from registry.analysis.data import frame as frames
from registry.analysis.design import cohorts, plans, saved_cohorts
from registry.analysis.design import errors as design_errors
from registry.analysis.design.cohorts import ALL, ENROLLED, Cohort, before_enrolment, enrolled
from registry.analysis.presentation.screening import steps_in_language
from registry.instruments.base import Label
from registry.instruments.levels import DEFAULT_RULE
from registry.models import ComparisonRun, SavedCohort
from registry.web.cohorts.forms import CohortForm, SaveForm, address_of
from registry.web.shared.flow_diagram import diagram, lists
from registry.web.shared.gates import for_comparing
from sites.tenancy.access import Can

PAGE = 100
AFTER = "after"  # before the number of a step: those who remain after it
ANALYSED = "analysed"  # beside the number of a step: those who remain, not those whom it takes out


@require_safe
@for_comparing
def cohort_list(request):
    rows = [(saved, _labels(saved_cohorts.cohort_of(saved))) for saved in _saved()]
    declared = [(cohort, _labels(cohort), address_of(cohort.steps)) for cohort in cohorts.COHORTS.values()]
    return render(request, "cohorts/list.html", {"rows": rows, "declared": declared})


def _saved():
    return SavedCohort.objects.select_related("created_by").order_by("name", "-version")


def _labels(cohort):
    return [_told(step.label) for step in cohort.steps]


def _told(label):
    return label.in_language(get_language() or "en")


@require_http_methods(["GET", "HEAD", "POST"])
@for_comparing
def cohort_new(request):
    """The builder. The address is the cohort; a POST saves the cohort of its address under a name."""
    form = CohortForm(request.GET)
    if not form.is_valid():
        return render(request, "cohorts/new.html", {"form": form}, status=422)
    query = address_of(form.steps)
    if request.method != "POST" and _has_empty(request.GET):
        parameters = {name: request.GET[name] for name in ("by", "name", "ask") if request.GET.get(name)}
        return redirect(f"{request.path}?{'&'.join(filter(None, (query, urlencode(parameters))))}")
    save = SaveForm(request.POST or None, initial={"name": request.GET.get("name", "")})
    if request.method == "POST" and (saved := _save(request, form.steps, save)) is not None:
        return redirect("cohort", saved.pk)
    context = {"form": form, "save": save} | _preview(request, Cohort("new", "0", ALL.label, form.steps), query)
    return render(request, "cohorts/new.html", context, status=422 if request.method == "POST" else 200)


def _has_empty(query):
    return any(value == "" for _name, values in query.lists() for value in values)


def _save(request, steps, save):
    if not save.is_valid():
        return None
    try:
        with transaction.atomic():
            return saved_cohorts.save(access=request.access, steps=steps, **save.cleaned_data)
    except ValueError as error:
        save.add_error("name", design_errors.told(error, get_language() or "en"))
        return None


@require_safe
@for_comparing
def cohort(request, cohort_id):
    """One version of a saved cohort, with its flow today."""
    saved = get_object_or_404(SavedCohort.objects.select_related("created_by"), pk=cohort_id)
    read = saved_cohorts.cohort_of(saved)
    versions = SavedCohort.objects.filter(name=saved.name).order_by("-version")
    context = {"saved": saved, "versions": versions, "labels": _labels(read)}
    return render(request, "cohorts/cohort.html", context | _preview(request, read, address_of(read.steps)))


def _preview(request, cohort, query):
    """The flow with count and reason of every step, by site where asked for; `query` is the cohort's address."""
    counted = tasks.cohort_flow(cohort, access=request.access)
    if counted is None:
        return {"query": query, "counting": True}
    flow = [{"place": 0, "label": _told(enrolled(counted.in_error)), "n": counted.enrolled}]
    for place, (step, (n, excluded)) in enumerate(zip(counted.cohort.steps, counted.steps, strict=True), 1):
        flow.append(
            {"place": place, "n": n, "excluded": excluded, "label": _told(step.label), "reason": _told(step.reason)}
        )
    by_site = {row["site"]: row for row in counted.by_site} if request.GET.get("by") == "site" else None
    at = request.GET.get("at", "")
    if by_site and at in by_site:
        flow = _of_site(flow, by_site[at])
    else:
        at = ""
    may_list = request.access.may(Can.READ)
    before = _before(counted.screening, at, flow[0]["n"])
    return {
        "query": query,
        "flow": flow,
        "before": before,
        "counted_at": counted.at,
        "at": at,
        "diagram": diagram(
            flow,
            link=lists(query, at) if may_list else lambda step: None,
            excluded=_("Excluded: {reason}"),
            before=before,
        ),
        "n": flow[-1]["n"],
        "enrolled": flow[0]["n"],
        "by_site": by_site,
        "reasons": [step["reason"] for step in flow[1:]],
        "may_list": may_list,
    }


def _before(screened, at, enrolled):
    """The steps of the screening log, of one site where `at` names it."""
    steps = before_enrolment([of_site for code, of_site in screened.items() if at in ("", code)], enrolled)
    return steps_in_language(steps, get_language() or "en")


def _of_site(flow, step_counts):
    """The flow of one site, of its line of the table."""
    left = step_counts["enrolled"]
    steps = [flow[0] | {"n": left}]
    for step, excluded in zip(flow[1:], step_counts["excluded"], strict=True):
        left -= excluded
        steps.append(step | {"n": left, "excluded": excluded})
    return steps


def _selected(cohort, rule=DEFAULT_RULE, also=(), **more):
    frame = frames.read(tuple(dict.fromkeys((*cohorts.timepoints_needed(cohort), *also))), **more)
    return frame, cohorts.select(cohort, frame, rule)


def _run(text):
    """The finished run from whose flow somebody comes, None where it is from none. Http404 for one there is not."""
    if not text:
        return None
    try:
        return get_object_or_404(ComparisonRun.objects, pk=UUID(text), status=ComparisonRun.Status.DONE)
    except ValueError:
        raise Http404 from None


def _counted(run, step, group):
    """How many patients a run counted at a step of its flow, or in a group; None for what it does not have."""
    cohort = run.result["cohort"]
    flow = cohort["flow"]
    if group:
        return cohort["groups"].get(group)
    if step == ANALYSED:
        return flow[-1]["n"]
    place = int(step.removeprefix(AFTER))
    if place >= len(flow):
        return None
    return flow[place]["excluded"] if place and not step.startswith(AFTER) else flow[place]["n"]


def _group(run, code, frame):
    """What a group of a run's plan is called, and (n,) bool: who is in it. Http404 for a group that it has not."""
    plan = plans.from_json(run.plan)
    choices, places = plan.grouped_by.places(frame, plan.rule)
    for place, choice in enumerate(choices):
        if choice.code == code:
            return choice.label, places == place
    raise Http404


@require_safe
@for_comparing
def cohort_patients(request):
    """The patients behind a number of the flow: those whom step n takes out, all enrolled (0), or those analysed."""
    form = CohortForm(request.GET)
    if not request.access.may(Can.READ) or not form.is_valid():
        raise Http404
    run = _run(request.GET.get("run"))
    cohort = cohorts.from_json(run.result["cohort"]) if run else Cohort("new", "0", ALL.label, form.steps)
    plan = plans.from_json(run.plan) if run else plans.SEGMENT_COMPARISON
    frame, selection = _selected(cohort, plan.rule, plan.items_needed, keep_key=True)
    step = request.GET.get("step", ANALYSED)
    label, inside = _behind(step, selection, len(selection.cohort.steps) - len(cohort.steps) if run else 0)
    group = request.GET.get("group", "") if run else ""
    if group:
        label, mine = _group(run, group, frame)
        inside &= mine
    if at := request.GET.get("at", ""):
        inside &= cohorts.Step("site", {"values": [at]}).keep(frame, None)
    ids = frames.patient_ids(frame["key"][inside])
    context = {
        "run": run,
        "then": run and _counted(run, step, group),
        "page": Paginator(ids, PAGE).get_page(request.GET.get("page")),
        "label": _told(label),
        "at": at,
        "query": address_of(form.steps),
        "here": urlencode(
            [(name, value) for name, values in request.GET.lists() for value in values if name != "page"]
        ),
    }
    return render(request, "cohorts/patients.html", context)


REMAIN = Label("Analysed", "解析対象")


def _behind(step, selection, earlier):
    """What a number of the flow is called, and (n,) bool: who is behind it. Http404 for a step that there is not.

    earlier  how many steps now come before those that the number counts: one more, if somebody withdrew since a run
    """
    steps = selection.cohort.steps
    if step == ANALYSED:
        return REMAIN, selection.left_at < 0
    number = step.removeprefix(AFTER)
    place = int(number) if number.isdecimal() and len(number) < 4 else -1
    place += earlier if place > 0 else 0
    if step.startswith(AFTER) and 0 < place <= len(steps):
        return steps[place - 1].label, (selection.left_at < 0) | (selection.left_at >= place)
    if place == 0:
        return ENROLLED, selection.left_at > -2
    if not 0 < place <= len(steps):
        raise Http404(_("There is no such step."))
    return steps[place - 1].reason, selection.left_at == place - 1
