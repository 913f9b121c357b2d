"""What templates need to show the registry's values: declared labels, dates, states."""

from django import template
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

register = template.Library()

STATES = {
    "empty": _("Not started"),
    "draft": _("Draft"),
    "complete": _("Complete"),
    "verified": _("Verified"),
    "locked": _("Signed"),
    "missed": _("Missed"),
    "due": _("Due"),
    "overdue": _("Overdue"),
    "query": _("Query"),
}


@register.filter
def words(label):
    """A declared `Label` (or anything else) in the language of the page."""
    return label.in_language(get_language()) if hasattr(label, "in_language") else label


@register.filter
def day(value):
    """A date as the clinic writes it: 3 Mar 2026, 2026年3月3日; a dash for none."""
    if not value:
        return "–"
    return date_format(value, "Y年n月j日" if (get_language() or "").startswith("ja") else "j M Y")


@register.filter
def moment(value):
    """A moment: the date with hours and minutes, in the time zone of the registry."""
    from django.utils.timezone import localtime

    return f"{day(localtime(value))} {date_format(localtime(value), 'H:i')}" if value else "–"


@register.simple_tag
def icon(name, classes=""):
    """A shape from static/icons.svg, without a word of its own."""
    from django.templatetags.static import static

    return format_html(
        '<svg class="icon {}" aria-hidden="true" focusable="false"><use href="{}#{}"></use></svg>',
        classes,
        static("icons.svg"),
        name,
    )


@register.simple_tag
def state(code, word=True):
    """The shape and the word of a form's state; without `word` it is read out only."""
    return format_html(
        '<span class="state state-{}">{}<span class="{}">{}</span></span>',
        code,
        icon(f"state-{code}"),
        "state-word" if word else "visually-hidden",
        STATES[code],
    )
