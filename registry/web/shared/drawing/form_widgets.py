"""Form widgets as HTML, put together in Python: Django's templates of an input take twenty times longer, and a page to
choose from has hundreds of them.

`Renderer` is what every form of the product is drawn by (FORM_RENDERER). It writes the very text of Django's templates
(django/forms/templates) for the widgets of WRITTEN, and leaves every other one to them. `question` and `ticks` are a
field with its label, as templates place it.
"""

import html
from typing import Any

from django.forms.boundfield import BoundField
from django.forms.renderers import DjangoTemplates
from django.utils.formats import localize
from django.utils.safestring import SafeString, mark_safe


def _text(value: Any) -> str:
    """A value as a template shows it."""
    return _raw(value if isinstance(value, str) else localize(value))


def _raw(value: Any) -> str:
    """A value as it is, whatever the language: that of an attribute."""
    return value.__html__() if hasattr(value, "__html__") else html.escape(str(value))


def _attributes(attrs: dict[str, Any]) -> str:
    return "".join(
        f" {_text(name)}" if value is True else f' {_text(name)}="{_raw(value)}"'
        for name, value in attrs.items()
        if value is not False
    )


def _input(widget: dict[str, Any]) -> str:
    value = "" if widget["value"] is None else f' value="{_raw(widget["value"])}"'
    return f'<input type="{_text(widget["type"])}" name="{_text(widget["name"])}"{value}{_attributes(widget["attrs"])}>'


def _labelled_input(widget: dict[str, Any]) -> str:
    """An input among several, in its label where it has one."""
    if not widget.get("wrap_label"):
        return _input(widget)
    own = widget["attrs"].get("id")
    of = f' for="{_text(own)}"' if own else ""
    return f"<label{of}>{_input(widget)}\n {_text(widget['label'])}</label>"


def _inputs(widget: dict[str, Any]) -> str:
    """Several inputs, one below the other."""
    attrs = widget["attrs"]
    own = "".join(f' {name}="{_text(attrs[name])}"' for name in ("id", "class") if attrs.get(name))
    parts = [f"<div{own}>"]
    for group, options, _index in widget["optgroups"]:
        parts += [f"\n  <div><label>{_text(group)}</label>"] if group else []
        parts += [f"<div>\n    {_labelled_input(option)}\n\n</div>" for option in options]
        parts += ["\n  </div>"] if group else []
    return "".join([*parts, "\n</div>"])


def _option(widget: dict[str, Any]) -> str:
    return f'<option value="{_raw(widget["value"])}"{_attributes(widget["attrs"])}>{_text(widget["label"])}</option>'


def _select(widget: dict[str, Any]) -> str:
    parts = [f'<select name="{_text(widget["name"])}"{_attributes(widget["attrs"])}>']
    for group, options, _index in widget["optgroups"]:
        parts += [f'\n  <optgroup label="{_text(group)}">'] if group else []
        parts += [f"\n  {_option(option)}\n" for option in options]
        parts += ["\n  </optgroup>"] if group else []
    return "".join([*parts, "\n</select>"])


def _textarea(widget: dict[str, Any]) -> str:
    value = _text(widget["value"]) if widget["value"] else ""
    return f'<textarea name="{_text(widget["name"])}"{_attributes(widget["attrs"])}>\n{value}</textarea>'


WRITTEN = {
    f"django/forms/widgets/{name}.html": write
    for write, names in (
        (_input, "text number email url password hidden date datetime time search tel color checkbox"),
        (_labelled_input, "checkbox_option radio_option"),
        (_inputs, "checkbox_select radio"),
        (_option, "select_option"),
        (_select, "select"),
        (_textarea, "textarea"),
    )
    for name in names.split()
}


class Renderer(DjangoTemplates):
    """Widgets in Python where they can be."""

    def render(self, template_name: str, context: dict[str, Any], request: Any = None) -> str:
        if write := WRITTEN.get(template_name):
            return mark_safe(write(context["widget"]))  # noqa: S308 - every text in it is escaped above
        return super().render(template_name, context, request)


def question(field: BoundField) -> SafeString:
    """A field below its label, with what is wrong with it."""
    hint = f'  <p class="hint" id="{field.auto_id}_helptext">{_text(field.help_text)}</p>\n' if field.help_text else ""
    return mark_safe(  # noqa: S308 - every text in it is escaped
        f'<div class="question{" has-error" if field.errors else ""}" id="field-{_raw(field.name)}">\n'
        f'  <label class="question-label" for="{_raw(field.id_for_label)}">{_text(field.label)}</label>\n'
        f"{hint}{_errors(field)}  {field}\n</div>"
    )


def ticks(field: BoundField, kind: str = "") -> SafeString:
    """Choices to tick side by side, below what they are about; nothing stands there where the field has no label.

    kind  a further class
    """
    errors = field.errors
    classes = " ".join(filter(None, ("question", kind, "has-error" if errors else "")))
    described = f' aria-describedby="{_id_of_errors(field)}"' if errors else ""
    legend = f'<legend class="question-label">{_text(field.label)}</legend>\n' if field.label else ""
    options = "".join(
        f'<label class="row-option">{_input(choice.data)}'
        f'<span class="row-text">{_text(choice.choice_label)}</span></label>'
        for choice in field.subwidgets
    )
    return mark_safe(  # noqa: S308 - every text in it is escaped
        f'<fieldset class="{classes}" id="field-{_raw(field.name)}"{described}>{legend}{_errors(field)}'
        f'<div class="rows rows-columns">{options}</div></fieldset>'
    )


def _errors(field: BoundField) -> str:
    """What is wrong with a field, where Django says that its input is described; nothing where nothing is."""
    lines = "".join(f'<p class="field-error">{_text(error)}</p>' for error in field.errors)
    return f'  <div id="{_id_of_errors(field)}">{lines}</div>\n' if lines else ""


def _id_of_errors(field: BoundField) -> str:
    return f"{_raw(field.auto_id)}_error"
