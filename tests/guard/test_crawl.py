"""Every address × every role × own and other site × GET and POST, against the one table in `permissions.py`."""

import copy
import json
import logging
from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from registry.analysis.design import cohorts, plans
from registry.analysis.running import runner
from registry.api.schema.document import described
from registry.imports import jobs as imports
from registry.models import (
    AdverseEvent,
    Assessment,
    ComparisonRun,
    Consent,
    ConsentWithdrawal,
    SavedCohort,
    SavedPlan,
    ScheduleVersion,
)
from registry.services import current_protocol as protocol
from registry.services.attachments import files
from registry.services.entry import entered_in_error, patient_links, patients
from registry.services.entry.assessments import save_assessment
from registry.services.files import snapshots
from registry.services.review import queries
from registry.services.review.soft_checks import Form
from registry.services.study import consents, screening
from sites.models import AuditEvent, Invitation, Membership
from sites.people import tokens
from sites.people.invitations import invite
from sites.people.tokens import TokenScope
from sites.tenancy.access import Role, access_of
from sites.tenancy.scope import entered
from tests.browsing import Browser
from tests.conftest import TODAY, person
from tests.guard.acts import ACTS, NOBODY_ACTS
from tests.guard.crawl import Asker, World, addresses, rebase, undone
from tests.guard.forms import forms
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
    settings.ACCOUNT_REAUTHENTICATION_TIMEOUT = 10**6  # the walk may take longer than a sign-in is fresh
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
        },
        others={
            "coordinator": charlie,
            "investigator": person("Ines", Role.INVESTIGATOR, south),
            "monitor": person("Moira", Role.MONITOR, south),
        },
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
            line = screening.add(
                access=access, site=site, raw={"screened_on": "2026-03-11", "screen_outcome": "screened"}, today=TODAY
            )
            about = {"site": site, "patient": patient}
            signed = Consent.objects.create(
                **about, agreed_version="1.0", agreed_on=TODAY, agreed_language="ja", agreed_taken_by="Alice"
            )
            withdrawal = ConsentWithdrawal.objects.create(**about, withdrawn_part="contact", withdrawn_on=TODAY)
            consents.correct_withdrawal(access=access, row=withdrawal, reason="another patient")
            scan = files.attach(
                access=access,
                patient=patient,
                name=f"{initials}.pdf",
                content=b"%PDF-1.4 " + number.encode(),
                kind="consent",
            )
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
            "screening_id": line.pk,
            "consent_id": signed.pk,
            "withdrawal_id": withdrawal.pk,
            "attachment_id": scan.pk,
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


PARTS = {
    "administration": lambda address: address.route.startswith("admin/"),
    "patients": lambda address: address.route.startswith("patients/"),
    "programs": lambda address: address.of_the_api,
}


def part_of(address):
    return next((part for part, holds in PARTS.items() if holds(address)), "the rest")


@pytest.fixture
def askers(world):
    """Everybody's `Asker`, by name; those of the other site by their User."""
    users = world.people | {user: user for user in world.others.values()}
    everybody = {who: Asker(Browser(), user) for who, user in users.items()}
    rebase(everybody.values())
    return everybody


@pytest.mark.parametrize("part", [*PARTS, "the rest"])
def test_everybody_gets_what_the_table_says_and_nothing_else(world, askers, part):
    asked = [address for address in ADDRESSES if part_of(address) == part]
    wrong = [fault for address in asked for fault in faults(askers, world, address)]
    assert wrong == [], "\n".join(wrong)


def test_every_address_that_takes_posts_has_an_act_or_a_reason():
    acting = {name for name, rule in RULES.items() if rule.writers and not set(rule.acted) <= {403, 405}}
    unmoved = {name for name in acting if name.startswith("admin") and set(RULES[name].acted) <= {302, 403, 404, 405}}
    known = set(ACTS) | set(NOBODY_ACTS)
    assert (acting - unmoved - known, known - set(RULES), set(ACTS) & set(NOBODY_ACTS)) == (set(), set(), set())


def faults(askers, world, address):
    """What is not as it should be when everybody asks for one address in every way."""
    rule, act = RULES[address.name], ACTS.get(address.name)
    for place in ("own", "other") if rule.of_site else ("own",):
        for who in sorted(EVERYBODY):
            writes = rule.reaches(who, place, rule.writers)
            # Who may not act is refused whatever they send: a body that would do says more than none.
            posted = (
                ({}, *rule.bodies) if (writes or act is None) and not refuses_unseen(rule, address, who, place) else ()
            )
            url, ghost = (address.url(world.arguments(rule, one)) for one in (place, "ghost"))
            for method, sent in (("get", {}), *(("post", body) for body in posted)):
                expected, may_store = rule.expected(who, place, method)
                answer = askers[who](method, url, sent)
                asked = f"{method} {url} {sent or ''}"
                yield from wrongly_answered(world, who, asked, url, answer, expected, may_store)
                if place == "other" and expected == {404}:
                    yield from tells_of(askers[who](method, ghost, sent), ghost, answer, url, f"{who}: {method} {url}")
            yield from faults_of_methods(askers[who], world, who, address, place)
        if act:
            yield from faults_of_act(askers, world, address, act, place)


def wrongly_answered(world, who, asked, url, answer, expected, may_store):
    if answer.status not in expected:
        yield f"{who}: {asked}: {answer.status} instead of {sorted(expected)}"
    if answer.stored and not may_store:
        yield f"{who}: {asked}: stored {answer.stored}"
    told = answer.told.replace(url, "")
    for text in world.hidden_from(who):
        if text in told and text not in asked:
            yield f"{who}: {asked}: tells {text}"


def tells_of(nothing, ghost, answer, url, asked):
    """A record that is not theirs is answered as one that there is not."""
    told, of_none = answer.told.replace(url, ""), nothing.told.replace(ghost, "")
    if (answer.status, told) != (nothing.status, of_none):
        same = next((n for n, pair in enumerate(zip(told, of_none, strict=False)) if len(set(pair)) > 1), 0)
        differs = f"{told[same : same + 80]!r} beside {of_none[same : same + 80]!r}"
        yield f"{asked}: tells that there is such a record: {answer.status} {differs} beside {nothing.status}"


def faults_of_act(askers, world, address, act, place):
    """What is not as it should be when everybody sends what somebody who may act is let through with."""
    rule = RULES[address.name]
    people = rule.writers if act.people is None else act.people
    may = sorted(who for who in EVERYBODY if rule.reaches(who, place, people))
    role = min(people - {"anonymous"} or people)
    actor = askers[world.others[role] if place == "other" and role in world.others else role]
    before, cookies = actor.before, {who: copy.deepcopy(asker.client.cookies) for who, asker in askers.items()}
    try:
        with undone():
            yield from _acted(askers, world, address, act, place, may, role, actor)
    finally:
        protocol.forget_all()
        for who, asker in askers.items():
            asker.before, asker.client.cookies = before, cookies[who]


def _acted(askers, world, address, act, place, may, role, actor):
    """The faults of everybody's tries, the refused ones first, with what the `actor` finds in the form."""
    rule = RULES[address.name]
    values = world.arguments(rule, place) | act.arguments | brought_about(act, world, place)
    url = address.url(values)
    sent = body_for(actor, url, act, values, role, world)
    rebase(askers.values())
    for who in sorted(EVERYBODY - set(may)):
        expected, stores = rule.expected(who, place, "post")
        if rule.reaches(who, place, rule.writers):
            expected, stores = {act.refused}, False
        answer = send(askers[who], url + act.query, sent)
        yield from wrongly_answered(world, who, f"post {url} {sent}", url, answer, expected, stores)
        if place == "other" and expected == {404}:
            ghost = address.url(values | ghosts(world, rule))
            yield from tells_of(send(askers[who], ghost, sent), ghost, answer, url, f"{who}: post {url} {sent}")
    for who in may:
        sent = body_for(askers[who], url, act, values, who, world)
        rebase([askers[who]])
        answer = send(askers[who], url + act.query, sent)
        yield from wrongly_answered(world, who, f"post {url} {sent}", url, answer, {act.done}, may_store=True)
        if act.stores and not answer.stored:
            yield f"{who}: post {url} {sent}: nothing was stored"


def brought_about(act, world, place):
    """What an act needs is made; more values of arguments."""
    return (act.before(world, place) if act.before else None) or {}


def ghosts(world, rule):
    """The values that differ between a record of the other site and one that there is not."""
    others = world.arguments(rule, "other")
    return {name: one for name, one in world.arguments(rule, "ghost").items() if one != others.get(name)}


def send(asker, url, sent):
    body, kind = sent
    for value in body.values() if isinstance(body, dict) else ():
        if hasattr(value, "seek"):
            value.seek(0)
    return asker("post", url, body, **kind)


def body_for(asker, url, act, values, role, world):
    """(What is sent, how): the form as its page has it, and over it what is typed; and what is no form as it is."""
    typed = act.typed(values, role, world) if callable(act.typed) else act.typed
    if act.json:
        return json.dumps(typed), {"content_type": act.json}
    fields = {}
    if act.on != "":
        text, page = asker.page(page_of(act, values, url) + act.query, act.first and act.first())
        fields = next((one.fields for one in forms(text, page) if one.url == url and one.method == "post"), {})
    return {name: one for name, one in (fields | typed).items() if one is not None}, {}


def page_of(act, values, url):
    """The address of the page that has an act's form."""
    if act.on is None:
        return url
    if callable(act.on):
        return act.on(values)
    return reverse(act.on) if act.on.startswith("admin:") else reverse(act.on, args=[values["patient_id"]])


# Methods that no page understands. Of the API only the operations of the table do (below).
OTHER_METHODS = ("put", "patch", "delete")


def refuses_unseen(rule, address, who, place):
    """Whether one person's try of a method tells of this one's too: see `faults_of_methods`."""
    asked = address.of_the_api or who == "anonymous" or (who == "admin" and place == "own")
    return not asked and rule.expected(who, place, "post")[0] == {405}


def faults_of_methods(asking, world, who, address, place):
    """What is not as it should be when `who` sends one address PUT, PATCH or DELETE, which only the table may let in.

    Operations of the API are asked in a session here, with what is no document: nobody gets further than their role.
    Pages refuse before anybody is asked who they are, so one person's try tells of everybody's: any other answer than
    405 says that the request came further than that.
    """
    rule = RULES[address.name]
    taken = {method: OPERATIONS[name] for name, _path, method in NAMED if name == f"{address.name[4:]}_{method}"}
    once = who == "admin" and place == "own"
    if not (once or (address.of_the_api and (place == "own" or taken or rule.replacers))):
        return
    url = address.url(world.arguments(rule, place))
    for method in OTHER_METHODS:
        expected = rule.refuses(who, place, method) if address.of_the_api else {405}
        if method in taken:
            expected = {401, 403, 404} if who not in taken[method].people else {400, 404, 415, 422, 428}
        answer = asking(method, url, "x")
        yield from wrongly_answered(world, who, f"{method} {url}", url, answer, expected, may_store=False)


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
    asking = Asker(client, None)
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
    asking, own = Asker(client, None), world.records["own"][0]
    assert own in api(asking, "get", "/api/v1/patients", {}, headers).told
    answer = api(asking, "get", f"/api/v1/patients/{own}/identifiers", {}, headers)
    assert sum(text in answer.told for text in world.secrets["own"]) >= 3
    assert answer.stored == {"study_sites_auditevent": 1}


def test_the_crawl_would_see_a_leak(client, world, as_system):
    """The page of the patient tells of the patient, and the identifiers' page the identifiers, to the site's own."""
    asking, own = Asker(client, world.people["coordinator"]), world.records["own"][0]
    assert own in asking("get", "/patients/", {}).told
    answer = asking("get", f"/patients/{own}/identifiers/", {})
    assert sum(text in answer.told for text in world.secrets["own"]) >= 3
    assert answer.stored == {"study_sites_auditevent": 1}
