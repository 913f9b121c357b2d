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
from registry.analysis.design import cohorts, saved_cohorts
from registry.analysis.design import errors as design_errors
from registry.analysis.design.cohort_lists import AFTER, ANALYSED, Behind
from registry.analysis.design.cohorts import ALL, Cohort, before_enrolment, enrolled
from registry.analysis.presentation.screening import steps_in_language
from registry.models import ComparisonRun, Patient, SavedCohort
from registry.web.cohorts.forms import CohortForm, SaveForm, address_of
from registry.web.shared.drawing.flow_diagram import diagram, lists
from registry.web.shared.gates import for_comparing
from sites.tenancy.access import Can

PAGE = 100


@require_safe
@for_comparing
def cohort_list(request):
    rows = [(saved, _steps_of(saved)) for saved in _saved()]
    declared = [(cohort, _labels(cohort), address_of(cohort.steps)) for cohort in cohorts.COHORTS.values()]
    return render(request, "cohorts/list.html", {"rows": rows, "declared": declared})


def _saved():
    return SavedCohort.objects.select_related("created_by").order_by("name", "-version")


def _steps_of(saved):
    """What a saved cohort asks, or why it can no longer be read: a study may cease to collect what it names."""
    try:
        return _labels(saved_cohorts.cohort_of(saved))
    except design_errors.Refused as error:
        return [design_errors.sentence(error, get_language() or "en")]


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
        save.add_error("name", design_errors.sentence(error, get_language() or "en"))
        return None


@require_safe
@for_comparing
def cohort(request, cohort_id):
    """One version of a saved cohort, with its flow today."""
    saved = get_object_or_404(SavedCohort.objects.select_related("created_by"), pk=cohort_id)
    versions = SavedCohort.objects.filter(name=saved.name).order_by("-version")
    context = {"saved": saved, "versions": versions}
    try:
        read = saved_cohorts.cohort_of(saved)
    except design_errors.Refused as error:
        context["unreadable"] = design_errors.sentence(error, get_language() or "en")
        return render(request, "cohorts/cohort.html", context)
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


@require_safe
@for_comparing
def cohort_patients(request):
    """The patients behind a number of the flow: those whom step n takes out, all enrolled (0), or those analysed."""
    form = CohortForm(request.GET)
    if not request.access.may(Can.READ) or not form.is_valid():
        raise Http404
    run = _run(request.GET.get("run"))
    cohort = cohorts.from_json(run.result["cohort"]) if run else Cohort("new", "0", ALL.label, form.steps)
    step, at = request.GET.get("step", ANALYSED), request.GET.get("at", "")
    group = request.GET.get("group", "") if run else ""
    behind = Behind(cohort, step, site=at, run=str(run.pk) if run else "", group=group)
    listed = tasks.cohort_patients(behind, access=request.access)
    context = {"at": at, "query": address_of(form.steps)}
    if listed is None:
        return render(request, "cohorts/patients.html", context | {"counting": True, "label": _("Patients")})
    if listed.label is None:
        raise Http404(_("There is no such step."))
    page = Paginator(listed.ids, PAGE).get_page(request.GET.get("page"))
    # What a worker listed some minutes ago, somebody may have erased since.
    page.object_list = sorted(Patient.objects.filter(pk__in=page.object_list).values_list("pk", flat=True))
    context |= {
        "run": run,
        "then": run and _counted(run, step, group),
        "page": page,
        "n": listed.n,
        "most": len(listed.ids) if len(listed.ids) < listed.n else None,
        "counted_at": listed.at,
        "label": _told(listed.label),
        "here": urlencode(
            [(name, value) for name, values in request.GET.lists() for value in values if name != "page"]
        ),
    }
    return render(request, "cohorts/patients.html", context)
