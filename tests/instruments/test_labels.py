"""Labels: two languages side by side, any further one by its catalogue."""

import pickle

import pytest

from registry.instruments import base
from registry.instruments.base import Label

GERMAN = {"Pain": "Schmerz", "Δ {of}": "Änderung: {of}", "at {visit}": "bei {visit}"}


@pytest.fixture
def german(monkeypatch):
    monkeypatch.setattr(base, "_look_up", lambda code, text: GERMAN.get(text, text) if code[:2] == "de" else text)


def test_a_further_language_is_looked_up_by_the_english_text(german):
    pain = Label("Pain", "疼痛")
    assert [pain.in_language(code) for code in ("en", "ja", "ja-jp", "de", "de-at", "fr", None)] == [
        "Pain", "疼痛", "疼痛", "Schmerz", "Schmerz", "Pain", "Pain",
    ]  # fmt: skip


def test_what_a_text_is_made_of_is_looked_up_part_by_part(german):
    change = Label("Δ {of}", "{of} 変化量").format(of=Label("Pain", "疼痛"))
    assert (change.en, change.ja, change.in_language("de")) == ("Δ Pain", "疼痛 変化量", "Änderung: Schmerz")
    nested = Label("{what} {n}", "{what} {n}").format(what=change, n=3)
    assert nested.in_language("de") == "Änderung: Schmerz 3"
    assert pickle.loads(pickle.dumps(nested)).in_language("de") == "Änderung: Schmerz 3"  # noqa: S301 - our own


def test_what_the_catalogue_lacks_stays_english(german):
    assert Label("Barthel", "バーセル").in_language("de") == "Barthel"
    assert Label("{x} days", "{x}日").format(x=2).in_language("de") == "2 days"


def test_labels_are_equal_where_their_texts_are():
    made = Label("{x} days", "{x}日").format(x=2)
    assert made == Label("2 days", "2日")
    assert hash(made) == hash(Label("2 days", "2日"))
    assert made != Label("3 days", "3日")
