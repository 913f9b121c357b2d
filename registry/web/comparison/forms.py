"""The form of a new comparison: what the plan and the cohort may be, asked for in one place."""

from django import forms
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from registry.analysis.data import packed_snapshots
from registry.analysis.design import cohorts, methods, plans, saved_cohorts
from registry.analysis.design import errors as design_errors
from registry.analysis.design.groupings import ARM_LABEL, ARM_VARIABLES, ARMS, GROUPINGS, Arms
from registry.analysis.design.named_groups import NAMED
from registry.instruments import timepoints, value_sets, variables
from registry.instruments.base import Label
from registry.models import SavedCohort, Snapshot
from registry.services.files import snapshots
from registry.web.comparison.planning.plan_words import PARTS, RULES, rule_choices
from registry.web.shared.lookup import number_in

SAVED = "saved:"  # before the number of a saved cohort, which no declared one is called
DEFAULT = plans.SEGMENT_COMPARISON
NONE = "none"  # in place of a further test
TESTS = tuple(place for place in PARTS if place.startswith(("overall", "pairwise", "before_after")))
FURTHER = tuple(place for place in PARTS if place.startswith("second"))
VARIABLES = {
    "characteristics": variables.CHARACTERISTICS,
    "outcomes": variables.OUTCOMES,
    "events": variables.EVENTS,
    "domains": variables.DOMAINS,
}


def _labelled(pairs):
    language = get_language() or "en"
    return [(code, label.in_language(language)) for code, label in pairs]


def _times():
    return _labelled((timepoint.code, timepoint.label) for timepoint in timepoints.SCHEDULE)


def _sets():
    return [
        (code, f"{label} ({code})")
        for code, label in _labelled((value_set.code, value_set.label) for value_set in value_sets.ALL)
    ]


def _levels_of_arms():
    """What an arm may be made of, variable by variable: “procedure:psf”."""
    language = get_language() or "en"
    return [
        (
            grouping.label.in_language(language),
            [(f"{code}:{choice.code}", choice.label.in_language(language)) for choice in grouping.groups],
        )
        for code, grouping in ARM_VARIABLES.items()
    ]


def _arms(a, b):
    """The Arms of two lists such as ["procedure:psf"]. ValidationError where they are of several variables."""
    chosen = [[segment.split(":", 1) for segment in arm] for arm in (a, b)]
    names = {variable for arm in chosen for variable, _level in arm}
    if len(names) != 1:
        raise forms.ValidationError(_("Choose the levels of both arms, all of one variable."))
    return Arms(names.pop(), *(tuple(level for _variable, level in arm) for arm in chosen))


def cohorts_offered():
    """The declared cohorts, then the saved ones, the newest version of each name first."""
    saved = SavedCohort.objects.order_by("name", "-version")
    return [
        *_labelled((cohort.name, cohort.label) for cohort in cohorts.COHORTS.values()),
        *((f"{SAVED}{cohort.pk}", f"{cohort.name} · {_('version')} {cohort.version}") for cohort in saved),
    ]


def cohort_chosen(chosen):
    if chosen.startswith(SAVED):
        saved = SavedCohort.objects.filter(pk=number_in(chosen.removeprefix(SAVED))).first()
        if saved is None:
            raise design_errors.refusal(
                "the saved cohort that was chosen is not here any more; choose another one",
                "選んだ保存済みコホートはもうありません。別のコホートを選んでください。",
            )
        return saved_cohorts.cohort_of(saved)
    return cohorts.get(chosen)


def _choice_of(cohort):
    saved = saved_cohorts.saved_as(cohort)
    return f"{SAVED}{saved.pk}" if saved else cohort.name


class ComparisonForm(forms.Form):
    """`plan` and `cohort` after a valid POST. `earlier` is a run whose request is the starting point, and `saved` the
    number of a saved cohort to start with."""

    cohort_name = forms.ChoiceField(label=_("Patients"), choices=cohorts_offered)
    snapshot = forms.ModelChoiceField(
        label=_("Data"),
        queryset=Snapshot.objects.all(),
        required=False,
        empty_label=_("The registry as it is now"),
    )
    grouping = forms.ChoiceField(
        label=PARTS["grouping"],
        choices=lambda: _labelled(
            [*((grouping.code, grouping.label) for grouping in GROUPINGS.values()), (ARMS, ARM_LABEL)]
        ),
    )
    arm_a = forms.MultipleChoiceField(label=_("Arm A"), choices=_levels_of_arms, required=False)
    arm_b = forms.MultipleChoiceField(label=_("Arm B"), choices=_levels_of_arms, required=False)
    baseline = forms.ChoiceField(label=PARTS["baseline"], choices=_times)
    followups = forms.MultipleChoiceField(
        label=PARTS["followups"], choices=lambda: _times()[1:], widget=forms.CheckboxSelectMultiple
    )
    value_set = forms.ChoiceField(label=_("EQ-5D-5L value set"), choices=_sets)
    further_value_sets = forms.MultipleChoiceField(
        label=_("Further value sets"),
        choices=_sets,
        required=False,
        help_text=_("HSUV again by these, as a sensitivity analysis."),
    )
    variables_shown = forms.CharField(required=False, widget=forms.HiddenInput, initial="1")
    note = forms.CharField(
        label=PARTS["note"],
        required=False,
        max_length=plans.LONGEST_NOTE,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=_("What this comparison is for. No names or patient numbers."),
    )

    def __init__(self, data=None, *, earlier=None, saved=None, snapshot=None):
        plan = plans.from_json(earlier.plan) if earlier else DEFAULT
        cohort = cohorts.from_json(earlier.cohort) if earlier else cohorts.SEGI2024
        initial = _initial(plan) | {
            "cohort_name": f"{SAVED}{saved}" if saved else _choice_of(cohort),
            "snapshot": snapshot or (earlier and earlier.frozen_id),
        }
        super().__init__(data, initial=initial)
        self.earlier, self.named = earlier, plan.named
        if self.named:  # groups that a file or the API named: the page asks the same of them again
            self.fields["grouping"].choices = [
                *self.fields["grouping"].choices,
                *_labelled([(NAMED, self._of_named())]),
            ]
        for place in TESTS:
            self.fields[place] = forms.ChoiceField(label=PARTS[place], choices=_tests(place))
        for place in FURTHER:
            choices = [(NONE, _("none")), *_tests(place)]
            self.fields[place] = forms.ChoiceField(label=PARTS[place], choices=choices, required=False)
        self.fields["adjust"] = forms.ChoiceField(label=PARTS["adjust"], choices=_labelled(methods.ADJUSTMENTS.items()))
        for part, offered in VARIABLES.items():
            self.fields[part] = forms.MultipleChoiceField(
                label=PARTS[part],
                choices=_labelled((variable.name, variable.label) for variable in offered),
                widget=forms.CheckboxSelectMultiple,
                required=False,
            )
        for option, label in RULES.items():
            self.fields[option] = forms.ChoiceField(label=label, choices=rule_choices(option), required=False)
        for field in self.fields.values():
            kind = "form-select" if isinstance(field.widget, forms.Select) else "form-control"
            if not isinstance(field.widget, forms.CheckboxSelectMultiple):
                field.widget.attrs["class"] = kind
        for arm in ("arm_a", "arm_b"):
            self.fields[arm].widget.attrs["size"] = 10

    @property
    def tests(self):
        """The fields of the tests, which most leave as they are, each with the further one beside it."""
        return [self[place] for place in PARTS if place in (*TESTS, *FURTHER, "adjust")]

    @property
    def variables(self):
        """The fields that say what is compared."""
        return [self[part] for part in VARIABLES]

    @property
    def rules(self):
        """The fields of the segment rule."""
        return [self[option] for option in RULES]

    @property
    def arms(self):
        return [self["arm_a"], self["arm_b"]]

    def clean(self):
        given = super().clean()
        if self.errors:
            return given
        try:
            self.plan = plans.segment_comparison(**self._changes(given))
            self.cohort = cohort_chosen(given["cohort_name"])
        except design_errors.Refused as error:
            raise forms.ValidationError(design_errors.sentence(error, get_language() or "en")) from error
        try:
            needed = cohorts.timepoints_needed(self.cohort)
            packed_snapshots.require(given["snapshot"], (*needed, *self.plan.items_needed))
        except snapshots.Lacking as error:
            self.add_error("snapshot", error.reason.in_language(get_language() or "en"))
        return given

    def _of_named(self):
        names = [group.label for group in self.named.groups]
        return Label(", ".join(name.en for name in names), "、".join(name.ja for name in names))

    def _changes(self, given):
        """What the plan has instead of the segment study's own: from the page, a list of variables without a tick is
        empty; from a request that knows nothing of the lists, they are as in the study."""
        changes = {place: given[place] for place in (*TESTS, "adjust", "grouping", "baseline", "note")}
        changes |= {place: "" if given[place] == NONE else given[place] for place in FURTHER if given[place]}
        changes |= {part: tuple(given[part]) for part in VARIABLES if given[part] or given["variables_shown"]}
        outcomes = changes.get("outcomes", DEFAULT.outcomes)
        rule = {option: given[option] for option in RULES if given[option]}
        return changes | {
            "arms": _arms(given["arm_a"], given["arm_b"]) if given["grouping"] == ARMS else None,
            "named": self.named if given["grouping"] == NAMED else None,
            "value_sets": tuple(dict.fromkeys((given["value_set"], *given["further_value_sets"]))),
            "followups": tuple(given["followups"]),
            "deltas": tuple(name for name in DEFAULT.deltas if name in outcomes),
            "segment_rule": tuple((dict(DEFAULT.segment_rule) | rule).items()),
        }


def _tests(place):
    """The tests of a place; of those for two groups alone the form says so."""
    language = get_language() or "en"
    return [
        (test.code, f"{name} ({_('two groups')})" if test.two_groups and place.startswith("overall") else name)
        for test in plans.tests_for(place)
        for name in [test.label.in_language(language)]
    ]


def _initial(plan):
    """The answers of the form that ask for a plan."""
    arms = plan.arms.to_json() if plan.arms else {"a": (), "b": ()}
    return {
        **{place: getattr(plan, place) for place in (*TESTS, *VARIABLES, "adjust", "grouping", "baseline", "note")},
        **{place: getattr(plan, place) or NONE for place in FURTHER},
        **{f"arm_{arm}": [f"{arms['variable']}:{level}" for level in arms[arm]] for arm in "ab"},
        **dict(plan.segment_rule),
        "followups": plan.followups,
        "value_set": plan.value_sets[0],
        "further_value_sets": plan.value_sets[1:],
    }
