"""Extra instruments: switching them, what the forms ask because of it, what stays when one is off."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from django.db import DatabaseError, transaction
from django.urls import reverse

from registry.instruments import catalogue, extras
from registry.models import Assessment, InstrumentSwitch, Patient, Query, Timepoint
from registry.services import standing
from registry.services.entry.assessments import save_assessment
from registry.services.files import file_formats
from registry.services.records import extras as service
from registry.services.records.cleaning import InvalidAnswers
from registry.services.review.soft_checks_bulk import sweep
from sites.models import AuditEvent
from sites.tenancy.scope import everything
from tests.web.conftest import ASSESSMENT, BASELINE

EXTRAS = {"kps": "70", "ais": "D", "escc": "1c"}


@pytest.fixture
def switched(db):
    """`switched("kps", "ais")` switches these on and everything else off."""

    def switch(*codes):
        with everything(reason="test"):
            for code in extras.SWITCHES:
                service.switch(access=None, code=code, on=code in codes)

    return switch


def test_the_contract_knows_no_extra():
    extra = {item.name for item in catalogue.items((*catalogue.PATIENT_EXTRAS, *catalogue.ASSESSMENT_EXTRAS))}
    assert extra
    for file in file_formats.FILES:
        assert not extra & set(file.columns)
    assert all(instrument.optional for instrument in (*catalogue.PATIENT_EXTRAS, *catalogue.ASSESSMENT_EXTRAS))
    assert not any(event.optional for event in (*catalogue.PATIENT, *catalogue.ASSESSMENT, *catalogue.ADVERSE_EVENTS))
    assert set().union(*(switch.items for switch in extras.SWITCHES.values())) == extra


def test_an_administrator_switches_after_reading_what_it_does(ada, alice, browse, text, monkeypatch):
    client, page = browse(ada), reverse("extra_instrument", args=["kps"])
    with monkeypatch.context() as patch, everything(reason="as another web process does"):
        patch.setattr(standing, "FRESH", float("inf"))
        assert service.switched_on() == frozenset()
        other = InstrumentSwitch(code="ais", on=True)
        other.save()
        assert service.switched_on() == frozenset()
        assert "Switch it off?" in text(client.get(reverse("extra_instrument", args=["ais"])))
        lines = client.get(reverse("extra_instruments")).context["lines"]
        assert [line.switch.code for line in lines if line.on] == ["ais"]
        other.delete()
    assert "Switch it on?" in text(client.get(page))
    assert browse(alice).get(page).status_code == 403
    assert browse(alice).post(page, {"on": "1"}).status_code == 403
    assert service.switched_on() == frozenset()
    assert client.post(page, {"on": "1"}).url == reverse("extra_instruments")
    assert service.switched_on() == {"kps"}
    assert "Switch it off?" in text(client.get(page))
    client.post(page, {"on": "1"})  # the second of two clicks
    with everything():
        assert AuditEvent.objects.filter(table_name="registry_instrumentswitch", row_id="kps").count() == 1
    client.post(page, {"on": "0"})
    assert service.switched_on() == frozenset()
    assert "Off" in text(browse(alice).get(reverse("extra_instruments")))
    assert client.get(reverse("extra_instrument", args=["frankel"])).status_code == 404


def test_a_form_shows_and_demands_only_what_is_on(switched, alice, browse, url, stored, text):
    client = browse(alice)
    assert 'name="kps"' not in text(client.get(url))
    switched("kps", "ais", "escc")
    page = text(client.get(url))
    assert all(f'name="{name}"' in page for name in EXTRAS)
    refused = client.post(url, ASSESSMENT | EXTRAS | {"escc": "", "complete": ""})
    assert refused.status_code == 422
    assert "ESCC grade needs a value or a reason why there is none." in text(refused)
    unanswered = {"escc": "", "escc_missing": "not_applicable"}
    assert client.post(url, ASSESSMENT | EXTRAS | unanswered | {"complete": ""}).status_code == 302
    row = stored()
    assert (row.state, row.kps, row.ais, row.missing) == ("complete", 70, "D", {"escc": "not_applicable"})


def test_what_is_off_is_kept_and_shown_and_not_changed(switched, alice, browse, url, stored, text, as_person, patient):
    switched("kps", "ais")
    client = browse(alice)
    client.post(url, ASSESSMENT | EXTRAS | {"complete": ""})
    switched("ais")
    page = text(client.get(url))
    assert 'name="kps"' not in page and 'name="ais"' in page
    assert "switched off: kept, not asked" in page and "70 cares for self, cannot work" in page
    change = ASSESSMENT | {"version": stored().version, "reason": "seen again", "kps": "100", "ais": "E", "save": ""}
    assert client.post(url, change).status_code == 302
    assert (stored().kps, stored().ais) == (70, "E")
    with as_person(alice) as access, pytest.raises(InvalidAnswers) as refusal:
        raw = {**ASSESSMENT, "kps": 100}
        version = Assessment.objects.get().version
        save_assessment(access=access, patient=patient, timepoint="preop", raw=raw, version=version, reason="x")
    assert refusal.value.errors == {"kps": [service.SWITCHED_OFF]}


def test_what_is_off_leaves_the_patients_page_and_raises_no_question(
    switched, alice, browse, url, stored, patient, as_person
):
    switched("kps", "escc")
    client, own = browse(alice), f"/patients/{patient.pk}/"
    client.post(url, ASSESSMENT | EXTRAS | {"complete": ""})
    shown = [label for _, rows in client.get(own).context["extra"]["groups"] for label, _ in rows]
    assert shown[0] == "Karnofsky performance status" and "Cord compressed (grades 2 and 3)" in shown

    def query():
        with as_person(alice):
            return Query.objects.filter(rule="kps_against_ecog").first()

    def record(ecog, said):
        fields = {"version": stored().version, "reason": "seen again", "ecog_ps": ecog, "save": ""}
        return client.post(url, ASSESSMENT | EXTRAS | fields | said)

    switched("escc")
    assert "Karnofsky" not in str(client.get(own).context["extra"]["groups"])
    assert record("4", {}).status_code == 302  # KPS 70 stays stored, and nobody is asked about it
    assert (stored().kps, query()) == (70, None)
    switched("kps", "escc")
    assert record("0", {}).status_code == 422
    assert record("0", {"asked": "preop:kps_against_ecog"}).status_code == 302
    assert query().state == "open"
    switched("escc")
    assert record("2", {}).status_code == 302
    with as_person(alice):
        sweep()
    assert query().state == "open"  # nobody looked at it
    switched("kps", "escc")
    with as_person(alice):
        sweep()
    assert (query().state, query().mended) == ("closed", True)


def test_angles_are_compared_in_one_posture_alone(switched, alice, browse, patient, as_system):
    """Correction: before minus one week; loss: later minus one week (Wang 2025)."""
    switched("cobb")
    angles = {"preop": ("21.5", "standing"), "1w": ("9.0", "supine"), "1m": ("13.5", "supine"), "3m": ("14.0", None)}
    with as_system():
        Timepoint.objects.get_or_create(code="1w", defaults={"label": "1 week", "label_ja": "1週", "position": 7})
        for place, (code, (degrees, posture)) in enumerate(angles.items()):
            Assessment.objects.create(
                patient=patient, site_id=patient.site_id, timepoint_id=code, cobb_deg=Decimal(degrees),
                cobb_posture=posture, assessment_date=date(2026, 1, 10) + timedelta(days=30 * place),
            )  # fmt: skip

    def course():
        rows = dict(browse(alice).get(f"/patients/{patient.pk}/").context["extra"]["groups"])
        rows = dict(rows["Cobb angle (segmental kyphosis)"])
        return [[cell for cell in rows[name] if cell] for name in ("Correction", "Loss of correction")]

    assert course() == [["postures differ"], ["+4.5 deg", "posture unknown"]]
    with as_system():
        Assessment.objects.filter(timepoint_id="preop").update(cobb_posture="supine")
    assert course() == [["+12.5 deg"], ["+4.5 deg", "posture unknown"]]


def test_a_kps_of_death_is_refused_while_no_death_is_on_record(switched, as_person, alice, patient, as_system):
    switched("kps")
    raw = {**ASSESSMENT, "kps": 0, "ecog_ps": ""}
    with as_person(alice) as access:
        with pytest.raises(InvalidAnswers) as refusal:
            save_assessment(access=access, patient=patient, timepoint="preop", raw=raw)
        assert list(refusal.value.errors) == ["kps"]
        patient.vital_status = "dead"
        assert save_assessment(access=access, patient=patient, timepoint="preop", raw=raw).kps == 0


def test_a_form_completed_before_is_not_asked_afterwards(switched, alice, browse, url, stored):
    client = browse(alice)
    client.post(url, ASSESSMENT | {"complete": ""})
    switched("kps", "charlson")
    again = ASSESSMENT | {"frankel": "E", "reason": "misread", "save": "", "version": stored().version, "kps": ""}
    assert client.post(url, again).status_code == 302
    assert (stored().frankel, stored().kps) == ("E", None)


def test_an_extra_of_a_completed_form_changes_only_with_a_reason(switched, alice, browse, url, stored):
    switched("kps")
    client = browse(alice)
    client.post(url, ASSESSMENT | EXTRAS | {"complete": ""})
    change = ASSESSMENT | {"version": stored().version, "kps": "60", "save": ""}
    assert client.post(url, change).status_code == 422
    assert client.post(url, change | {"reason": "misread"}).status_code == 302
    assert stored().kps == 60
    with everything(), pytest.raises(DatabaseError, match="only with a reason"), transaction.atomic():
        Assessment.objects.update(kps=90)


def test_charlson_is_summed_on_the_baseline(switched, alice, browse, patient, stored, text, as_person):
    switched("charlson", "local_recurrence")
    page = f"/patients/{patient.pk}/baseline/"
    absent = {item.name: "0" for item in catalogue.instrument("charlson").items}
    sent = BASELINE | absent | {"cci_tumour": "6", "cci_diabetes": "2", "version": stored(Patient).version}
    response = browse(alice).post(page, sent | {"complete": ""})
    assert response.status_code == 302
    row = stored(Patient)
    assert (row.baseline_state, row.cci_full, row.cci_without_cancer) == ("complete", 8, 2)


PROGNOSIS = {
    "primary_detail": "lung",
    "visceral_treatability": "0",
    "visceral_spread": "0",
    "skeletal_metastases": "2",
    "targeted_drug": "1",
    "previous_chemotherapy": "0",
    "walks_independently": "1",
    "albumin_g_dl": "3.6",
    "crp_mg_dl": "0.12",
    "ldh_iu_l": "200",
    "platelets_1000_ul": "210",
    "calcium_mg_dl": "9.1",
    "bilirubin_mg_dl": "0.6",
}
COURSE = {
    "cobb_deg": "12.5",
    "cobb_upper": "T4",
    "cobb_lower": "T7",
    "cobb_modality": "ct",
    "cobb_posture": "supine",
    "sosg_version": "v2",
    "sosg_direction": "higher_better",
    "sosg_physical": "55",
    "sosg_pain": "60.5",
    "sosg_mental": "70",
    "sosg_social": "50",
    "sosg_total": "58.9",
}


def test_every_extra_is_entered_and_its_scores_stand_on_the_patients_page(
    switched, alice, browse, patient, url, stored, text, as_person
):
    switched(*extras.SWITCHES)
    client, own = browse(alice), f"/patients/{patient.pk}/"
    charlson = {item.name: "0" for item in catalogue.instrument("charlson").items} | {"cci_tumour": "6"}
    page = text(client.get(own + "baseline/"))
    assert all(f'name="{name}"' in page for name in (*PROGNOSIS, *charlson))
    assert '<option value="T4">T4</option>' in text(client.get(url))
    empty = text(client.get(own))
    assert "Not computable, missing: Primary tumour in detail, Visceral metastases (Tomita)" in empty
    sent = BASELINE | charlson | PROGNOSIS | {"version": stored(Patient).version, "complete": ""}
    refused = client.post(own + "baseline/", sent | {"albumin_g_dl": "3.65"})
    assert "Albumin must be a number from 0 to 8 g/dL, decimal digits at most 1; got “3.65”." in text(refused)
    assert client.post(own + "baseline/", sent).status_code == 302
    assert client.post(url, ASSESSMENT | EXTRAS | COURSE | {"complete": ""}).status_code == 302
    shown = {score.score.code: score.value for score in client.get(own).context["extra"]["scores"]}
    # lung with a targeted drug 2, laboratory abnormal by albumin 1, multiple 1; Bauer: no visceral metastases alone
    assert shown == {"charlson": None, "tomita": 6, "bauer": 1, "nesms": 2, "katagiri": 4}
    page = text(client.get(own))
    assert "Provisional" in page and "ECOG published for this KPS, not recorded: Ma 2010" in page
    assert "<td>T4</td>" in page and 'ECOG 3–4 before surgery <span class="muted">(2 self-care, no work)</span>' in page
    assert "12.5 deg" in page and "Not computable, missing: Age at surgery" in page
    follow_up = {"version": stored(Patient).version, "last_contact_date": "2026-05-01", "vital_status": "alive"}
    response = client.post(own + "follow-up/", follow_up | {"local_recurrence": "absent", "save": ""})
    assert response.status_code == 422 and "Radiotherapy before surgery needs a value" in text(response)
    more = {"local_recurrence": "absent", "rt_before": "none", "rt_after": "conventional", "rt_after_dose_gy": "30"}
    wrong = more | {"local_recurrence_date": "2026-04-01"}
    assert "only for local recurrence “present”" in text(client.post(own + "follow-up/", follow_up | wrong))
    assert client.post(own + "follow-up/", follow_up | more | {"save": ""}).status_code == 302
    assert (stored(Patient).rt_after_dose_gy, stored(Patient).local_recurrence) == (30, "absent")


def test_a_score_asks_for_its_own_inputs_alone(switched, alice, browse, patient, text):
    switched("tomita")
    page = text(browse(alice).get(f"/patients/{patient.pk}/baseline/"))
    assert 'name="skeletal_metastases"' in page and 'name="tomita_growth"' in page
    assert 'name="albumin_g_dl"' not in page and 'name="walks_independently"' not in page
    scores = browse(alice).get(f"/patients/{patient.pk}/").context["extra"]["scores"]
    assert [score.score.code for score in scores] == ["tomita"]
