"""Boxes and buttons that Python writes are those that Django's widgets write."""

import re

import pytest
from django import forms
from django.forms.renderers import DjangoTemplates
from django.template.loader import render_to_string

from registry.web.shared.cells import escape
from registry.web.shared.drawing.form_widgets import question, ticks

WORDS = [("a", "Aorta & <vena>"), ("b", "“Both”"), ("", "None")]


def by_template(field):
    return "".join(
        f'<label class="row-option">{choice.tag()}<span class="row-text">{escape(choice.choice_label)}</span></label>'
        for choice in field
    )


@pytest.mark.parametrize("sent", [None, {"many": ["a", "b"], "single": "b"}, {"many": ['"><script>']}])
@pytest.mark.parametrize("required", [True, False])
def test_choices_are_written_as_by_the_widgets_template(sent, required):
    class Asked(forms.Form):
        many = forms.MultipleChoiceField(choices=WORDS, required=required, widget=forms.CheckboxSelectMultiple)
        single = forms.ChoiceField(
            choices=WORDS,
            required=required,
            initial="a",
            widget=forms.RadioSelect(attrs={"class": "x", "hidden": False}),
        )

    form = Asked(sent, renderer=DjangoTemplates())
    for name in ("many", "single"):
        assert form[name].errors is not None
        assert by_template(form[name]) in ticks(form[name])


def test_what_is_wrong_stands_where_the_input_says_that_it_is_described():
    class Asked(forms.Form):
        size = forms.IntegerField(help_text="In cm & more")
        many = forms.MultipleChoiceField(choices=WORDS, widget=forms.CheckboxSelectMultiple)

    form = Asked({"size": "<x>", "many": ['"><script>']})
    for drawn in (
        question(form["size"]),
        ticks(form["many"]),
        render_to_string("account/field.html", {"field": form["size"]}),
    ):
        (described,) = re.findall(r'aria-describedby="([^"]+)"', drawn)
        assert set(described.split()) == set(re.findall(r'id="(id_\w+_(?:error|helptext))"', drawn))
        assert "field-error" in drawn and "<script>" not in drawn and "<x>" not in drawn
    sound = Asked({"size": "3", "many": ["a"]})
    assert "error" not in question(sound["size"]) + ticks(sound["many"])
