"""Own instruments in the registry: publishing, what the database guards of them, entry, versions, retirement."""

import datetime as dt
import json
from decimal import Decimal

import pytest
from django.core.exceptions import PermissionDenied
from django.db import DatabaseError, IntegrityError, connection, transaction

from registry.instruments import catalogue
from registry.models import Assessment, OwnInstrument, ProtocolVersion, State
from registry.services import current_protocol as current
from registry.services.entry.assessments import ITEMS
from registry.services.protocol import publishing
from registry.services.records.cleaning import InvalidAnswers
from sites.models import AuditEvent

CORE = {item.name: str(item.codes[0]) if item.choices else "10" for item in ITEMS} | {"assessment_date": "2026-02-01"}
OWN = {
    "srs_given": "1", "srs_dose_gy": "24", "srs_fractions": "3", "srs_sites": ["other", "rib"], "srs_other": "skull",
    "srs_first": "2026-01", "srs_at": "8:30", "srs_planned": "2026-01-20", "srs_intent": "cure",
}  # fmt: skip


def test_an_own_instrument_is_stored_typed(publish, dose, save, as_system):
    publish(dose)
    row = save(CORE | OWN)
    with as_system():
        row = Assessment.objects.get(pk=row.pk)
        stored = AuditEvent.objects.filter(table_name="registry_assessment", action="insert").latest("pk").new
    assert row.state == State.COMPLETE
    assert row.srs_given == 1 and row.srs_dose_gy == Decimal("24.0") and row.srs_sites == ("rib", "other")
    assert row.srs_first == "2026-01" and row.srs_at == dt.time(8, 30) and row.srs_planned == dt.date(2026, 1, 20)
    assert row.asked_by == current.version()
    assert catalogue.derived("srs_per").compute({"srs_dose_gy": row.srs_dose_gy, "srs_fractions": 3}) == Decimal("8.0")
    assert stored["srs_dose_gy"] == 24.0


def test_what_is_not_shown_is_not_asked(publish, dose, save):
    publish(dose)
    row = save(CORE | {"srs_given": "0"}, missing={"srs_fractions": "unknown"})
    assert row.srs_dose_gy is None
    assert "srs_fractions" not in row.missing
    with pytest.raises(InvalidAnswers) as caught:
        save(CORE | {"srs_given": "0", "srs_dose_gy": "20"}, timepoint="1m")
    assert "not asked here" in caught.value.errors["srs_dose_gy"][0].en
    with pytest.raises(InvalidAnswers) as caught:
        save(CORE | {"srs_given": "1", "srs_sites": ["other"]}, timepoint="1m")
    assert sorted(caught.value.errors) == ["srs_dose_gy", "srs_fractions", "srs_other"]


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("srs_given", "2"), ("srs_dose_gy", "80.1"), ("srs_dose_gy", "1.23"), ("srs_dose_gy", "-1"),
        ("srs_fractions", "0"), ("srs_sites", "'lung'"), ("srs_sites", "'other;rib'"), ("srs_sites", "'rib;rib'"),
        ("srs_sites", "''"), ("srs_first", "'2026-13'"), ("srs_first", "'2026-02-30'"), ("srs_first", "'May'"),
        ("srs_first", "'1850'"), ("srs_at", "'08:30:10'"), ("srs_planned", "'1850-01-01'"), ("srs_intent", "'hope'"),
        ("srs_other", "''"), ("srs_other", "repeat('x', 201)"), ("missing", "'{\"srs_given\": \"unknown\"}'"),
    ],
)  # fmt: skip
def test_the_database_stores_nothing_that_the_declaration_forbids(publish, dose, save, as_system, column, value):
    publish(dose)
    row = save(CORE | OWN)
    with (
        as_system(reason="to try"),
        pytest.raises(DatabaseError) as caught,
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(f"UPDATE registry_assessment SET {column} = {value} WHERE id = %s", [row.pk])
    assert caught.value.__cause__.sqlstate in ("23514", "22008")


def test_the_database_holds_a_complete_form_to_what_was_asked(publish, dose, save, as_system):
    publish(dose)
    row = save(CORE | OWN)
    with (
        as_system(reason="to try"),
        pytest.raises(IntegrityError, match="srs_given needs a value"),
        transaction.atomic(),
    ):
        Assessment.objects.filter(pk=row.pk).update(srs_given=None)
    with as_system(reason="to try"), pytest.raises(IntegrityError, match="frankel needs a value"), transaction.atomic():
        Assessment.objects.filter(pk=row.pk).update(frankel=None)


def test_a_later_version_moves_no_form_back(publish, dose, save):
    before = save(CORE)
    publish(dose)
    row = save(CORE | OWN, timepoint="1m")
    dose["items"].append(
        {"name": "srs_toxicity", "label": {"en": "Toxicity"}, "kind": "whole", "minimum": 0, "maximum": 5}
    )
    publish(dose, "toxicity, as the committee asked")
    for old, raw in ((before, CORE), (row, CORE | OWN)):
        changed = save(raw | {"eq_vas": "77"}, timepoint=old.timepoint_id, version=old.version, reason="misread")
        assert (changed.eq_vas, changed.state, changed.asked_by) == (77, State.COMPLETE, old.asked_by)
    with pytest.raises(InvalidAnswers) as caught:
        save(CORE | OWN, timepoint="3m")
    assert list(caught.value.errors) == ["srs_toxicity"]
    assert [version.note for version in ProtocolVersion.objects.order_by("pk")] == [
        "first version",
        "toxicity, as the committee asked",
    ]


def test_what_would_break_stored_answers_is_not_published(publish, dose, save):
    publish(dose)
    save(CORE | OWN)
    dose["items"][1]["maximum"] = 20
    with pytest.raises(publishing.InvalidDefinition) as caught:
        publish(dose)
    fault = caught.value.faults[0]
    assert (fault.row, fault.value) == (2, "srs_dose_gy")
    assert "1 stored answers are outside of it" in fault.reason.en
    dose["items"][1]["maximum"] = 24
    publish(dose)
    dose["items"][8]["kind"] = "text"
    with pytest.raises(publishing.InvalidDefinition, match="changes its kind from code to text"):
        publish(dose)


def test_a_retired_instrument_is_asked_no_more_and_keeps_its_answers(publish, dose, save, ada, as_person, as_system):
    publish(dose)
    row = save(CORE | OWN)
    with as_person(ada) as access:
        publishing.retire(access=access, code="srs", note="ended")
    assert save(CORE, timepoint="1m").srs_given is None
    with as_system():
        assert Assessment.objects.get(pk=row.pk).srs_given == 1
    changed = save(CORE | {"eq_vas": "5"}, version=row.version, reason="misread")
    assert (changed.eq_vas, changed.srs_given) == (5, 1)


def test_only_administrators_publish_and_nothing_is_half_published(publish, dose, alice, as_person):
    with as_person(alice) as access, pytest.raises(PermissionDenied):
        publishing.keep_draft(access=access, document=dose)
    with (
        as_person(alice),
        pytest.raises(DatabaseError, match="by administrators"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute("SELECT publish_own_columns('registry_assessment', '[]')")
    dose["items"][3]["name"] = "eq_vas"
    with pytest.raises(publishing.InvalidDefinition, match="“eq_vas_2” would fit"):
        publish(dose)
    assert not ProtocolVersion.objects.exists()
    assert OwnInstrument.objects.get().is_draft


def test_what_was_published_never_changes(publish, dose):
    publish(dose)
    for model in (ProtocolVersion, OwnInstrument):
        with pytest.raises(DatabaseError, match=r"stays as it is|permission denied"), transaction.atomic():
            model.objects.update(document={})
    with pytest.raises(DatabaseError, match="permission denied"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("UPDATE registry_owncolumn SET kind = 'text'")


@pytest.mark.parametrize(
    "item",
    [
        {"name": "x; DROP TABLE registry_patient", "kind": "text", "max_length": 5},
        {"name": "eq_vas", "kind": "text", "max_length": 5},
        {"name": "patient_id", "kind": "text", "max_length": 5},
        {"name": "good", "kind": "bytea"},
        {"name": "good", "kind": "code", "codes": ["a'); DROP TABLE registry_patient; --"]},
        {"name": "good", "kind": "integer", "codes": [], "minimum": "1 OR true"},
        {"name": "good", "kind": "text", "max_length": "5 OR true"},
    ],
)
def test_the_database_makes_columns_of_declared_items_alone(ada, as_person, item):
    with as_person(ada), pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        items = json.dumps([{"codes": [], "form": "assessment"} | item])
        cursor.execute("SELECT publish_own_columns('registry_assessment', %s)", [items])


def test_core_instruments_can_be_off(publish, save, ada, as_person):
    with as_person(ada) as access:
        publishing.store(
            access,
            {"off": ["eq5d5l"], "matrix": {"barthel": {"1m": "not_asked"}, "eq_vas": {"1m": "optional"}}},
            "short",
        )
    core = {name: value for name, value in CORE.items() if not name.startswith("eq5d_")}
    assert save(core).state == State.COMPLETE
    with pytest.raises(InvalidAnswers) as caught:
        save(CORE, timepoint="3m")
    assert "is switched off" in caught.value.errors["eq5d_mobility"][0].en
    short = {name: value for name, value in core.items() if not name.startswith("barthel_") and name != "eq_vas"}
    assert save(short, timepoint="1m").state == State.COMPLETE
    with pytest.raises(InvalidAnswers):
        save(short, timepoint="3m")
