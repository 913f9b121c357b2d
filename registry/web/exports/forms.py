"""The form of an export: every choice of `registry.exports.choices`, asked for in one place."""

from django import forms
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from registry.analysis.design import cohorts, saved_cohorts
from registry.analysis.design.errors import Refused
from registry.exports import choices as offered
from registry.exports import presets
from registry.exports.choices import Choices, InvalidChoices
from registry.exports.jobs import may_see_snapshots
from registry.instruments import value_sets
from registry.instruments.timepoints import planned
from registry.models import SavedCohort, Snapshot
from registry.services.follow_up import schedule
from registry.web.shared.wording import words
from sites.tenancy.access import Can

SAVED = "saved:"  # before the number of a saved cohort, which no declared one is called


def _labelled(pairs):
    return [(pair.code, words(pair.label)) for pair in pairs]


def _titled(instruments):
    return [(instrument.code, words(instrument.title)) for instrument in instruments]


def _visits():
    """(code, Label) of the visits that may be chosen."""
    known = dict(schedule.labels()) | {visit.code: visit.label for visit in planned()}
    return [(code, known[code]) for code in offered.offered_timepoints()]


def _radios(label, pairs, **more):
    return forms.ChoiceField(label=label, choices=lambda: _labelled(pairs), widget=forms.RadioSelect, **more)


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
    timepoints = forms.MultipleChoiceField(
        label=_("Only some visits"),
        choices=lambda: [(code, words(label)) for code, label in _visits()],
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )
    instruments = forms.MultipleChoiceField(
        label=_("Only some instruments"),
        choices=lambda: _titled(offered.offered_instruments()),
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )
    values = _radios(_("Answers as"), offered.VALUES)
    language = _radios(_("Language of labels"), offered.LANGUAGES)
    missing = _radios(_("Missing values"), offered.MISSING)
    dates = _radios(_("Dates"), offered.DATES)
    mark = _radios(_("Mark at the start of CSV, by which Excel knows UTF-8"), offered.MARK, required=False)
    by_site = forms.BooleanField(label=_("A folder of files for each site"), required=False)

    RADIOS = ("shape", "values", "language", "missing", "dates", "mark")

    def __init__(self, access, data=None, snapshot="", preset=None):
        usual = Choices()
        initial = {name: getattr(usual, name) for name in self.base_fields if name != "cohort"}
        initial |= {"cohort": usual.cohort.name, "language": "ja" if (get_language() or "").startswith("ja") else "en"}
        initial["snapshot"] = snapshot
        if preset is not None:
            initial |= _filled(preset)
        offered_here = {"cohort": _cohorts(access), "snapshot": _snapshots(access)}
        # What of a preset somebody may not choose themselves is not chosen.
        self.left_out = [name for name, known in offered_here.items() if initial[name] not in dict(known)]
        initial |= {name: {"cohort": usual.cohort.name, "snapshot": ""}[name] for name in self.left_out}
        super().__init__(data, initial=initial)
        for name, known in offered_here.items():
            self.fields[name].choices = known
        for name in ("format", "cohort", "snapshot"):
            self.fields[name].widget.attrs["class"] = "form-select"

    @property
    def usual(self):
        """The Choices that the page begins with."""
        given = {name: self.initial[name] for name in self.base_fields if name != "cohort"}
        given |= {name: tuple(given[name]) for name in offered.LISTS}
        return Choices(**given, cohort=_cohort(self.initial["cohort"]))

    @property
    def words(self):
        """The choices of a valid form as a preset keeps them."""
        chosen = self.cleaned_data["cohort"]
        saved = chosen.startswith(SAVED)
        return presets.words_of(self.choice, int(chosen.removeprefix(SAVED)) if saved else chosen)

    @property
    def radios(self):
        return [self[name] for name in self.RADIOS]

    @property
    def parts(self):
        """What narrows the columns and rows: usually everything is in."""
        return [self["timepoints"], self["instruments"]]

    @property
    def has_snapshots(self):
        return len(self.fields["snapshot"].choices) > 1

    def clean(self):
        given = super().clean()
        if self.errors:
            return given
        try:
            self.choice = Choices(
                **{name: given[name] for name in given if name not in ("cohort", *offered.LISTS, "mark")},
                mark=given["mark"] or Choices.mark,
                **{name: tuple(given[name]) for name in offered.LISTS},
                cohort=_cohort(given["cohort"]),
            )
        except InvalidChoices as error:
            self.add_error(error.field, words(error.reason))
        except Refused as error:  # a saved cohort names what the study no longer collects
            self.add_error("cohort", words(error.reason))
        return given


def _filled(preset):
    """The fields of the form that a preset fills in."""
    fields = {name: value for name, value in preset.choices.items() if name in ExportForm.base_fields}
    if isinstance(cohort := fields.get("cohort"), int):
        fields["cohort"] = f"{SAVED}{cohort}"
    return fields


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
