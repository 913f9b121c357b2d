"""Every address × every role × own and other site × GET and POST, against the one table in `permissions.py`."""

import pytest

from registry.analysis import cohorts, plans, runner
from registry.imports import uploads
from registry.models import AdverseEvent, Assessment, ComparisonRun, SavedCohort
from registry.services import patients
from registry.services.assessments import save_assessment
from sites.access import Role
from sites.models import AuditEvent, Membership
from tests.conftest import TODAY, person
from tests.guard.crawl import Asker, World, addresses
from tests.guard.permissions import EVERYBODY, RULES

ADDRESSES = addresses()


@pytest.fixture
def world(north, south, alice, charlie, ivo, mona, bob, dana, ada, as_person, as_system, settings):
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    nina = person("Nina", Role.COORDINATOR, north)
    Membership.objects.filter(user=nina).update(ends_on=TODAY.replace(year=2019))
    found = World(
        {
            "coordinator": alice,
            "investigator": ivo,
            "monitor": mona,
            "data_manager": dana,
            "statistician": bob,
            "admin": ada,
            "former": nina,
            "anonymous": None,
        }
    )
    for place, user, site, born, number, initials in (
        ("own", alice, north, "1951-02-23", "HN-4410077", "QXN"),
        ("other", charlie, south, "1947-11-29", "HN-7731905", "QXS"),
    ):
        with as_person(user) as access:
            patient = patients.enrol(
                access=access,
                site=site,
                raw={"sex": "male", "birth_date": born, "consent_date": "2026-01-10"},
                consented=True,
                hospital_number=number,
                initials=initials,
                today=TODAY,
            )
            saved = save_assessment(
                access=access, patient=patient, timepoint="preop", raw={"assessment_date": "2026-01-11"}, today=TODAY
            )
            event = patients.save_adverse_event(
                access=access,
                patient=patient,
                raw={"kind": "csf_leak", "onset_date": "2026-03-11", "detail": f"told by {initials}-witness"},
                today=TODAY,
            )
        year, month, day = (int(part) for part in born.split("-"))
        named = {2: "Feb", 11: "Nov"}[month]
        found.secrets[place] = (born, f"{day} {named} {year}", f"{year}年{month}月{day}日", number, initials)
        found.records[place] = (patient.pk,)
        found.values[place] = {
            "patient_id": patient.pk,
            "timepoint": "preop",
            "event_id": event.pk,
            "response_id": f"event-{event.pk}.adverse-event.{patient.pk}",
            "assessment_id": saved.pk,
            "site_id": site.pk,
            "user_id": user.pk,
            "membership_id": user.memberships.get().pk,
        }
    with as_system():
        result = runner.compare(plans.SEGMENT_COMPARISON, cohorts.SEGI2024)
        run = ComparisonRun.objects.create(
            status="done",
            plan=plans.SEGMENT_COMPARISON.to_json(),
            cohort=cohorts.SEGI2024.to_json(),
            result=result,
            requested_by=bob,
        )
        saved = SavedCohort.objects.create(
            name="Lung", version=1, steps=[{"step": "primary_tumour", "values": ["lung"]}], created_by=bob
        )
        assert (Assessment.objects.count(), AdverseEvent.objects.count()) == (2, 2)
        imported = uploads.new_import(
            dana.pk,
            {"patients.csv": b"patient_id,site_code\nN01-0001,N01\n"},
            status="checked",
            choices=[{"workbook": False, "encodings": ["utf-8-sig"], "delimiters": [","], "sheets": [],
                      "way": {"encoding": "utf-8-sig", "delimiter": ","}}],
            counts={"files": {"patients": {"new": 1, "changed": 0, "unchanged": 0}}, "errors": 0, "warnings": 0},
        )  # fmt: skip
        for place in ("own", "other"):
            found.values[place]["import_id"] = imported.pk
            found.values[place]["run_id"] = run.pk
            found.values[place]["cohort_id"] = saved.pk
            events = AuditEvent.objects.filter(site_id=found.values[place]["site_id"])
            found.values[place]["clinical_event_id"] = events.latest("pk").pk
    found.values["ghost"] = found.values["other"] | {
        "patient_id": "S01-0999",
        "event_id": 999_999,
        "response_id": "event-999999.adverse-event.S01-0999",
    }
    return found


def test_every_address_has_its_rule_and_every_rule_an_address():
    names = {address.name for address in ADDRESSES}
    assert (names - set(RULES), set(RULES) - names) == (set(), set())


@pytest.mark.parametrize("who", sorted(EVERYBODY))
def test_everybody_gets_what_the_table_says_and_nothing_else(client, world, as_system, who):
    asking = Asker(client, world.people[who], as_system)
    wrong = [fault for address in ADDRESSES for fault in faults(asking, world, who, address)]
    assert wrong == [], "\n".join(wrong)


def faults(asking, world, who, address):
    """What is not as it should be when `who` asks for one address in every way."""
    rule = RULES[address.name]
    for place in ("own", "other") if rule.of_site else ("own",):
        url = address.url(world.arguments(rule, place))
        ghost = address.url(world.arguments(rule, "ghost"))
        for method, sent in (("get", {}), *(("post", body) for body in ({}, *rule.bodies))):
            asked = f"{method} {url} {sent or ''}:"
            expected, may_store = rule.expected(who, place, method)
            answer = asking(method, url, sent)
            if answer.status not in expected:
                yield f"{asked} {answer.status} instead of {sorted(expected)}"
            if answer.stored and not may_store:
                yield f"{asked} stored {answer.stored}"
            told = answer.told.replace(url, "")
            for text in world.hidden_from(who):
                if text in told:
                    yield f"{asked} tells {text}"
            if place == "other" and 404 in expected and len(expected) == 1:
                nothing = asking(method, ghost, sent)
                if (answer.status, told) != (nothing.status, nothing.told.replace(ghost, "")):
                    yield f"{asked} tells that there is such a record"


def test_the_crawl_would_see_a_leak(client, world, as_system):
    """The page of the patient tells of the patient, and the identifiers' page the identifiers, to the site's own."""
    asking, own = Asker(client, world.people["coordinator"], as_system), world.records["own"][0]
    assert own in asking("get", "/patients/", {}).told
    answer = asking("get", f"/patients/{own}/identifiers/", {})
    assert sum(text in answer.told for text in world.secrets["own"]) >= 3
    assert answer.stored == {"study_sites_auditevent": 1}
