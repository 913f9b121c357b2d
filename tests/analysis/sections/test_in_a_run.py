"""Sections in a plan, from the registry's own data to every file: results, tables, figures, methods, refusals."""

import datetime as dt
import json
import random
import re
import struct
import zlib

import numpy as np
import pytest

from registry.analysis.data import frame as frames
from registry.analysis.design import cohorts, plans
from registry.analysis.design.errors import Refused
from registry.analysis.documents import files
from registry.analysis.figures import drawings
from registry.analysis.presentation import narrative, tables
from registry.analysis.running import runner
from sites.tenancy.scope import everything
from tests.analysis.conftest import SURGERY, answers, patient, store, typed

DAY = dt.timedelta(days=1)
VISITS = {"preop": -3, "1m": 30, "3m": 91, "6m": 183, "12m": 365}
EVERYBODY = cohorts.from_json({"name": "everybody", "version": "1", "steps": []})


def named(en, ja):
    return {"title": {"en": en, "ja": ja}}


SECTIONS = {
    "propensity": [
        {"code": "ps", **named("Matched cohort", "マッチング後コホート"), "treated": "female", "control": "male",
         "covariates": ["age_at_surgery", "operative_time_min", "primary_tumour"], "caliper": 0.3,
         "outcomes": [{"variable": "pain_vas_mm", "visit": "1m"}, {"variable": "frankel", "visit": "1m"}]},
    ],
    "endpoints": [
        {"code": "os", **named("Overall survival", "全生存"), "times": [6, 12], "horizon": 12,
         "covariates": ["age_at_surgery", "frankel"], "subgroups": ["procedure"]},
        {"code": "complication", **named("Complication", "合併症"), "event": [{"kind": "adverse_event"}],
         "competing": [{"kind": "death"}], "times": [1, 3], "matched": "ps", "tests": ["stratified"]},
        {"code": "decline", **named("ECOG 3 or worse", "ECOG 3以上"), "times": [6],
         "event": [{"kind": "reached", "variable": "ecog_ps", "visits": ["1m", "3m"], "at_least": 3}]},
    ],
    "models": [
        {"code": "pain", **named("Pain at one month", "1か月の疼痛"), "model": "ancova", "outcome": "pain_vas_mm",
         "visits": ["1m"], "baseline": "preop", "covariates": ["age_at_surgery"]},
        {"code": "walking", **named("Frankel D or E", "Frankel D・E"), "model": "logistic", "outcome": "frankel",
         "visits": ["1m"], "event": ["D", "E"], "covariates": ["age_at_surgery"]},
        {"code": "course", **named("Course of pain", "疼痛の経過"), "model": "repeated", "outcome": "pain_vas_mm",
         "visits": ["1m", "3m", "6m"], "baseline": "preop"},
    ],
    "qol": [
        {"code": "qaly", **named("QALYs", "QALY"), "measure": "qaly", "variable": "hsuv", "horizon": 6,
         "visits": ["preop", "1m", "3m", "6m"]},
        {"code": "hsuv", **named("HSUV", "HSUV"), "measure": "course", "variable": "hsuv", "visits": ["preop", "6m"]},
        {"code": "relief", **named("Relief", "疼痛軽減"), "measure": "responders", "variable": "pain_vas_mm",
         "visits": ["preop", "1m"], "threshold": 20},
    ],
    "transitions": [
        {"code": "frankel", **named("Frankel", "Frankelの推移"), "variable": "frankel",
         "before": "preop", "after": "1m"},
    ],
}  # fmt: skip
PLAN = {"name": "sections", "grouping": "sex", **SECTIONS}


def people(n=70, seed=7):
    draw, rows = random.Random(seed), []
    for _ in range(n):
        female = draw.random() < 0.45
        dead = draw.random() < 0.5
        days = draw.randint(20, 400)
        visits = {}
        for place, (code, day) in enumerate(VISITS.items()):
            if (day < days) and draw.random() < 0.9:
                state = "".join(str(draw.randint(1, 5)) for _ in range(5))
                visits[code] = answers(
                    state,
                    frankel=draw.choice("CDE" if place else "BCD"),
                    ecog_ps=draw.randint(0, 4),
                    pain_vas_mm=max(0, min(100, draw.randint(20, 90) - 15 * place - 5 * female)),
                    assessment_date=SURGERY + day * DAY,
                )
        end = {"vital_status": "dead", "death_date": SURGERY + days * DAY, "last_contact_date": None}
        left = {"vital_status": "alive", "last_contact_date": SURGERY + days * DAY}
        rows.append(
            patient(
                sex="female" if female else "male",
                age_at_surgery=draw.randint(45, 85),
                primary_tumour=draw.choice(["lung", "breast", "renal"]),
                procedure=draw.choice(["psf", "decompression"]),
                visits=visits,
                events=("pneumonia",) if draw.random() < 0.3 else (),
                operative_time_min=draw.randint(90, 400),
                **(end if dead else left),
            )
        )
    return rows


@pytest.fixture
def result(north):
    store(north, people())
    return ran(PLAN)


def ran(plan):
    plan = plans.from_json(json.loads(json.dumps(plan)))
    with everything(reason="test"):
        frame = frames.read(runner.timepoints_needed(plan, EVERYBODY))
        return runner.run(plan, EVERYBODY, frame)


def test_every_section_is_told_in_every_form(result, settings):
    json.dumps(result, allow_nan=False)
    for code, entries in SECTIONS.items():
        assert [entry["code"] for entry in result[code]] == [entry["code"] for entry in entries]
        assert all(name in section["names"] for section in result[code] for name in _named(section))
    for code in ("pain", "course"):
        fit = next(model for model in result["models"] if model["code"] == code)["fits"][0]
        assert "reason" not in fit
        assert fit["n"] > 30
    assert result["propensity"][0]["fits"][0]["sets"] > 10
    for language in ("en", "ja"):
        made = {table.code for table in tables.tables(typed(result), language)}
        assert {"endpoints-os-rates1", "qol-qaly-years0", "transitions-frankel-cells0"} <= made
        text = narrative.methods(typed(result), language)
        for entries in SECTIONS.values():
            for entry in entries:
                assert entry["title"][language] in text
        drawn = {chart.code: chart for chart in drawings.charts(typed(result), language)}
        assert drawn.keys() >= {
            "endpoints-os-survival", "endpoints-os-forest", "endpoints-complication-incidence", "propensity-ps-love",
            "propensity-ps-overlap", "models-course-course", "models-walking-forest", "qol-hsuv-course",
            "transitions-frankel-diagram",
        }  # fmt: skip
        for code, chart in drawn.items():
            assert chart.alt
            assert chart.csv()
            if language == "en":
                first, again = (drawings.drawn(typed(result), code, "svg", language) for _ in range(2))
                assert first == again


THREE_TUMOURS = [
    {"code": code, "label": {"en": code, "ja": code}, "steps": [{"step": "primary_tumour", "values": [code]}]}
    for code in ("lung", "breast", "renal")
]


def opened_in(result, language):
    """(table, heading, whether it is a dash, details) of every cell under a heading of P."""
    for table in tables.tables(typed(result), language):
        kind = table.code.partition("-")[0]
        for place, heading in enumerate(table.header if kind in SECTIONS or kind.startswith("comp") else ()):
            if re.match(r"P(,|値| |$)", heading):
                for row in table.rows:
                    cell = row.cells[place - 1]
                    yield table.code, heading, str(cell) in ("–", ""), getattr(cell, "details", None)


@pytest.mark.parametrize("groups", ["two", "three"])
def test_every_p_of_a_section_opens(north, groups):
    store(north, people())
    plan = json.loads(json.dumps(PLAN))
    rows = [{"variable": "pain_vas_mm", "visit": "1m"}, "sex", "operative_time_min"]
    plan["comparisons"] = [{"code": "c", **named("Outcomes", "転帰"), "rows": rows}]
    if groups == "three":
        plan |= {"grouping": "named", "named": THREE_TUMOURS, "adjust": "holm"}
        plan["propensity"][0] |= {"treated": "lung", "control": "breast", "covariates": ["age_at_surgery", "sex"]}
        plan["propensity"][0]["outcomes"].append({"variable": "sex"})
        plan["endpoints"][0] |= {"tests": ["stratified"], "strata": ["sex"]}
        plan["models"][2] |= {"adjust": "holm", "degrees": "residual", "matched": "ps", "covariates": ["procedure"]}
    result, calls = ran(plan), set()
    for language in ("en", "ja"):
        cells = list(opened_in(result, language))
        assert len(cells) > 50
        closed = {(code, heading) for code, heading, absent, details in cells if not absent and not details}
        assert not closed
        details_of_cells = [dict(details) for _code, _heading, _absent, details in cells if details]
        test, in_r = ("Test", "In R") if language == "en" else ("検定", "Rでは")
        assert all(details[test] and details[in_r] for details in details_of_cells)
        calls |= {details[in_r] for details in details_of_cells}
        assert not any("{" in text for details in details_of_cells for text in (*details, *details.values()))
    if groups == "three":
        of_all = [details for details in details_of_cells if "3群全体" in details["検定"]]
        assert any("survdiff" in details["Rでは"] and any("対照" in label for label in details) for details in of_all)
        assert any("平均値の差" in label and "lung – breast" in label for details in of_all for label in details)
        for said in OF_THREE:
            assert any(said in call for call in calls), said


SURVIVAL, OF_TWO = "Surv(months, cause == 1)", 'subset = group %in% c("lung", "breast")'
COURSE = "nlme::gls(value ~ visit * group + visit * baseline + procedure, correlation"
OF_THREE = (
    f"coxph({SURVIVAL} ~ group + strata(sex))",
    f"coxph({SURVIVAL} ~ group + age_at_surgery + frankel + strata(sex))",
    f"survfit({SURVIVAL} ~ group, {OF_TWO})",
    f'coxph({SURVIVAL} ~ group, {OF_TWO} & procedure == "psf")',
    f"anova(coxph({SURVIVAL} ~ group + procedure, {OF_TWO}), coxph({SURVIVAL} ~ group * procedure, {OF_TWO}))",
    f"f <- {COURSE}",
    '~ group | visit, mode = "df.error", df = f$dims$N - f$dims$p)',
    f"anova({COURSE}",
    "anova(update(f, . ~ 1, data = model.frame(f)), f",
    "t <- table(control, treated); if (t[1, 2] + t[2, 1] < 25) binom.test(t[1, 2], t[1, 2] + t[2, 1]) else mcnemar",
    't.test(value ~ factor(group, c("breast", "lung")))',
    'fisher.test(table(value, factor(group, c("breast", "lung"))))',
    'J <- sum((outer(value, value, "<")',
    'i <- group == "lung"; coin::mh_test(table(before[i], after[i]))',
)


def test_a_hazard_ratio_tells_its_test(result):
    endpoint = result["endpoints"][0]
    place = [row["model"] for row in endpoint["hazards"]].index("adjusted") + 1
    row, fit = endpoint["hazards"][place], endpoint["fits"][1]
    table = next(
        candidate for candidate in tables.tables(typed(result), "en") if candidate.code == "endpoints-os-hazards4"
    )
    details = dict(table.rows[place].cells[2].details)
    assert details["Test"] == "Wald test"
    assert details["n"] == f"{fit['n']}, {fit['events']} events"
    assert details["In R"] == "summary(coxph(Surv(months, cause == 1) ~ group + age_at_surgery + frankel))"
    assert details["Statistic"] == f"z = {row['statistic']:.2f}".replace("-", "−")
    error = np.log(row["high"] / row["low"]) / (2 * 1.959963984540054)
    assert row["statistic"] == pytest.approx(np.log(row["estimate"]) / error)


def test_every_file_has_the_sections(result):
    def draw(result, code, format, language):
        return PIXEL if format == "png" else b"<svg></svg>"

    made = {format: files.renderer(format)(typed(result), "ja", draw) for format in files.FORMATS}
    assert all(made.values())
    assert "全生存" in made["html"].decode()
    assert "endpoints/os/rates" in made["csv"].decode()


def pixel():
    """A PNG of one pixel."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
    parts = (chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(b"\0\0")), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


PIXEL = pixel()


def test_small_counts_are_hidden_in_sections_too(result, settings):
    settings.SMALL_CELLS = 5
    shown = tables.shown(typed(result))
    counts = [cell.count for cell in shown.transitions[0].cells if 0 < int(cell.count) < 5]
    assert counts
    assert {str(count) for count in counts} == {"<5"}
    for language in ("en", "ja"):
        assert tables.tables(shown, language)


@pytest.mark.parametrize(
    ("kind", "entry", "why"),
    [
        ("endpoints", {"covariates": ["shoe_size"]}, "no “shoe_size”"),
        ("endpoints", {"event": [{"kind": "divorce"}]}, "death, adverse_event"),
        ("endpoints", {"event": [{"kind": "adverse_event", "of": ["sneezing"]}]}, "kinds of adverse events"),
        ("endpoints", {"event": [{"kind": "reached", "variable": "ecog_ps", "visits": ["9q"], "at_least": 3}]}, "9q"),
        ("qol", {"measure": "course", "variable": "hsuv", "visits": ["preop", "7m"]}, "7m"),
        ("transitions", {"variable": "gait", "before": "preop", "after": "1m"}, "no “gait”"),
    ],
)
@pytest.mark.django_db
def test_a_plan_that_names_what_is_not_there_is_refused(kind, entry, why):
    with pytest.raises(Refused, match=why):
        plans.from_json({"name": "wrong", kind: [{"code": "x", **named("x", "x"), **entry}]})


def test_an_endpoint_of_a_section_that_is_not_there(north):
    store(north, people(3))
    with pytest.raises(Refused, match="no propensity section"):
        ran({"name": "wrong", "grouping": "sex", "endpoints": [{"code": "x", **named("x", "x"), "matched": "ps"}]})


def _named(section):
    """The variables that a result's rows speak of."""
    rows = [row for part in section.values() if isinstance(part, list) for row in part if isinstance(row, dict)]
    return {row["variable"] for row in rows if "variable" in row} - {"group", "baseline"}
