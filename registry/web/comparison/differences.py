"""Two comparisons side by side: what was asked differently, and what came out differently."""

from uuid import UUID

from django.contrib import messages
from django.http import Http404
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from registry.analysis.design import cohorts, methods
from registry.analysis.design.sections import SECTIONS
from registry.analysis.presentation import tables
from registry.analysis.presentation.tables import TOTAL
from registry.analysis.presentation.words import Words
from registry.analysis.reports.lesion_report import ALL
from registry.analysis.running import differences, runs
from registry.instruments import timepoints, variables
from registry.instruments.core import patient, sins
from registry.models import ComparisonRun
from registry.web.comparison.planning.plan_words import PARTS, in_words
from registry.web.comparison.stages import STAGES
from registry.web.comparison.words import described
from registry.web.shared.gates import for_comparing
from sites.models import Site
from sites.tenancy.access import Can

PROCEDURES = {choice.code: choice.label for choice in patient.PROCEDURES}
MOST_LISTED = 200  # patients of a list on the page
MOST_ROWS = 500  # statistics of a table on the page

STATISTICS = {
    "n": gettext_lazy("patients"),
    "excluded": gettext_lazy("excluded"),
    "missing": gettext_lazy("unknown"),
    "count": gettext_lazy("count"),
    "pairs": gettext_lazy("pairs"),
    "mean": gettext_lazy("mean"),
    "sd": gettext_lazy("standard deviation"),
    "median": gettext_lazy("median"),
    "q1": gettext_lazy("lower quartile"),
    "q3": gettext_lazy("upper quartile"),
    "min": gettext_lazy("minimum"),
    "max": gettext_lazy("maximum"),
    "p": "P",
    "p_raw": gettext_lazy("P before correction"),
    "text": "",
    "involved": gettext_lazy("levels involved"),
    "per_patient": gettext_lazy("levels per patient"),
}


@require_safe
@for_comparing
def compare(request):
    """The runs `a` and `b` of the address. Two chosen in the list (`run`, twice) lead to their own address."""
    if chosen := request.GET.getlist("run"):
        return _from_list(request, chosen)
    if not request.GET:
        return _from_list(request, [])
    old, new = (_run(request.GET.get(name)) for name in ("a", "b"))
    return render(request, "comparison/compare.html", _compared(request, old, new))


def _from_list(request, chosen):
    runs_chosen = sorted((_run(run_id) for run_id in dict.fromkeys(chosen)), key=lambda run: run.requested_at)
    if len(runs_chosen) != 2:
        messages.warning(request, _("Choose two comparisons to see them side by side."))
        return redirect("comparison")
    return redirect(f"{reverse('comparison_compare')}?a={runs_chosen[0].pk}&b={runs_chosen[1].pk}")


def _run(text):
    try:
        return get_object_or_404(ComparisonRun.objects.select_related("requested_by"), pk=UUID(text or ""))
    except ValueError:
        raise Http404 from None


def _compared(request, old, new):
    language = get_language() or "en"
    left, came = differences.of_steps(*(cohorts.from_json(run.cohort) for run in (old, new)))
    context = {
        "runs": [(run, described(run)) for run in (old, new)],
        "plan": [
            (
                PARTS.get(change.name, change.name),
                *(_shown(in_words(change.name, value, language)) for value in (change.old, change.new)),
            )
            for change in differences.of_plans(old.plan, new.plan)
        ],
        "steps_left": [step.label.in_language(language) for step in left],
        "steps_came": [step.label.in_language(language) for step in came],
    }
    results = [runs.result_of(run) for run in (old, new)]
    if all(results):
        shown = [tables.shown(result) for result in results]
        context["results"] = True
        context["versions"] = [
            (differences.VERSIONS[version.name].in_language(language), version.old, version.new)
            for version in differences.of_versions(*shown)
        ]
        context["tables"] = _tables(*shown, language)
        context |= _patients(request, old, new)
    return context


def _tables(old, new, language):
    """[(title, how many statistics differ, lines)]; a line: where, statistic, old and new."""
    words = [Words(result, language) for result in (new, old)]
    steps = differences.labels_of_steps(old) | differences.labels_of_steps(new)
    return [
        (
            _title(table, language),
            len(table_differences),
            [_line(change, words, steps) for change in table_differences[:MOST_ROWS]],
        )
        for table, table_differences in differences.of_numbers(old, new).items()
    ]


def _title(table, language):
    code, _colon, value_set = table.partition(":")
    if code == "cohort":
        return tables.TITLES["flow"].in_language(language)
    kind, _slash, entry = code.partition("/")
    if kind in SECTIONS:
        return f"{SECTIONS[kind].label.in_language(language)}: {entry}"
    title = tables.TITLES[code].in_language(language) if code in tables.TITLES else STAGES[code]
    return f"{title}: {value_set}" if value_set else title


def _line(change, words, steps):
    variable, group, timepoint, category, statistic = change.name
    where = [
        words[0](steps[variable]) if variable in steps else _variable(variable, words[0]),
        _group(group, words),
        _timepoint(timepoint, words[0]),
        _category(variable, category, words[0]),
    ]
    return [place for place in where if place], _statistic(statistic, words[0]), *_numbers(change)


def _statistic(code, words):
    """P of a further test is named after the test."""
    if code in STATISTICS:
        return STATISTICS[code]
    test = methods.BY_CODE.get(code.removeprefix("p_"))
    return f"P, {words(test.label)}" if test else code.replace("_", " ")


def _variable(name, words):
    if name == ALL or name in PROCEDURES:
        return words(PROCEDURES.get(name, TOTAL))
    if name in tables.TITLES:
        return ""
    try:
        return words(variables.get(name).label)
    except (KeyError, ValueError):
        return name


def _group(code, words):
    """A group, or a pair of groups, as either run calls it."""
    for word in words:
        if code in word.groups:
            return word.groups[code]
        if code in word.result.method.pairs:
            return " – ".join(word.groups[part] for part in word.codes_of_pair(code))
    return code


def _timepoint(code, words):
    if code == "delta":
        return "Δ"
    try:
        return words(timepoints.timepoint(code).label) if code else ""
    except KeyError:
        return code


def _category(name, code, words):
    try:
        return next(
            (words(category.label) for category in variables.get(name).categories if str(category.code) == code), code
        )
    except (KeyError, ValueError):
        return next((words(choice.label) for _last, choice in sins.STABILITY if choice.code == code), code)


def _numbers(change):
    """Old and new as short as shows that they differ."""
    short = tuple(_shown(value) for value in (change.old, change.new))
    return short if short[0] != short[1] else (repr(change.old), repr(change.new))


def _shown(value):
    if value is None or value == "":
        return "–"
    if isinstance(value, float):
        return f"{value:.5g}".replace("-", "−")
    if isinstance(value, (list, tuple)):
        return ", ".join(_shown(part) for part in value)
    return str(value)


def _patients(request, old, new):
    """Who came in and who left, for those who may read the records of all sites."""
    if not all(request.access.may(Can.READ, site) for site in Site.objects.values_list("pk", flat=True)):
        return {}
    changes = differences.of_patients(old.patients, new.patients)
    if changes is None:
        return {"patients_unknown": True}
    return {"patients": [(len(ids), ids[:MOST_LISTED]) for ids in changes]}
