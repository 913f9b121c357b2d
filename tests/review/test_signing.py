"""Verification against source, and signatures: what they cover, what breaks them, what becomes of a locked form."""

import hashlib
import json
from datetime import UTC

import pytest
from django.core.exceptions import PermissionDenied
from django.core.management import call_command

from registry.models import Patient, Signature
from registry.services.entry import patients
from registry.services.records.storing import Locked, ReasonRequired
from registry.services.review import queries, signing, verification
from registry.services.review.soft_checks import Form
from registry.services.seen import Difference, Unseen
from sites.models import AuditEvent
from tests.conftest import TODAY
from tests.review.conftest import PREOP


def test_all_fields_make_a_form_verified_and_a_change_takes_it_back(finished, save, mona, as_person, row_of):
    form_row = row_of(finished)
    *most, last = form_row.comparable
    with as_person(mona) as access:
        verification.verify(access=access, form_row=form_row, columns=most)
        assert row_of(finished).state == "complete"
        verification.verify(access=access, form_row=form_row, columns=[last])
    row = row_of(finished).row
    assert (row.state, row.verified["frankel"]["by"]) == ("verified", mona.pk)
    assessment = save(frankel="E")
    row = row_of(finished).row
    assert (row.state, verification.changed_since(row, form_row.comparable)) == ("complete", ["frankel"])
    assert (assessment.state, assessment.verified, assessment.version) == (row.state, row.verified, row.version)
    with as_person(mona) as access:
        verification.verify(access=access, form_row=row_of(finished), columns=["frankel"])
    assert row_of(finished).state == "verified"


def test_what_is_verified_of_one_form_leaves_the_others(finished, mona, own_form, as_person, row_of):
    with as_person(mona) as access:
        for form in (Form("baseline"), Form("surgery"), Form("follow_up")):
            form_row = row_of(finished, form)
            verification.verify(access=access, form_row=form_row, columns=form_row.comparable)
    row = row_of(finished, Form("baseline")).row
    assert (row.baseline_state, row.surgery_state) == ("verified", "verified")
    own_form("surgery", blood_loss_ml="310")
    row = row_of(finished, Form("baseline")).row
    assert (row.baseline_state, row.surgery_state) == ("verified", "complete")


def test_only_what_was_seen_is_verified(finished, save, mona, alice, ivo, as_person, row_of):
    form_row = row_of(finished)
    with as_person(mona):
        seen = verification.note(form_row)
    save(frankel="E")
    with as_person(mona) as access, pytest.raises(Unseen) as unseen:
        verification.verify(access=access, form_row=form_row, columns=form_row.comparable, seen=seen)
    assert unseen.value.differences == (Difference("preop", "frankel", "D", "E"),)
    for who in (alice, ivo):
        with as_person(who) as access, pytest.raises(PermissionDenied):
            verification.verify(access=access, form_row=form_row, columns=form_row.comparable)
    save(timepoint="1m", assessment_date="2026-02-14", complete=False)
    with as_person(mona) as access:
        with pytest.raises(verification.NotComplete):
            verification.verify(access=access, form_row=row_of(finished, Form("assessment", "1m")), columns=["frankel"])
        verification.verify(access=access, form_row=row_of(finished), columns=["frankel", "site_id", "nothing"])
        assert set(row_of(finished).row.verified) == {"frankel"}
        verification.withdraw(access=access, form_row=row_of(finished), columns=["frankel"])
        assert row_of(finished).row.verified == {}


@pytest.fixture
def signed(finished, alice, ivo, as_person):
    with as_person(alice) as access:
        patients.save_adverse_event(
            access=access, patient=finished, raw={"kind": "csf_leak", "onset_date": "2026-03-11"}, today=TODAY
        )
    with as_person(ivo) as access:
        return signing.sign(access=access, patient=finished)


@pytest.fixture
def look(as_system):
    def look(patient):
        with as_system():
            return [
                (signature.status, signature.open) for signature in signing.checked(Patient.objects.get(pk=patient.pk))
            ]

    return look


def test_a_signature_covers_every_finished_form_and_locks_it(signed, finished, ivo, save, own_form, row_of, look):
    assert [entry["form"] for entry in signed.forms][:3] == ["baseline", "surgery", "preop"]
    assert signed.forms[3]["form"].startswith("event-")
    assert (signed.signed_by_id, signed.name) == (ivo.pk, "Ivo")
    assert signed.meaning == "I confirm these data are complete and accurate"
    assert row_of(finished).state == "locked"
    for change in (lambda: save(frankel="E"), lambda: own_form("surgery"), lambda: own_form("baseline")):
        with pytest.raises(Locked):
            change()
    assert look(finished) == [("valid", ())]
    own_form("follow_up", vital_status="alive", last_contact_date="2026-05-01")
    assert look(finished) == [("valid", ())]


def test_the_hash_is_over_a_text_that_anybody_can_write_down(signed, finished, row_of):
    """The canonical text, put together by hand from what is stored."""
    rows = {code: row_of(finished, Form.of(code, {"preop"})).row for code in (entry["form"] for entry in signed.forms)}

    def plain(value):
        return value.isoformat() if hasattr(value, "isoformat") else 3 << 11 if value == ("T5", "T6") else value

    text = {
        "at": signed.signed_at.astimezone(UTC).isoformat(timespec="microseconds"),
        "forms": [
            {
                "form": entry["form"],
                "missing": {},
                "row": entry["row"],
                "values": {name: plain(getattr(rows[entry["form"]], name)) for name in entry["columns"]},
            }
            for entry in signed.forms
        ],
        "meaning": signed.meaning,
        "name": "Ivo",
        "patient": finished.pk,
        "person": signed.signed_by_id,
    }
    spelled = json.dumps(text, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert hashlib.sha256(spelled.encode()).hexdigest() == signed.sha256


def test_unlocking_needs_a_reason_and_a_change_breaks_the_signature(
    signed, finished, ivo, alice, as_person, save, look, row_of, capsys
):
    with as_person(ivo) as access:
        with pytest.raises(ReasonRequired):
            signing.unlock(access=access, patient=finished, codes=["preop"], reason=" ")
        assert signing.unlock(access=access, patient=finished, codes=["preop", "1m"], reason="typing error") == [
            "preop"
        ]
    with as_person(alice) as access:
        with pytest.raises(PermissionDenied):
            signing.unlock(access=access, patient=finished, codes=["surgery"], reason="let me")
        unlocked = AuditEvent.objects.get(action="unlocked")
        assert (unlocked.user_id, unlocked.reason, unlocked.new) == (ivo.pk, "typing error", {"forms": ["preop"]})
    assert look(finished) == [("unlocked", ("preop",))]
    save(eq_vas="61")
    assert look(finished) == [("broken", ("preop",))]
    with pytest.raises(SystemExit) as status:
        call_command("verify_signatures")
    assert status.value.code == 1
    assert "unlocked since: preop" in capsys.readouterr().err
    with as_person(ivo) as access:
        again = signing.sign(access=access, patient=finished, language="ja")
    assert [entry["form"] for entry in again.forms] == ["preop"]
    assert again.meaning == "これらのデータが完全かつ正確であることを確認します"
    assert look(finished) == [("valid", ()), ("broken", ())]


def test_a_verified_form_is_verified_again_after_unlocking(finished, mona, ivo, as_person, row_of):
    with as_person(mona) as access:
        verification.verify(access=access, form_row=row_of(finished), columns=row_of(finished).comparable)
    with as_person(ivo) as access:
        signing.sign(access=access, patient=finished)
        signing.unlock(access=access, patient=finished, codes=["preop", "surgery"], reason="to look")
    assert (row_of(finished).state, row_of(finished, Form("surgery")).state) == ("verified", "complete")


def test_data_changed_behind_the_triggers_are_found(signed, finished, look, capsys, as_system):
    call_command("verify_signatures")
    assert "1 signatures: 1 hold" in capsys.readouterr().out
    with as_system():
        row = Patient.objects.get(pk=finished.pk)
        forms = {form.form.code: form for form in signing.forms_of(row)}
        recorded = signing.recorded([signed])[signed.pk]
        assert signing.check(signed, forms, recorded).status == "valid"
        assert signing.check(signed, forms, None).fault == "trail"
        forms["preop"].row.eq_vas = 99
        assert signing.check(signed, forms, recorded).status == "broken"
        del forms["preop"]
        assert signing.check(signed, forms, recorded).status == "broken"
    for forged in ({"name": "Alice"}, {"meaning": "x"}, {"signed_by_id": 1}):
        with as_system():
            copy = Signature.objects.get()
            for name, value in forged.items():
                setattr(copy, name, value)
            forms = {form.form.code: form for form in signing.forms_of(Patient.objects.get(pk=finished.pk))}
            assert signing.check(copy, forms, recorded).status == "broken"


def test_what_stands_against_a_signature(finished, save, mona, alice, ivo, as_person):
    save(timepoint="1m", assessment_date="2026-02-14", complete=False)
    with as_person(ivo) as access, pytest.raises(signing.NotReady) as refused:
        signing.sign(access=access, patient=finished)
    assert [form.form.code for form in refused.value.ready.unfinished] == ["1m"]
    save(timepoint="1m", assessment_date="2026-02-14")
    with as_person(mona) as access:
        query = queries.raise_query(access=access, patient=finished, form=PREOP, text="Why?")
    with as_person(ivo) as access, pytest.raises(signing.NotReady):
        signing.sign(access=access, patient=finished)
    for who in (alice, mona):
        with as_person(who) as access, pytest.raises(PermissionDenied):
            signing.sign(access=access, patient=finished, acknowledged=[query.pk])
    with as_person(ivo) as access:
        assert signing.sign(access=access, patient=finished, acknowledged=[query.pk]).acknowledged == [query.pk]
        with pytest.raises(signing.NotReady):  # nothing is left to sign
            signing.sign(access=access, patient=finished, acknowledged=[query.pk])
