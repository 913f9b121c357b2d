"""Every address × every role × own and other site × GET and POST, against the one table in `permissions.py`."""

import copy
import json
import logging
from datetime import timedelta

import pytest
from django.db import connection
from django.urls import reverse
from django.utils import timezone

from registry.api.schema.document import described
from registry.models import AdverseEvent, Assessment
from registry.services import current_protocol as protocol
from sites.people import tokens
from sites.people.tokens import TokenScope
from sites.tenancy.access import access_of
from sites.tenancy.scope import everything
from tests.browsing import Browser
from tests.guard.acts import ACTS, NOBODY_ACTS
from tests.guard.crawl import Asker, addresses, rebase, undone
from tests.guard.forms import forms
from tests.guard.permissions import CENTRAL, EVERYBODY, OPERATIONS, RULES
from tests.guard.world import populated

pytestmark = pytest.mark.long

ADDRESSES = addresses()


@pytest.fixture(autouse=True)
def silence():
    """Thousands of refusals, each with its traceback: writing them down took a quarter of the time."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.fixture
def world(north, south, alice, charlie, ivo, mona, bob, dana, ada, settings, monkeypatch):
    # What a connection has prepared goes with each request that is undone: it would prepare everything for nothing.
    monkeypatch.setattr(connection.connection, "prepare_threshold", None)
    settings.API_RATES = dict.fromkeys(settings.API_RATES, 10**6)
    settings.ACCOUNT_REAUTHENTICATION_TIMEOUT = 10**6  # the walk may take longer than a sign-in is fresh
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    users = {"alice": alice, "charlie": charlie, "ivo": ivo, "mona": mona, "bob": bob, "dana": dana, "ada": ada}
    result = populated(north, south, **users)
    with everything():
        assert (Assessment.objects.count(), AdverseEvent.objects.count()) == (2, 2)
    return result


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
            url, ghost = (address.url(world.arguments(rule, whose)) for whose in (place, "ghost"))
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
    shown = answer.text.replace(url, "")
    for text in world.hidden_from(who):
        if text in shown and text not in asked:
            yield f"{who}: {asked}: tells {text}"


def tells_of(nothing, ghost, answer, url, asked):
    """A record that is not theirs is answered as one that there is not."""
    shown, of_none = answer.text.replace(url, ""), nothing.text.replace(ghost, "")
    if (answer.status, shown) != (nothing.status, of_none):
        same = next((n for n, pair in enumerate(zip(shown, of_none, strict=False)) if len(set(pair)) > 1), 0)
        differs = f"{shown[same : same + 80]!r} beside {of_none[same : same + 80]!r}"
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
    return {name: value for name, value in world.arguments(rule, "ghost").items() if value != others.get(name)}


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
        fields = next((form.fields for form in forms(text, page) if form.url == url and form.method == "post"), {})
    return {name: value for name, value in (fields | typed).items() if value is not None}, {}


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
    own_admin = who == "admin" and place == "own"
    if not (own_admin or (address.of_the_api and (place == "own" or taken or rule.replacers))):
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
    (operation["operationId"], path, method)
    for path, methods in SCHEMA["paths"].items()
    for method, operation in methods.items()
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
    token = tokens.issue(access=access, user=user, name="crawl", scopes=scopes, expires_at=expires_at)
    return {"authorization": f"Bearer {token.text}"}


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
                    yield f"{asked} {answer.status} instead of {wanted}: {answer.text[-300:]}"
                if answer.stored and not 200 <= wanted < 300:
                    yield f"{asked} stored {answer.stored}"
                shown = answer.text.replace(url, "")
                unseen = hidden if headers is every else {*hidden, *world.secrets["own"], *world.secrets["other"]}
                yield from (f"{asked} tells {text}" for text in unseen if text in shown and text not in str(sent))
                if wanted == 404 and place == "other":
                    nothing = api(asking, method, ghost, sent, headers)
                    if (answer.status, shown) != (nothing.status, nothing.text.replace(ghost, "")):
                        yield f"{asked} tells that there is such a record"


def api(asking, method, url, sent, headers):
    if method == "get":
        return asking(method, url, {}, headers=headers)
    more = {"if-match": "*"} if method == "patch" else {}
    return asking(method, url, json.dumps(sent), content_type="application/json", headers=headers | more)


def test_the_crawl_of_the_api_would_see_a_leak(client, world, as_system):
    headers = token_of(world.people["coordinator"], *TokenScope)
    asking, own = Asker(client, None), world.records["own"][0]
    assert own in api(asking, "get", "/api/v1/patients", {}, headers).text
    answer = api(asking, "get", f"/api/v1/patients/{own}/identifiers", {}, headers)
    assert sum(text in answer.text for text in world.secrets["own"]) >= 3
    assert answer.stored == {"study_sites_auditevent": 1}


def test_the_crawl_would_see_a_leak(client, world, as_system):
    """The page of the patient tells of the patient, and the identifiers' page the identifiers, to the site's own."""
    asking, own = Asker(client, world.people["coordinator"]), world.records["own"][0]
    assert own in asking("get", "/patients/", {}).text
    answer = asking("get", f"/patients/{own}/identifiers/", {})
    assert sum(text in answer.text for text in world.secrets["own"]) >= 3
    assert answer.stored == {"study_sites_auditevent": 1}
