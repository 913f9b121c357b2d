"""Requests made from the schema, right and wrong ones: no failure of the server, every refusal a problem document, and
never a word of another site's patients.

The suite asks a share; `bin/fuzz-api` asks 10 000 times and more.
"""

import os
from collections import Counter
from datetime import timedelta

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections, transaction
from django.utils import timezone
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis.generation import GenerationMode

from registry.api.schema.document import described
from registry.exports import jobs
from registry.exports.choices import Choices
from registry.services.entry import patients
from registry.services.entry.assessments import save_assessment
from registry.services.files import snapshots
from registry.services.review import queries
from registry.services.review.soft_checks import Form
from sites.models import Site
from sites.tenancy.scope import everything
from tests.api.conftest import issued
from tests.conftest import TODAY
from tests.guard import permissions

_application = get_wsgi_application()


def application(environ, start_response):
    """As behind a server, which says where a request comes from: refused tokens are counted by that."""
    return _application({"REMOTE_ADDR": "10.0.0.9"} | environ, start_response)


pytestmark = pytest.mark.long

REQUESTS = int(os.environ.get("METASPINE_FUZZ_REQUESTS", "600"))
SCHEMA = schemathesis.openapi.from_dict(described())
OPERATIONS = [operation.ok() for operation in SCHEMA.get_all_operations()]
SECRETS = ("1947-11-29", "HN-7731905", "QXS-witness")
OTHER = "S01-0001"
SITE_PEOPLE = ("alice", "ivo", "mona")  # of North
ROLES = {
    "alice": "coordinator",
    "ivo": "investigator",
    "mona": "monitor",
    "dana": "data_manager",
    "bob": "statistician",
    "ada": "admin",
}


class Undone(Exception):
    """Nothing of a request stays, so that the next one finds the same registry."""


@pytest.fixture
def one_connection():
    """The test's own transaction stays open over the requests, as with Django's test client."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


@pytest.fixture
def registry(one_connection, north, south, alice, charlie, ivo, mona, dana, bob, ada, as_person, settings, tmp_path):
    """Known values of path parameters and fields; a patient with one of everything at each of two sites."""
    settings.EXPORT_FOLDER = tmp_path
    known = {"timepoint": ["preop", "1m"], "code": ["eq5d5l", "JP"], "site_code": ["N01", "S01"]}
    for user, born, number in ((alice, "1955-04-03", "HN-1"), (charlie, SECRETS[0], SECRETS[1])):
        with as_person(user) as access:
            patient = patients.enrol(
                access=access,
                site=Site.objects.get(code="N01" if user == alice else "S01"),
                raw={"sex": "male", "birth_date": born, "consent_date": "2026-01-10"},
                consented=True,
                hospital_number=number,
                today=TODAY,
            )
            save_assessment(
                access=access, patient=patient, timepoint="preop", raw={"assessment_date": "2026-01-11"}, today=TODAY
            )
            event = patients.save_adverse_event(
                access=access,
                patient=patient,
                raw={"kind": "csf_leak", "onset_date": "2026-03-11", "detail": SECRETS[2] if user == charlie else "x"},
                today=TODAY,
            )
        with as_person(dana) as access:
            asked = queries.raise_query(access=access, patient=patient, form=Form("baseline"), text="Is it so?")
        with as_person(user) as access:
            export = jobs.request(access=access, choices=Choices())
            assert jobs.perform(export.pk, reporting=False)
        known.setdefault("query_id", []).append(asked.pk)
        known.setdefault("export_id", []).append(str(export.pk))
        known.setdefault("patient_id", []).append(patient.pk)
        known.setdefault("event_id", []).append(event.pk)
    frozen = str(snapshots.freeze(access=None, label="Frozen").pk)
    known |= {"snapshot_id": [frozen], "after": [frozen, "now"], "snapshot": [frozen], "frozen": [frozen]}
    people = {"alice": alice, "ivo": ivo, "mona": mona, "dana": dana, "bob": bob, "ada": ada}
    expires_at = timezone.now() + timedelta(days=300)
    tokens = {name: issued(user, expires_at=expires_at) for name, user in people.items()}
    return known, tokens | {"nobody": None}


def cases(operation):
    """Cases of one operation, as the schema has them and against it."""
    right = operation.as_strategy(generation_mode=GenerationMode.POSITIVE)
    if not operation.body and not list(operation.iter_parameters()):
        return right
    return st.one_of(right, operation.as_strategy(generation_mode=GenerationMode.NEGATIVE))


def with_known(draw, case, known, rule):
    """Some of the case's values replaced by ones that exist, so that it reaches further than 404 and 422."""
    if rule.sent and isinstance(case.body, dict) and draw(st.integers(0, 2)):
        make = draw(st.sampled_from([sent for sent, _own, _other in rule.sent]))
        fields = draw(st.lists(st.sampled_from(sorted(case.body) or ["reason"]), max_size=2, unique=True))
        own = {name: values[0] for name, values in known.items()}
        case.body = make(own) | {name: case.body[name] for name in fields if name in case.body}
    if isinstance(case.body, dict):
        case.body = dict(case.body)  # it may be the schema's own example, which stays as it is
    for place in (case.path_parameters, case.query, case.body):
        if not isinstance(place, dict):
            continue
        for name, values in known.items():
            if name in place and draw(st.integers(0, 3)):
                place[name] = draw(st.sampled_from(values))
    if case.method == "PATCH" and draw(st.integers(0, 3)):
        case.headers["If-Match"] = "*"
    return case


def test_no_request_fails_the_server_or_tells_of_another_site(registry, as_system):
    known, tokens = registry
    asked, share = Counter(), -(-REQUESTS // len(OPERATIONS))

    def ask(operation):
        rule = permissions.OPERATIONS[operation.definition.raw["operationId"]]
        allowed = [name for name, role in ROLES.items() if role in rule.people]

        @seed(20260301)
        @settings(
            max_examples=share,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(st.data())
        def ask_as_drawn(data):
            who = data.draw(st.sampled_from(allowed if data.draw(st.integers(0, 4)) else sorted(tokens)))
            case = with_known(data.draw, data.draw(cases(operation)), known, rule)
            headers = {"Authorization": f"Bearer {tokens[who]}"} if tokens[who] else {}
            try:
                with transaction.atomic():
                    response = case.call(app=application, headers=headers)
                    asked[response.status_code] += 1
                    check(operation, case, who, response)
                    raise Undone
            except Undone:
                pass

        ask_as_drawn()

    for operation in OPERATIONS:
        ask(operation)
    print(f"{sum(asked.values())} requests: {dict(sorted(asked.items()))}")
    assert sum(asked.values()) >= REQUESTS * 0.9
    assert {200, 201, 202, 400, 401, 403, 404, 422} <= asked.keys()


def check(operation, case, who, response):
    page_text = response.content.decode("utf-8", "replace") + str(response.headers)
    assert response.status_code < 500, f"{who}: {case.as_curl_command()}\n{page_text[:500]}"
    if response.status_code >= 400:
        assert response.headers["content-type"] == ["application/problem+json"], case.as_curl_command()
    sent = f"{case.path_parameters} {case.query} {case.body}"
    unseen = SECRETS + ((OTHER,) if who in SITE_PEOPLE else ())
    for text in unseen:
        assert text not in page_text or text in sent, f"{who} is told {text}: {case.as_curl_command()}"


def test_the_fuzz_would_see_a_leak(registry, as_system):
    _known, tokens = registry
    case = SCHEMA["/api/v1/patients"]["GET"].Case()
    response = case.call(app=application, headers={"Authorization": f"Bearer {tokens['dana']}"})
    assert OTHER in response.content.decode()
    with everything(), pytest.raises(AssertionError, match="is told"):
        check(None, case, "alice", response)
