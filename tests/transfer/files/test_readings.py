"""What hospitals write, read by value: numbers, dates, levels, units in names, words for codes, rows that are none."""

import datetime as dt
from types import SimpleNamespace

import pytest
from openpyxl import Workbook

from registry.imports import findings
from registry.imports.files import mapping, notations, shaping, sources
from registry.instruments import catalogue
from registry.instruments.base import InvalidValue
from registry.services.files import file_formats
from tests.transfer.files.books import book, number, sheet, styles, text
from tests.transfer.files.test_cases import matched, s01, stored_values, upload  # noqa: F401 - fixtures
from tests.transfer.imports.test_import_flow import columns_of, errors, follow, store, values_of, warnings

READ = {
    ("blood_loss_ml", "1,000mL"): "1000", ("blood_loss_ml", "３５０"): "350", ("blood_loss_ml", "350\u202c"): "350",
    ("operative_time_min", "4時間32分"): "272", ("pain_vas_mm", "70㎜"): "70", ("pain_vas_mm", "70\ufe0f"): "70",
}  # fmt: skip
REFUSED = {
    ("blood_loss_ml", "5²"): "raised", ("eq_vas", "70³"): "raised", ("blood_loss_ml", "0.5L"): "another unit",
    ("pain_vas_mm", "7㎝"): "another unit", ("blood_loss_ml", "350①"): "circled",
    ("blood_loss_ml", "約10"): "no exact", ("blood_loss_ml", "≦5"): "no exact",
}  # fmt: skip


@pytest.mark.parametrize(("name", "written"), READ)
def test_numbers_of_the_field(name, written):
    assert notations.read_number(catalogue.item(name), written)[0] == READ[name, written]


@pytest.mark.parametrize(("name", "written"), REFUSED)
def test_numbers_that_are_not_clear(name, written):
    with pytest.raises(InvalidValue) as refused:
        notations.read_number(catalogue.item(name), written)
    assert REFUSED[name, written] in refused.value.reason.en


@pytest.mark.parametrize("written", ["350*", "1OO", "350※"])
def test_what_is_no_unit_is_not_called_one(written):
    assert notations.read_number(catalogue.item("blood_loss_ml"), written)[0] == notations.tidy(written)


@pytest.mark.parametrize(
    ("written", "day"),
    [
        ("2018-10-28T23:59+09:00", "2018-10-28"),
        ("2018-10-28T00:00:00Z", "2018-10-28"),
        ("2018-10-28 00:00:00 UTC", "2018-10-28"),
        ("2018-10-27T15:00:00.000Z", None),
        ("2018-10-28T23:30:00-05:00", None),
    ],
)
def test_a_moment_is_the_day_that_it_is_here(written, day):
    if day:
        assert notations.read_date(written, ())[0] == day
        return
    with pytest.raises(InvalidValue) as refused:
        notations.read_date(written, ())
    assert "study's time zone" in refused.value.reason.en


@pytest.mark.parametrize("written", ["2024/3/1①", "2024/3/1²", "R6.3.1㉒"])
def test_a_footnote_behind_a_date_is_none_of_its_digits(written):
    with pytest.raises(InvalidValue, match="footnote"):
        notations.read_date(written, tuple(notations.DATE_FORMATS))


@pytest.mark.parametrize(
    ("written", "day"),
    [
        ("平成30年10月29日（月曜日）", "2018-10-29"),
        ("2018/10/28（日・祝） 0:00", "2018-10-28"),
        ("Tuesday, February 5, 2019", "2019-02-05"),
        ("03/02/2018 (Sat)", "2018-02-03"),  # the weekday says which of two it is
        ("2019年2月5日", "2019-02-05"),
        ("05FEB2019", "2019-02-05"),
        ("2019-Feb-05", "2019-02-05"),
        ("H30.12.3(火)", None),
        ("令和6年3月9日㈮", None),
        ("Sat 2019-02-05", None),
    ],
)
def test_the_weekday_beside_a_date_is_held_against_it(written, day):
    if day:
        assert notations.read_date(written, tuple(notations.DATE_FORMATS)) == (day, None)
        return
    for formats in (tuple(notations.DATE_FORMATS), ()):  # where no value of a column was a date, too
        with pytest.raises(InvalidValue, match="day, not a "):
            notations.read_date(written, formats)


@pytest.mark.parametrize(
    ("written", "levels"),
    [
        ("第3-5腰椎", "L3;L4;L5"),
        ("第3・4腰椎", "L3;L4"),
        ("12胸椎", "T12"),
        ("第12胸椎～第1腰椎", "T12;L1"),
        ("C7Th1", "C7;T1"),
        ("T12L1", "T12;L1"),
        ("Th5と6", "T5;T6"),
        ("T5 and T7", "T5;T7"),
        ("C2,3", "C2;C3"),
        ("L5～S1", "L5;S"),
        ("胸椎3-5、4腰椎", None),
        ("T5-7-9", None),
        ("Th1²", None),  # no T12
        ("Th1①", None),
        ("T13", None),
        ("5-7", None),
    ],
)
def test_levels_of_the_field(written, levels):
    if levels:
        assert notations.read_levels(written)[0] == levels
        return
    with pytest.raises(InvalidValue):
        notations.read_levels(written)


@pytest.mark.parametrize(
    ("column", "target"),
    [
        ("出血量（mL）", "blood_loss_ml"),
        ("手術時間(分)", "operative_time_min"),
        ("EQ VAS 術前 (点)", "eq_vas@preop"),
        ("疼痛VAS【mm】", "pain_vas_mm"),
        ("blood_loss_l", None),
        ("出血量（L）", None),
        ("疼痛VAS(cm)", None),
        ("手術時間（時間）", None),
        ("operative_time_h", None),
        ("blood_loss_ml", "blood_loss_ml"),
        ("PS", "ecog_ps"),
    ],
)
def test_a_unit_in_a_columns_name(north, as_system, column, target):
    assert mapping.suggested([column]).get(column) == target


@pytest.mark.parametrize(
    ("target", "written", "code"),
    [
        ("ecog_ps", "PS2", "2"),
        ("ecog_ps", "P.S. ２", "2"),
        ("frankel", "Frankel C", "C"),
        ("frankel", "グレードＤ", "D"),
        ("frankel", "C→D", ""),
        ("frankel", "D1", ""),
        ("kps", "1⁰", ""),
        ("ecog_ps", "2～3", ""),
        ("ecog_ps", "2:歩行可", "2"),
        ("sex", "♀", "female"),
        ("eq5d_mobility", "レベル3", "3"),
        ("lesion_levels:C7", "＋", "1"),
        ("lesion_levels:C7", "−", "0"),
        ("lesion_levels:C7", "x", ""),
        ("lesion_levels:C7", "×", "0"),
        ("pain_vas_mm", "未測定", "!not_done"),
        ("pain_vas_mm", "－", ""),
    ],
)
def test_words_for_codes_are_suggested_where_they_are_clear(north, as_system, target, written, code):
    assert mapping.suggested_code(target, written) == code


def test_every_label_stands_for_its_own_code(north, as_system):
    """As a labelled export writes it; labels that differ by a sign alone (>50%, <50%) too."""
    wrong = []
    for name, item in file_formats.judges().items():
        for code, label in mapping.choices_of(name) if item.choices and not item.takes_several else ():
            labels = [other for _, other in mapping.choices_of(name)]
            for written in {label.en, label.ja}:
                unique = sum(written in (other.en, other.ja) for other in labels) == 1
                if unique and (suggested := mapping.suggested_code(name, written)) != code:
                    wrong.append((name, written, code, suggested))
    assert wrong == []


KNOWS = {"患者ID": "patient_id", "patient_id": "patient_id", "EQ VAS": "eq_vas", "疼痛VAS": "pain_vas_mm"}


def shaped(tmp_path, rows, ragged=True):
    layout = shaping.shape(
        lambda: iter(enumerate(rows, 1)), tmp_path / "t.csv", knows=lambda name: KNOWS.get(name.partition(" (")[0], ""),
        visit_of=lambda name: {"術前": "preop", "1M": "1m"}.get(name, ""), ragged=ragged,
    )  # fmt: skip
    notes = [(number, why.en.partition(":")[0]) for number, _, _, why in (*layout.notes, *layout.faults)]
    return layout.header, layout.names, (tmp_path / "t.csv").read_text().splitlines()[1:], notes


def test_a_row_of_units_belongs_to_the_names(tmp_path):
    rows = [["list", "", ""], ["患者ID", "EQ VAS", "疼痛VAS"], ["", "(点)", "（㎜）"], ["A1", "3", "4"]]
    header, names, lines, notes = shaped(tmp_path, rows)
    assert (header, names) == ((2, 3), ["患者ID", "EQ VAS (点)", "疼痛VAS (㎜)"])
    assert lines == ["A1,3,4"]
    assert notes == [(2, "The columns are named in row 2; what stands above was passed over.")]


@pytest.mark.parametrize("names", [["患者ID", "EQ VAS"], ["patient_id", "EQ VAS"], ["患者ID", ""]])
def test_names_again_in_any_spelling_are_no_row(tmp_path, names):
    *_, lines, notes = shaped(tmp_path, [["患者ID", "EQ VAS"], ["A1", "3"], names, ["A2", "4"]])
    if names[1]:
        assert (lines, notes) == (["A1,3", "A2,4"], [(3, shaping.HEADER_AGAIN.en)])
    else:
        assert lines == ["A1,3", "患者ID,", "A2,4"]


def test_a_second_table_below_is_a_fault(tmp_path):
    *_, notes = shaped(tmp_path, [["患者ID", "EQ VAS"], ["A1", "3"], ["患者ID", "疼痛VAS"], ["A2", "4"]])
    assert notes == [(3, "names columns anew, and other ones than row 1")]


def test_totals_and_notes_below_the_table_are_told(tmp_path):
    below = [["合計", "3"], ["", "平均", "1.5"], ["※1 by the patient"], ["以上"], ["計A7", "3"], ["*S01-0007", "5"]]
    below += [
        ["集計", "3"],
        ["n=4"],
        ["出力日時：2024/03/09 10:00"],
        ["（以下余白）"],
        ["-----"],
        ["End"],
        ["SD", "1.5", "2 ± 1"],
    ]
    below += [["--", "40", "x"], ["SD", "", "F"]]  # of patients whose number nobody knows
    *_, lines, notes = shaped(tmp_path, [["患者ID", "EQ VAS", "疼痛VAS"], ["A1", "3", "4"], *below])
    assert [number for number, why in notes if why == shaping.FOOTER.en] == [3, 4, 5, 6, *range(9, 16)]
    assert lines == [
        "A1,3,4",
        "計A7,3,",
        "*S01-0007,5,",
        "--,40,x",
        "SD,,F",
    ]  # an odd number of a patient is looked at by the check


@pytest.mark.parametrize(
    ("numbers", "is_counting"),
    [("01", True), ("12", True), ("21", False), ("13", False), ("1 ", False), ("00", False), ("x1", False)],
)
@pytest.mark.parametrize("ragged", [False, True])
def test_a_nameless_first_column_that_counts_the_rows_is_passed_over_with_a_word(
    tmp_path, numbers, is_counting, ragged
):
    rows = [["", "患者ID", "EQ VAS"], *([n.strip(), f"A{n}", "3"] for n in numbers)]
    _, names, lines, notes = shaped(tmp_path, rows, ragged=ragged)
    assert names == ["患者ID", "EQ VAS"]
    assert lines == [f"A{n},3" for n in numbers]
    if is_counting:
        assert notes == [(1, f"Column A has no name and counts the rows from {numbers[0]} on")]
    else:
        assert {why for _, why in notes} == {"Column A has values and no name"}
        assert [row for row, _ in notes] == [row for row, n in enumerate(numbers, 2) if n.strip()]


def test_a_nameless_first_column_may_be_the_number_of_the_patient(tmp_path):
    *_, notes = shaped(tmp_path, [["", "EQ VAS", "疼痛VAS"], ["1", "3", "4"], ["2", "3", "4"]])
    assert [why for _, why in notes] == ["Column A has values and no name"] * 2


@pytest.mark.parametrize(
    ("rows", "faults"),
    [
        ([["A1", "3", ""], ["A2", "4", ""]], []),
        ([["A1", "3", "", ""], ["A2", "4", "", ""]], []),
        ([["A1", "3", ""], ["A2", "4"]], [2]),
        ([["A1", "3", ""], ["A2", "4", "", ""]], [2, 3]),
        ([["A1", "3", ""], ["A2", "4", "x"]], [3, 2]),
        ([["A1", "3", ""]], [2]),
        ([["1", "A1", ""], ["2", "A2", ""]], [2, 3]),  # R's write.table has no name above its row numbers
    ],
)
def test_separators_at_the_end_of_each_row_are_passed_over_with_a_word(tmp_path, rows, faults):
    *_, lines, notes = shaped(tmp_path, [["患者ID", "EQ VAS"], *rows], ragged=False)
    assert [row for row, why in notes if why.startswith("has ")] == faults
    if not faults:
        assert (lines, len(notes)) == (["A1,3", "A2,4"], 1)
        assert f"ends with {len(rows[0]) - 2} separators more than the names" in notes[0][1]


def test_row_numbers_below_no_name_leave_the_separators_at_the_ends_what_they_are(tmp_path):
    rows = [["", "患者ID", "EQ VAS"], ["1", "A1", "3", ""], ["2", "A2", "4", ""]]
    *_, lines, notes = shaped(tmp_path, rows, ragged=False)
    assert (lines, [row for row, _ in notes]) == (["A1,3", "A2,4"], [1, 1])


def test_a_row_of_answers_that_happen_to_be_names_is_no_header_for_certain(tmp_path):
    rows = [["Nr", "Field", "Type"], ["1", "EQ VAS", "text"], ["patient_id", "EQ VAS", "疼痛VAS"], ["1", "2", "3"]]
    layout = shaping.find_header([*enumerate(rows, 1)], KNOWS.get, lambda name: "")
    assert layout == ((3,), False)
    assert shaping.find_header([(1, ["EQ VAS 2024", "", ""]), (2, rows[2])], KNOWS.get, lambda name: "") == ((2,), True)


def test_two_names_of_one_column_make_no_header(tmp_path):
    """As in REDCap's dictionary: the field of the record's number below the names of the dictionary's own columns."""
    rows = [["Variable", "Form", "Label"], ["patient_id", "baseline", "患者ID"], ["x", "baseline", "x"]]
    assert shaping.find_header([*enumerate(rows, 1)], KNOWS.get, lambda name: "") == ((1,), True)


def test_marks_of_a_files_beginning_are_nothing_wherever_they_stand(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text('\ufeff"患者ID"\ufeff,\ufeff"EQ VAS"\n\ufeffA1,3\n', encoding="utf-16")
    way = sources.Way(encoding="utf-16", delimiter=",")
    assert [*sources._text_rows(path, way)] == [(1, ["患者ID", "EQ VAS"]), (2, ["A1", "3"])]


def test_answers_that_look_like_visits_are_no_names(tmp_path):
    rows = [["患者ID", "EQ VAS", "visit", "visit"], ["A1", "3", "術前", "1M"], ["A2", "3", "術前", "1M"]]
    header, _, lines, _ = shaped(tmp_path, [[*row, "x", "y"] for row in rows])
    assert header == (1,)
    assert len(lines) == 2


def test_short_rows_that_lack_only_nameless_ends_are_whole(tmp_path):
    *_, lines, notes = shaped(tmp_path, [["患者ID", "EQ VAS", "", ""], ["A1", "3"], ["A2", "4", ""]], ragged=False)
    assert (lines, notes) == (["A1,3", "A2,4"], [])


# Through the pages


def test_what_a_sheet_shows_otherwise_is_told_and_percentages_are_refused(browser, s01, stored_values):  # noqa: F811
    names = "".join(map(text, ("patient_id", "出血量")))
    values = ((7000, 1), (250, 2), (31, 3), (1, 4), (1500, 5))
    rows = [text(f"S01-000{n}") + number(value, style) for n, (value, style) in enumerate(values, 1)]
    shapes = styles("0,", ";;;", "&quot;withheld&quot;", "0%", "#,##0")
    content = book(sheet(names, *rows), styles=shapes)
    address = upload(browser, "shown.xlsx", content)
    page = matched(browser, address, **{"code-blood_loss_ml-0": "="})
    assert [(row, value) for row, _, value, _ in errors(page)] == [(5, "100%")]
    assert "percentage" in errors(page)[0][3]
    assert [(row, value) for row, _, value, reason in warnings(page) if "the cell holds" in reason] == [
        (2, "7"),
        (3, ""),
        (4, "withheld"),
    ]
    # A text takes what the sheet shows, and the number itself where its format hides it: no value becomes none.
    names = "".join(map(text, ("patient_id", "kind", "onset_date", "ae_comment")))
    rows = [
        text(f"S01-000{n}") + text("hematoma") + text("2018-11-20") + number(value, style)
        for n, (value, style) in enumerate(values[:3], 1)
    ]
    address = upload(browser, "events.xlsx", book(sheet(names, *rows), styles=shapes))
    page = matched(browser, address)
    assert errors(page) == []


def test_a_bare_number_of_days_counts_from_where_the_workbook_does(browser, s01, stored_values):  # noqa: F811
    rows = ["".join(map(text, ("patient_id", "手術日"))), text("S01-0001") + number(41_944)]
    content = book(sheet(*rows), workbook='<workbookPr date1904="1"/>')
    address = upload(browser, "1904.xlsx", content)
    assert errors(matched(browser, address)) == []
    store(browser, address, update="on")
    assert stored_values("S01-0001", "surgery_date") == (dt.date(2018, 11, 2),)


def test_rows_that_say_nothing_are_told(browser, s01):  # noqa: F811
    content = "患者ID,評価時期,評価日,EQ VAS\nS01-0001,術前,2018-10-28,3\nS01-0002,術前,,\n"
    content += "退院,術前,,\nS01-0003,2W,2018-11-15,5\n"
    page = follow(browser, address := upload(browser, "rows.csv", content.encode()))
    browser.post(f"{address}columns/", columns_of(page))
    page = browser.get(f"{address}values/")
    browser.post(f"{address}values/", values_of(page) | {"code-timepoint-1": "~"})
    reasons = {row: reason for row, *_, reason in warnings(follow(browser, address))}
    assert "2 rows in all" in reasons[3]
    assert "3, 4" in reasons[3]
    assert "is left out" in reasons[5]


def test_a_column_in_another_unit_cannot_be_matched(browser, s01):  # noqa: F811
    content = "patient_id,出血量(L)\nS01-0001,1\n".encode()
    address = upload(browser, "litres.csv", content)
    page = follow(browser, address)
    answer = browser.post(f"{address}columns/", columns_of(page, **{"出血量(L)": "blood_loss_ml"}))
    assert answer.status_code == 422
    assert answer.context["faults"]["出血量(L)"].en.startswith("says l in its name, and mL is asked for")


def test_units_of_own_items_in_each_spelling():
    stay = SimpleNamespace(kind="integer", choices=(), unit="days")
    said = [notations.other_unit(stay, name) for name in ("入院日数（日）", "LOS (day)", "los_days", "入院（週）")]
    assert said == ["", "", "", "週"]


def test_findings_show_what_a_workbook_cannot_hold():
    (cell,) = [findings._cell(Workbook(write_only=True).create_sheet(), "a\x0bb")]
    assert cell.value == "a\ufffdb"


def test_numbers_of_patients_that_a_program_rewrote(browser, s01):  # noqa: F811
    header = "患者ID,施設,性別,生年月日,同意取得日,手術日,原発"
    rows = [
        f"{name},S01,male,1950-04-0{n},2018-10-20,2018-11-01,lung" for n, name in enumerate(("12.0", "s01-0001"), 1)
    ]
    page = matched(browser, upload(browser, "new.csv", "\n".join([header, *rows, ""]).encode()))
    assert [(row, value) for row, _, value, reason in errors(page) if "rewrote" in reason] == [(2, "12.0")]
    assert [(row, value) for row, _, value, reason in warnings(page) if "capitals" in reason] == [(3, "s01-0001")]
