"""What somebody wants exported: every choice, its allowed values, and what does not go together.

Choices are data: they go to JSON and back unchanged, so that the manifest of an export says exactly what was asked for,
and a page, a command and the API ask in the same words.
"""

from dataclasses import dataclass, replace
from uuid import UUID

from django.conf import settings

from registry.analysis.design import cohorts
from registry.instruments import catalogue, value_sets
from registry.instruments.base import MISSING_REASONS, Choice, Label
from registry.instruments.timepoints import planned
from registry.services.follow_up import schedule

SENTINELS = {reason: -901 - place for place, reason in enumerate(MISSING_REASONS)}  # SPSS: user-missing


@dataclass(frozen=True)
class Format:
    """One kind of file. A new one is a module of `registry.exports.formats` and a line of FORMATS.

    writes        `module.function` there, called as described in `registry.exports.formats`
    style         how a cell is written: see `datasets.outputs`
    tagged        whether it can hold a reason inside a value's own cell
    most_rows     how many rows a table can have, where the format has a limit
    shaped        whether wide and long are choices, or the format has a shape of its own
    both          whether it holds codes and their labels together
    slow          whether a row takes so long to write that a worker writes all but the smallest
    """

    code: str
    label: Label
    extension: str
    writes: str
    style: str = "plain"
    tagged: bool = False
    most_rows: int | None = None
    shaped: bool = True
    both: bool = False
    slow: bool = False


FORMATS = (
    Format(
        "csv",
        Label("CSV, with scripts for R and SAS", "CSV（R・SAS用スクリプト付き）"),
        "csv",
        "text.csv_files",
        style="sheet",
        tagged=True,
    ),
    Format(
        "xlsx",
        Label("Excel workbook", "Excelブック"),
        "xlsx",
        "workbook.xlsx",
        style="sheet",
        tagged=True,
        most_rows=1_048_575,
        slow=True,
    ),
    Format("parquet", Label("Parquet", "Parquet"), "parquet", "frames.parquet"),
    Format("sav", Label("SPSS (.sav)", "SPSS（.sav）"), "sav", "frames.sav", style="sav", tagged=True, both=True),
    Format(
        "dta",
        Label("Stata (.dta)", "Stata（.dta）"),
        "dta",
        "frames.dta",
        style="dta",
        tagged=True,
        both=True,
        slow=True,
    ),
    Format("jsonl", Label("JSON Lines", "JSON Lines"), "jsonl", "text.jsonl_files"),
    Format(
        "odm",
        Label("CDISC ODM-XML 1.3.2", "CDISC ODM-XML 1.3.2"),
        "xml",
        "odm.odm",
        shaped=False,
        both=True,
        slow=True,
    ),
    Format(
        "redcap",
        Label("REDCap project (data, dictionary, events)", "REDCapプロジェクト（データ・辞書・イベント）"),
        "csv",
        "redcap.project",
        shaped=False,
        both=True,
        slow=True,
    ),
)
SHAPES = (
    Choice("long", Label("Long: a row for each patient and timepoint", "ロング形式：患者と時期ごとに1行")),
    Choice("wide", Label("Wide: a row for each patient", "ワイド形式：患者ごとに1行")),
)
VALUES = (Choice("codes", Label("Codes", "コード")), Choice("labels", Label("Labels", "ラベル")))
LANGUAGES = (
    Choice("en", Label("English", "英語")),
    Choice("ja", Label("Japanese", "日本語")),
    *(Choice(str(code), Label(str(name), str(name))) for code, name in settings.LANGUAGES if code not in ("en", "ja")),
)
CONTENT = (
    Choice("items", Label("Answers, item by item", "項目ごとの回答")),
    Choice("totals", Label("Totals and classes", "合計点と分類")),
    Choice("hsuv", Label("Health state utility (HSUV)", "効用値（HSUV）")),
    Choice("changes", Label("Changes from baseline", "術前からの変化量")),
    Choice("extras", Label("Extra instruments and their scores", "追加評価項目とスコア")),
    Choice("states", Label("State of each form (draft, complete, verified, signed)", "調査票の状態")),
)
# Excel, the Japanese one above all, takes a CSV for the machine's own encoding unless it begins with this mark.
MARK = (
    Choice("labelled", Label("Where labels stand in place of codes", "ラベル出力のときだけ")),
    Choice("yes", Label("Always: for Excel", "付ける（Excel用）")),
    Choice("no", Label("Never", "付けない")),
)
MISSING = (
    Choice("columns", Label("A column of reasons beside each value", "各項目の横に欠測理由の列")),
    Choice("tagged", Label("Tagged values in place of the value", "値の代わりにタグ付き欠測値")),
    Choice("none", Label("Empty, without reasons", "空欄のみ（理由なし）")),
)
DATES = (
    Choice("dates", Label("Dates as they are", "実際の日付")),
    Choice("shifted", Label("Dates shifted by patient", "患者ごとにずらした日付")),
    Choice("days", Label("Days since surgery", "手術日からの日数")),
)
OFFERED = {"format": FORMATS, "shape": SHAPES, "values": VALUES, "language": LANGUAGES, "missing": MISSING}
OFFERED |= {"dates": DATES, "mark": MARK}


LISTS = ("content", "value_sets", "timepoints", "instruments")


def offered_timepoints():
    """Codes of the visits that may be chosen: the planned ones, and whatever else this registry has met with."""
    return list(dict.fromkeys([*(visit.code for visit in planned()), *schedule.labels()]))


def offered_instruments():
    """Instruments whose columns may be chosen: of patients and of assessments, the study's own among them."""
    known = catalogue.current()
    return (
        *catalogue.PATIENT,
        *known.patient_extras,
        *catalogue.ASSESSMENT,
        *known.assessment_extras,
        *known.repeats,
    )


class InvalidChoices(ValueError):
    """Choices that cannot be carried out: `field` names one, `reason` says what would be right."""

    def __init__(self, field, reason):
        super().__init__(reason.en)
        self.field, self.reason = field, reason


@dataclass(frozen=True, kw_only=True)
class Choices:
    """What is asked for. InvalidChoices for a value that there is not, and for two that do not go together."""

    format: str = "csv"
    cohort: cohorts.Cohort = cohorts.ALL
    snapshot: str = ""  # the id of a snapshot; the registry as it is now where empty
    shape: str = "long"
    values: str = "codes"
    language: str = "en"
    content: tuple[str, ...] = ("items", "totals")
    value_sets: tuple[str, ...] = (value_sets.DEFAULT,)
    missing: str = "columns"
    dates: str = "dates"
    mark: str = "labelled"  # whether a CSV begins with a byte order mark
    timepoints: tuple[str, ...] = ()  # codes of the visits that come in; every one where empty
    instruments: tuple[str, ...] = ()  # codes of those whose columns come in; every one where empty
    by_site: bool = False

    def __post_init__(self):
        for name, offered in OFFERED.items():
            _known(name, (getattr(self, name),), [choice.code for choice in offered])
        _known("content", self.content, [choice.code for choice in CONTENT])
        _known("value_sets", self.value_sets, [value_set.code for value_set in value_sets.ALL])
        if self.timepoints:
            _known("timepoints", self.timepoints, offered_timepoints())
        if self.instruments:
            _known("instruments", self.instruments, [instrument.code for instrument in offered_instruments()])
        if not self.content:
            raise InvalidChoices("content", Label("choose at least one kind of columns", "列の種類を選んでください"))
        if "hsuv" in self.content and not self.value_sets:
            raise InvalidChoices("value_sets", Label("choose a value set", "換算表を選んでください"))
        if self.shape != SHAPES[0].code and not self.kind.shaped:
            raise InvalidChoices(
                "shape",
                Label(
                    "{format} has a shape of its own: a form for each patient and visit. Leave the choice at long",
                    "{format}には独自の形式（患者・時期ごとの調査票）があります。ロング形式のままにしてください。",
                ).format(format=self.kind.label),
            )
        if self.missing == "tagged" and not self.kind.tagged:
            raise InvalidChoices(
                "missing",
                Label(
                    "{format} has no tagged missing values: choose a column of reasons",
                    "{format}にはタグ付き欠測値がありません。欠測理由の列を選んでください。",
                ).format(format=self.kind.label.en),
            )
        if self.snapshot and not _is_id(self.snapshot):
            raise InvalidChoices("snapshot", Label("there is no such snapshot", "そのスナップショットはありません"))

    @property
    def kind(self):
        return next(kind for kind in FORMATS if kind.code == self.format)

    @property
    def is_wide(self):
        """Whether a row holds all of a patient's timepoints."""
        return self.kind.shaped and self.shape == "wide"

    @property
    def labelled(self):
        """Whether labels stand in place of codes; SPSS, Stata and ODM hold codes and their labels together."""
        return self.values == "labels" and not self.kind.both

    @property
    def marked(self):
        """Whether a CSV begins with a byte order mark."""
        return self.mark == "yes" or (self.mark == "labelled" and self.labelled)

    @property
    def with_(self):
        """Which kinds of columns are in, for `in`."""
        return frozenset(self.content)

    def but(self, **changes):
        return replace(self, **changes)

    def to_json(self):
        data = {name: getattr(self, name) for name in _names()}
        return data | {
            "cohort": self.cohort.to_json(),
            **{name: list(getattr(self, name)) for name in LISTS},
        }


def _names():
    return tuple(Choices.__dataclass_fields__)


def from_json(data):
    """The Choices that `to_json` wrote, or part of them; what is absent is as usual. InvalidChoices, UnknownStep."""
    unknown = set(data) - set(_names())
    if unknown:
        raise InvalidChoices(
            min(unknown),
            Label("there is no such choice; one of {names}", "その選択肢はありません（{names}）").format(
                names=", ".join(_names())
            ),
        )
    values = dict(data)
    if "cohort" in values:
        given = values["cohort"]
        values["cohort"] = cohorts.get(given) if isinstance(given, str) else cohorts.from_json(given)
    for name in LISTS:
        if name in values:
            values[name] = tuple(values[name])
    return Choices(**values)


def _known(field, given, codes):
    for value in given:
        if value not in codes:
            raise InvalidChoices(
                field,
                Label("“{one}” is none of {codes}", "「{one}」は選択できません（{codes}）").format(
                    one=value, codes=", ".join(codes)
                ),
            )


def _is_id(text):
    try:
        UUID(text)
    except ValueError:
        return False
    return True
