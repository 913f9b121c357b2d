"""The tables of an export and their columns, from the instruments' declarations, as SQL of one state of the registry.

A `Dataset` is what is there (variables, joins, order); `outputs` is what is written of it once the choices are applied:
labels for codes, shifted dates, reasons beside values or inside them.
"""

import hashlib
from dataclasses import dataclass, replace

from registry.exports.choices import SENTINELS
from registry.exports.data import scores
from registry.exports.data.tables import ORDER
from registry.instruments import catalogue, levels, patient_forms, value_sets, variables
from registry.instruments.base import TAGS, Choice, Instrument, Label
from registry.instruments.core import consent
from registry.instruments.core.eq5d5l import DIMENSIONS
from registry.instruments.extra import cobb, escc
from registry.instruments.keys import PATIENT_ID, TIMEPOINT
from registry.instruments.scores import SCORES
from registry.instruments.timepoints import planned
from registry.services import outcomes
from registry.services.files import file_formats
from registry.services.files.data_source import LIVE
from registry.services.study import consents

PATIENTS_OF_EXPORT = "export_patient"  # temporary: who is exported, and by how many days their dates are shifted
BASELINE = outcomes.BASELINE
MOST_BESIDE = 10  # records of a repeating form that stand side by side; the table of the form has every one

NO_YES = (Choice(0, Label("no", "なし")), Choice(1, Label("yes", "あり")))

STATES = tuple(Choice(code, label) for code, label in patient_forms.STATES.items())
PATIENT_STATES = {
    patient_forms.STATE_COLUMNS["baseline"]: Label("Baseline", "ベースライン"),
    patient_forms.STATE_COLUMNS["surgery"]: Label("Surgery", "手術"),
}
ASSESSMENT_STATE = {"state": Label("Assessment", "評価")}


@dataclass(frozen=True, kw_only=True)
class Variable:
    """One column of a dataset: `sql` is its value; `reason`, if any, the SQL of why there is none.

    `kind` is `integer`, `number`, `code`, `date` or `text`; `of` is the declared item or value that it shows.
    """

    name: str
    label: Label
    kind: str
    sql: str
    of: str
    choices: tuple[Choice, ...] = ()
    unit: str = ""
    minimum: int | None = None
    maximum: int | None = None
    reason: str = ""
    instrument: Instrument | None = None
    timepoint: str = ""


@dataclass(frozen=True)
class Dataset:
    """A table of an export: `tables` is what follows FROM, `alias` the table that says the site, `order` the rows'."""

    name: str
    label: Label
    variables: tuple[Variable, ...]
    tables: str
    order: str


@dataclass(frozen=True)
class Output:
    """One column as it is written. `reason_for` names the column whose missing values it explains."""

    name: str
    label: Label
    kind: str
    sql: str
    choices: tuple[Choice, ...]
    variable: Variable
    reason_for: str = ""
    tagged: bool = False


# What is there


def datasets(choices, source=LIVE, restricted=False, timepoints=TIMEPOINT.choices, records=None):
    """The Datasets of these choices. `restricted`: only the patients of PATIENTS_OF_EXPORT are wanted.

    timepoints  every one that a row may be of: the protocol's and, of a registry, its own and the unscheduled ones
    records     code of a repeating form → the most records that a patient has of it, for the wide shape
    """
    make = _Maker(choices, source, restricted or choices.dates == "shifted", timepoints, records or {})
    ends = (make.ends(),) if source.ends else ()
    ends += make.repeats() if source.own_records and "extras" in choices.with_ else ()
    ends += make.consents()
    if choices.is_wide:
        return (make.wide(), make.events(), *ends)
    return (make.patients(), make.assessments(), make.events(), *ends)


@dataclass(frozen=True)
class _Maker:
    choices: object
    source: object
    restricted: bool
    timepoints: tuple[Choice, ...]
    records: dict[str, int]

    def _chosen(self, variables):
        """The variables of the instruments that were chosen; what a row is named by is always there."""
        known = tuple(filter(None, variables))
        if not self.choices.instruments:
            return known
        return tuple(
            known_dataset
            for known_dataset in known
            if known_dataset.instrument is None or known_dataset.instrument.code in self.choices.instruments
        )

    def _assessments(self):
        """The table of assessments, or the rows of the visits that were chosen."""
        if not self.choices.timepoints:
            return self.source.assessments
        codes = ", ".join(_quoted(code) for code in self.choices.timepoints)
        return f"(SELECT * FROM {self.source.assessments} WHERE timepoint_id IN ({codes}))"

    def _states(self, alias, forms):
        """The state of each form of a record, by its column."""
        if "states" in self.choices.with_:
            for column, title in forms.items():
                yield Variable(
                    name=column, label=Label("{form}: state", "{form}：状態").format(form=title), kind="code",
                    sql=f"{alias}.{column}", of=column, choices=STATES,
                )  # fmt: skip

    def patients(self):
        return Dataset(
            "patients",
            Label("Patients: a row each", "患者：1人1行"),
            self._chosen(self._of_patient()),
            f"{self.source.patients} AS t {self._site()} {self._only()} {self._before_surgery()}",
            "t.patient_id",
        )

    def assessments(self):
        keys = [
            replace(item, choices=self.timepoints) if item.name == TIMEPOINT.name else item
            for item in catalogue.ASSESSMENT_KEYS
        ]
        columns = [
            *(self._item(item, "t", file_formats.ASSESSMENTS) for item in keys),
            *self._of_assessment("t", ""),
        ]
        joins = [self._only(), self._surgery()]
        if {"changes", "extras"}.intersection(self.choices.with_):
            joins.append(self._baseline("b", "t"))
        joins.append(self._after_surgery())
        return Dataset(
            "assessments",
            Label("Assessments: a row for each patient and timepoint", "評価：患者と時期ごとに1行"),
            self._chosen(columns),
            f"{self._assessments()} AS t {' '.join(joins)}",
            f"t.patient_id, {ORDER[TIMEPOINT.name]}",
        )

    def events(self):
        items = [item for item in catalogue.ADVERSE_EVENT_ITEMS if not item.identifying]
        return Dataset(
            "adverse_events",
            Label("Adverse events: a row each", "有害事象：1件1行"),
            tuple(filter(None, (self._item(item, "t", file_formats.ADVERSE_EVENTS) for item in items))),
            f"{self.source.events} AS t {self._only()} {self._surgery()}",
            "t.patient_id, t.kind, t.onset_date",
        )

    def ends(self):
        items = catalogue.FOLLOW_UP_END_ITEMS
        return Dataset(
            file_formats.FOLLOW_UP_ENDS.name,
            Label("Ends of follow-up: a row each", "追跡の終了：1件1行"),
            tuple(filter(None, (self._item(item, "t", file_formats.FOLLOW_UP_ENDS) for item in items))),
            f"{self.source.ends} AS t {self._only()} {self._surgery()}",
            "t.patient_id",
        )

    def repeats(self):
        """A table for each repeating form of the study's own."""
        return tuple(map(self._repeat, self._repeats_chosen()))

    def _repeats_chosen(self):
        chosen = self.choices.instruments
        return [form for form in catalogue.current().repeats if not chosen or form.code in chosen]

    def _repeat(self, instrument):
        key = self._item(catalogue.item("patient_id"), "t", file_formats.ADVERSE_EVENTS)
        number = Variable(
            name="record", label=Label("Number of the record", "記録番号"), kind="integer", sql="t.id", of="record",
            instrument=instrument,
        )  # fmt: skip
        return Dataset(
            file_formats.OWN + instrument.code,
            Label("{instrument}: a row each", "{instrument}：1件1行").format(instrument=instrument.title),
            (key, number, *filter(None, self._extras((instrument,), "t", file_formats.ASSESSMENTS))),
            f"(SELECT * FROM {self.source.own_records} WHERE form = '{instrument.code}') AS t "
            f"{self._only()} {self._surgery()}",
            "t.patient_id, t.id",
        )

    def consents(self):
        """What patients agreed to and withdrew, where the registry keeps it: who took a consent is left out."""
        parts = (
            (consent.CONSENT, self.source.consents, "t.agreed_on, t.agreed_version", "true"),
            (consent.WITHDRAWAL, self.source.withdrawals, "t.withdrawn_on, t.withdrawn_part", "corrected_at IS NULL"),
        )
        return tuple(
            self._of_consent(instrument, table, order, holds)
            for instrument, table, order, holds in parts
            if table and (table not in (LIVE.consents, LIVE.withdrawals) or consents.versions())
        )

    def _of_consent(self, instrument, table, order, holds):
        items = [item for item in instrument.items if item.name != consent.TAKEN_BY]
        columns = [self._item(item, "t", file_formats.FOLLOW_UP_ENDS) for item in (PATIENT_ID, *items)]
        return Dataset(
            f"{instrument.code}s",
            Label("{instrument}: a row each", "{instrument}：1件1行").format(instrument=instrument.title),
            tuple(replace(column, instrument=instrument) for column in columns if column),
            f"(SELECT * FROM {table} WHERE {holds}) AS t {self._only()} {self._surgery()}",
            f"t.patient_id, {order}",
        )

    def wide(self):
        columns = [*self._of_patient(), *self._event_kinds()]
        joins = [self._site(), self._only(), self._events_by_kind()]
        visits = planned()
        before = f"a{[visit.code for visit in visits].index(BASELINE)}"
        for place, visit in enumerate(visits):
            alias = f"a{place}"
            joins.append(self._visit(alias, visit.code))
            if self.choices.timepoints and visit.code not in self.choices.timepoints:
                continue  # the visit before surgery is joined all the same: changes are counted from it
            date = self._item(catalogue.item("assessment_date"), alias, file_formats.ASSESSMENTS)
            columns += [
                self._at(variable, visit) for variable in (date, *self._of_assessment(alias, visit.code)) if variable
            ]
        if "extras" in self.choices.with_:
            columns += self._records_beside(joins, {column.name for column in columns})
            joins.append(self._after_surgery())
            corrected = _angle(cobb.CORRECTION, {"before": before, "after": "c"})
            columns.append(replace(corrected, name=f"{corrected.name}_{cobb.AFTER_SURGERY}"))
        return Dataset(
            "patients",
            Label("Patients: a row each, timepoints side by side", "患者：1人1行（時期を横に並べる）"),
            self._chosen(columns),
            f"{self.source.patients} AS t {' '.join(joins)}",
            "t.patient_id",
        )

    def _at(self, variable, visit):
        label = Label(f"{variable.label.en}, {visit.label.en.lower()}", f"{variable.label.ja}（{visit.label.ja}）")
        return replace(variable, name=f"{variable.name}_{visit.code}", label=label, timepoint=visit.code)

    def _records_beside(self, joins, names):
        """The first records of each repeating form, `x_1`, `x_2`, in the order in which they were entered.

        names  of the other columns: where an item is called `x_1`, the record's is `x_record_1`
        """
        if not self.source.own_records:
            return
        for number, form in enumerate(self._repeats_chosen()):
            numbered = file_formats.numbered_records(self.source.own_records, f"'{form.code}'")
            for place in range(1, min(self.records.get(form.code, 0), MOST_BESIDE) + 1):
                alias = f"r{number}_{place}"
                joins.append(f"LEFT JOIN ({numbered}) AS {alias} ON {alias}.patient_id = t.patient_id "
                             f"AND {alias}.n = {place}")  # fmt: skip
                for variable in filter(None, self._extras((form,), alias, file_formats.ASSESSMENTS)):
                    label = Label("{variable}, record {n}", "{variable}（{n}件目）")
                    label = label.format(variable=variable.label, n=place)
                    name = f"{variable.name}_{place}"
                    name = name if name not in names else f"{variable.name}_record_{place}"
                    yield replace(variable, name=name, label=label)

    def _site(self):
        return "JOIN study_sites_site AS site ON site.id = t.site_id"

    def _only(self):
        return f"JOIN {PATIENTS_OF_EXPORT} AS x ON x.patient_id = t.patient_id" if self.restricted else ""

    def _surgery(self):
        if self.choices.dates != "days":
            return ""
        return f"JOIN {self.source.patients} AS p ON p.patient_id = t.patient_id"

    def _baseline(self, alias, of):
        return f"{self._visit(alias, BASELINE, of)} AND {of}.timepoint_id <> '{BASELINE}'"

    def _visit(self, alias, timepoint, of="t"):
        """The patient's assessment at `timepoint` as `alias`, where there is one."""
        return (
            f"LEFT JOIN {self.source.assessments} AS {alias} ON {alias}.patient_id = {of}.patient_id "
            f"AND {alias}.timepoint_id = '{timepoint}'"
        )

    def _before_surgery(self):
        """The assessment before surgery as `a0`, which some scores need; the wide shape has it anyway."""
        return self._visit("a0", BASELINE) if "extras" in self.choices.with_ else ""

    def _after_surgery(self):
        """The assessment from which the correction of an angle counts, as `c`; a registry may have none."""
        return self._visit("c", cobb.AFTER_SURGERY) if "extras" in self.choices.with_ else ""

    def _events_by_kind(self):
        kinds = catalogue.item("kind").codes
        whens = " ".join(f"WHEN '{code}' THEN {1 << place}" for place, code in enumerate(kinds))
        return (
            f"LEFT JOIN (SELECT patient_id, bit_or(CASE kind {whens} END) AS kinds FROM {self.source.events} "
            "GROUP BY patient_id) AS e ON e.patient_id = t.patient_id"
        )

    def _event_kinds(self):
        for place, choice in enumerate(catalogue.item("kind").choices):
            yield Variable(
                name=f"event_{choice.code}",
                label=Label("Adverse event: {choice}", "有害事象：{choice}").format(choice=choice.label),
                kind="integer",
                sql=f"(coalesce(e.kinds, 0) >> {place}) & 1",
                of="kind",
                choices=NO_YES,
                instrument=catalogue.instrument_of("kind"),
            )

    def _of_patient(self):
        wanted = catalogue.PATIENT_ITEMS if "items" in self.choices.with_ else catalogue.PATIENT_KEYS
        for item in wanted:
            if item.name == "birth_date":
                age = variables.get("age_at_surgery")
                yield Variable(
                    name=age.name, label=age.label, kind="integer", sql="t.age_at_surgery", of=age.name,
                    unit="years", minimum=0, maximum=130, instrument=catalogue.instrument_of("birth_date"),
                )  # fmt: skip
            elif not item.identifying and (variable := self._item(item, "t", file_formats.PATIENTS)):
                yield variable
        yield from self._states("t", PATIENT_STATES)
        yield from self._totals_of_patient()
        if "extras" in self.choices.with_:
            yield from self._extras(catalogue.current().patient_extras, "t", file_formats.PATIENTS)
            yield from (_score(score) for score in SCORES)

    def _totals_of_patient(self):
        if "totals" in self.choices.with_:
            yield from (_derived(derived, "t", of) for of in catalogue.PATIENT for derived in of.derived)
            yield Variable(
                name="segment_group", label=Label("Segment group", "病変部位群"), kind="code",
                sql="coalesce(t.segment_adjudicated, t.segment_group)", of="segment_group",
                choices=levels.SEGMENT_GROUPS, instrument=catalogue.instrument_of("lesion_levels"),
            )  # fmt: skip

    def _of_assessment(self, alias, timepoint):
        """Items, totals, HSUV and changes of one assessment; `timepoint` is empty where a row says it itself."""
        parts = self.choices.with_
        yield from self._states(alias, ASSESSMENT_STATE)
        for instrument in catalogue.ASSESSMENT:
            if "items" in parts:
                yield from (self._item(item, alias, file_formats.ASSESSMENTS) for item in instrument.items)
            if "totals" in parts:
                yield from (_derived(derived, alias, instrument) for derived in instrument.derived)
        if "hsuv" in parts:
            yield from (_utility(code, alias) for code in self.choices.value_sets)
        if "changes" in parts and timepoint != BASELINE:
            yield from self._changes(alias, "a0" if timepoint else "b")
        if "extras" in parts:
            yield from self._extras(catalogue.current().assessment_extras, alias, file_formats.ASSESSMENTS)
            yield from _beside_extras(alias, timepoint)

    def _extras(self, instruments, alias, file):
        """Every extra that there is, switched on or not: what was answered once stays."""
        for instrument in instruments:
            yield from (self._item(item, alias, file) for item in instrument.items)
            for derived in instrument.derived:
                if instrument.own:
                    yield _calculated(derived, alias, instrument, self._patients_column(alias, file))
                else:
                    yield _derived(derived, alias, instrument)

    def _patients_column(self, alias, file):
        """A function that gives SQL of an answer of the patient whose record `alias` is."""
        if file == file_formats.PATIENTS or alias != "t":  # the row is the patient's, or stands beside it
            return lambda name: f't."{name}"'
        row = f"{self.source.patients} AS whose WHERE whose.patient_id = t.patient_id"
        return lambda name: f'(SELECT whose."{name}" FROM {row})'

    def _changes(self, alias, baseline):
        for name in outcomes.CHANGES:
            yield _change(variables.get(name), f"{alias}.{name} - {baseline}.{name}", "integer")
        if "hsuv" in self.choices.with_:
            for code in self.choices.value_sets:
                of = _utility(code, alias)
                yield _change(of, f"{of.sql} - {_utility(code, baseline).sql}", "number")

    def _item(self, item, alias, file):
        kind = {"decimal": "number", "code": "code", "integer": "integer", "date": "date"}.get(item.kind, "text")
        variable = Variable(
            name=item.name,
            label=item.label,
            kind=kind,
            sql=_value(item, alias),
            of=item.name,
            choices=() if item.takes_several else item.choices,
            unit=item.unit,
            minimum=item.minimum,
            maximum=item.maximum,
            reason=f"{alias}.missing ->> '{item.name}'" if file.may_lack(item.name) else "",
            instrument=_instrument(item.name),
        )
        return self._dated(variable, alias) if item.kind == "date" else variable

    def _dated(self, variable, alias):
        if self.choices.dates == "shifted":
            return replace(variable, sql=f"{variable.sql} + x.shift")
        if self.choices.dates == "days":
            if variable.of == "surgery_date":
                return None  # it is day 0 of everybody
            of_patient = "t" if _is_of_patient(variable.of) or alias != "t" else "p"  # another stands beside a patient
            return replace(
                variable,
                name=variable.name.removesuffix("_date") + "_day",
                kind="integer",
                sql=f"{variable.sql} - {of_patient}.surgery_date",
                unit="days",
                label=Label("{variable}, days since surgery", "{variable}（手術日からの日数）").format(
                    variable=variable.label
                ),
            )
        return variable


def _is_of_patient(name):
    extras = catalogue.items(catalogue.current().patient_extras)
    return name in catalogue.PATIENT_COLUMNS or any(item.name == name for item in extras)


def _instrument(name):
    try:
        return catalogue.instrument_of(name)
    except KeyError:
        return None  # a key


def _value(item, alias):
    if item.name == "site_code":
        return "site.code"
    column = f"{alias}.{file_formats.column_of(item.name)}"
    if item.kind == "levels":
        names = (f"CASE WHEN {column} & {levels.mask([level])} > 0 THEN '{level}' END" for level in levels.LEVELS)
        return f"nullif(array_to_string(ARRAY[{', '.join(names)}], ';'), '')"
    if item.kind == "time":
        return f"to_char({column}, 'HH24:MI')"
    return column


def _calculated(derived, alias, instrument, of_patient):
    """A value that an own instrument calculates: of the same record, and of its patient (`_patients_column`)."""

    def column(name):
        return of_patient(name) if _is_of_patient(name) else f'{alias}."{name}"'

    return Variable(
        name=derived.name,
        label=derived.label,
        kind={"number": "number", "boolean": "integer"}.get(derived.kind, derived.kind),
        sql=derived.sql(column),
        of=derived.name,
        unit=derived.unit,
        choices=NO_YES if derived.kind == "boolean" else (),
        instrument=instrument,
    )


def _derived(derived, alias, instrument):
    choices = getattr(derived, "choices", ())
    return Variable(
        name=derived.name,
        label=derived.label,
        kind="code" if choices else "integer",
        sql=f"{alias}.{derived.name}",
        of=derived.name,
        choices=choices,
        minimum=derived.minimum,
        maximum=derived.maximum,
        instrument=instrument,
    )


def _score(score):
    label = (
        Label("{score} (provisional)", "{score}（暫定）").format(score=score.title)
        if score.provisional
        else score.title
    )
    instrument = Instrument(
        code=score.code, version="1", title=score.title, items=(), higher_is=score.higher_is,
        citation=score.citation, licence=score.licence, optional=True,
    )  # fmt: skip
    return Variable(
        name=score.column, label=label, kind="integer", sql=scores.sql(score, _of_score), of=score.column,
        minimum=score.minimum, maximum=score.maximum, instrument=instrument,
    )  # fmt: skip


def _beside_extras(alias, timepoint):
    """What the page of a patient says beside the extras of one assessment."""
    yield Variable(
        name=escc.COMPRESSION_NAME, label=escc.COMPRESSION, kind="integer", sql=scores.compression(alias), of="escc",
        choices=NO_YES, instrument=catalogue.instrument_of("escc"),
    )  # fmt: skip
    if not timepoint:
        corrected = _angle(cobb.CORRECTION, {"before": "b", "after": alias})
        yield replace(corrected, sql=f"CASE t.timepoint_id WHEN '{cobb.AFTER_SURGERY}' THEN {corrected.sql} END")
    if timepoint != BASELINE:
        lost = _angle(cobb.LOSS, {"later": alias, "after": "c"})
        yield replace(lost, sql=f"CASE WHEN {alias}.assessment_date > c.assessment_date THEN {lost.sql} END")


def _angle(declared, aliases):
    """A difference of angles; none between those of different postures, or where one is unknown."""
    instrument = replace(catalogue.instrument_of("cobb_deg"), higher_is=declared.higher_is)
    label = Label(f"Cobb angle: {declared.label.en.lower()}", f"Cobb角：{declared.label.ja}")
    return Variable(
        name=declared.name, label=label, kind="number", sql=scores.difference(declared, aliases), of="cobb_deg",
        unit=catalogue.item("cobb_deg").unit, instrument=instrument,
    )  # fmt: skip


def _of_score(name):
    """The column of an answer that a score needs: of the patient, or of the assessment before surgery."""
    return f"{'a0' if name in catalogue.ASSESSMENT_COLUMNS else 't'}.{name}"


_PLACES = [len(DIMENSIONS[0].choices) ** power for power in reversed(range(len(DIMENSIONS)))]


def _utility(code, alias):
    """The HSUV by a value set: looked up in an array of all states, in the order of their digits."""
    value_set = value_sets.get(code)
    place = " + ".join(f"({alias}.{item.name} - 1) * {by}" for item, by in zip(DIMENSIONS, _PLACES, strict=True))
    table = value_set.table()
    values = ",".join(repr(table[state]) for state in sorted(table))
    declared = variables.HSUV
    return Variable(
        name=f"hsuv_{code.lower()}",
        label=Label("{what}, {values}", "{what}・{values}").format(what=declared.label, values=value_set.label),
        kind="number", sql=f"('{{{values}}}'::float8[])[1 + {place}]", of="hsuv",
        instrument=catalogue.instrument("eq5d5l"),
    )  # fmt: skip


def _change(of, sql, kind):
    label = Label("Δ {of}", "{of} 変化量").format(of=of.label)
    return Variable(
        name=f"delta_{of.name}", label=label, kind=kind, sql=sql, of=of.name, unit=of.unit,
        instrument=getattr(of, "instrument", None) or catalogue.instrument_of(of.name),
    )  # fmt: skip


# What is written of it


def outputs(dataset, choices):
    """The Outputs of a dataset, in order.

    A `sheet` guards text from being run as a formula; `sav` and `dta` hold every code as a number with a label.
    """
    style = choices.kind.style
    columns = []
    for variable in dataset.variables:
        tagged = choices.missing == "tagged" and bool(variable.reason) and _has_room(variable)
        columns.append(_output(variable, choices, style, tagged))
        if variable.reason and choices.missing != "none" and not tagged:
            columns.append(_reason(variable, choices, style))
    return tuple(columns)


def _has_room(variable):
    """Whether a tag among the values of a variable is never taken for one of them: days since surgery may be −903."""
    if variable.kind not in ("integer", "code"):
        return False
    return bool(variable.choices) or variable.minimum is not None


def _output(variable, choices, style, tagged):
    if style in ("sav", "dta"):
        return _numeric(variable, tagged)
    kind, sql, known = variable.kind, variable.sql, variable.choices
    if known and choices.labelled:
        sql = _cases(
            sql, [(choice.code, f"'{_text(choice.label.in_language(choices.language), style)}'") for choice in known]
        )
        kind = "text"
    elif kind == "text" and style == "sheet":
        sql = file_formats.guarded_sql(sql)
    if tagged:
        tags = _cases(variable.reason, [(reason, f"'.{tag}'") for reason, tag in TAGS.items()])
        sql = f"coalesce(({sql})::text, {tags})"
    return Output(variable.name, variable.label, kind, sql, known, variable, tagged=tagged)


def _numeric(variable, tagged):
    kind, sql, known = variable.kind, variable.sql, variable.choices
    if kind == "code":
        known = tuple(Choice(place, choice.label) for place, choice in enumerate(known, 1))
        sql = _cases(sql, [(choice.code, place) for place, choice in enumerate(variable.choices, 1)])
        kind = "integer"
    if tagged:
        sql = f"coalesce({sql}, {_cases(variable.reason, SENTINELS.items())})"
    return Output(variable.name, variable.label, kind, sql, known, variable, tagged=tagged)


def _reason(variable, choices, style):
    item = file_formats.reason_item(variable.name, variable.label)
    coded = replace(variable, name=item.name, label=item.label, kind="code", sql=variable.reason, choices=item.choices)
    return replace(_output(coded, choices, style, False), reason_for=variable.name, variable=variable)


def _cases(sql, pairs):
    whens = " ".join(f"WHEN {code if isinstance(code, int) else _quoted(code)} THEN {value}" for code, value in pairs)
    return f"CASE {sql} {whens} END"


def _quoted(text):
    return "'" + text.replace("'", "''") + "'"


def _text(text, style):
    if style == "sheet" and text[:1] in file_formats.GUARDED:
        text = file_formats.GUARD + text
    return text.replace("'", "''")


# Stata and SAS take names of 32 characters; labels of codes are stored under the name and a number of up to 4 digits.
LONGEST_NAME = 28


def short_name(name):
    """`name` where Stata and SAS take it; else its beginning with four digits of its hash, the same every time."""
    if len(name) <= LONGEST_NAME:
        return name
    return f"{name[: LONGEST_NAME - 5]}_{hashlib.sha256(name.encode()).hexdigest()[:4]}"


def select_sql(dataset, written, sites, limit=None):
    """The query of a dataset's Outputs for the sites with these ids, in the order of its rows."""
    columns = ", ".join(f'{variable.sql} AS "{variable.name}"' for variable in written)
    ids = ",".join(str(int(site)) for site in sites)
    return (
        f"SELECT {columns} FROM {dataset.tables} WHERE t.site_id = ANY ('{{{ids}}}'::bigint[]) "
        f"ORDER BY {dataset.order}" + (f" LIMIT {int(limit)}" if limit else "")
    )


def count_sql(dataset, sites):
    """How many rows that query has, by another way: the rows of the table itself, no column computed."""
    ids = ",".join(str(int(site)) for site in sites)
    main, _, joins = dataset.tables.partition(" AS t")
    only = f"AND t.patient_id IN (SELECT patient_id FROM {PATIENTS_OF_EXPORT})" if PATIENTS_OF_EXPORT in joins else ""
    return f"SELECT count(*) FROM {main} AS t WHERE t.site_id = ANY ('{{{ids}}}'::bigint[]) {only}"
