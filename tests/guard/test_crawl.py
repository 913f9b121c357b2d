"""Every address × every role × own and other site × GET and POST, against the one table in `permissions.py`."""

import json
import logging
from datetime import timedelta

import pytest
from django.utils import timezone

from registry.analysis.design import cohorts, plans
from registry.analysis.running import runner
from registry.api.schema.docs import described
from registry.imports import jobs as imports
from registry.models import AdverseEvent, Assessment, ComparisonRun, SavedCohort, SavedPlan, ScheduleVersion
from registry.services.entry import entered_in_error, patient_links, patients
from registry.services.entry.assessments import save_assessment
from registry.services.files import snapshots
from registry.services.review import queries
from registry.services.review.soft_checks import Form
from sites.models import AuditEvent, Invitation, Membership
from sites.people import tokens
from sites.people.invitations import invite
from sites.people.tokens import TokenScope
from sites.tenancy.access import Role, access_of
from sites.tenancy.scope import entered
from tests.conftest import TODAY, person
from tests.guard.crawl import Asker, World, addresses
from tests.guard.permissions import CENTRAL, EVERYBODY, OPERATIONS, RULES

pytestmark = pytest.mark.long

ADDRESSES = addresses()


@pytest.fixture(autouse=True)
def silence():
    """Thousands of refusals, each with its traceback: writing them down took a quarter of the time."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.fixture
def world(north, south, alice, charlie, ivo, mona, bob, dana, ada, as_person, as_system, settings):
    settings.API_RATES = dict.fromkeys(settings.API_RATES, 10**6)
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
        ("own", alice, north, "1951-02-23", "HN-4410077", "Q.N."),
        ("other", charlie, south, "1947-11-29", "HN-7731905", "Q.S."),
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
            wrong = patients.save_adverse_event(
                access=access, patient=patient, raw={"kind": "pneumonia", "onset_date": "2026-03-12"}, today=TODAY
            )
            entry = entered_in_error.mark(access=access, row=wrong, version=None, reason="another patient's")
            link, token = patient_links.create(
                access=access, patient=patient, timepoint="preop", language="en", respondent="self", valid="1d"
            )
        with entered(patient_links.scope_of(token)):
            link = patient_links.usable()
            for item in patient_links.ITEMS:
                patient_links.decline(link, item)
            patient_links.send(link)
        with as_person(dana) as access:
            query = queries.raise_query(
                access=access, patient=patient, form=Form("assessment", timepoint="preop"), text="Is this the day?"
            )
        year, month, day = (int(part) for part in born.split("-"))
        named = {2: "Feb", 11: "Nov"}[month]
        found.secrets[place] = (born, f"{day} {named} {year}", f"{year}年{month}月{day}日", number, initials)
        found.records[place] = (patient.pk,)
        found.values[place] = {
            "patient_id": patient.pk,
            "timepoint": "preop",
            "event_id": event.pk,
            "entry_id": entry.pk,
            "query_id": query.pk,
            "link_id": link.pk,
            "response_id": f"event-{event.pk}.adverse-event.{patient.pk}",
            "assessment_id": saved.pk,
            "site_id": site.pk,
            "site_code": site.code,
            "token_id": 999_999,
            "user_id": user.pk,
            "membership_id": user.memberships.get().pk,
        }
    with as_person(dana) as access:
        imported = imports.begin(access=access, files={"patients.csv": b"patient_id,site_code\nN01-0001,N01\n"})
        imported.status = "checked"
        imported.counts = {"files": {"patients": {"new": 1, "changed": 0, "unchanged": 0}}, "errors": 0, "warnings": 0}
        imported.save(update_fields=["status", "counts"])
    with as_system():
        result = runner.compare(plans.SEGMENT_COMPARISON, cohorts.SEGI2024)
        run = ComparisonRun.objects.create(
            status="done",
            plan=plans.SEGMENT_COMPARISON.to_json(),
            cohort=cohorts.SEGI2024.to_json(),
            result=result,
            requested_by=bob,
        )
        snapshot = snapshots.freeze(access=None, label="Crawled")
        saved = SavedCohort.objects.create(
            name="Lung", version=1, steps=[{"step": "primary_tumour", "values": ["lung"]}], created_by=bob
        )
        plan = SavedPlan.objects.create(
            name="Crawled", version=1, plan=plans.SEGMENT_COMPARISON.to_json(), cohort=cohorts.ALL.to_json()
        )
        assert (Assessment.objects.count(), AdverseEvent.objects.count()) == (2, 2)
        for place in ("own", "other"):
            found.values[place]["import_id"] = imported.pk
            found.values[place]["run_id"] = run.pk
            found.values[place]["cohort_id"] = saved.pk
            found.values[place]["plan_id"] = plan.pk
            found.values[place]["version_id"] = ScheduleVersion.objects.get().pk
            found.values[place]["snapshot_id"] = snapshot.pk
            events = AuditEvent.objects.filter(site_id=found.values[place]["site_id"])
            found.values[place]["clinical_event_id"] = events.latest("pk").pk
        invitation = Invitation(email="soon@example.org", role=Role.COORDINATOR, site=south)
        invite(invitation, access=access_of(ada))
        for place in ("own", "other"):
            found.values[place]["invitation_id"] = invitation.pk
    found.values["ghost"] = found.values["other"] | {
        "patient_id": "S01-0999",
        "event_id": 999_999,
        "entry_id": 999_999,
        "query_id": 999_999,
        "link_id": 999_999,
    }
    found.values["ghost"]["response_id"] = "event-999999.adverse-event.S01-0999"
    found.values["ghost"]["site_code"] = "X99"
    return found


def test_every_address_has_its_rule_and_every_rule_an_address():
    names = {address.name for address in ADDRESSES}
    assert (names - set(RULES), set(RULES) - names) == (set(), set())


@pytest.mark.parametrize("who", sorted(EVERYBODY))
def test_everybody_gets_what_the_table_says_and_nothing_else(client, world, as_system, who):
    asking = Asker(client, world.people[who], as_system)
    wrong = [fault for address in ADDRESSES for fault in faults(asking, world, who, address)]
    wrong += [fault for address in ADDRESSES for fault in faults_of_methods(asking, world, who, address)]
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


# Methods that no page understands. Of the API only the operations of the table do (below).
OTHER_METHODS = ("put", "patch", "delete")


def faults_of_methods(asking, world, who, address):
    """What is not as it should be when `who` sends one address PUT, PATCH or DELETE, which only the table may let in.

    Operations of the API are asked in a session here, with what is no document: nobody gets further than their role.
    Pages refuse before anybody is asked who they are, so one person's try tells of everybody's: any other answer than
    405 says that the request came further than that.
    """
    if not address.of_the_api and who != "admin":
        return
    rule = RULES[address.name]
    taken = {method: OPERATIONS[name] for name, _path, method in NAMED if name == f"{address.name[4:]}_{method}"}
    for place in ("own", "other") if rule.of_site and (taken or rule.replacers) else ("own",):
        url = address.url(world.arguments(rule, place))
        for method in OTHER_METHODS:
            expected = rule.refuses(who, place, method) if address.of_the_api else {405}
            if method in taken:
                expected = {401, 403, 404} if who not in taken[method].people else {400, 404, 415, 422, 428}
            answer = asking(method, url, "x")
            if answer.status not in expected:
                yield f"{method} {url}: {answer.status} instead of {sorted(expected)}"
            if answer.stored:
                yield f"{method} {url}: stored {answer.stored}"
            for text in world.hidden_from(who):
                if text in answer.told.replace(url, ""):
                    yield f"{method} {url}: tells {text}"


SCHEMA = described()
NAMED = [
    (one["operationId"], path, method) for path, methods in SCHEMA["paths"].items() for method, one in methods.items()
]


def test_every_operation_of_the_api_has_its_rule_and_every_rule_an_operation():
    named = {name for name, _path, _method in NAMED}
    assert (named - set(OPERATIONS), set(OPERATIONS) - named) == (set(), set())


def token_of(user, *scopes):
    """The header of a request with a token of `user`; empty for somebody who cannot have one."""
    access = access_of(user) if user is not None else None
    if not access or not access.grants:
        return {}
    expires_at = timezone.now() + timedelta(days=1)
    one = tokens.issue(access=access, user=user, name="crawl", scopes=scopes, expires_at=expires_at)
    return {"authorization": f"Bearer {one.text}"}


@pytest.mark.parametrize("who", sorted(EVERYBODY - {"former"}))
def test_every_operation_of_the_api_answers_whom_the_table_says_and_nobody_else(client, world, as_system, who):
    user = world.people[who]
    every, reading = token_of(user, *TokenScope), token_of(user)
    asking = Asker(client, None, as_system)
    wrong = [fault for named in NAMED for fault in faults_of(asking, world, who, every, reading, *named)]
    assert wrong == [], "\n".join(wrong)


def faults_of(asking, world, who, every, reading, name, path, method):
    """What is not as it should be when `who` asks for one operation of the API in every way."""
    rule = OPERATIONS[name]
    hidden = world.hidden_from(who)
    for place in ("own", "other"):
        values = world.arguments(rule, place)
        url, ghost = path.format(**values), path.format(**world.arguments(rule, "ghost"))
        exists = place == "own" or not rule.of_site or who in CENTRAL
        for body, status in rule.bodies(place, who):
            sent = body(values) if body else {}
            expected = rule.refused if who not in rule.people else status if exists else 404
            asked_with = [(every, expected if every else 401)]
            if reading and who in rule.people:
                asked_with.append((reading, expected if rule.scope == "read" else 403))
            for headers, wanted in asked_with:
                answer = api(asking, method, url, sent, headers)
                asked = f"{method} {url} {sent or ''}{' (reading)' if headers is reading else ''}:"
                if answer.status != wanted:
                    yield f"{asked} {answer.status} instead of {wanted}: {answer.told[-300:]}"
                if answer.stored and not 200 <= wanted < 300:
                    yield f"{asked} stored {answer.stored}"
                told = answer.told.replace(url, "")
                unseen = hidden if headers is every else {*hidden, *world.secrets["own"], *world.secrets["other"]}
                yield from (f"{asked} tells {text}" for text in unseen if text in told and text not in str(sent))
                if wanted == 404 and place == "other":
                    nothing = api(asking, method, ghost, sent, headers)
                    if (answer.status, told) != (nothing.status, nothing.told.replace(ghost, "")):
                        yield f"{asked} tells that there is such a record"


def api(asking, method, url, sent, headers):
    if method == "get":
        return asking(method, url, {}, headers=headers)
    more = {"if-match": "*"} if method == "patch" else {}
    return asking(method, url, json.dumps(sent), content_type="application/json", headers=headers | more)


def test_the_crawl_of_the_api_would_see_a_leak(client, world, as_system):
    headers = token_of(world.people["coordinator"], *TokenScope)
    asking, own = Asker(client, None, as_system), world.records["own"][0]
    assert own in api(asking, "get", "/api/v1/patients", {}, headers).told
    answer = api(asking, "get", f"/api/v1/patients/{own}/identifiers", {}, headers)
    assert sum(text in answer.told for text in world.secrets["own"]) >= 3
    assert answer.stored == {"study_sites_auditevent": 1}


def test_the_crawl_would_see_a_leak(client, world, as_system):
    """The page of the patient tells of the patient, and the identifiers' page the identifiers, to the site's own."""
    asking, own = Asker(client, world.people["coordinator"], as_system), world.records["own"][0]
    assert own in asking("get", "/patients/", {}).told
    answer = asking("get", f"/patients/{own}/identifiers/", {})
    assert sum(text in answer.told for text in world.secrets["own"]) >= 3
    assert answer.stored == {"study_sites_auditevent": 1}
