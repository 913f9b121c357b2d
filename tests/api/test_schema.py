"""The OpenAPI document: valid, complete, and true of what the API takes and gives."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from registry.api.schema.document import described
from registry.api.schema.examples import BODIES, PATIENT, REQUIRED
from registry.instruments import catalogue
from registry.services.protocol import bringing, publishing
from tests.guard import permissions

SCHEMA = json.loads(json.dumps(described()))
OPERATIONS = {
    operation["operationId"]: (path, method, operation)
    for path, some in SCHEMA["paths"].items()
    for method, operation in some.items()
}
BASE = "urn:api"
WHOLE = Registry().with_resource(BASE, Resource(SCHEMA, DRAFT202012))


def validator(name):
    return Draft202012Validator({"$ref": f"{BASE}#/components/schemas/{name}"}, registry=WHOLE)


def test_the_document_is_openapi_3_1_of_valid_json_schemas():
    assert SCHEMA["openapi"] == "3.1.0"
    for schema in SCHEMA["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)
    assert set(REQUIRED) <= set(SCHEMA["components"]["schemas"])


def test_a_validator_of_openapi_finds_nothing():
    assert list(OpenAPIV31SpecValidator(SCHEMA).iter_errors()) == []
    assert SCHEMA["servers"] and not any(path.endswith("/") for path in SCHEMA["paths"])
    for name, (*_, operation) in OPERATIONS.items():
        assert all(answer["description"] for answer in operation["responses"].values()), name


def test_a_generator_makes_a_client_of_every_operation(tmp_path):
    """openapi-python-client: what it cannot read it warns of. It knows no zip archive, which the export's file is."""
    (tmp_path / "openapi.json").write_text(json.dumps(SCHEMA))
    (tmp_path / "config.yml").write_text("post_hooks: []\n")
    places = ["--path", "openapi.json", "--config", "config.yml", "--output-path", "client", "--meta", "none"]
    program = Path(sys.executable).with_name("openapi-python-client")
    done = subprocess.run([program, "generate", *places], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    warned = [line for line in done.stdout.splitlines() if line.startswith(("WARNING", "ERROR"))]
    assert {line.split()[3] for line in warned} <= {"/api/v1/exports/{export_id}/file"}, warned
    made = {path.stem for path in (tmp_path / "client" / "api").glob("*/*.py")}
    assert OPERATIONS.keys() <= made
    for path in (tmp_path / "client").rglob("*.py"):
        compile(path.read_text(), str(path), "exec")


def test_an_items_rule_is_in_the_document_as_declared():
    shown = SCHEMA["components"]["schemas"]["Assessment"]["properties"]
    for item in catalogue.items(catalogue.ASSESSMENT):
        if item.choices:
            assert shown[item.name]["enum"] == [*item.codes, None]
        else:
            assert (shown[item.name]["minimum"], shown[item.name]["maximum"]) == (item.minimum, item.maximum)
        assert item.label.en in shown[item.name]["description"]


def test_every_operation_tells_what_it_may_answer_and_writes_have_an_example():
    for name, (_path, method, operation) in OPERATIONS.items():
        assert operation["summary"] and operation["tags"] and operation["security"], name
        assert {"401", "403", "429"} <= operation["responses"].keys(), name
        is_json = "application/json" in operation.get("requestBody", {}).get("content", {})  # files are sent as a form
        assert is_json == (name in BODIES), name
        assert (
            is_json or "requestBody" not in operation or "multipart/form-data" in operation["requestBody"]["content"]
        ), name
        must_match = any(header["name"] == "If-Match" and header["required"] for header in operation["parameters"])
        assert must_match == (method == "patch"), name


def test_every_answer_has_an_example_that_its_schema_allows():
    codes = set()
    for name, (*_, operation) in OPERATIONS.items():
        for status, answer in operation["responses"].items():
            content = answer.get("content", {}).get("application/json")
            if status.startswith("2") and content:
                inside = json.loads(json.dumps(content["schema"]).replace('"#/', f'"{BASE}#/'))
                Draft202012Validator(inside, registry=WHOLE).validate(content["example"])
                codes.add(name)
    assert codes == OPERATIONS.keys() - {
        "patient_identifiers_patch",
        "export_file_get",
        "export_preset_remove_post",
        "import_findings_workbook_get",
        "table_get",
    }  # these answer no JSON
    page = OPERATIONS["patients_get"][2]["responses"]["200"]["content"]["application/json"]["example"]
    assert page["items"][0]["patient_id"] == PATIENT


@pytest.fixture
def world(program, alice, mona, bob, dana, ada, as_person, north, enrolled):
    """(who can carry out an operation, values of its path parameters): S07 with a patient and one of everything."""
    type(north).objects.filter(pk=north.pk).update(code="S07")
    known = enrolled(alice).pk
    with as_person(ada) as access:
        publishing.keep_draft(access=access, document=bringing.library()["rt_courses"])
        publishing.publish(access=access, code="rt_courses", note="to try")
    asking = program(alice)
    record = asking.post("own-records", {"patient_id": known, "form": "rt_courses"}).json()["id"]
    draft = {"patient_id": known, "timepoint": "preop", "assessment_date": "2026-01-12"}
    assert asking.post("assessments", draft).status_code == 201
    event = asking.post("adverse-events", {"patient_id": known, "kind": "other", "onset_date": "2026-01-20"})
    raising = program(mona)
    question = {"patient_id": known, "form": "assessment", "timepoint": "preop"}
    asked, done = (raising.post("queries", question | {"text": text}).json()["id"] for text in ("A?", "B?"))
    assert raising.post(f"queries/{done}/close", {}).status_code == 200
    values = {"patient_id": known, "timepoint": "preop", "event_id": event.json()["id"], "query_id": asked}
    values["record_id"] = record
    wrong = asking.post("adverse-events", {"patient_id": known, "kind": "other", "onset_date": "2026-01-21"}).json()[
        "id"
    ]
    values["entry_id"] = asking.post(f"adverse-events/{wrong}/in-error", {"reason": "twice"}).json()["id"]
    programs = {"coordinator": asking, "monitor": raising, "statistician": program(bob)}
    programs["data_manager"] = program(dana)
    file = {"file": SimpleUploadedFile("patients.csv", b"a,b\n1,2\n")}
    sent = asking.client.post("/api/v1/imports", file, headers=asking.headers)
    values["import_id"] = sent.json()["id"]

    def of(name):
        able = next(program for role, program in programs.items() if role in permissions.OPERATIONS[name].people)
        return able, values | ({"query_id": done} if name == "query_reopen_post" else {})

    return of


@pytest.mark.parametrize("name", BODIES)
def test_an_example_is_valid_and_taken_and_its_answer_as_described(world, name):
    asking, values = world(name)
    path, method, operation = OPERATIONS[name]
    body = json.loads(json.dumps(operation["requestBody"]["content"]["application/json"]["example"]))
    reference = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
    validator(reference).validate(body)
    if body.get("patient_id") == PATIENT:
        body["patient_id"] = values["patient_id"]
    headers = {"if_match": "*"} if method == "patch" else {}
    answer = asking.ask(method, path.format(**values), body, **headers)
    assert str(answer.status_code) in operation["responses"] and answer.status_code < 300, answer.content
    if answer.content:
        shown = operation["responses"][str(answer.status_code)]["content"]["application/json"]["schema"]["$ref"]
        validator(shown.rpartition("/")[2]).validate(answer.json())


READ = [name for name, (path, method, _one) in OPERATIONS.items() if method == "get" and "{" not in path]


@pytest.mark.parametrize("name", READ)
def test_what_is_read_is_as_described(world, name):
    asking, _values = world(name)
    path, _method, operation = OPERATIONS[name]
    answer = asking.get(path)
    shown = operation["responses"]["200"]["content"]["application/json"]["schema"]
    assert answer.status_code == 200
    if "$ref" in shown:
        validator(shown["$ref"].rpartition("/")[2]).validate(answer.json())
