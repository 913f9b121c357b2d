"""A further language: a compiled catalogue is all that it takes, and what it lacks is English."""

import shutil
import subprocess
from pathlib import Path

import pytest
from django.conf import settings

from registry.instruments import catalogue
from sites.languages import further_languages, own_names
from sites.models import User

GERMAN = {
    "Patients": "Kranke",
    "Frankel grade": "Frankel-Grad",
    "Δ {of}": "Änderung von {of}",
}


@pytest.fixture
def german(tmp_path, settings):
    """A catalogue of three texts in a folder of its own, beside the project's."""
    if shutil.which("msgfmt") is None:
        pytest.skip("gettext, which compiles the catalogue, is not installed")
    folder = tmp_path / "de/LC_MESSAGES"
    folder.mkdir(parents=True)
    entries = "".join(f'msgid "{english}"\nmsgstr "{german}"\n\n' for english, german in GERMAN.items())
    head = 'msgid ""\nmsgstr "Content-Type: text/plain; charset=UTF-8\\n"\n\n'
    (folder / "django.po").write_text(head + entries, encoding="utf-8")
    subprocess.run(["msgfmt", "-o", folder / "django.mo", folder / "django.po"], check=True)
    settings.LOCALE_PATHS = [tmp_path, *settings.LOCALE_PATHS]
    settings.LANGUAGES = [("en", "English"), ("ja", "Japanese"), *further_languages(tmp_path)]


def test_the_languages_of_a_folder(tmp_path):
    for name in ("ja", "pt_BR", "de"):
        (tmp_path / name / "LC_MESSAGES").mkdir(parents=True)
        (tmp_path / name / "LC_MESSAGES/django.mo").touch()
    (tmp_path / "fr").mkdir()  # not compiled
    assert further_languages(tmp_path) == [("de", "Deutsch"), ("pt-br", "Português Brasileiro")]


def test_a_folder_that_is_no_language_is_refused(tmp_path):
    (tmp_path / "klingon/LC_MESSAGES").mkdir(parents=True)
    (tmp_path / "klingon/LC_MESSAGES/django.mo").touch()
    with pytest.raises(ValueError, match="klingon"):
        further_languages(tmp_path)


def test_pages_speak_it_and_are_english_where_it_lacks(german, alice, browse):
    assert own_names() == [("ja", "日本語"), ("en", "English"), ("de", "Deutsch")]
    browser = browse(alice)
    assert '<button name="language" value="de" lang="de">Deutsch</button>' in browser.get("/patients/").content.decode()
    assert browser.post("/language/", {"language": "de"}).status_code == 302
    assert User.objects.get(pk=alice.pk).language == "de"
    text = browser.get("/patients/").content.decode()
    assert '<html lang="de"' in text
    assert ">Kranke<" in text
    assert "Look at the page" in text  # which the catalogue lacks


def test_declared_labels_are_looked_up(german):
    grade = catalogue.item("frankel").label
    assert grade.en == "Frankel grade"
    assert grade.in_language("de") == "Frankel-Grad"
    assert Path(settings.LOCALE_PATHS[0], "de").is_dir()
