"""What templates need to show the registry's values: declared labels, dates, states."""

from datetime import timedelta
from functools import cache

from django import template
from django.conf import settings
from django.templatetags.static import static
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import mark_safe
from django.utils.translation import get_language, gettext
from django.utils.translation import gettext_lazy as _

from registry.health import heartbeats
from registry.health.readiness import SILENCE
from registry.instruments import catalogue
from registry.web.shared import cells, identified, wording
from registry.web.shared.drawing import form_widgets

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
register.filter("short_visit", wording.short_visit)
register.filter("of", lambda key, mapping: (mapping or {}).get(key, ""))
register.filter("day", wording.day)
register.filter("moment", wording.moment)
register.filter("segment", wording.segment_of)
register.filter("site_name", wording.site_name)


register.simple_tag(cells.options, name="options")
register.simple_tag(form_widgets.question)
register.simple_tag(form_widgets.ticks)


@register.simple_tag
def site_options(sites, chosen):
    """Sites to choose from, by their codes; `chosen` is one of these, or a site."""
    chosen = getattr(chosen, "code", chosen)
    return cells.options(((site.code, f"{site.code} {wording.site_name(site)}") for site in sites), chosen)


LATE = timedelta(minutes=15)  # what is counted every five minutes is so old only where no worker counts


@register.simple_tag
def counted(at, classes=""):
    """When numbers were counted that the worker keeps, and whether it has stopped doing so; nothing for None, now."""
    if at is None:
        return ""
    sentence = gettext("Counted %(at)s; counted anew every five minutes.") % {"at": wording.moment(at)}
    if timezone.now() - at > LATE:
        sentence += " " + gettext("No worker has counted since: an administrator sees why on the page System.")
        classes = f"{classes} note note-warning".strip()
    return format_html('<p class="{}">{}</p>', classes or "muted", sentence)


@register.simple_tag
def counting():
    """That a worker counts, and whether there is any that could."""
    sentence = gettext("All patients are being counted, which takes some seconds.")
    if heartbeats.ages().get(heartbeats.QUEUE + settings.JOBS, SILENCE + 1) > SILENCE:
        sentence += " " + gettext(
            "No worker takes jobs at the moment: this waits for one, and an administrator sees why on the page System."
        )
    return sentence


@register.simple_tag
@cache
def icon(name, classes=""):
    """A shape without a word, from static/icons.svg; that of a state (`state-query`) from static/states.svg."""
    if state_shape := name.removeprefix("state-") if name.startswith("state-") else "":
        return format_html('<i class="icon shape-{}{}" aria-hidden="true"></i>', state_shape, f" {classes}".rstrip())
    return format_html(
        '<svg class="icon{}" aria-hidden="true"><use href="{}#{}"></use></svg>',
        f" {classes}".rstrip(),
        static("icons.svg"),
        name,
    )


@register.simple_tag
def state(code, word=True):
    """The shape and the word of a form's state; without `word` the word is read out only."""
    return _state(code, word, get_language())


@cache
def _state(code, word, _language):
    shown = STATES[code] if word else format_html('<span class="visually-hidden">{}</span>', STATES[code])
    return format_html('<span class="state state-{}">{}</span>', code, shown)


def state_cells(codes):
    """The cells of a list that show a state each; None is a form that the patient's plan does not have."""
    language = get_language()
    return mark_safe("".join([_state_cell(code, language) for code in codes]))  # noqa: S308 - made by format_html


@cache
def _state_cell(code, _language):
    if code is None:
        return mark_safe('<td class="shape"><span class="muted" aria-hidden="true">·</span></td>')
    return format_html('<td class="shape state-{}">{}</td>', code, STATES[code])


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


@register.simple_tag(takes_context=True)
def identified_as(context, patient):
    """“4711 · Q.N.” to the site's own people once they asked for it in this session; else “”."""
    return identified.beside(context["request"], [patient.pk]).get(patient.pk, "")


@register.filter
def unit(text):
    """A unit in the reader's language."""
    return wording.unit(text)
