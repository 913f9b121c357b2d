"""Boxes and buttons that Python writes are those that Django's widgets write."""

import pytest
from django import forms
from django.forms.renderers import DjangoTemplates

from registry.web.shared.cells import escape
from registry.web.shared.drawing.form_widgets import ticks

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
