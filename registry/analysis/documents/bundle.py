"""A comparison to take away: the data that went in, the result, and an R script that computes the result again.

The bundle is a zip file of CSV, JSON and R. Its rows are the analysed cohort's, without identifiers and in an order
that says nothing of who they are. The same data and the same plan give the same bytes.
"""

import csv
import io
import json
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from django.conf import settings

from registry.analysis.data import frame as frames
from registry.analysis.data import packed_snapshots
from registry.analysis.data.coded_columns import Coded, coded
from registry.analysis.data.columns import NO_NUMBER
from registry.analysis.data.frame import EQ5D_BASE, EQ5D_CODES
from registry.analysis.design import cohorts, plans, sections
from registry.analysis.design.groupings import ARM_CODES
from registry.analysis.design.variables import columns as variable_columns
from registry.analysis.documents import section_data, verification_numbers
from registry.analysis.presentation import tables
from registry.analysis.presentation.words import Words
from registry.analysis.results.result import Result
from registry.analysis.running import runner
from registry.instruments import catalogue, levels, timepoints, value_sets, variables
from registry.instruments.base import Choice, Label
from registry.instruments.core.eq5d5l import DIMENSIONS
from registry.instruments.timepoints import DAYS_A_MONTH
from registry.models import Patient

VERIFY = Path(__file__).with_name("verify.R")
BETWEEN_CODES = "|"
# What the reports of survival, of SINS and of EQ-5D are made from, whatever else the plan names.
ALWAYS, ALWAYS_AT = ("followup_months", "died", "sins_total", "procedure"), ("hsuv", "eq_vas")
BLOCK = 1 << 12  # rows of data.csv put together at once
MOMENT = (1980, 1, 1, 0, 0, 0)  # every file's date in the zip: the same comparison gives the same bytes


class DataChanged(ValueError):
    """The registry is no longer as it was when the comparison was run, so no bundle can prove its numbers."""


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column of data.csv and its line in codebook.csv.

    coded   Coded: the patients' values
    source  the column that it was made from and `rule` how, where R can do the same:
            `recode:A=A/B/C|…`, `divide:30.4375`, `value_set:JP`
    """

    name: str
    label: Label
    kind: str
    coded: Coded
    unit: str = ""
    choices: tuple = ()
    variable: str = ""
    timepoint: str = ""
    value_set: str = ""
    source: str = ""
    rule: str = ""

    @cached_property
    def _texts(self):
        return np.array([*map(_text, self.coded.values), ""], object)

    def texts(self, chosen):
        """(k,) texts of the patients at these places; empty for no value."""
        codes = self.coded.codes[chosen]
        return self._texts[np.where(codes < 0, len(self.coded.values), codes)]


def _text(value):
    if isinstance(value, (float, np.floating)):
        return str(int(value)) if float(value).is_integer() else repr(float(value))
    return str(value)


def bundle(result, frame, plan, patient_ids=None):
    """The bytes of the zip file. See `write`."""
    file = io.BytesIO()
    write(file, result, frame, plan, patient_ids)
    return file.getvalue()


def write(file, result, frame, plan, patient_ids=None):
    """Write the bundle of the JSON of a result of `plan` into a binary file.

    frame        the Frame that the result was computed from. DataChanged if it is another one.
    patient_ids  (n,) IDs in the frame's order, to stand in a column of their own; without them rows have a number only
    """
    if frame.snapshot != result["method"]["snapshot"]:
        raise DataChanged("The data have changed since this comparison was run: run it again")
    cohort = cohorts.from_json(result["cohort"])
    chosen = cohorts.select(cohort, frame, plan.rule).chosen
    data = runner.data_of(plan, frame, cohort) if plan.sections else None
    declared = [*columns(plan, frame), *_of_sections(plan, frame), *_further(data)]
    contents = {
        "README.txt": [_readme(Result.from_json(result), plan, chosen.size, patient_ids is not None)],
        "data.csv": _data(declared, chosen, patient_ids),
        "codebook.csv": [_codebook(declared, patient_ids is not None)],
        "value_sets.csv": [_value_sets(plan)],
        "plan.json": [json.dumps(plan.to_json(), ensure_ascii=False, indent=1), "\n"],
        "result.json": [json.dumps(result, ensure_ascii=False, indent=1, allow_nan=False), "\n"],
        "expected.csv": [_expected(result)],
        "verify.R": [VERIFY.read_text(encoding="utf-8")],
    }
    if plan.sections:
        contents["texts.csv"] = [_csv(verification_numbers.TEXT_COLUMNS, verification_numbers.texts(result))]
        contents |= {path.name: [path.read_text(encoding="utf-8")] for path in sorted(VERIFY.parent.glob("verify_*.R"))}
        contents |= section_data.files(data)
    with zipfile.ZipFile(file, "w") as archive:
        for name, texts in contents.items():
            entry = zipfile.ZipInfo(name, MOMENT)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            with archive.open(entry, "w") as inside:
                for text in texts:
                    inside.write(text.encode())


def write_run(file, run):
    """Write the bundle of a ComparisonRun that is done, from the data in scope, which must be those it was run on.

    Returns how many patients it holds. Raises DataChanged.
    """
    plan, cohort = plans.from_json(run.plan), cohorts.from_json(run.cohort)
    frame = packed_snapshots.read(run.frozen, runner.timepoints_needed(plan, cohort))
    write(file, tables.in_order(run.result), frame, plan)
    return run.result["cohort"]["n"]


def write_new(file, plan, cohort, patient_ids=False):
    """Carry out a plan for a cohort on the data in scope and write the bundle; returns the result."""
    frame = frames.read(runner.timepoints_needed(plan, cohort), keep_key=patient_ids)
    result = runner.run(plan, cohort, frame)
    write(file, result, frame, plan, _patient_ids(frame) if patient_ids else None)
    return result


def _patient_ids(frame):
    """(n,) patient IDs in the order of a frame that was read with its key."""
    ids = Patient.objects.values_list("patient_id", flat=True)
    by_key = {frames.key_of(patient): patient for patient in ids}
    return [by_key[key] for key in frame["key"].tolist()]


# The columns


def columns(plan, frame):
    """Every Column of data.csv: the group, what it was made from, and each variable of the plan, raw ones before the
    ones recoded from them."""
    all_columns = [_group(plan, frame), _levels(frame)]
    for name in filter(None, (*plan.characteristics, *ALWAYS, _arms_column(plan), *plan.events)):
        all_columns += _of_variable(frame, name)
    for timepoint in plan.timepoints:
        all_columns += _of_timepoint(plan, frame, timepoint)
    return list({column.name: column for column in all_columns}.values())


def _group(plan, frame):
    grouping = plan.grouped_by
    choices, places = grouping.places(frame, plan.rule)
    values = Coded(places, tuple(choice.code for choice in choices))
    more = {}
    if source := _arms_column(plan):
        arms = zip(ARM_CODES, (plan.arms.a, plan.arms.b), strict=True)
        of = {level: code for code, levels_of in arms for level in levels_of}
        pairs = (f"{choice.code}={of.get(choice.code, '')}" for choice in variables.get(source).categories)
        more = {"source": source, "rule": "recode:" + BETWEEN_CODES.join(pairs)}
    return Column(name="group", label=grouping.label, kind="categorical", coded=values, choices=tuple(choices), **more)


def _arms_column(plan):
    """The variable that two arms are made from, where it is a column of data.csv; "" otherwise."""
    return plan.arms.variable if plan.arms and plan.arms.variable != "segment_group" else ""


def _levels(frame):
    masks, places = np.unique(frame["lesion_levels"], return_inverse=True)
    values = tuple(";".join(levels.from_mask(mask)) for mask in masks.tolist())
    item = catalogue.item("lesion_levels")
    return Column(name=item.name, label=item.label, kind="text", coded=Coded(places, values))


def _of_timepoint(plan, frame, timepoint):
    for name in dict.fromkeys((*plan.outcomes, *ALWAYS_AT, *plan.domains, *(item.name for item in DIMENSIONS))):
        yield from _of_variable(frame, name, timepoint, plan.value_sets)


def _of_variable(frame, name, timepoint="", sets=()):
    """The column of a variable, after that of its raw value where it was made from one."""
    variable = variables.get(name)
    if name == "hsuv":
        yield _state(frame, timepoint)
        for place, code in enumerate(sets):
            yield _hsuv(frame, variable, timepoint, code, main=place == 0)
        return
    more = {}
    if name == "followup_months":
        raw = _raw(frame, "followup_days", Label("Follow-up", "追跡期間"), "days")
        more = {"source": raw.name, "rule": f"divide:{DAYS_A_MONTH}"}
        yield raw
    elif variable.recode:
        raw = _raw_item(frame, variable.recode.source, timepoint)
        more = {"source": raw.name, "rule": _recoding(variable.recode)}
        yield raw
    yield Column(
        name=_at(name, timepoint),
        label=_when(variable.label, timepoint),
        kind=variable.kind,
        unit=variable.unit,
        coded=coded(name, frame, timepoint or None),
        choices=variable.categories,
        variable=name,
        timepoint=timepoint,
        **more,
    )


def _recoding(recode):
    pairs = {**recode.groups, **dict.fromkeys(recode.missing, "")}
    return "recode:" + BETWEEN_CODES.join(f"{code}={group}" for code, group in pairs.items())


def _hsuv(frame, variable, timepoint, code, main):
    name = _at(variable.name, timepoint)
    value_set = value_sets.get(code)
    label = Label("{variable}, {value_set}", "{variable}、{value_set}").format(
        variable=variable.label, value_set=value_set.label
    )
    return Column(
        name=name if main else f"{name}_{code}",
        label=_when(label, timepoint),
        kind=variable.kind,
        coded=coded("hsuv", frame, timepoint, code),
        variable=variable.name,
        timepoint=timepoint,
        value_set=code,
        source=_at("eq5d_state", timepoint),
        rule=f"value_set:{code}",
    )


def _state(frame, timepoint):
    """The health state as five digits; empty where an answer is missing."""
    powers = EQ5D_BASE ** np.arange(len(DIMENSIONS))[::-1]
    digits = np.arange(EQ5D_CODES)[:, None] // powers % EQ5D_BASE
    states = tuple("".join(map(str, row)) if all(row) else "" for row in digits.tolist())
    part = catalogue.derived("eq5d_state")
    return Column(
        name=_at(part.name, timepoint),
        label=_when(part.label, timepoint),
        kind="text",
        coded=Coded(frame[f"eq5d@{timepoint}"], states),
        timepoint=timepoint,
    )


def _raw_item(frame, name, timepoint):
    item = catalogue.item(name)
    stored = f"{name}@{timepoint}" if timepoint else name
    return _raw(frame, stored, _when(item.label, timepoint), item.unit, item.choices, _at(name, timepoint), timepoint)


def _raw(frame, stored, label, unit="", choices=(), name=None, timepoint=""):
    """A column as the registry stores it: codes, or plain numbers."""
    numbers = frame[stored]
    known = frame.codes.get(stored) or np.arange(max(0, int(numbers.max(initial=0))) + 1)
    return Column(
        name=name or stored,
        label=label,
        kind="categorical" if choices else "continuous",
        unit=unit,
        coded=Coded(numbers, known),
        choices=choices,
        timepoint=timepoint,
    )


def _at(name, timepoint):
    return f"{name}_{timepoint}" if timepoint else name


def _when(label, timepoint):
    if not timepoint:
        return label
    when = timepoints.timepoint(timepoint).label
    return Label("{label}, {when}", "{label}、{when}").format(label=label, when=when)


def _of_sections(plan, frame):
    """What the plan's sections are computed from: a column of each variable at each visit, one of why values lack, and
    the day of death."""
    if not plan.sections:
        return
    pairs = dict.fromkeys(
        pair
        for code, entries in plan.sections
        for entry in entries
        for pair in sections.SECTIONS[code].uses(entry, plan)
    )
    as_of = runner.as_of(plan, frame)
    for variable, visit in pairs:
        yield from _of_plan(plan, frame, variable, visit, as_of)
    death = frame[variable_columns.DEATH]
    label = Label("Day of death, from 2000-01-01", "死亡日（2000-01-01からの日数）")
    yield _numbered("plan.death_day", label, np.where(death == NO_NUMBER, np.nan, death))


def _further(data):
    """What sections need of data.csv beside their variables, such as who is in which matched set."""
    entries = [(code, entry) for code, entries in data.plan.sections for entry in entries] if data else ()
    made = {}
    for code, entry in entries:
        made |= dict(sections.SECTIONS[code].further(data, entry))
    for name, numbers in made.items():
        values = np.full(data.selection.left_at.size, np.nan)
        values[data.places] = numbers
        yield _numbered(name, Label(name, name), values)


def _of_plan(plan, frame, variable, visit, as_of):
    made = variable_columns.variable_columns(frame, variable, visit, plan.names, plan.value_sets[0], as_of)
    name = f"plan.{variable.name.replace(':', '_')}{'.' if visit else ''}{visit}"
    label = Label(f"{variable.label.en} {visit}".strip(), f"{variable.label.ja} {visit}".strip())
    if variable.is_categorical:
        codes = tuple(str(choice.code) for choice in variable.categories)
        choices = variable.categories
        yield Column(name=name, label=label, kind="categorical", coded=Coded(made.codes, codes), choices=choices)
    else:
        yield _numbered(name, label, made.values, variable.unit)
    why = Label("Why unknown: {label}", "不明の理由：{label}").format(label=label)
    yield Column(name=f"{name}.why", label=why, kind="text", coded=Coded(made.why, variable_columns.WHY))


def _numbered(name, label, values, unit=""):
    """A column of any numbers."""
    distinct, codes = np.unique(values[~np.isnan(values)], return_inverse=True)
    places = np.full(values.size, -1)
    places[~np.isnan(values)] = codes
    return Column(name=name, label=label, kind="continuous", unit=unit, coded=Coded(places, distinct))


# The files


def _csv(header, rows):
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    if header is not None:
        writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue()


def _data(declared, chosen, patient_ids):
    """Blocks of data.csv, the rows sorted by what they hold: their order tells nothing of when or where a patient was
    entered. With IDs they are sorted by ID."""
    if patient_ids is None:
        order = np.lexsort([column.coded.codes[chosen] for column in reversed(declared)])
    else:
        ids = np.asarray(patient_ids, object)
        order = np.argsort(ids[chosen])
    chosen = chosen[order]
    named = [] if patient_ids is None else [PATIENT_ID.name]
    yield _csv([ROW.name, *named, *(column.name for column in declared)], ())
    for start in range(0, chosen.size, BLOCK):
        some = chosen[start : start + BLOCK]
        numbers = range(start + 1, start + 1 + some.size)
        cells = [] if patient_ids is None else [ids[some]]
        yield _csv(None, zip(numbers, *cells, *(column.texts(some) for column in declared), strict=True))


_CODEBOOK: dict[str, Callable] = {
    "column": lambda column: column.name,
    "label_en": lambda column: column.label.en,
    "label_ja": lambda column: column.label.ja,
    "kind": lambda column: column.kind,
    "unit": lambda column: column.unit,
    "codes": lambda column: _joined(column.choices, lambda choice: str(choice.code)),
    "codes_en": lambda column: _joined(column.choices, lambda choice: choice.label.en),
    "codes_ja": lambda column: _joined(column.choices, lambda choice: choice.label.ja),
    "variable": lambda column: column.variable,
    "timepoint": lambda column: column.timepoint,
    "value_set": lambda column: column.value_set,
    "higher_is": lambda column: variables.get(column.variable).higher_is if column.variable else "",
    "source": lambda column: column.source,
    "rule": lambda column: column.rule,
}
_NUMBERS = Coded(np.empty(0, np.int16), ())
ROW = Column(name="row", label=Label("Row", "行"), kind="text", coded=_NUMBERS)
PATIENT_ID = Column(name="patient_id", label=Label("Patient ID", "患者ID"), kind="text", coded=_NUMBERS)


def _joined(choices: tuple[Choice, ...], part):
    parts = [part(choice) for choice in choices]
    if any(BETWEEN_CODES in part for part in parts):
        raise ValueError(f"a code with {BETWEEN_CODES} in it cannot stand in the codebook: {parts}")
    return BETWEEN_CODES.join(parts)


def _codebook(declared, identified):
    every = [ROW, *([PATIENT_ID] if identified else []), *declared]
    return _csv(_CODEBOOK, ([part(column) for part in _CODEBOOK.values()] for column in every))


def _value_sets(plan):
    rows = [
        (value_set.code, value_set.version, value_set.doi, term, coefficient)
        for value_set in map(value_sets.get, plan.value_sets)
        for term, coefficient in value_set.terms.items()
    ]
    return _csv(("value_set", "version", "doi", "term", "coefficient"), rows)


def _expected(result):
    def text(value):
        return "" if value is None else repr(value) if isinstance(value, float) else str(value)

    rows = ([text(line[name]) for name in verification_numbers.COLUMNS] for line in verification_numbers.lines(result))
    return _csv(verification_numbers.COLUMNS, rows)


SYNTHETIC = """SYNTHETIC DATA: these patients do not exist.
架空のデータです。実在の患者ではありません。

"""
README = """Metaspine: a comparison with its data, to be computed again in R

{synthetic}{n} patients of the cohort "{cohort}" (version {cohort_version}), plan "{plan}" (version {plan_version}).

To compute every number again, with R alone and no package:

    Rscript verify.R            in this folder
    Rscript verify.R --quick    without the tables whose exact test takes R minutes; it names them

It prints each number of the result beside R's own, and ends with status 0 only if all agree.

data.csv        one row a patient; an empty cell means no value. {identity}
codebook.csv    what each column is: label, kind, unit, codes, and what it was made from
expected.csv    every number of result.json, one a line; an empty value means "not estimable"
result.json     the result at full precision
plan.json       what was to be computed
value_sets.csv  the published coefficients behind the HSUV columns
verify.R        the script

Cohort:
{flow}
Groups: {groups}
Segment rule: {segment_rule}
Value sets:
{value_sets}
Software: {software}
Snapshot of the data: {snapshot}

Changes are follow-up minus baseline where both are known, rounded to 9 decimals. Columns end with their timepoint.
The data of excluded patients are not here, so the steps before the cohort can only be checked to add up.
"""


def _readme(result, plan, n, identified):
    cohort, method = result.cohort, result.method
    sets = [value_sets.get(code) for code in plan.value_sets]
    return README.format(
        synthetic=SYNTHETIC if settings.SYNTHETIC else "",
        n=n,
        cohort=cohort.name,
        cohort_version=cohort.version,
        plan=plan.name,
        plan_version=plan.version,
        identity="It holds patient IDs: keep it where they may be." if identified else "No identifiers.",
        flow="\n".join(map(_flow_line, Words(result, "en").whole_flow())),
        groups=", ".join(f"{code} {size}" for code, size in cohort.groups.items()),
        segment_rule=method.segment_rule,
        value_sets="\n".join(
            f"  {chosen.code}: {chosen.label.en}, version {chosen.version}, doi:{chosen.doi}, PubMed {chosen.pubmed}"
            for chosen in sets
        ),
        software=method.software,
        snapshot=method.snapshot,
    )


def _flow_line(step):
    excluded = f" ({step['excluded']} excluded: {step['reason']})" if "excluded" in step else ""
    return f"  {step['label']}: {step['n']}{excluded}"
