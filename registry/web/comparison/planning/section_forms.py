"""The fields of a plan's sections as a template shows them: what each may be, what is chosen, how many are shown."""

from django.utils.translation import get_language
from django.utils.translation import gettext as _

from registry.analysis.design.variables import sources
from registry.instruments.core import adverse_events
from registry.web.comparison.planning import plan_builder, recoding, section_fields
from registry.web.comparison.planning.section_fields import CHOICE, SEVERAL, TICK
from registry.web.shared.lookup import number_in


def offered(given, items, visits):
    """{"sections": every Kind with its entries, "matching": the fields of matching}, as `plan_new.html` shows them.

    items  name -> Source of all that is collected; visits  (code, Label) of the schedule and of the plan
    """
    lists = _lists(given, items, visits)
    return {
        "sections": [_section(kind, given, lists) for kind in section_fields.KINDS],
        "matching": [_field(field, field.name, given, lists) for field in section_fields.PROPENSITY],
    }


def _text(label):
    return label.in_language(get_language() or "en") if hasattr(label, "in_language") else str(label)


def _lists(given, items, visits):
    """What a field may be, by the name under which it asks for it: [(title, [(code, text)])]."""
    by_title, dates, before = {}, {}, {}
    for source in items.values():
        of_kind = dates if source.kind == sources.DATE else by_title
        of_kind.setdefault(_text(source.title), []).append((source.name, _text(source.label)))
        if source.kind != sources.DATE and source.name not in ("followup_months", "died"):
            at = f"{source.name}@preop" if source.at_visit else source.name
            before.setdefault(_text(source.title), []).append((at, _text(source.label)))
    language = "ja" if (get_language() or "").startswith("ja") else "en"
    own = [(one["name"], one["label"][language]) for one in _own(given)]
    asked = [*([(_("Variables of this plan"), own)] if own else []), *by_title.items()]
    grades = next(item for item in adverse_events.ADVERSE_EVENT.items if item.name == "clavien_dindo").choices
    return {
        "items": asked,
        "everything": [*asked, *((f"{title}: {_('dates')}", pairs) for title, pairs in dates.items())],
        "covariates": list(before.items()),
        "visits": [("", [(code, _text(label)) for code, label in visits])],
        "events": [("", [(code, _text(label)) for code, label in plan_builder.kinds_of_events()])],
        "grades": [("", [(choice.code, _text(choice.label)) for choice in grades])],
    }


def _own(given):
    for number in plan_builder.numbers_of(given, "item"):
        try:
            variable = recoding.variable_of(given, number)
        except ValueError:  # told above the form
            continue
        if variable is not None:
            yield variable


def _section(kind, given, lists):
    filled = [number for number in _numbers(kind, given) if given.get(kind.name("what", number))]
    asked = given.get(f"shown_{kind.prefix}", "")
    shown = min(section_fields.MOST, max(1, number_in(asked) or 0, *filled))
    added = shown if given.get("added") == kind.prefix else 0
    return {
        "label": kind.label,
        "prefix": kind.prefix,
        "another": kind.another,
        "shown": shown,
        "more": shown < section_fields.MOST,
        "open": bool(filled) or shown > 1 or given.get("removed") == kind.prefix,
        "removed": given.get("removed") == kind.prefix,
        "entries": [_entry(kind, given, number, lists) | {"focus": number == added} for number in range(1, shown + 1)],
    }


def _numbers(kind, given):
    return plan_builder.numbers_of(given, f"{kind.prefix}_what")


def _entry(kind, given, number, lists):
    titles = {end: given.get(kind.name(f"title_{end}", number), "") for end in ("en", "ja")}
    return {
        "number": number,
        "code": given.get(kind.name("code", number), ""),
        "titles": titles,
        "what": given.get(kind.name("what", number), ""),
        "fields": [_field(field, kind.name(field.name, number), given, lists) for field in kind.all],
    }


def _field(field, name, given, lists):
    """A field: its kind, its name, its options with whether they are chosen, or what is typed."""
    several = field.kind == SEVERAL
    typed = given.get(name, [] if several else "")
    chosen = typed if several else [typed or field.default]
    options = lists[field.options] if isinstance(field.options, str) else [("", field.options)]
    options = [*options, *_not_offered(field, chosen, options)]
    return {
        "name": name,
        "label": field.label,
        "kind": field.kind,
        "of": " ".join(f"of-{kind}" for kind in field.of),
        "blank": not field.default,
        "typed": bool(typed) if field.kind == TICK else typed or _by_default(field),
        "options": [
            (title, [(code, _text(label), str(code) in map(str, chosen)) for code, label in pairs])
            for title, pairs in options
        ],
        "size": min(7, sum(len(pairs) for _title, pairs in options) + 1),
    }


def _not_offered(field, chosen, options):
    """[("", [(code, text)])] of what is chosen and not offered, which the browser would not send back; [] for none."""
    offered = {str(code) for _title, pairs in options for code, _label in pairs}
    lost = [code for code in chosen if code and str(code) not in offered]
    return [("", [(code, str(code)) for code in lost])] if lost and field.kind in (CHOICE, SEVERAL) else []


def _by_default(field):
    return field.typed(field.default) if field.default else ""
