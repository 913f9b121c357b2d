"""Who comes into an analysis: declared steps over a frame, each counted, with its reason.

A cohort is data: a name, a version and an ordered list of steps, each a code of STEPS with its parameters. It goes to
JSON and back unchanged, so that a result can say exactly who came in and why the others did not.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

import numpy as np

from registry.analysis.data import frame as frames
from registry.analysis.data.coded_columns import coded
from registry.analysis.design.errors import Refused, listed, refusal
from registry.analysis.design.groupings import SEGMENTS
from registry.analysis.design.variables import columns as variable_columns
from registry.analysis.design.variables import declared, sources
from registry.instruments import catalogue, levels, timepoints, variables
from registry.instruments.base import Label
from registry.services.study import screening

MOST_STEPS = 100  # of a cohort: each is a pass over all patients, and a line of every flow diagram


class UnknownStep(Refused):
    """A cohort that cannot be read; the message says what would be right."""


def _unknown(en, ja, **values):
    return UnknownStep(Label(en, ja).format(**values))


@dataclass(frozen=True, kw_only=True)
class StepKind:
    """A kind of step: what remains, why the others leave, and how its parameters are checked.

    keep      (frame, rule, **parameters) -> (n,) bool
    check     (**parameters) -> None; ValueError for parameters that make no sense
    words     (**parameters) -> what the codes in `values` are called: code to Label
    """

    code: str
    label: Label
    reason: Label
    keep: Callable[..., np.ndarray]
    check: Callable[..., None] = lambda: None
    words: Callable[..., Mapping] = lambda **parameters: {}


@dataclass(frozen=True)
class Step:
    """One step of a cohort: a code of STEPS and its parameters."""

    code: str
    parameters: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self):
        if self.code not in STEPS:
            raise _unknown(
                "“{code}” is no step of a cohort; one of {fits}",
                "「{code}」という段階はありません。使えるもの：{fits}",
                code=self.code,
                fits=listed(STEPS),
            )
        try:
            self.kind.check(**self.parameters)
        except TypeError as error:
            raise _unknown(
                "step “{code}”: {why}", "段階「{code}」の指定が不完全です（{why}）", code=self.code, why=error
            ) from error

    @property
    def kind(self):
        return STEPS[self.code]

    @property
    def label(self):
        return self._told(self.kind.label)

    @property
    def reason(self):
        return self._told(self.kind.reason)

    def _told(self, label):
        """The label with the parameters in it, each in the words of its language."""
        shown = {name: self._shown(name, value) for name, value in self.parameters.items()}
        shown["when"] = (
            Label(" ({visit})", "（{visit}）").format(visit=shown["timepoint"]) if "timepoint" in shown else ""
        )
        return label.format(**shown)

    def _shown(self, name, value):
        if name == "timepoint":
            return timepoints.timepoint(value).label
        if name == "variable":
            return variable_of(value).label
        if isinstance(value, (list, tuple)):
            known = self.kind.words(**self.parameters)
            labels = [known.get(code, Label(str(code), str(code))) for code in value]
            return Label(", ".join(label.en for label in labels), "、".join(label.ja for label in labels))
        return value

    def keep(self, frame, rule):
        """(n,) bool: the patients of the frame who stay, each step asked by itself."""
        return self.kind.keep(frame, rule, **self.parameters)


@dataclass(frozen=True)
class Cohort:
    """A named, versioned list of steps."""

    name: str
    version: str
    label: Label
    steps: tuple[Step, ...]

    def to_json(self):
        return {
            "name": self.name,
            "version": self.version,
            "steps": [{"step": step.code, **step.parameters} for step in self.steps],
        }


@dataclass(frozen=True, eq=False)
class Selection:
    """Who came in: `cohort` as it was applied; `chosen` (k,) places in the frame; `flow` counts each step, `left_at`
    (n,) says which step took out a patient (−1: nobody did). `by_site` has a row a site that has patients, by its code:
    enrolled, excluded at each step in the order of the steps, and analysed."""

    cohort: Cohort
    chosen: np.ndarray
    flow: list
    left_at: np.ndarray
    by_site: list


def select(cohort, frame, rule=levels.DEFAULT_RULE):
    """The Selection of a cohort, of data that may be used.

    RuntimeError if enrolled is not analysed plus excluded, which would be a defect.
    """
    if frame["data_use_stopped"].any():
        cohort = with_permission(cohort)
    inside = np.ones(frame.n, bool)
    left_at = np.full(frame.n, -1, np.int16)
    flow = [{"step": "enrolled", "label": ENROLLED.en, "n": frame.n}]
    if frame.in_error:
        flow[0]["in_error"] = frame.in_error
    if frame.screening:
        flow[0]["screening"] = before_enrolment(frame.screening.values(), frame.n)
    for place, step in enumerate(cohort.steps):
        leaving = inside & ~step.keep(frame, rule)
        left_at[leaving] = place
        inside &= ~leaving
        flow.append(
            {
                "step": step.code,
                "label": step.label.en,
                "n": int(inside.sum()),
                "excluded": int(leaving.sum()),
                "reason": step.reason.en,
            }
        )
    chosen = np.flatnonzero(inside).astype(np.int32)
    if frame.n != chosen.size + sum(step["excluded"] for step in flow[1:]):
        raise RuntimeError("the patients excluded and analysed do not add up to the patients enrolled")
    return Selection(cohort, chosen, flow, left_at, _by_site(frame, left_at, len(cohort.steps)))


def _by_site(frame, left_at, steps):
    """Rows of `Selection.by_site`: one count of all patients by site and step, whose places begin with nobody's."""
    width = steps + 1
    counts = np.bincount(frame["site"] * np.int32(width) + (left_at + 1), minlength=1)
    counts = np.append(counts, np.zeros(-counts.size % width, counts.dtype)).reshape(-1, width).tolist()
    rows = [
        {"site": code, "enrolled": sum(counts[pk]), "excluded": counts[pk][1:], "analysed": counts[pk][0]}
        for pk, code in sorted(frame.site_codes.items(), key=lambda site: site[1])
        if pk < len(counts) and any(counts[pk])
    ]
    if sum(row["enrolled"] for row in rows) != frame.n:
        raise RuntimeError("the patients of the sites do not add up to the patients enrolled")
    return rows


def before_enrolment(screened, enrolled):
    """The steps that lead to the enrolled: `Screened.steps` of some sites together. The enrolled are the flow's own."""
    steps = screening.together(screened).steps(enrolled)
    for last in steps[-1:]:
        del last["n"]
    return steps


def with_permission(cohort):
    """The cohort without those whose data must not be used: its first step, unless it has it already."""
    return cohort if PERMITTED in cohort.steps else replace(cohort, steps=(PERMITTED, *cohort.steps))


ENROLLED = Label("Enrolled", "登録")
NOT_IN_ERROR = Label("Enrolled (another {n} entered in error: not counted)", "登録（ほかに誤登録{n}例：集計外）")


def enrolled(in_error=0):
    """What a flow begins with, with how many more patients were entered in error."""
    return NOT_IN_ERROR.format(n=in_error) if in_error else ENROLLED


# Steps


def _in_one_segment(frame, rule):
    return np.isin(frame.segment_group(rule), [frames.GROUPS.index(code) for code in SEGMENTS])


def _followed(frame, rule, days):
    return frame["followup_days"] >= days


def _not_negative(days):
    if not isinstance(days, int) or days < 0:
        raise refusal(
            "days must be a whole number of at least 0; got {days}",
            "日数は0以上の整数で指定してください（入力：{days}）",
            days=repr(days),
        )


def _among(column):
    """Keep patients whose code in `column` is one of `values`; one without a value leaves."""

    def keep(frame, rule, values):
        return np.isin(frame[column], [frame.codes[column].index(value) for value in values])

    return keep


def _known(codes):
    def check(values):
        _some(values)
        if unknown := [value for value in values if value not in codes]:
            raise refusal(
                "{unknown}: must be one of {fits}",
                "{unknown}：使えません。使えるもの：{fits}",
                unknown=listed(unknown),
                fits=listed(codes),
            )

    return check


def _choice_step(code, name, label_ja):
    part = catalogue.part(name)
    codes = tuple(choice.code for choice in part.choices)
    return StepKind(
        code=code,
        label=Label("{part}: {{values}}", "{part}：{{values}}").format(part=part.label),
        reason=Label(f"another {part.label.en.lower()}, or not known", f"{label_ja}が該当しない、または不明"),
        keep=_among(name),
        check=_known(codes),
        words=lambda values: {choice.code: choice.label for choice in part.choices},
    )


def _without_procedure(frame, rule, values):
    return ~_among("procedure")(frame, rule, values)


def _at_sites(frame, rule, values):
    pks = [pk for pk, code in frame.site_codes.items() if code in values]
    return np.isin(frame["site"], pks)


def _in_regions(frame, rule, values):
    pks = [pk for pk, region in frame.regions.items() if region in values]
    return np.isin(frame["site"], pks)


def _some(values):
    if not values:
        raise refusal("name at least one value", "値を1つ以上指定してください")


def _level_range(frame, rule, first, last):
    allowed = levels.mask(levels.LEVELS[levels.LEVELS.index(first) : levels.LEVELS.index(last) + 1])
    lesion = frame["lesion_levels"]
    return (lesion != 0) & (lesion & ~np.int32(allowed) == 0)


def _two_levels(first, last):
    for code in (first, last):
        if code not in levels.LEVELS:
            raise refusal("{one}: must be a level from C1 to S", "{one}：C1～Sの高位を指定してください", one=code)
    if levels.LEVELS.index(first) > levels.LEVELS.index(last):
        raise refusal(
            "{first} is below {last}",
            "{first}は{last}より下位です。上位の高位を先に指定してください。",
            first=first,
            last=last,
        )


def _operated_between(frame, rule, first, last):
    return _between(frame["surgery_date"], date.fromisoformat(first), date.fromisoformat(last))


def _between(days, first, last):
    epoch = date.fromisoformat(frames.EPOCH).toordinal()
    return (days != frames.MISSING) & (days >= first.toordinal() - epoch) & (days <= last.toordinal() - epoch)


def _dated_from(frame, rule, variable, first):
    return _between(_days(frame, variable), date.fromisoformat(first), date.max)


def _dated_until(frame, rule, variable, last):
    return _between(_days(frame, variable), date.min, date.fromisoformat(last))


def _days(frame, variable):
    """(n,) days since 2000-01-01, MISSING for none."""
    if variable in _OF_PRODUCT:
        return frame[variable]
    values = _columns(frame, variable, None).values
    return np.where(np.isnan(values), frames.MISSING, values).astype(np.int32)


def _two_dates(first, last):
    if _date(first) > _date(last):
        raise refusal("{first} is after {last}", "{first}は{last}より後の日付です", first=first, last=last)


def _date(text):
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise refusal(
            "{text}: a date is written 2024-12-31", "{text}：日付は2024-12-31のように書いてください", text=text
        ) from error


def _aged(frame, rule, minimum):
    return frame["age_at_surgery"] >= minimum


def _age(minimum):
    _not_negative(minimum)


def _has(frame, rule, variable, timepoint):
    if variable not in _OF_PRODUCT:
        return _columns(frame, variable, timepoint).known
    return coded(variable, frame, timepoint).codes >= 0


def _measured(variable, timepoint):
    if variable not in {outcome.name for outcome in MEASURED} and not _is_own(variable, at_visit=True):
        raise refusal(
            "“{variable}” is not assessed at a timepoint; one of {fits}",
            "「{variable}」は評価時点をもつ項目ではありません。使えるもの：{fits}",
            variable=variable,
            fits=listed(outcome.name for outcome in MEASURED),
        )
    _known_timepoint(timepoint)


def _known_timepoint(code):
    if timepoints.is_visit(code):
        return
    known = [timepoint.code for timepoint in timepoints.planned()]
    if code not in known:
        raise refusal(
            "“{code}” is no timepoint; one of {fits}",
            "「{code}」という時点はありません。使えるもの：{fits}",
            code=code,
            fits=listed(known),
        )


def _in_groups(frame, rule, values):
    return np.isin(frame.segment_group(rule), [frames.GROUPS.index(value) for value in values])


def _run_of(frame, rule, minimum, maximum):
    """Keep lesions of one run of so many vertebrae."""

    def fits(mask):
        return minimum <= mask.bit_count() <= maximum and levels.is_consecutive(levels.from_mask(mask))

    return frame.of_lesions(fits, bool)


def _two_numbers(minimum, maximum):
    for bound in (minimum, maximum):
        if not isinstance(bound, int) or not 1 <= bound <= len(levels.LEVELS):
            raise refusal(
                "a number of vertebrae is from 1 to {most}; got {one}",
                "椎体数は1～{most}で指定してください（入力：{one}）",
                most=len(levels.LEVELS),
                one=repr(bound),
            )
    if minimum > maximum:
        raise refusal(
            "{minimum} is more than {maximum}",
            "最小値{minimum}が最大値{maximum}を超えています",
            minimum=minimum,
            maximum=maximum,
        )


def _operated_from(frame, rule, first):
    return _operated_between(frame, rule, first, date.max.isoformat())


def _operated_until(frame, rule, last):
    return _operated_between(frame, rule, date.min.isoformat(), last)


KINDS_OF_STEPS = {
    sources.CONTINUOUS: "continuous",
    sources.DATE: "date",
    **dict.fromkeys((sources.ORDINAL, sources.NOMINAL, sources.BINARY), "categorical"),
}


def _is_own(variable, at_visit, kind=None):
    """Whether the study itself collects this, of the patient or at visits, and of a kind of steps where it is given."""
    if not isinstance(variable, str) or variable in _OF_PRODUCT:
        return False
    source = sources.offered().get(variable)
    return bool(source) and source.at_visit == at_visit and kind in (None, KINDS_OF_STEPS[source.kind])


def _columns(frame, variable, timepoint):
    """The Columns of something that the study itself collects."""
    names = declared.Variables()
    return variable_columns.variable_columns(frame, names.get(variable), timepoint or "", names)


def variable_of(name):
    """The product's variable of this name, or what the study itself collects under it."""
    return variables.get(name) if name in _OF_PRODUCT else declared.of_source(sources.get(name))


def _values(frame, variable, timepoint):
    """(n,) values of a continuous variable, NaN for none."""
    if variable not in _OF_PRODUCT:
        return _columns(frame, variable, timepoint).values
    column = coded(variable, frame, timepoint)
    values = np.append(np.asarray(column.values, float), np.nan)
    return values[np.where(column.codes < 0, values.size - 1, column.codes)]


def _at_least(frame, rule, variable, minimum, timepoint=None):
    return _values(frame, variable, timepoint) >= minimum


def _at_most(frame, rule, variable, maximum, timepoint=None):
    return _values(frame, variable, timepoint) <= maximum


def _in_categories(frame, rule, variable, values, timepoint=None):
    if variable not in _OF_PRODUCT:
        columns = _columns(frame, variable, timepoint)
        codes = [choice.code for choice in columns.variable.categories]
        return np.isin(columns.codes, [codes.index(value) for value in values])
    column = coded(variable, frame, timepoint)
    return np.isin(column.codes, [column.values.index(value) for value in values])


BASELINE_CHARACTERISTICS = (
    *(variable for variable in variables.CHARACTERISTICS if variable is not variables.DIED),
    *variables.COMPONENTS,
)
OF_PATIENT = (*BASELINE_CHARACTERISTICS, *variables.FURTHER_OF_PATIENT)
MEASURED = (*variables.OUTCOMES, *variables.DOMAINS, *variables.FURTHER_OF_ASSESSMENT)
ASSESSED = (*MEASURED, *variables.GRADES)
_OF_PRODUCT = {variable.name for variable in (*OF_PATIENT, *ASSESSED)}
KINDS_JA = {"continuous": "連続変数", "categorical": "カテゴリ変数", "date": "日付"}


def _of_kind(kind, variable, timepoint):
    """Check a variable's kind, and that it has a timepoint where it is assessed at one."""
    offered = OF_PATIENT if timepoint is None else ASSESSED
    fits = {variable.name for variable in offered if variable.kind == kind}
    if variable not in fits and not _is_own(variable, at_visit=timepoint is not None, kind=kind):
        when = Label("of the patient", "患者の") if timepoint is None else Label("assessed then", "評価時点の")
        raise refusal(
            f"“{{variable}}” is no {kind} variable {when.en}; one of {{fits}}",
            f"「{{variable}}」は{when.ja}{KINDS_JA[kind]}ではありません。使えるもの：{{fits}}",
            variable=variable,
            fits=listed(variable.name for variable in offered if variable.kind == kind),
        )
    if timepoint is not None:
        _known_timepoint(timepoint)


def _limit(variable, timepoint=None, **limit):
    _of_kind("continuous", variable, timepoint)
    (value,) = limit.values()
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not np.isfinite(value):
        raise refusal(
            "the limit must be a number; got {value}",
            "境界値は数で指定してください（入力：{value}）",
            value=repr(value),
        )


def _least(variable, minimum, timepoint=None):
    _limit(variable, timepoint, minimum=minimum)


def _most(variable, maximum, timepoint=None):
    _limit(variable, timepoint, maximum=maximum)


def _earliest(variable, first):
    _of_kind("date", variable, None)
    _date(first)


def _latest(variable, last):
    _of_kind("date", variable, None)
    _date(last)


def _categories(variable, values, timepoint=None):
    _of_kind("categorical", variable, timepoint)
    _known([choice.code for choice in variable_of(variable).categories])(values)


_KINDS = (
    StepKind(
        code="one_to_three_consecutive_vertebrae",
        label=Label("1–3 consecutive vertebrae", "連続する1～3椎体の病変"),
        reason=Label(
            "more than three vertebrae, a gap between them, or levels not known", "4椎体以上、非連続、または高位不明"
        ),
        keep=_in_one_segment,
    ),
    StepKind(
        code="no_tes",
        label=Label("no total en bloc spondylectomy", "腫瘍脊椎骨全摘術（TES）以外"),
        reason=Label("total en bloc spondylectomy", "腫瘍脊椎骨全摘術（TES）"),
        keep=lambda frame, rule: _without_procedure(frame, rule, ["tes"]),
    ),
    StepKind(
        code="followed_at_least",
        label=Label("followed for at least {days} days", "{days}日以上の追跡"),
        reason=Label("followed for less than {days} days, or not known how long", "追跡期間が{days}日未満、または不明"),
        keep=_followed,
        check=_not_negative,
    ),
    StepKind(
        code="site",
        label=Label("site: {values}", "施設：{values}"),
        reason=Label("another site", "他の施設"),
        keep=_at_sites,
        check=_some,
    ),
    StepKind(
        code="region",
        label=Label("region: {values}", "地域：{values}"),
        reason=Label("another region", "他の地域"),
        keep=_in_regions,
        check=_some,
    ),
    _choice_step("sex", "sex", "性別"),
    _choice_step("primary_tumour", "primary_tumour", "原発腫瘍"),
    _choice_step("procedure", "procedure", "術式"),
    _choice_step("sins_class", "sins_class", "SINS分類"),
    StepKind(
        code="levels_within",
        label=Label("lesion between {first} and {last}", "病変高位 {first}～{last}"),
        reason=Label("lesion outside {first}–{last}, or levels not known", "病変高位が{first}～{last}の外、または不明"),
        keep=_level_range,
        check=_two_levels,
    ),
    StepKind(
        code="operated_between",
        label=Label("operated between {first} and {last}", "手術日 {first}～{last}"),
        reason=Label("operated at another time, or not known when", "手術日が期間外、または不明"),
        keep=_operated_between,
        check=_two_dates,
    ),
    StepKind(
        code="aged_at_least",
        label=Label("{minimum} years or older at surgery", "手術時{minimum}歳以上"),
        reason=Label("younger than {minimum}, or age not known", "{minimum}歳未満、または年齢不明"),
        keep=_aged,
        check=_age,
    ),
    StepKind(
        code="measured",
        label=Label("{variable} known at {timepoint}", "{timepoint}の{variable}あり"),
        reason=Label("{variable} not known at {timepoint}", "{timepoint}の{variable}なし"),
        keep=_has,
        check=_measured,
    ),
    StepKind(
        code="consecutive_vertebrae",
        label=Label("{minimum}–{maximum} vertebrae without a gap", "連続する{minimum}～{maximum}椎体"),
        reason=Label(
            "another number of vertebrae, a gap between them, or not known", "椎体数が範囲外、非連続、または不明"
        ),
        keep=_run_of,
        check=_two_numbers,
    ),
    StepKind(
        code="segment_group",
        label=Label("segment: {values}", "部位：{values}"),
        reason=Label("another segment, or not known", "他の部位、または不明"),
        keep=_in_groups,
        check=_known(frames.GROUPS),
        words=lambda values: {choice.code: choice.label for choice in levels.SEGMENT_GROUPS},
    ),
    StepKind(
        code="operated_from",
        label=Label("operated on {first} or later", "手術日 {first}以降"),
        reason=Label("operated before {first}, or not known when", "手術日が{first}より前、または不明"),
        keep=_operated_from,
        check=lambda first: _date(first) and None,
    ),
    StepKind(
        code="operated_until",
        label=Label("operated on {last} or earlier", "手術日 {last}以前"),
        reason=Label("operated after {last}, or not known when", "手術日が{last}より後、または不明"),
        keep=_operated_until,
        check=lambda last: _date(last) and None,
    ),
    StepKind(
        code="at_least",
        label=Label("{variable}{when}: {minimum} or more", "{variable}{when}：{minimum}以上"),
        reason=Label("{variable} below {minimum}, or not known", "{variable}が{minimum}未満、または不明"),
        keep=_at_least,
        check=_least,
    ),
    StepKind(
        code="at_most",
        label=Label("{variable}{when}: {maximum} or less", "{variable}{when}：{maximum}以下"),
        reason=Label("{variable} above {maximum}, or not known", "{variable}が{maximum}超、または不明"),
        keep=_at_most,
        check=_most,
    ),
    StepKind(
        code="dated_from",
        label=Label("{variable}: {first} or later", "{variable}：{first}以降"),
        reason=Label("{variable} before {first}, or not known", "{variable}が{first}より前、または不明"),
        keep=_dated_from,
        check=_earliest,
    ),
    StepKind(
        code="dated_until",
        label=Label("{variable}: {last} or earlier", "{variable}：{last}以前"),
        reason=Label("{variable} after {last}, or not known", "{variable}が{last}より後、または不明"),
        keep=_dated_until,
        check=_latest,
    ),
    StepKind(
        code="category",
        label=Label("{variable}{when}: {values}", "{variable}{when}：{values}"),
        reason=Label("another {variable}, or not known", "{variable}が該当しない、または不明"),
        keep=_in_categories,
        check=_categories,
        words=lambda variable, **more: {choice.code: choice.label for choice in variable_of(variable).categories},
    ),
    StepKind(
        code="data_use_permitted",
        label=Label("data may be used", "データ利用可"),
        reason=Label("consent withdrawn: the data must no longer be used", "同意撤回（データ利用停止の申し出）"),
        keep=lambda frame, rule: frame["data_use_stopped"] == 0,
    ),
)
STEPS = {kind.code: kind for kind in _KINDS}
PERMITTED = Step("data_use_permitted")

SEGI2024 = Cohort(
    "segi2024",
    "1",
    Label("Palliative surgery of one segment (Segi et al.)", "単一部位に対する姑息的手術（Segiら）"),
    (
        Step("one_to_three_consecutive_vertebrae"),
        Step("no_tes"),
        Step("followed_at_least", {"days": 30}),
    ),
)
ALL = Cohort("all", "1", Label("All enrolled patients", "登録された全患者"), ())
COHORTS = {cohort.name: cohort for cohort in (SEGI2024, ALL)}


def get(name):
    """The declared cohort of this name. UnknownStep if there is none."""
    try:
        return COHORTS[name]
    except KeyError:
        raise _unknown(
            "“{name}” is no cohort; one of {fits}",
            "「{name}」というコホートはありません。使えるもの：{fits}",
            name=name,
            fits=listed(COHORTS),
        ) from None


def from_json(data):
    """The Cohort that `to_json` wrote, checked. UnknownStep or ValueError says what is wrong."""
    try:
        name, version, steps = data["name"], data["version"], data["steps"]
        read = tuple(Step(step["step"], {k: v for k, v in step.items() if k != "step"}) for step in steps)
    except (KeyError, TypeError, AttributeError) as error:
        raise _unknown(
            "a cohort has a name, a version and a list of steps, each with its code",
            "コホートには、名前（name）、版（version）、段階（steps）の一覧が必要です",
        ) from error
    if len(read) > MOST_STEPS:
        raise _unknown(
            "a cohort has at most {most} steps, and this one has {n}",
            "コホートの段階は{most}個までで、これには{n}個あります",
            most=MOST_STEPS,
            n=len(read),
        )
    declared = COHORTS.get(name)
    return Cohort(str(name), str(version), declared.label if declared else Label(str(name), str(name)), read)


def timepoints_needed(cohort):
    """What `frame.read` must read for the cohort's own steps: timepoints, and items that only cohorts ask, alone."""
    return tuple(dict.fromkeys(timepoint for step in cohort.steps for timepoint in _needed(**step.parameters)))


def _needed(variable=None, timepoint=None, **more):
    if variable in frames.SINGLES:
        yield f"{variable}@{timepoint}" if timepoint else variable
    elif variable is not None and variable not in _OF_PRODUCT:
        names = declared.Variables()
        yield from variable_columns.needed(names.get(variable), timepoint or "", names)
    elif timepoint:
        yield timepoint
