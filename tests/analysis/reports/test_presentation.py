"""Numbers as the study prints them, tables as the journal has them, and words that claim no more than P carries."""

import csv
import inspect
import io
import re
from pathlib import Path

import pytest
from docx import Document
from openpyxl import load_workbook

from registry.analysis.design import cohorts, methods, plans
from registry.analysis.documents import files
from registry.analysis.presentation import narrative
from registry.analysis.presentation import tables as presentation
from registry.analysis.presentation import words as presentation_words
from registry.analysis.presentation.numbers import count_percent, mean_sd, number, p_phrase, p_value
from registry.analysis.results.comparisons import Brief
from registry.analysis.results.tables import BeforeAfter
from registry.analysis.running import runner
from registry.stats import arrays
from registry.stats.exact import fisher, fisher_network
from tests.analysis.conftest import answers, patient, typed


@pytest.mark.parametrize(
    ("p", "printed"),
    [(0.75, "0.75"), (0.1049, "0.10"), (0.1, "0.10"), (0.0996, "0.10"), (0.0994, "0.099"), (0.0515, "0.051"),
     (0.001, "0.001"), (0.00099, "<0.001"), (0.0, "<0.001"), (0.99, "0.99"), (0.9901, ">0.99"), (1.0, ">0.99"),
     (None, "–")],
)  # fmt: skip
def test_p_is_printed_as_the_study_does(p, printed):
    assert p_value(p) == printed


def test_p_in_a_sentence():
    assert [p_phrase(p) for p in (0.011, 0.0001, 1)] == ["P = 0.011", "P < 0.001", "P > 0.99"]


def test_means_and_shares():
    assert mean_sd(Brief(n=31, mean=67.42, sd=11.68), 1) == "67.4 ± 11.7"
    assert mean_sd(Brief(n=31, mean=-26.04, sd=30.3), 1) == "−26.0 ± 30.3"
    assert mean_sd(Brief(n=31, mean=1.0, sd=None), 3) == "1.000"
    assert mean_sd(Brief(n=31, mean=None, sd=None), 3) == "–"
    assert number(-0.0001, 3) == "0.000"
    assert (count_percent(17, 31), count_percent(0, 0)) == ("17 (55%)", "–")


@pytest.fixture
def result(stored, as_system):
    """Thoracic lesions with much pain before surgery, TL/L/S with little; relief in both; no cervical lesion."""
    stored(
        [
            patient(
                lesion_levels=lesion,
                visits={"preop": answers(pain_vas_mm=before + i), "1m": answers(pain_vas_mm=10 + i % 3)},
                events=("wound_problem",) if i == 0 else (),
            )
            for lesion, before in ((("T6",), 70), (("L2",), 40))
            for i in range(12)
        ]
    )
    with as_system():
        return runner.compare(plans.SEGMENT_COMPARISON, cohorts.SEGI2024)


def cells(result, code, label, language="en"):
    table = next(table for table in presentation.tables(typed(result), language) if table.code == code)
    return next(row.cells for row in table.rows if row.label == label)


def test_tables_of_the_journal(result):
    tables = presentation.tables(typed(result))
    assert [table.code for table in tables] == [
        "flow", "lesion_levels", "characteristics", "sins_by_procedure", "recovery", "adverse_events",
        "between_groups", "eq5d_domains",
    ]  # fmt: skip
    assert [table.title[:8] for table in tables if table.number] == [f"Table {place}." for place in range(1, 7)]
    assert tables[2].header == ("Variable", "Cervical (n = 0)", "Thoracic (n = 12)", "TL/L/S (n = 12)", "P", "P (χ²)")
    assert all(len(row.cells) == len(table.header) - 1 for table in tables for row in table.rows)
    assert cells(result, "adverse_events", "SSI / wound") == ("–", "1 (8%)", "1 (8%)", ">0.99", ">0.99")
    assert cells(result, "recovery", "Pain (VAS), mm")[3:6] == ("75.5 ± 3.6", "11.0 ± 0.9", "0.002")
    assert cells(result, "between_groups", "Pain (VAS), mm, before surgery") == (
        "–", "75.5 ± 3.6", "45.5 ± 3.6", "–", "<0.001", "–",
    )  # fmt: skip


def test_the_answer_names_differences_with_their_p_and_nothing_else(result):
    sentences = narrative.answer(typed(result))
    assert sentences[0] == "24 of 24 enrolled patients were analysed: Cervical 0, Thoracic 12, TL/L/S 12."
    assert "Pain (VAS): better at 1 month than before surgery in Thoracic, TL/L/S (P < 0.05)." in sentences
    assert "Pain (VAS), before surgery: lower in TL/L/S (45.5) than in Thoracic (75.5, P < 0.001)." in sentences
    assert "Δ Pain (VAS), at 1 month: lower in Thoracic (−64.5) than in TL/L/S (−34.5, P < 0.001)." in sentences
    assert not any(sentence.startswith("Pain (VAS), at 1 month") for sentence in sentences)


def test_the_answer_does_not_say_which_of_two_hidden_means_is_larger(result):
    hidden = typed(result)
    for row in (*hidden.recovery, *hidden.between_groups):
        cells = [row.followup] if isinstance(row, BeforeAfter) else row.groups.values()
        for cell in cells if row.variable == "pain_vas_mm" else ():
            cell.mean = None  # as `disclosure` leaves those of few patients
    assert any("Pain" in sentence for sentence in narrative.answer(typed(result)))
    assert not any("Pain" in sentence for sentence in narrative.answer(hidden) if "P <" in sentence)


def test_words_follow_the_language(result):
    assert cells(result, "adverse_events", "手術部位感染・創部トラブル", "ja")[1] == "1 (8%)"
    assert any("疼痛" in sentence for sentence in narrative.answer(typed(result), "ja"))
    assert "Wilcoxonの符号付順位検定" in narrative.methods(typed(result), "ja")


def test_the_methods_paragraph_names_what_was_done(result):
    text = narrative.methods(typed(result))
    for named in ("one-way ANOVA", "Tukey's HSD test", "Benjamini–Hochberg", "Wilcoxon signed-rank", "Japan", "SciPy"):
        assert named in text
    assert result["method"]["snapshot"] in narrative.source(typed(result))


def test_the_methods_paragraph_names_the_snapshot_in_every_file(result):
    result = result | {"method": result["method"] | {"frozen": {"label": "Board 2026", "hash": "sha256:0f0f"}}}
    del result["figures"]
    for language, said in (("en", "snapshot “Board 2026” (sha256:0f0f)"), ("ja", "「Board 2026」（sha256:0f0f）")):
        assert said in narrative.methods(typed(result), language)
        assert said in files.to_html(typed(result), language).decode()
    assert "snapshot “" not in narrative.methods(typed(result | {"method": result["method"] | {"frozen": None}}))


def test_the_methods_paragraph_says_which_p_were_sampled_and_why(result):
    assert "Monte Carlo" not in narrative.methods(typed(result))
    effect = {"standard_error": 0.00123, "resamples": 50_000, "seed": 20241}
    effect["why"] = "there are more than 5000 observations"
    other = effect | {"why": "the table has too many states", "standard_error": 0.002}
    of_second = {"p_chi_square": 0.4, "monte_carlo_chi_square": other}
    rows = [result["characteristics"][0] | {"monte_carlo": effect} | of_second]
    sampled = result | {"characteristics": [*rows, *result["characteristics"][1:]]}
    text = narrative.methods(typed(sampled))
    assert "1 with 50000 samples, since there are more than 5000 observations (seed 20241" in text
    assert "since the table has too many states (seed 20241, standard error of P at most 0.002)" in text
    assert "理由：例数が5000を超えるため（シード20241、P値の標準誤差は最大0.0012）" in narrative.methods(
        typed(sampled), "ja"
    )
    assert "分割表の状態数が多すぎるため" in narrative.methods(typed(sampled), "ja")


def test_every_reason_for_sampling_has_its_japanese():
    for module in (fisher, fisher_network):
        for why in re.findall(r'TooLarge\("([^"]+)"\)', inspect.getsource(module)):
            assert narrative.reason(why).ja != why
    assert "there are more than {most} observations" in inspect.getsource(methods)


def test_a_p_that_is_lacking_says_why(result):
    (table,) = [table for table in presentation.tables(typed(result)) if table.code == "between_groups"]
    assert any(
        note.startswith("–: not estimable. ") and "a group has no observations: Pain (VAS)" in note
        for note in table.notes
    )
    (table,) = [table for table in presentation.tables(typed(result), "ja") if table.code == "between_groups"]
    assert any("観察値のない群がある：疼痛" in note for note in table.notes)
    assert set(arrays.REASONS.values()) <= set(presentation_words.WHY_NOT)


def test_every_variable_says_how_many_are_known_and_unknown(result):
    """Also where nobody's value is unknown."""
    for table in presentation.tables(typed(result)):
        if table.code in {"characteristics", "recovery", "adverse_events", "between_groups", "eq5d_domains"}:
            blocks = [row for row in table.rows if not row.indent]
            known = [row for row in table.rows if row.label == "n known (unknown)"]
            assert len(known) == len(blocks), table.code
    assert cells(result, "characteristics", "n known (unknown)")[:3] == ("0 (0)", "12 (0)", "12 (0)")


def test_a_name_that_looks_like_a_formula_is_harmless(stored, north, as_system):
    north.region = '=HYPERLINK("x")<script>'
    north.save()
    stored([patient()])
    with as_system():
        result = runner.compare(plans.segment_comparison(grouping="region"), cohorts.ALL)
    lines = list(csv.reader(io.StringIO(files.to_csv(typed(result)).decode())))
    assert {line[2] for line in lines if "HYPERLINK" in line[2]} == {"'" + north.region}
    assert "<script>" not in files.to_html(typed(result)).decode()


def test_levels_and_sins_are_tables_1_and_3(result):
    assert cells(result, "lesion_levels", "T6") == ("0", "12 (100%)", "0")
    assert cells(result, "lesion_levels", "Levels involved, per patient") == ("–", "1.00", "1.00")
    sins = next(table for table in presentation.tables(typed(result)) if table.code == "sins_by_procedure")
    assert sins.header == ("SINS", "Total", "PSF", "Total", "PSF", "Total")
    assert cells(result, "sins_by_procedure", "n known (unknown)") == ("0 (0)", "0 (12)", "0 (12)", "0 (12)", "0 (12)")


def sheets(content):
    book = load_workbook(io.BytesIO(content))
    return book, {sheet.title: [[cell.value for cell in row] for row in sheet.iter_rows()] for sheet in book}


@pytest.mark.parametrize("language", ["en", "ja"])
def test_a_workbook_has_a_sheet_for_each_table_and_every_number_as_a_number(result, language):
    _book, sheet = sheets(files.to_xlsx(typed(result), language))
    tables = presentation.tables(typed(result), language)
    names = list(sheet)
    assert names[1:3] == (["Table 1", "Table 2"] if language == "en" else ["表1", "表2"])
    for table, name in zip(tables, names, strict=False):
        rows = sheet[name]
        assert rows[0][0] == table.title
        head = next(place for place, row in enumerate(rows) if tuple(row[: len(table.header)]) == table.header)
        shown = [tuple(text or "" for text in row) for row in rows[head + 1 :]]
        assert shown[: len(table.rows)] == [(row.label, *row.cells) for row in table.rows]
    numbers = [dict(zip(sheet[names[-1]][2], row, strict=True)) for row in sheet[names[-1]][3:]]
    row = next(
        entry for entry in result["recovery"] if (entry["variable"], entry["group"]) == ("pain_vas_mm", "thoracic")
    )
    (p,) = [
        number["value"]
        for number in numbers
        if (number["table"], number["variable"], number["group"], number["statistic"])
        == ("recovery", "pain_vas_mm", "thoracic", "p")
    ]
    assert p == row["p"]
    assert any(narrative.methods(typed(result), language) in row for row in sheet[names[-2]])


def test_a_workbook_has_no_formula(stored, north, as_system):
    north.region = "=1+1"
    north.save()
    stored([patient()])
    with as_system():
        result = runner.compare(plans.segment_comparison(grouping="region"), cohorts.ALL)
    book, _ = sheets(files.to_xlsx(typed(result)))
    cells = [cell for sheet in book for row in sheet.iter_rows() for cell in row if cell.value is not None]
    assert {cell.data_type for cell in cells} == {"n", "s"}
    assert any(str(cell.value).startswith("=1+1") for cell in cells)


@pytest.mark.parametrize("synthetic", [True, False])
def test_every_file_about_made_up_patients_says_so(db, as_system, settings, synthetic):
    settings.SYNTHETIC = synthetic
    with as_system():
        result = runner.compare(plans.SEGMENT_COMPARISON, cohorts.SEGI2024)
    settings.SYNTHETIC = False  # the result remembers whose it is
    assert result["method"]["synthetic"] == synthetic
    del result["figures"]  # a test of their own says so of the figures
    document = Document(io.BytesIO(files.to_docx(typed(result))))
    shown = [files.to_csv(typed(result)).decode(), files.to_html(typed(result)).decode()]
    shown.append(document.sections[0].header.paragraphs[0].text)
    shown += [str(rows[1][0]) for rows in sheets(files.to_xlsx(typed(result)))[1].values()]
    assert ["SYNTHETIC DATA" in page for page in shown] == [synthetic] * len(shown)
    assert ("架空データ" in files.to_html(typed(result), "ja").decode()) == synthetic


def test_every_reason_for_no_number_is_told_in_japanese():
    """Whatever stands after “not estimable because” in the statistics and the sections."""
    folder = Path(presentation_words.__file__).parents[1]
    written = {
        reason
        for path in folder.rglob("*.py")
        for text in [path.read_text(encoding="utf-8")]
        for pattern in (r'NOT_ESTIMABLE\.format\(\s*"([^"{]+)"', r'"not estimable because ([^"{]+)"')
        for reason in re.findall(pattern, text)
    }
    assert len(written) > 5
    for reason in (*arrays.REASONS.values(), *written):
        assert re.search("[ぁ-んァ-ン一-龥]", presentation_words.why_not(f"not estimable because {reason}").ja), reason
    assert presentation_words.why_not("not estimable because a covariate does not vary (sex)").ja.endswith("（sex）")
