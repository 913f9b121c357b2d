"""The form of a new comparison: what the plan and the cohort may be, asked for in one place."""

from django import forms
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from registry.analysis import cohorts, methods, plans, saved_cohorts
from registry.analysis.groupings import GROUPINGS
from registry.instruments import timepoints, value_sets
from registry.models import SavedCohort, Snapshot

SAVED = "saved:"  # before the number of a saved cohort, which no declared one is called
DEFAULT = plans.SEGMENT_COMPARISON
TESTS = {
    "overall_continuous": _("All groups, continuous"),
    "overall_categorical": _("All groups, categorical"),
    "pairwise_continuous": _("Pairs of groups, continuous"),
    "pairwise_categorical": _("Pairs of groups, categorical"),
    "before_after_continuous": _("Before and after, continuous"),
    "before_after_categorical": _("Before and after, categorical"),
}


def _labelled(pairs):
    language = get_language() or "en"
    return [(code, label.in_language(language)) for code, label in pairs]


def _times():
    return _labelled((one.code, one.label) for one in timepoints.SCHEDULE)


def _sets():
    return [(code, f"{label} ({code})") for code, label in _labelled((one.code, one.label) for one in value_sets.ALL)]


def _cohorts():
    """The declared cohorts, then the saved ones, the newest version of each name first."""
    saved = SavedCohort.objects.order_by("name", "-version")
    return [
        *_labelled((one.name, one.label) for one in cohorts.COHORTS.values()),
        *((f"{SAVED}{one.pk}", f"{one.name} · {_('version')} {one.version}") for one in saved),
    ]


def _cohort(chosen):
    if chosen.startswith(SAVED):
        return saved_cohorts.cohort_of(SavedCohort.objects.get(pk=chosen.removeprefix(SAVED)))
    return cohorts.get(chosen)


def _choice_of(cohort):
    saved = saved_cohorts.saved_as(cohort)
    return f"{SAVED}{saved.pk}" if saved else cohort.name


class ComparisonForm(forms.Form):
    """`plan` and `cohort` after a valid POST. `earlier` is a run whose request is the starting point, and `saved` the
    number of a saved cohort to start with."""

    cohort_name = forms.ChoiceField(label=_("Patients"), choices=_cohorts)
    snapshot = forms.ModelChoiceField(
        label=_("Data"),
        queryset=Snapshot.objects.all(),
        required=False,
        empty_label=_("The registry as it is now"),
    )
    grouping = forms.ChoiceField(
        label=_("Groups"), choices=lambda: _labelled((one.code, one.label) for one in GROUPINGS.values())
    )
    baseline = forms.ChoiceField(label=_("Baseline"), choices=_times)
    followups = forms.MultipleChoiceField(
        label=_("Follow-up"), choices=lambda: _times()[1:], widget=forms.CheckboxSelectMultiple
    )
    value_set = forms.ChoiceField(label=_("EQ-5D-5L value set"), choices=_sets)
    further_value_sets = forms.MultipleChoiceField(
        label=_("Further value sets"),
        choices=_sets,
        required=False,
        help_text=_("HSUV again by these, as a sensitivity analysis."),
    )
    note = forms.CharField(
        label=_("Note"),
        required=False,
        max_length=plans.LONGEST_NOTE,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=_("What this comparison is for. No names or patient numbers."),
    )

    def __init__(self, data=None, *, earlier=None, saved=None, snapshot=None):
        plan = plans.from_json(earlier.plan) if earlier else DEFAULT
        cohort = cohorts.from_json(earlier.cohort) if earlier else cohorts.SEGI2024
        initial = {place: getattr(plan, place) for place in (*TESTS, "adjust", "grouping", "baseline", "note")}
        initial |= {
            "cohort_name": f"{SAVED}{saved}" if saved else _choice_of(cohort),
            "snapshot": snapshot or (earlier and earlier.frozen_id),
            "followups": plan.followups,
            "value_set": plan.value_sets[0],
            "further_value_sets": plan.value_sets[1:],
        }
        super().__init__(data, initial=initial)
        for place, label in TESTS.items():
            fitting = _labelled((test.code, test.label) for test in plans.tests_for(place))
            self.fields[place] = forms.ChoiceField(label=label, choices=fitting)
        self.fields["adjust"] = forms.ChoiceField(
            label=_("Correction for several pairs"), choices=_labelled(methods.ADJUSTMENTS.items())
        )
        for field in self.fields.values():
            kind = "form-select" if isinstance(field.widget, forms.Select) else "form-control"
            if not isinstance(field.widget, forms.CheckboxSelectMultiple):
                field.widget.attrs["class"] = kind

    @property
    def tests(self):
        """The fields of the tests, which most leave as they are."""
        return [self[name] for name in (*TESTS, "adjust")]

    def clean(self):
        given = super().clean()
        if self.errors:
            return given
        sets = dict.fromkeys((given["value_set"], *given["further_value_sets"]))
        try:
            self.plan = plans.segment_comparison(
                value_sets=tuple(sets),
                followups=tuple(given["followups"]),
                **{place: given[place] for place in (*TESTS, "adjust", "grouping", "baseline", "note")},
            )
        except ValueError as error:
            raise forms.ValidationError(str(error)) from error
        self.cohort = _cohort(given["cohort_name"])
        return given
