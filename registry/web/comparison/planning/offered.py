"""What fields of a plan's page may be: lists of everything that is collected, and of what the plan declares itself.

The lists of what is collected are long and the same in every field, so the page fetches them once, as JSON, when its
fields are opened (`lists_json`); a page without a script asks for them in the fields themselves.
"""

from django.utils.translation import get_language
from django.utils.translation import gettext as _

from registry.analysis.design import groupings
from registry.analysis.design.variables import known, sources
from registry.analysis.sections.comparing import comparison_tests
from registry.instruments import timepoints
from registry.instruments.core import adverse_events
from registry.web.comparison.planning import plan_builder, repeated, section_fields
from registry.web.shared import wording

CUT = (sources.ORDINAL, sources.NOMINAL, sources.BINARY)
# What of a list is offered: whether a Source, or a Variable of the plan, is in it.
FITS = {
    "items": lambda variable: variable.kind != sources.DATE,
    "dates": lambda variable: variable.kind == sources.DATE,
    "everything": lambda variable: True,
    "scales": lambda variable: variable.kind == sources.CONTINUOUS and variable.at_visit,
    "grades_at_visits": lambda variable: variable.kind in CUT and variable.at_visit,
}
OF_OUTCOME = ("followup_months", "died")  # which no model of an outcome is adjusted for


def text(label):
    return label.in_language(get_language() or "en") if hasattr(label, "in_language") else str(label)


def _by_title(some):
    titled = {}
    for variable in some:
        titled.setdefault(text(variable.title), []).append((variable.name, text(variable.label)))
    return list(titled.items())


def collected():
    """{list: [(title, [(code, text)])]} of what the registry collects, whatever the plan is."""
    every = list(sources.offered().values())
    return {
        **{name: _by_title(filter(fits, every)) for name, fits in FITS.items()},
        "covariates": list(_covariates(every)),
        "levels": [
            (text(source.label), [(f"{source.name}={choice.code}", text(choice.label)) for choice in source.categories])
            for source in every
            if makes_groups(source)
        ],
        "tests": list(_of_rows(comparison_tests.TESTS, lambda code: comparison_tests.ALL_TESTS[code].label)),
        "effects": list(_of_rows(
            {kind: {of: comparison_tests.effects_offered(kind, of) for of in by_kind}
             for kind, by_kind in comparison_tests.TESTS.items()},
            comparison_tests.EFFECT_LABELS.__getitem__,
        )),
        "pairwise": [
            (text(sources.KIND_LABELS[kind]),
             [(code, text(comparison_tests.ALL_TESTS[code].label)) for code in comparison_tests.pairwise_offered(kind)])
            for kind in (sources.CONTINUOUS, *CUT)
        ],
    }  # fmt: skip


def makes_groups(source):
    """Whether the levels of a Source are offered as what makes a group."""
    return not source.at_visit and source.categories and not source.built_in and ":" not in source.name


def _covariates(every):
    """Of the patient, then at each visit, that before surgery first."""
    fits = [source for source in every if source.kind != sources.DATE and source.name not in OF_OUTCOME]
    yield _("Patient"), [(variable.name, text(variable.label)) for variable in fits if not variable.at_visit]
    for visit in timepoints.planned():
        at = [(f"{variable.name}@{visit.code}", text(variable.label)) for variable in fits if variable.at_visit]
        yield text(visit.label), at


def _of_rows(by_comparison, label_of):
    """Tests or effects by what is compared and by the kind of the variable, then none of them."""
    words = {
        "between": _("between groups"), "within": _("before and after"), "matched": _("of matched pairs"),
        "weighted": _("of weighted groups"),
    }  # fmt: skip
    for comparison, by_kind in by_comparison.items():
        for kind, codes in by_kind.items():
            if codes:
                title = f"{text(sources.KIND_LABELS[kind])}, {words[comparison]}"
                yield title, [(code, text(label_of(code))) for code in codes]
    yield "", [("none", _("none"))]


def declared_lists(given):
    """{list: [(title, [(code, text)])]} of what the plan itself has: its variables, visits, groups, tables, scores."""
    own = plan_builder.own_variables(given).values()
    title = _("Variables of this plan")
    grades = next(item for item in adverse_events.ADVERSE_EVENT.items if item.name == "clavien_dindo").choices
    at_preop = [
        (f"{variable.name}@preop" if variable.at_visit else variable.name, text(variable.label)) for variable in own
    ]
    lists = {
        name: [(title, [(variable.name, text(variable.label)) for variable in own if fits(variable)])]
        for name, fits in FITS.items()
    }
    return lists | {
        "covariates": [(title, at_preop)],
        "visits": [("", [(code, text(label)) for code, label in plan_builder.visits(given)])],
        "schedule": [("", _schedule())],
        "events": [("", [(code, text(label)) for code, label in plan_builder.kinds_of_events()])],
        "grades": [("", [(choice.code, text(choice.label)) for choice in grades])],
        "repeats": [
            (form, [(code, label) for code, label, _chosen in choices]) for form, choices in repeated.offered(())
        ],
        "groups": [("", [(code, text(label)) for code, label in _groups(given)])],
        "scores": [("", _numbered(given, section_fields.PROPENSITY, by_code=True))],
        "tables": [("", [
            *_numbered(given, section_fields.TABLES), *_numbered(given, section_fields.PROPENSITY),
        ])],
        "levels_of_arms": [
            (text(grouping.label), [(f"{code}:{choice.code}", text(choice.label)) for choice in grouping.groups])
            for code, grouping in groupings.ARM_VARIABLES.items()
        ],
    }  # fmt: skip


def _schedule():
    return [(visit.code, text(visit.label)) for visit in timepoints.planned()]


def _groups(given):
    try:
        return plan_builder.groups_of(given)
    except ValueError:  # told above the form
        return []


def _numbered(given, kind, by_code=False):
    """The entries of a kind that are filled in, by their number or their code."""
    return [
        (code if by_code else f"{kind.prefix}_{number}",
         f"{kind.short} {number} {given.get(kind.name('title_en', number), '')}".strip())
        for number, code in kind.codes(given).items()
    ]  # fmt: skip


def told_of():
    """{name: “ordinal · known: before surgery 120, 1 month 98 · A: complete; B: …”}, with the time where it is kept."""
    counts, counted_at = known.counts()
    visits = _schedule()
    when = wording.moment(counted_at) if counted_at else ""
    of_known = _("known on {at}: {n}") if when else _("known: {n}")
    names = {}
    for source in sources.offered().values():
        at = visits if source.at_visit else [("", "")]
        numbers = ", ".join(f"{label} {counts.get((source.name, code), 0)}".strip() for code, label in at)
        codes = "; ".join(f"{choice.code}: {text(choice.label)}" for choice in source.categories)
        parts = (text(sources.KIND_LABELS[source.kind]), of_known.format(at=when, n=numbers), codes)
        names[source.name] = " · ".join(filter(None, parts))
    return names


def lists_json():
    """The lists of what is collected for the page's script: {"summaries": {name: text}, "lists": {name: [[title,
    [[code, text]]]]}}; a text that `labels` has is left out."""
    lists, names = collected(), told_of()
    labels = {code: label for _title, pairs in lists["everything"] for code, label in pairs}
    short = {
        name: [[title, [_short(code, label, labels) for code, label in pairs]] for title, pairs in groups]
        for name, groups in lists.items()
    }
    return {"labels": labels, "summaries": names, "lists": short}


def _short(code, label, labels):
    return code if labels.get(code.partition("@")[0]) == label else [code, label]


def of_field(field, given_lists, whole):
    """[(title, [(code, text)])] that stand in the page for a field, and the name of the list to fetch, "" for none."""
    if not isinstance(field.options, str):
        return [("", [(code, text(label)) for code, label in field.options])], ""
    own = [(title, pairs) for title, pairs in given_lists.get(field.options, ()) if pairs]
    if field.options not in NAMES_COLLECTED:
        return own, ""
    return own + list(whole.get(field.options, ())), field.options


NAMES_COLLECTED = {*FITS, "covariates", "levels", "tests", "effects", "pairwise"}
