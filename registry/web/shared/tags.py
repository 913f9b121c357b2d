"""What templates need to show the registry's values: declared labels, dates, states."""

from django import template
from django.templatetags.static import static
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from registry.instruments import catalogue
from registry.web.shared import wording

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
    "dead": _("Died"),
    "withdrawn": _("Withdrawn"),
    "lost": _("Lost"),
    "query": _("Query"),
}


register.filter("words", wording.words)
register.filter("day", wording.day)
register.filter("moment", wording.moment)
register.filter("segment", wording.segment_of)
register.filter("site_name", wording.site_name)


@register.simple_tag
def icon(name, classes=""):
    """A shape from static/icons.svg, without a word of its own."""
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


BROWSERS = (("Edg/", "Edge"), ("Firefox/", "Firefox"), ("Chrome/", "Chrome"), ("Safari/", "Safari"))
SYSTEMS = (
    ("Windows", "Windows"),
    ("iPad", "iPad"),
    ("iPhone", "iPhone"),
    ("Android", "Android"),
    ("Mac OS", "macOS"),
    ("Linux", "Linux"),
)


@register.filter
def browser(user_agent):
    """A browser and its system in two words, for somebody to recognise their own; what is unknown as it was sent."""
    known = [next((word for part, word in table if part in user_agent), "") for table in (BROWSERS, SYSTEMS)]
    return ", ".join(word for word in known if word) or user_agent[:40] or "–"


@register.filter
def answer(record, name):
    """What a record holds for an item, in words."""
    return wording.shown(catalogue.item(name), getattr(record, name))
