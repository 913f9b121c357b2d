"""Files as hospitals really keep them, each with what it must give. The files are synthetic."""

import csv
import datetime as dt
import io
from pathlib import Path

import openpyxl
import pytest
from openpyxl.styles import Font

from registry.imports import jobs
from registry.imports.files import sources
from registry.models import Assessment, Import, Patient
from sites.models import Site
from sites.tenancy.scope import everything
from tests.transfer.conftest import PATIENT, write_csv
from tests.transfer.files.books import book, number, sheet, styles, text
from tests.transfer.imports.test_import_flow import (
    columns_of,
    errors,
    follow,
    send,
    store,
    values_of,
    warnings,
)

CASES = Path(__file__).parent / "cases"


@pytest.fixture
def s01(north, south, tmp_path, bring_in):
    """Five patients of S01, as the files of the folder name them."""
    Site.objects.filter(pk=south.pk).update(code="S01")
    alive = PATIENT | {"vital_status": "alive", "death_date": "", "site_code": "S01", "last_contact_date": ""}
    alive |= {"consent_date": "2018-10-20", "surgery_date": "2018-11-01"}
    rows = [alive | {"patient_id": f"S01-000{n}"} for n in range(1, 6)]
    rows[4] |= {"consent_date": "2018-11-05", "surgery_date": "2018-11-10"}
    folder = tmp_path / "stored"
    folder.mkdir()
    write_csv(folder / "patients.csv", rows)
    assert bring_in(folder).stored


def upload(browser, name, content=None, as_=""):
    content = (CASES / name).read_bytes() if content is None else content
    return send(browser, **{(as_ or name).replace(".", "__"): content})


def matched(browser, address, columns=None, **said):
    """Send the pages for columns and values as they are suggested, with changes; returns the report's page."""
    page = follow(browser, address)
    if page.templates[0].name == "imports/import_columns.html":
        answer = browser.post(f"{address}columns/", columns_of(page, **(columns or {})))
        assert answer.status_code == 302, answer.context["faults"]
        page = follow(browser, address)
    if page.templates[0].name == "imports/import_values.html":
        answer = browser.post(f"{address}values/", values_of(page) | said)
        assert answer.status_code == 302, answer.context["errors"]
        page = follow(browser, address)
    return page


@pytest.fixture
def stored_values(as_system):
    def read(patient, *names, timepoint=None):
        with everything():
            row = Patient.objects.get(pk=patient)
            row = row.assessments.get(timepoint=timepoint) if timepoint else row
            return tuple(getattr(row, name) for name in names)

    return read


def test_rows_beyond_the_dimension_come_in(browser, s01):
    for name in ("a01_base.xlsx", "a01_wrong_dimension.xlsx"):
        page = follow(browser, upload(browser, name))
        # The sheet is an assessments file; what is wrong with its rows is that other patients are not stored.
        assert page.templates[0].name == "imports/report.html"
        address = f"/import/{page.context['job'].pk}/"
        counted = jobs.layouts_of(Import.objects.get(pk=page.context["job"].pk))[0][1]
        assert (counted.rows, name, address != "") == (30, name, True)


@pytest.mark.parametrize("name", ["a03_merged.xlsx", "a03_merged_prefixed.xlsx"])
def test_merged_cells_are_an_error_in_any_dialect(browser, s01, name):
    errors_found = errors(follow(browser, upload(browser, name)))
    assert errors_found[0][:3] == (2, "", "F2:F3")
    assert "merged" in errors_found[0][3]


def test_formulas_are_offered_in_any_dialect(browser, s01):
    address = upload(browser, "b04_formula_prefixed.xlsx")
    page = matched(browser, address)
    assert [(row, column) for row, column, *_ in errors(page)] == [(2, "eq_vas")]
    assert page.context["asked"]
    choices = browser.get(f"{address}reading/")
    assert "has formulas" in choices.content.decode()
    browser.post(f"{address}reading/", {"sheets-0": ["assessments"], "formulas-0": "on"})
    assert "without a saved value" in errors(matched(browser, address))[0][3]


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("a05_thousands.csv", {"S01-0001": (1000, 250), "S01-0002": (2000, 300), "S01-0003": (1500, 210)}),
        ("b01_thousands_only.csv", {"S01-0001": (1000, 210), "S01-0002": (2000, 210), "S01-0003": (350, 210)}),
    ],
)
@pytest.mark.parametrize("separators", ["", "comma", "point"])
def test_thousands_are_no_decimals(browser, s01, stored_values, name, wanted, separators):
    content = (
        (CASES / name)
        .read_bytes()
        .replace(b"S01-0003,,", b"S01-0003,2018-11-01,")
        .replace(b'"1,500",\r', b'"1,500",210\r')
    )
    address = upload(browser, name, content)
    page = matched(browser, address, separators=separators)
    assert errors(page) == []
    assert {value: reason for *_, value, reason in warnings(page)}["1,000"] == "was read as 1000"
    store(browser, address, update="on")
    assert {item: stored_values(item, "blood_loss_ml", "operative_time_min") for item in wanted} == wanted


@pytest.mark.parametrize("name", ["a07_trailing_commas.csv", "a07c_mapped_trailing.csv"])
def test_blank_columns_and_rows_are_none(browser, s01, name):
    page = matched(browser, upload(browser, name))
    assert errors(page) == []
    assert page.context["job"].counts["files"]["assessments"]["new"] > 0


def test_the_line_that_names_the_separator_is_no_header(browser, s01):
    page = matched(browser, upload(browser, "a08_sep_line.csv"))
    assert errors(page) == []
    assert page.context["job"].counts["files"]["assessments"]["new"] > 0


def test_titles_above_the_names_are_passed_over_with_a_word(browser, s01, stored_values):
    address = upload(browser, "c02b_title_rows.csv")
    page = matched(browser, address)
    assert errors(page) == []
    assert "named in row 3" in warnings(page)[0][3]
    store(browser, address)
    assert stored_values("S01-0001", "eq_vas", timepoint="preop") == (3,)


def test_dates_with_midnight_are_dates_and_with_a_time_are_told(browser, s01, stored_values):
    content = (CASES / "a09_datetime_midnight.csv").read_text() + "S01-0001,3m,2019/2/3 14:30,40\r\n"
    address = upload(browser, "a09.csv", content.encode())
    page = matched(browser, address)
    assert errors(page) == []
    assert [(row, value) for row, _, value, reason in warnings(page) if "time" in reason] == [(4, "2019/2/3 14:30")]
    store(browser, address)
    dates = [
        stored_values("S01-0001", "assessment_date", timepoint=timepoint)[0] for timepoint in ("preop", "1m", "3m")
    ]
    assert dates == [dt.date(2018, 10, 28), dt.date(2018, 12, 10), dt.date(2019, 2, 3)]


def test_hidden_rows_and_columns_are_told_with_their_number(browser, s01):
    all_warnings = warnings(follow(browser, upload(browser, "a14_hidden_rows.xlsx")))
    assert [row for row, *_, reason in all_warnings if "hidden" in reason] == [3, 4, 5]
    all_warnings = warnings(matched(browser, upload(browser, "c05_hidden_column.xlsx")))
    assert [reason for *_, reason in all_warnings if "hidden" in reason] == [
        "Column D is hidden in the sheet, and comes in"
    ]


def test_values_that_the_sheet_strikes_out_or_hides_are_told_with_row_and_column(browser, s01):
    book = openpyxl.load_workbook(CASES / "a01_base.xlsx")
    filled = [cell.value for cell in book.active[1]]
    pain = filled.index("pain_vas_mm") + 1
    for cell in book.active[3]:
        cell.font = Font(strike=True)
    book.active.cell(4, pain).font = Font(strike=True)
    book.active.cell(5, pain).font = Font(color="FFFFFF")
    out = io.BytesIO()
    book.save(out)
    report = warnings(matched(browser, upload(browser, "struck.xlsx", out.getvalue())))
    assert [finding for finding in report if finding[3] in {label.en for label in sources.LOOKS.values()}] == [
        (3, "", "", "is struck out in the sheet, and comes in"),
        (4, "pain_vas_mm", "", "is struck out in the sheet, and comes in"),
        (5, "pain_vas_mm", "", "cannot be seen in the sheet (its colour or format hides it), and comes in"),
    ]


def test_true_is_no_number(browser, s01):
    page = follow(browser, upload(browser, "a27_bool_text_number.xlsx"))
    browser.post("{}columns/".format(address := f"/import/{page.context['job'].pk}/"), columns_of(page))
    page = browser.get(f"{address}values/")
    assert [
        (column["column"].target, [value["value"] for value in column["values"]]) for column in page.context["columns"]
    ] == [("ecog_ps", ["４"]), ("pain_vas_mm", ["TRUE"])][::-1]
    sent = {f"code-pain_vas_mm-{0}": "="}
    browser.post(f"{address}values/", values_of(page) | sent)
    assert errors(follow(browser, address)) == [
        (2, "pain_vas_mm", "TRUE", "is TRUE or FALSE in the sheet, not a value of this column")
    ]


def test_a_patient_of_another_site_is_refused_with_the_way_on(browser, s01):
    content = (CASES / "a24_transfer.csv").read_text()
    rows = list(csv.DictReader(io.StringIO(content)))
    Site.objects.create(
        code=rows[0]["site_code"] if rows[0]["site_code"] not in ("N01", "S01") else "S09", name="Other"
    )
    errors_found = errors(follow(browser, upload(browser, "a24_transfer.csv", as_="patients.csv")))
    reasons = [reason for _, column, _, reason in errors_found if column == "site_code"]
    assert reasons
    assert "enrolled at site S01" in reasons[0]
    assert "moves nobody" in reasons[0]


@pytest.mark.parametrize(
    ("repeats", "visits"), [("unscheduled", ["1m", "preop", "u1", "u2", "u3", "u4"]), ("pass_over", ["1m", "preop"])]
)
def test_repeated_rows_of_redcap_are_unscheduled_visits_by_choice(browser, s01, as_system, repeats, visits):
    """Also each of an event that repeats and is none of the schedule's visits, its first too."""
    extra = "".join(f"S01-0001,extra_arm_1,,{n},2019-0{n}-01,{50 + n}\n" for n in (1, 2)).encode()
    address = upload(
        browser, "a25_redcap_repeat.csv", (CASES / "a25_redcap_repeat.csv").read_bytes().strip() + b"\n" + extra
    )
    page = follow(browser, address)
    browser.post(f"{address}columns/", columns_of(page))
    page = browser.get(f"{address}values/")
    assert page.context["asked"].repeats
    assert browser.post(f"{address}values/", values_of(page)).status_code == 422
    silent = [name for name, code in values_of(page).items() if not code and name.startswith("code-timepoint")]
    assert len(silent) == 1  # the event that no visit is called
    page = matched(browser, address, **{"repeats": repeats, silent[0]: "~"})
    assert errors(page) == []
    store(browser, address)
    with as_system():
        assessments = (
            Assessment.objects.filter(patient="S01-0001").order_by("timepoint").values_list("timepoint", "eq_vas")
        )
        assert [visit for visit, _ in assessments] == visits
        assert dict(assessments).get("u2", 45) == 45 and dict(assessments).get("u3", 51) == 51


def test_units_are_read_where_they_are_the_items(browser, s01):
    page = matched(browser, upload(browser, "d06_labels_units.csv"), **{
        f"code-{target}-{place}": "=" for target in ("blood_loss_ml", "operative_time_min") for place in range(6)
    })  # fmt: skip
    assert {value: reason for *_, value, reason in warnings(page)} == {
        "14ml": "was read as 14", "253分": "was read as 253", "86 mL": "was read as 86",
        "": "Rows of stored records that give a date of birth or free text: 2. What is stored of these is for the site "
            "alone: it was neither compared nor replaced.",
    }  # fmt: skip
    assert [(row, value) for row, _, value, _ in errors(page)] == [
        (3, "4:32"), (4, "少量"), (4, "約200"), (5, "<10"), (5, ">300"),
    ]  # fmt: skip
    assert "hours and minutes" in errors(page)[0][3]


# Others of the same kinds


def test_a_date_or_number_of_the_sheet_names_no_patient(browser, s01):
    cells = [text(name) for name in ("patient_id", "timepoint", "eq_vas")]
    rows = ["".join(cells), number(45360, 1) + text("preop") + number(3), number(12, 2) + text("preop") + number(3)]
    address = upload(browser, "ids.xlsx", book(sheet(*rows), styles=styles("m&quot;月&quot;d&quot;日&quot;", "0000")))
    errors_found = errors(matched(browser, address))
    assert [(row, value) for row, _, value, _ in errors_found] == [(2, "3月9日"), (3, "0012")]
    assert "is a date in the sheet (the cell holds 2024-03-09)" in errors_found[0][3]
    assert "zeros" in errors_found[1][3]
    browser.post(f"{address}values/", values_of(browser.get(f"{address}values/")) | {"numbers": "on"})
    assert [row for row, *_ in errors(follow(browser, address)) if row == 3] == [3]  # read as 0012, who is not stored
    assert "0012" in str(errors(follow(browser, address)))


def test_values_in_a_column_without_a_name_are_an_error(browser, s01):
    content = "patient_id,timepoint,eq_vas,\nS01-0001,preop,3,\nS01-0002,preop,4,beside\n"
    errors_found = errors(matched(browser, upload(browser, "notes.csv", content.encode())))
    assert [(row, value) for row, _, value, _ in errors_found] == [(3, "beside")]
    assert "Column D" in errors_found[0][3]


def test_a_repeated_header_is_passed_over_with_a_word(browser, s01):
    content = "patient_id,timepoint,eq_vas\nS01-0001,preop,3\npatient_id,timepoint,eq_vas\n\n,,\nS01-0002,preop,4\n"
    page = matched(browser, upload(browser, "pages.csv", content.encode()))
    assert errors(page) == []
    assert [row for row, *_, reason in warnings(page) if "repeats the header" in reason] == [3]
    assert page.context["job"].counts["files"]["assessments"]["new"] == 2


def test_what_may_stand_for_nothing_is_asked_for_each_column(browser, s01, stored_values):
    content = "patient_id,出血量,手術日\nS01-0001,999,2018-11-01\nS01-0002,-99,1900-01-01\nS01-0003,350,2018-11-01\n"
    address = upload(browser, "nines.csv", content.encode())
    browser.post(f"{address}columns/", columns_of(follow(browser, address)))
    page = browser.get(f"{address}values/")
    asked = {
        column["column"].target: [value["value"] for value in column["values"]] for column in page.context["columns"]
    }
    assert asked == {"blood_loss_ml": ["999", "-99"], "surgery_date": ["1900-01-01"]}
    sent = values_of(page) | {"code-blood_loss_ml-0": "=", "code-blood_loss_ml-1": "!unknown"}
    assert browser.post(f"{address}values/", sent | {"code-surgery_date-0": ""}).status_code == 422
    browser.post(f"{address}values/", sent | {"code-surgery_date-0": "~"})
    page = follow(browser, address)
    assert jobs.mapping_of(page.context["job"]).codes["blood_loss_ml"] == {"999": "999", "-99": "!unknown"}


def test_several_ways_of_writing_dates_in_one_column(browser, s01, stored_values):
    days = ["2018-10-28", "2018/10/28", "H30.10.28", "平成30年10月28日(日)", "28 Oct 2018"]
    rows = [f"S01-000{n},preop,{day},{n}" for n, day in enumerate(days, 1)]
    address = upload(
        browser, "dates.csv", "\n".join(["patient_id,timepoint,assessment_date,eq_vas", *rows, ""]).encode()
    )
    page = matched(browser, address)
    assert errors(page) == []
    store(browser, address)
    result = {stored_values(f"S01-000{n}", "assessment_date", timepoint="preop")[0] for n in range(1, 6)}
    assert result == {dt.date(2018, 10, 28)}


def test_visits_side_by_side_come_in(browser, s01, stored_values):
    header = "患者番号,EQ VAS 術前,EQ VAS(1M),3か月 EQ VAS,評価日_術前,評価日_1m,フランケル"
    content = f"{header}\nS01-0001,3,40,55,2018-10-28,2018-12-01,\n"
    address = upload(browser, "wide.csv", content.encode())
    page = matched(browser, address)
    assert errors(page) == []
    assert page.context["job"].counts["files"]["assessments"]["new"] == 3
    store(browser, address)
    assert [stored_values("S01-0001", "eq_vas", timepoint=timepoint)[0] for timepoint in ("preop", "1m", "3m")] == [
        3,
        40,
        55,
    ]


@pytest.mark.parametrize("upper_is_visit", [True, False])
def test_two_rows_may_name_the_columns(browser, s01, stored_values, upper_is_visit):
    upper, lower = ["", "術前", "", "1M", ""], ["患者番号", "EQ VAS", "VAS（mm）", "EQ VAS", "VAS（mm）"]
    cells = [3, 70, 40, 20]
    if not upper_is_visit:
        upper, lower, cells = (
            ["患者番号", "EQ VAS", "", "疼痛VAS", ""],
            ["", "術前", "1M", "術前", "1M"],
            [3, 40, 70, 20],
        )
    rows = [upper, lower, ["S01-0001", *cells]]
    xml = sheet(*["".join(text(cell) if cell else "<c/>" for cell in row) for row in rows],
                after='<mergeCells><mergeCell ref="B1:C1"/><mergeCell ref="D1:E1"/></mergeCells>')  # fmt: skip
    address = upload(browser, "two.xlsx", book(xml))
    page = follow(browser, address)
    assert [line["name"] for line in page.context["lines"]][1][:2] in ("術前", "EQ")
    targets = {line["name"]: line["target"] for line in page.context["lines"]}
    wanted = {
        name: f"{'eq_vas' if 'EQ' in name else 'pain_vas_mm'}@{'preop' if '術前' in name else '1m'}"
        for name in targets
        if name != "患者番号"
    }
    page = matched(browser, address, columns=wanted)
    assert errors(page) == []
    store(browser, address)
    assert stored_values("S01-0001", "eq_vas", "pain_vas_mm", timepoint="preop") == (3, 70)
    assert stored_values("S01-0001", "eq_vas", "pain_vas_mm", timepoint="1m") == (40, 20)


def test_a_check_across_columns_names_row_and_column_of_what_is_stored_too(browser, s01, stored_values):
    address = upload(browser, "b02_partial_date_order.csv")
    assert errors(matched(browser, address)) == [
        (2, "手術日", "2018-11-04", "Date of surgery must not be before date of consent")
    ]
    content = "patient_id,同意取得日\nS01-0001,1949-01-01\n"
    errors_found = errors(matched(browser, upload(browser, "consent.csv", content.encode())))
    assert [(row, column) for row, column, *_ in errors_found] == [(2, "同意取得日")]
    assert "birth" in errors_found[0][3]
    content = "patient_id,手術日\nS01-0001,2019-11-01\n"
    address = upload(browser, "later.csv", content.encode())
    assert errors(matched(browser, address)) == []
    store(browser, address, update="on")
    assert stored_values("S01-0001", "age_at_surgery") == (69,)


def test_two_patients_who_may_be_one_person_are_asked_about(browser, s01, north, as_system):
    content = (CASES / "b06_same_person_two_ids.csv").read_text().replace("S02", "N01").encode()
    address = upload(browser, "b06_same_person_two_ids.csv", content)
    page = matched(browser, address)
    assert errors(page) == []
    assert [(row, value) for row, _, value, reason in warnings(page) if "same person as row 2" in reason] == [
        (3, "X-2")
    ]
    assert store(browser, address, alike="").status_code == 422
    assert store(browser, address, alike="on").status_code == 302
    with as_system():
        assert Patient.objects.filter(pk__in=["X-1", "X-2"]).count() == 2
