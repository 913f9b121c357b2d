"""Form widgets in Python have the very text of Django's templates."""

import pytest
from django import forms
from django.forms.renderers import DjangoTemplates
from django.utils.safestring import mark_safe
from django.utils.translation import gettext_lazy, override

from registry.web.shared.drawing.form_widgets import WRITTEN, Renderer

INPUTS = (
    forms.TextInput, forms.NumberInput, forms.EmailInput, forms.URLInput, forms.PasswordInput, forms.HiddenInput,
    forms.DateInput, forms.DateTimeInput, forms.TimeInput, forms.Textarea, forms.CheckboxInput, forms.ColorInput,
    forms.SearchInput, forms.TelInput,
)  # fmt: skip
CHOOSING = (forms.Select, forms.SelectMultiple, forms.CheckboxSelectMultiple, forms.RadioSelect)
CHOICES = [
    ("a", "A & <b>"),
    (1, 1234),
    ("", gettext_lazy("Patients")),
    ("G'r\"p", [("x", mark_safe("<b>y</b>")), ("z", "é"), (2.5, 2.5)]),
    (None, None),
]
ATTRIBUTES = (
    {},
    {"id": "id_x", "class": 'a "b" <c>', "disabled": True, "hidden": False, "size": 1000, "max": 2.5, "title": None},
)
VALUES = (None, "", "a", "a\"<&'", mark_safe("<i>&amp;</i>"), 1, 1234.5, True, False)


def widgets():
    for kind in INPUTS:
        for value in VALUES:
            yield kind, value, {}
    for kind in CHOOSING:
        for value in (*VALUES, *([["a", "x"]] if kind.allow_multiple_selected else [])):
            yield kind, value, {"choices": CHOICES}


@pytest.mark.parametrize("language", ["en", "ja", "de"])  # German writes 1.234,5
@pytest.mark.parametrize("attributes", ATTRIBUTES)
def test_a_widget_has_the_text_of_its_template(language, attributes):
    with override(language):
        for kind, value, more in widgets():
            widget = kind(attrs=dict(attributes), **more)
            assert widget.template_name in WRITTEN
            of_template, written = (widget.render("n&", value, renderer=each()) for each in (DjangoTemplates, Renderer))
            assert written == of_template, (kind, value)


@pytest.mark.parametrize("kind", [forms.CheckboxSelectMultiple, forms.RadioSelect])
def test_a_choice_by_itself_too(kind):
    class Form(forms.Form):
        fruit = forms.MultipleChoiceField(choices=CHOICES, widget=kind)

    for attributes in ATTRIBUTES:
        by = {}
        for each in (DjangoTemplates, Renderer):
            form = Form({"fruit": ["a", "x"]}, renderer=each())
            form.fields["fruit"].widget.attrs.update(attributes)
            by[each] = [str(choice.tag()) + str(choice) for choice in form["fruit"]]
        assert by[Renderer] == by[DjangoTemplates]
        assert len(by[Renderer]) == 7


def test_every_form_is_drawn_so():
    assert isinstance(forms.Form().renderer, Renderer)
    assert str(forms.CharField().widget.render("a", "1")) == '<input type="text" name="a" value="1">'
