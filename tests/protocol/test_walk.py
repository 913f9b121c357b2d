"""One own instrument through everything that follows from its declaration, from the entry page to paper."""

import io
import zipfile
from types import SimpleNamespace

import pytest
from django.core.management import call_command
from django.test import Client
from django.urls import reverse

from registry.analysis.data import packed_snapshots
from registry.analysis.design import cohorts, plans
from registry.analysis.running import runner
from registry.exports.paper.pages import Pages
from registry.models import Assessment, Patient, Query
from registry.services.entry import patient_links
from registry.services.files import snapshots
from registry.services.review import queries, signing, verification
from registry.services.review.forms import form_row
from registry.services.review.soft_checks import Form
from tests.protocol.test_publishing import OWN
from tests.transfer.imports.test_extras_in_files import matched
from tests.web.conftest import ASSESSMENT

PREOP = Form("assessment", timepoint="preop")
SENT = ASSESSMENT | OWN | {"complete": "1"}
HIGH = {"srs_dose_gy": "60", "srs_fractions": "1"}
FHIR = "/api/fhir/R4"


@pytest.fixture
def walk(publish, dose, patient, client, as_person, as_system):
    """The published instrument, which patients answer too, with a value that is calculated of the patient's own."""
    by_pain = {"name": "srs_by_pain", "label": {"en": "Dose by pain"}, "kind": "calculated", "places": 0,
               "formula": "[srs_dose_gy] * [sins_pain]"}  # fmt: skip
    publish(dose | {"items": [*dose["items"], by_pain], "completed_by": "patient"})
    with as_system():
        Patient.objects.update(sins_pain=3)

    def act(user, method, name, *args, query="", **data):
        client.force_login(user)
        address = name if name.startswith("/") else reverse(name, args=args) + query
        return getattr(client, method)(address, data)

    return SimpleNamespace(act=act, patient=patient, as_person=as_person, as_system=as_system, client=client)


def text(answer):
    return answer.content.decode()


def test_one_own_instrument_walks_through_everything(
    walk, alice, ivo, mona, bob, dana, tmp_path, monkeypatch
):  # fmt: skip
    entered(walk, alice, ivo)
    read_by_programs(walk, alice)
    reviewed(walk, alice, mona, ivo, monkeypatch)
    asked_of_the_patient(walk, alice)
    brought_as_a_wide_file(walk, dana)
    exported(tmp_path)
    analysed(walk, bob)
    printed(walk, alice, monkeypatch)


def entered(walk, alice, ivo):
    """Page, draft, conflict, live check, missing reason, doubt, query, history and audit."""
    form, page = (
        ("assessment", walk.patient.pk, "preop"),
        text(walk.act(alice, "get", "assessment", walk.patient.pk, "preop")),
    )
    assert "Stereotactic radiosurgery" in page and 'name="srs_dose_gy"' in page and '"show_if"' in page
    typed = {"person": alice.pk, "srs_other": "sternum", "version": "", "drafted": ""}
    assert walk.act(alice, "post", "draft", walk.patient.pk, "preop", **typed).status_code == 200
    assert "sternum" in text(walk.act(alice, "get", *form))
    doubts = walk.act(alice, "post", *form, **SENT | HIGH | {"look": "1"}).json()["doubts"]
    assert [doubt["text"] for doubt in doubts] == ["More than 24 Gy a fraction."]
    lacking = walk.act(alice, "post", *form, **SENT | {"srs_fractions": ""})
    assert lacking.status_code == 422 and "field-srs_fractions" in text(lacking)
    answers = {"assessment_date": ASSESSMENT["assessment_date"], "srs_given": "1", "srs_fractions_missing": "unknown"}
    assert walk.act(alice, "post", *form, **answers).status_code == 302
    other = walk.act(ivo, "post", *form, **answers | {"srs_given": "0", "srs_fractions_missing": "", "version": ""})
    assert other.status_code == 409 and "srs_given" in {question.name for question in other.context["conflict"].asked}
    with walk.as_person(alice):
        row = Assessment.objects.get()
        assert (row.missing, row.state) == ({"srs_fractions": "unknown"}, "draft")
    asked = walk.act(alice, "post", *form, **SENT | HIGH | {"version": row.version})
    assert asked.status_code == 422 and "More than 24 Gy a fraction" in text(asked)
    keys = {"asked": [doubt.key for doubt in asked.context["doubts"]], "version": row.version}
    assert walk.act(alice, "post", *form, **SENT | HIGH | keys).status_code == 302
    with walk.as_person(alice):
        row, query = Assessment.objects.get(), Query.objects.get()
    assert (row.state, row.srs_sites, query.seen) == (
        "complete",
        ("rib", "other"),
        {"srs_dose_gy": 60.0, "srs_fractions": 1},
    )
    mended = SENT | {"version": row.version, "reason": "misread"}
    assert walk.act(alice, "post", *form, **mended).status_code == 302
    with walk.as_person(alice):
        assert Query.objects.get().state == "closed"
    assert "8.0 Gy" in text(walk.act(alice, "get", *form))
    history = text(walk.act(alice, "get", "history", walk.patient.pk))
    assert "60.0 Gy" in history and "24.0 Gy" in history and "Rib, Other" in history and "misread" in history
    assert "srs_dose_gy" in text(walk.act(alice, "get", "audit")) or "Dose" in text(walk.act(alice, "get", "audit"))
    assert "24.0 Gy" in text(walk.act(alice, "get", "patient", walk.patient.pk))


def read_by_programs(walk, alice):
    """API and FHIR: answers, what is calculated, conditions, changes and what is refused."""
    address = f"/api/v1/assessments/{walk.patient.pk}/preop"
    read = walk.act(alice, "get", address).json()
    assert (read["srs_dose_gy"], read["srs_sites"], read["srs_at"]) == (24.0, ["rib", "other"], "08:30")
    assert (read["srs_first"], read["srs_per"], read["srs_by_pain"]) == ("2026-01", 8.0, 72)
    listed = walk.act(alice, "get", "/api/v1/assessments?fields=srs_by_pain").json()["items"]
    assert [preset["srs_by_pain"] for preset in listed] == [72]

    def patch(gray, version):
        sent = {"content_type": "application/json", "headers": {"If-Match": f'"{version}"'}}
        return walk.client.patch(address, {"srs_dose_gy": gray, "reason": "misread"}, **sent)

    changed = patch(20, read["version"]).json()
    assert changed["srs_per"] == 6.7, changed
    refused = patch(200, changed["version"])
    assert refused.status_code == 422 and "srs_dose_gy" in refused.json()["errors"]
    assert "srs" in {item["code"] for item in walk.act(alice, "get", "/api/v1/instruments").json()["items"]}
    questions = {item["linkId"]: item for item in walk.act(alice, "get", f"{FHIR}/Questionnaire/srs").json()["item"]}
    given = {"system": questions["srs_given"]["answerOption"][0]["valueCoding"]["system"], "code": "1"}
    (when,) = questions["srs_dose_gy"]["enableWhen"]
    assert (when["question"], when["operator"], when["answerCoding"]["code"]) == ("srs_given", "=", given["code"])
    answers = walk.act(alice, "get", f"{FHIR}/QuestionnaireResponse/preop.srs.{walk.patient.pk}").json()["item"]
    assert {"linkId": "srs_by_pain", "answer": [{"valueInteger": 60}]}.items() <= next(
        item for item in answers if item["linkId"] == "srs_by_pain"
    ).items()


def reviewed(walk, alice, mona, ivo, monkeypatch):
    """A monitor's query, verification, signature and unlocking."""
    sent = {"form": "preop", "field": "srs_dose_gy", "text": "20 or 24?"}
    assert walk.act(mona, "post", "query_new", walk.patient.pk, **sent).status_code == 302
    assert "20 or 24?" in text(walk.act(alice, "get", "assessment", walk.patient.pk, "preop"))
    with walk.as_person(alice) as access:
        query = Query.objects.get(state="open")
        queries.answer(access=access, query=query, text="20: the plan says so")
    with walk.as_person(mona) as access:
        row = form_row(walk.patient, PREOP)
        assert {"srs_dose_gy", "srs_sites"} <= set(row.comparable)
        assert verification.verify(access=access, form_row=row, columns=row.comparable).state == "verified"
        queries.close(access=access, query=query)
    monkeypatch.setattr(signing, "PATIENT_FORMS", {})  # which are not complete, and would keep anybody from signing
    of_all = signing.forms_of
    monkeypatch.setattr(
        signing, "forms_of", lambda *about: [details for details in of_all(*about) if details.form == PREOP]
    )
    with walk.as_person(ivo) as access:
        signature = signing.sign(access=access, patient=walk.patient)
        assert "srs_dose_gy" in signature.forms[0]["columns"] and "srs_per" not in signature.forms[0]["columns"]
        assert [checked.status for checked in signing.checked(walk.patient)] == ["valid"]
        assert Assessment.objects.get().state == "locked"
        signing.unlock(access=access, patient=walk.patient, codes=["preop"], reason="to go on")


def asked_of_the_patient(walk, alice):
    """The patient's link asks it, one question a page."""
    with walk.as_person(alice) as access:
        asked = {"timepoint": "1m", "language": "en", "respondent": "self", "valid": "1d"}
        _link, token = patient_links.create(access=access, patient=walk.patient, **asked)
    pages = [text(Client().get(f"/answers/{token}/{step}/")) for step in (1, 2, 3)]
    assert any('name="srs_given"' in page for page in pages)


def brought_as_a_wide_file(walk, dana):
    """A file of another system, visits side by side, tick boxes of several answers."""
    names = (
        "ID",
        "assessment_date_3m",
        "srs_given_3m",
        "srs_dose_gy_3m",
        "srs_fractions_3m",
        "srs_at_3m",
        "rib",
        "spine",
    )
    cells = (walk.patient.pk, "2026-04-20", "1", "30.0", "5", "09:15", "1", "0")
    said = {"ID": "patient_id", "rib": "srs_sites:rib@3m", "spine": "srs_sites:spine@3m"}
    content = "\n".join((",".join(names), ",".join(cells))).encode()
    walk.client.force_login(dana)
    assert matched(walk.client, content, **said)["assessments"] == {"new": 1, "changed": 0, "unchanged": 0}
    with walk.as_system():
        row = Assessment.objects.get(timepoint="3m")
    assert (float(row.srs_dose_gy), row.srs_sites, f"{row.srs_at:%H:%M}") == (30.0, ("rib",), "09:15")


def exported(folder):
    """CSV long and wide with codebook and scripts, SPSS, Stata, Parquet, Excel, JSON Lines, ODM."""
    written = {}
    for form in ("csv", "sav", "dta", "parquet", "xlsx", "jsonl", "odm"):
        path = folder / f"{form}.zip"
        call_command("export_data", path, format=form, content=["items", "extras"], stdout=io.StringIO())
        with zipfile.ZipFile(path) as archive:
            written[form] = {name: archive.read(name) for name in archive.namelist()}
        assert any("codebook" in name for name in written[form])
    head, row, *_ = written["csv"]["data/assessments.csv"].decode().splitlines()
    cells = dict(zip(head.split(","), row.split(","), strict=True))
    given = {"srs_dose_gy": "20.0", "srs_sites": "rib;other", "srs_first": "2026-01", "srs_at": "08:30"}
    assert {name: cells[name] for name in given} == given and float(cells["srs_by_pain"]) == 60
    book = written["csv"]["codebook.csv"].decode()
    assert "Stereotactic radiosurgery" in book and "srs_per" in book and "Synthetic 2026" in book
    for script in ("data/read_metaspine.R", "data/read_metaspine.sas"):
        assert "srs_intent" in written["csv"][script].decode()
    odm = next(content for name, content in written["odm"].items() if name.endswith(".odm.xml")).decode()
    assert 'OID="I.srs_first"' in odm and 'ItemOID="I.srs_sites"' in odm
    call_command("export_data", folder / "wide.zip", shape="wide", content=["items", "extras"], stdout=io.StringIO())
    with zipfile.ZipFile(folder / "wide.zip") as archive:
        assert "srs_dose_gy_preop" in archive.read("data/patients.csv").decode().splitlines()[0].split(",")


def analysed(walk, bob):
    """Cohort in the browser, comparison rows, an endpoint, and the same from a snapshot."""
    address = "?srs_dose_gy_min=20&srs_sites%3Arib=yes&srs_dose_gy%403m_min=30&known=srs_intent%40preop"
    page = walk.act(bob, "get", "cohort_new", query=address)
    assert page.context["n"] == 1 and [step["n"] for step in page.context["flow"]] == [1, 1, 1, 1, 1]
    assert "Stereotactic radiosurgery" in text(page)
    assert walk.act(bob, "get", "cohort_new", query="?srs_dose_gy_max=19").context["n"] == 0
    rows = [{"variable": name, "visit": "3m"} for name in ("srs_dose_gy", "srs_by_pain")]
    reached = {"kind": "reached", "variable": "srs_by_pain", "visits": ["preop", "3m"], "at_least": 50}
    titled = {"code": "own", "title": {"en": "Own", "ja": "独自"}}
    comparison, endpoint = titled | {"kind": "within", "rows": rows}, titled | {"event": [reached], "times": [12]}
    plan = plans.from_json(
        {"name": "walk", "grouping": "everybody", "comparisons": [comparison], "endpoints": [endpoint]}
    )
    frozen = packed_snapshots.freeze(access=None, label="Walk")
    wanted = runner.timepoints_needed(plan, cohorts.ALL)
    with walk.as_system():
        for snapshot in (None, frozen):
            result = runner.run(plan, cohorts.ALL, packed_snapshots.read(snapshot, wanted))
            assert "srs_dose_gy" in str(result["comparisons"]) and result["endpoints"]
        assert snapshots.verify(frozen)


def printed(walk, alice, monkeypatch):
    """The paper form asks it, the casebook has its answers and what is calculated."""
    texts, of_pages = [], Pages.text

    def keep(self, x, y, words, *more):
        texts.append(words)
        return of_pages(self, x, y, words, *more)

    monkeypatch.setattr(Pages, "text", keep)
    sent = {"form": "preop", "kind": "filled", "language": "en"}
    answer = walk.act(alice, "post", "patient_paper", walk.patient.pk, **sent)
    assert answer.content.startswith(b"%PDF"), answer.content
    said = " ".join(texts)
    assert "Dose per fraction" in said and "6.7 Gy" in said and "Dose by pain: 60" in said
