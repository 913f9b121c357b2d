"""The form of an export: every choice of `registry.exports.choices`, asked for in one place."""

from django import forms
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from registry.analysis.design import cohorts, saved_cohorts
from registry.analysis.design.errors import Refused
from registry.exports import choices as offered
from registry.exports.choices import Choices, InvalidChoices
from registry.exports.jobs import may_see_snapshots
from registry.instruments import value_sets
from registry.models import SavedCohort, Snapshot
from registry.web.shared.wording import words
from sites.tenancy.access import Can

SAVED = "saved:"  # before the number of a saved cohort, which no declared one is called


def _labelled(pairs):
    return [(pair.code, words(pair.label)) for pair in pairs]


def _radios(label, pairs):
    return forms.ChoiceField(label=label, choices=lambda: _labelled(pairs), widget=forms.RadioSelect)


class ExportForm(forms.Form):
    """`choice` is the Choices after a valid GET or POST."""

    format = forms.ChoiceField(label=_("Format"), choices=lambda: _labelled(offered.FORMATS))
    cohort = forms.ChoiceField(label=_("Patients"))
    snapshot = forms.ChoiceField(label=_("Data"), required=False)
    shape = _radios(_("Rows"), offered.SHAPES)
    content = forms.MultipleChoiceField(
        label=_("Columns"), choices=lambda: _labelled(offered.CONTENT), widget=forms.CheckboxSelectMultiple
    )
    value_sets = forms.MultipleChoiceField(
        label=_("Value sets of the HSUV"),
        choices=lambda: [
            (value_set.code, f"{words(value_set.label)} ({value_set.code})") for value_set in value_sets.ALL
        ],
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )
    values = _radios(_("Answers as"), offered.VALUES)
    language = _radios(_("Language of labels"), offered.LANGUAGES)
    missing = _radios(_("Missing values"), offered.MISSING)
    dates = _radios(_("Dates"), offered.DATES)
    by_site = forms.BooleanField(label=_("A folder of files for each site"), required=False)

    RADIOS = ("shape", "values", "language", "missing", "dates")

    def __init__(self, access, data=None, snapshot=""):
        usual = Choices()
        initial = {name: getattr(usual, name) for name in self.base_fields if name != "cohort"}
        initial |= {"cohort": usual.cohort.name, "language": "ja" if (get_language() or "").startswith("ja") else "en"}
        known = _snapshots(access)
        initial["snapshot"] = snapshot if snapshot in dict(known) else ""
        super().__init__(data, initial=initial)
        self.fields["cohort"].choices = _cohorts(access)
        self.fields["snapshot"].choices = known
        for name in ("format", "cohort", "snapshot"):
            self.fields[name].widget.attrs["class"] = "form-select"

    @property
    def usual(self):
        """The Choices that the page begins with."""
        return Choices(language=self.initial["language"], snapshot=self.initial["snapshot"])

    @property
    def radios(self):
        return [self[name] for name in self.RADIOS]

    @property
    def has_snapshots(self):
        return len(self.fields["snapshot"].choices) > 1

    def clean(self):
        given = super().clean()
        if self.errors:
            return given
        try:
            self.choice = Choices(
                **{name: given[name] for name in given if name not in ("cohort", "content", "value_sets")},
                cohort=_cohort(given["cohort"]),
                content=tuple(given["content"]),
                value_sets=tuple(given["value_sets"]),
            )
        except InvalidChoices as error:
            self.add_error(error.field, words(error.reason))
        except Refused as error:  # a saved cohort names what the study no longer collects
            self.add_error("cohort", words(error.reason))
        return given


def _cohorts(access):
    """All patients first, then the other declared cohorts, then the saved ones for those who make cohorts."""
    declared = [cohorts.ALL, *(cohort for cohort in cohorts.COHORTS.values() if cohort is not cohorts.ALL)]
    offered = [(cohort.name, words(cohort.label)) for cohort in declared]
    if access.may(Can.COMPARE):
        saved = SavedCohort.objects.order_by("name", "-version")
        offered += [(f"{SAVED}{cohort.pk}", f"{cohort.name} · {_('version')} {cohort.version}") for cohort in saved]
    return offered


def _cohort(chosen):
    """The Cohort of a choice. Refused where the study no longer collects what a saved one names."""
    if chosen.startswith(SAVED):
        return saved_cohorts.cohort_of(SavedCohort.objects.get(pk=chosen.removeprefix(SAVED)))
    return cohorts.get(chosen)


def _snapshots(access):
    offered = [("", _("The registry as it is now"))]
    if may_see_snapshots(access):
        offered += [(str(snapshot.pk), snapshot.label) for snapshot in Snapshot.objects.all()]
    return offered
