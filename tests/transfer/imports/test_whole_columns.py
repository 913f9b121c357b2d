"""Reading by whole columns says, to the letter, what reading row by row says."""

import datetime as dt

import pytest

from registry.imports.checking import converting, staging, unpivoting
from registry.imports.files import reading, shaping, sources
from registry.imports.files.mapping import Mapping
from registry.imports.report import Findings
from registry.services.files import file_formats
from tests.transfer.conftest import ASSESSMENT, EVENT, write_csv

REASONED = ASSESSMENT | {"eq_vas": "", "eq_vas_missing": "refused", "frankel": "", "frankel_missing": "unknown"}
STAGED = {
    "plain": [ASSESSMENT, ASSESSMENT | {"timepoint": "1m", "pain_vas_mm": " 5 "}],
    "reasons": [ASSESSMENT, REASONED, REASONED | {"frankel_missing": " "}],
    "a reason beside a value": [ASSESSMENT, ASSESSMENT | {"eq_vas_missing": "refused"}],
    "an unknown reason": [REASONED | {"eq_vas_missing": "because"}, ASSESSMENT],
    "a wrong value": [ASSESSMENT, ASSESSMENT | {"pain_vas_mm": "101"}, REASONED],
    "full width": [ASSESSMENT | {"pain_vas_mm": "７０"}],
    "no patient": [ASSESSMENT | {"patient_id": " "}, ASSESSMENT],
}


def records(rows, *, plainly):
    """(COPY records, findings, what was rewritten) of rows of assessments."""
    names = [*file_formats.ASSESSMENTS.columns, "eq_vas_missing", "frankel_missing"]
    errors = Findings()
    reader = staging._Reader(file_formats.ASSESSMENTS, errors, dt.date(2026, 1, 1), False)
    assert reader.accepts_header(names)
    block = [(line, [row.get(name, "") for name in names]) for line, row in enumerate(rows, 2)]
    if plainly:
        return "".join(reader.plain_block(block) or ())
    return "".join(reader.records(iter(block))), errors, reader.rewritten(), reader.count


@pytest.mark.parametrize("name", STAGED)
def test_a_block_is_staged_as_its_rows_are(db, monkeypatch, name):
    quick, whole = records(STAGED[name], plainly=True), records(STAGED[name], plainly=False)
    monkeypatch.setattr(staging._Reader, "plain_block", lambda reader, block: None)
    assert records(STAGED[name], plainly=False) == whole
    assert quick == (whole[0] if name in ("plain", "reasons", "full width") else "")


WOVEN = {
    "plain": [ASSESSMENT, REASONED, ASSESSMENT | {"patient_id": "N01-0002"}],
    "a wrong value": [ASSESSMENT, ASSESSMENT | {"pain_vas_mm": "101"}, REASONED],
    "no patient": [ASSESSMENT | {"patient_id": " "}, ASSESSMENT],
}


@pytest.mark.parametrize("name", WOVEN)
def test_woven_rows_are_staged_as_rows_are(db, monkeypatch, name):
    monkeypatch.setattr(staging, "BLOCK", 2)
    names = [*file_formats.ASSESSMENTS.columns, "eq_vas_missing", "frankel_missing"]
    table, parts = reading.Rows(names), []
    for visit, speaks in (("1m", [True, False, True]), ("3m", [True, True, False])):
        rows = [row | {"timepoint": visit} for row in WOVEN[name]]
        columns = [[row.get(column, "") for row in rows] for column in names]
        parts.append((speaks[: len(rows)], columns))
    table.add([ASSESSMENT.get(column, "") for column in names])
    woven = table.weave(parts)
    table.add([REASONED.get(column, "") for column in names])
    assert [line for line, _ in in_rows(table)] == list(range(1, len(woven) + 4)) == list(range(1, len(table) + 2))
    assert [cells[1] for _, cells in woven] == ["1m", "3m", "3m", "1m"][: len(woven)]

    def staged(blocks):
        errors = Findings()
        reader = staging._Reader(file_formats.ASSESSMENTS, errors, dt.date(2026, 1, 1), False)
        assert reader.accepts_header(names)
        return "".join(reader.records(blocks)), errors, reader.rewritten(), reader.count

    with reading.table(table) as whole:
        next(whole)
        assert staged(whole) == staged(iter([*in_rows(table)][1:]))


def test_a_row_too_short_is_told_with_its_block(db):
    errors = Findings()
    reader = staging._Reader(file_formats.ADVERSE_EVENTS, errors, dt.date(2026, 1, 1), False)
    assert reader.accepts_header(list(EVENT))
    rows = [(2, list(EVENT.values())), (3, ["N01-0001"]), (4, list(EVENT.values()))]
    assert "".join(reader.records(iter(rows))).count("\n") == 2
    assert [finding.row for finding in errors.listed] == [3]


COLUMNS = {
    "No": "patient_id",
    "Sex": "sex",
    "C7": "lesion_levels:C7",
    "Day 1M": "assessment_date@1m",
    "VAS 1M": "eq_vas@1m",
    "Pain pre": "pain_vas_mm@preop",
    "VAS pre": "eq_vas@preop",
    "VAS pre missing": "eq_vas_missing@preop",
}
ROW = dict(zip(COLUMNS, ["1", "M", "", "2024-02-09", "40", "70", "55", ""], strict=True))
ROWS = [
    ROW,
    ROW | {"No": "2", "VAS 1M": "", "Day 1M": ""},
    ROW | {"No": "3", "VAS pre": "", "VAS pre missing": "refused"},
    ROW | {"No": "4", "VAS pre": "dunno"},
    ROW | {"No": "5", "C7": "x"},
    ROW | {"No": "６"},
    ROW | {"No": ""},
    ROW | {"No": "7", "VAS 1M": "forty"},
    ROW | {"No": "8", "Day 1M": "2024/2/9"},
    ROW | {"No": "9", "Sex": "unsure"},
    ROW | {"No": "1", "Sex": "F", "VAS 1M": "", "Day 1M": "", "VAS pre": "", "Pain pre": ""},
    dict.fromkeys(COLUMNS, "") | {"No": "10"},
]


def in_rows(table):
    """(line, cells) of `Rows`, of woven ones too."""
    with reading.table(table) as given:
        for row in given:
            yield from row if isinstance(row, reading.Woven) else (row,)


def converted(folder, rows, mapping):
    """(rows by file, rows of the source by line, visits by line, errors, warnings) that a wide table becomes."""
    folder.mkdir()
    path, target = folder / "given.csv", folder / "table.csv"
    write_csv(path, rows, list(COLUMNS))
    layout = sources.shape_text(path, sources.Way(encoding="utf-8-sig", delimiter=","), target)
    errors, warnings = Findings(), Findings()
    made = converting.convert(sources.Table(target, "given.csv", layout), mapping, errors, warnings)
    tables = {name: [(line, list(cells)) for line, cells in in_rows(table)] for name, table in made.tables.items()}
    return tables, made.rows, made.beside, errors, warnings


PLAIN = [ROWS[0], ROWS[1], ROWS[-1]] * 400  # after the first block, which tells of "M", nothing is odd


@pytest.mark.parametrize("rows", [ROWS, ROWS[:3], [row for row in ROWS for _ in range(150)], PLAIN], ids=len)
@pytest.mark.parametrize("fixed", [{"site_code": "N01"}, {"site_code": "N01", "timepoint": "3m"}, {"sex": "male"}])
def test_a_wide_table_is_turned_round_as_its_rows_are(as_system, monkeypatch, tmp_path, rows, fixed):
    codes = {"sex": {"M": "male", "F": "female"}, "eq_vas": {"dunno": "!unknown"}, "lesion_levels:C7": {"x": "1"}}
    dates = {"assessment_date": ["ymd"]}
    mapping = Mapping(columns=COLUMNS, codes=codes, dates=dates, fixed=fixed, prefix="N01-000")
    with as_system():
        whole = converted(tmp_path / "columns", rows, mapping)
        monkeypatch.setattr(converting._Conversion, "_unpivot", lambda conversion, plan: None)
        assert converted(tmp_path / "rows", rows, mapping) == whole
    assert len(whole[0]["assessments"]) > len(rows)


def test_columns_whose_cells_were_all_counted_are_not_looked_at_again(as_system, monkeypatch, tmp_path):
    mapping, looked_at = Mapping(columns=COLUMNS, codes={"sex": {"M": "male"}}, prefix="N01-000"), set()
    of = unpivoting._Texts.of

    def seen(texts, column, odd):
        looked_at.add(texts.target)
        return of(texts, column, odd)

    monkeypatch.setattr(unpivoting._Texts, "of", seen)
    with as_system():
        counted = converted(tmp_path / "counted", PLAIN, mapping)
        assert looked_at == {"sex"}  # whose “M” says male
        monkeypatch.setattr(shaping, "REMEMBERED", 1)
        assert converted(tmp_path / "not", PLAIN, mapping) == counted
        assert looked_at == {"patient_id", "sex", "assessment_date", "eq_vas", "pain_vas_mm"}


def test_an_odd_cell_behind_those_that_were_counted_is_told(as_system, monkeypatch, tmp_path):
    monkeypatch.setattr(shaping, "REMEMBERED", 2)
    days = [f"2024-02-{day:02}" for day in range(1, 29)]
    rows = [ROW | {"No": str(number), "Day 1M": day} for number, day in enumerate([*days, "someday"], 1)]
    with as_system():
        *_, errors, _ = converted(tmp_path / "columns", rows, Mapping(columns=COLUMNS, codes={"sex": {"M": "male"}}))
    assert [(finding.row, finding.column, finding.value) for finding in errors.listed] == [(30, "Day 1M", "someday")]


@pytest.mark.parametrize("columns", [[], [[]], [["", "1", ""], ["", "", "2"]], [["1", "2", "3"], ["", "", ""]]])
def test_a_row_speaks_with_a_text_in_any_column(columns):
    size = len(columns[0]) if columns else 2
    expected = [any(column[number] for column in columns) for number in range(size)]
    assert unpivoting._speaking(columns, size) == expected


def test_a_site_of_a_registry_without_sites_stands_for_nothing(as_system, tmp_path):
    mapping = Mapping(columns={"No": "patient_id", "Sex": "sex", "C7": "site_code"}, codes={"sex": {"M": "male"}})
    with as_system():
        _, _, _, errors, _ = converted(tmp_path / "none", [ROW | {"C7": "N01"}], mapping)
    assert [(finding.column, finding.reason) for finding in errors.listed] == [("C7", converting.UNKNOWN_LABEL)]
