"""Questionnaires in a renderer that is not ours (LForms of the US National Library of Medicine), and its answers back.

The renderer comes from the npm registry, by the digest below, and is no part of the product.
"""

import base64
import hashlib
import os
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

from registry.fhir.mapping import names
from registry.instruments import catalogue
from registry.models import Patient
from tests.fhir.test_server import ask, stored  # noqa: F401 - fixtures
from tests.transfer.conftest import ASSESSMENT, good  # noqa: F401 - a fixture
from tests.working import PATIENCE

playwright = pytest.importorskip("playwright.sync_api")

RENDERER = "lforms@40.1.3"
SHA512 = "WLruTm+BcVnafC0rSAQ3/cNqhxvclBUxyBG68aub/uha2NaK9H8ZZcEXTTuORuGzzCt0wa7fvhuieZtcDIdPzQ=="
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
PAGE = """<!doctype html><meta charset="utf-8"><link rel="stylesheet" href="webcomponent/styles.css">
<div id="form"></div>
<script src="webcomponent/assets/lib/zone.min.js"></script><script src="webcomponent/runtime.js"></script>
<script src="webcomponent/polyfills.js"></script><script src="webcomponent/main.js"></script>
<script src="fhir/R4/lformsFHIR.min.js"></script>"""


@pytest.fixture(scope="module")
def renderer(tmp_path_factory):
    """A page with the renderer's scripts; a script's error fails the test."""
    folder = tmp_path_factory.mktemp("renderer")
    if shutil.which("npm") is None or not Path(CHROMIUM).exists():
        pytest.skip("npm and chromium are not both here")
    command = ["timeout", "120", "npm", "pack", "--silent", "--fetch-retries=0", RENDERER]  # who is away is asked once
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"the npm registry did not give {RENDERER}: {done.stderr.strip()[-200:]}")
    packed = folder / done.stdout.split()[-1]
    assert base64.b64encode(hashlib.sha512(packed.read_bytes()).digest()).decode() == SHA512
    root = "package/dist/lforms/"
    with tarfile.open(packed) as archive:
        parts = {
            name.removeprefix(root): archive.extractfile(name).read()
            for name in archive.getnames()
            if name.removeprefix(root).startswith(("webcomponent/", "fhir/R4/")) and name.endswith((".js", ".css"))
        }

    def serve(route):
        path = route.request.url.partition("renderer.test/")[2]
        kind = "text/css" if path.endswith(".css") else "text/javascript" if path else "text/html"
        body = parts.get(path) if path else PAGE
        route.fulfill(status=200 if body else 404, body=body or "", content_type=f"{kind}; charset=utf-8")

    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"  # Playwright runs its loop in this thread
    errors = []
    with playwright.sync_playwright() as engine:
        browser = engine.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
        )
        page = browser.new_page()
        page.set_default_timeout(1000 * PATIENCE)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.route("**/*", serve)
        page.goto("http://renderer.test/")
        page.wait_for_function("Boolean(window.LForms && LForms.FHIR)")
        yield page
        browser.close()
    assert errors == []


RESPONSE = "LForms.Util.getFormFHIRData('QuestionnaireResponse', 'R4')"


def typed(page, item, text):
    """Type an answer as a person does, a label with its list or a number, and wait until the renderer has it."""
    box = page.locator(f'[id="{item.name}/1"]')
    box.click()
    box.fill(text)
    box.press("Tab")
    page.wait_for_function(f"name => ({RESPONSE}.item || []).some(item => item.linkId === name)", arg=item.name)


def test_answers_typed_in_another_renderer_are_what_is_stored(ask, stored, renderer, as_system):  # noqa: F811
    """Each form of a visit drawn with all its items, filled in, and its response sent as it comes, with whose it is."""
    resource = {"subject": {"reference": "Patient/N01-0001"}, "authored": "2024-07-09"}
    resource["extension"] = [{"url": names.TIMEPOINT, "valueCode": "6m"}]
    forms = [form for form in catalogue.OF_ASSESSMENT if {item.name for item in form.items} & ASSESSMENT.keys()]
    assert len(forms) == 6
    for form in forms:
        status, drawn, _ = ask("alice", "get", f"Questionnaire/{names.resource_id(form.code)}")
        assert status == 200
        renderer.evaluate("form => LForms.Util.addFormToPage(form, 'form', {fhirVersion: 'R4'})", drawn)
        for item in form.items:
            text = ASSESSMENT[item.name]
            typed(renderer, item, next((c.label.en for c in item.form_choices if str(c.code) == text), text))
        response = renderer.evaluate(RESPONSE)
        status, answer, _ = ask("alice", "post", "QuestionnaireResponse", response | resource)
        assert status == 201, answer
        assert answer["questionnaire"] == drawn["url"] + "|" + drawn["version"] == response["questionnaire"]
    with as_system():
        row = Patient.objects.get(pk="N01-0001").assessments.get(timepoint="6m")
    values = {name: str(getattr(row, name)) for name in ASSESSMENT if name not in ("timepoint", "assessment_date")}
    assert values == {name: ASSESSMENT[name] for name in values}
    assert (row.state, row.assessment_date.isoformat()) == ("complete", "2024-07-09")
