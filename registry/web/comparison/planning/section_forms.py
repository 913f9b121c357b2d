"""Entries of a plan's page as a template shows them: what each field may be, what is chosen, how many are shown."""

from django.utils.translation import gettext as _

from registry.web.comparison.planning import design_fields, offered, plan_builder, section_fields
from registry.web.comparison.planning.fields import CHOICE, SEVERAL, TICK
from registry.web.shared.lookup import number_in

PLACED = {"steps": design_fields.STEPS, "visits": design_fields.VISITS, "variables": design_fields.VARIABLES}
SECTIONS = (
    section_fields.ENDPOINTS, section_fields.EVENTS, section_fields.PROPENSITY, *plan_builder.SECTIONED,
    section_fields.TABLES, section_fields.ROWS,
)  # fmt: skip


class Forms:
    """The fields of a page: `given` are its choices, `whole` whether the long lists stand in it."""

    def __init__(self, given, whole):
        self.given = given
        self.lists = offered.declared_lists(given)
        self.whole = offered.collected() if whole else {}
        self.shown_names = {}

    def placed(self):
        return {f"{name}_section": self.section(kind) for name, kind in PLACED.items()}

    def sections(self):
        return [self.section(kind) for kind in SECTIONS]

    def part(self, fields, is_open):
        """Fields without a number; None where they are fetched when they are opened."""
        return {"open": is_open, "fields": self.fields(fields) if is_open or self.whole else None}

    def section(self, kind, opened=False):
        """A Kind with its entries, one empty at least; None where they are fetched when it is opened."""
        given = self.given
        filled = list(kind.codes(given))
        asked = given.get(f"shown_{kind.prefix}", "")
        shown = min(kind.most, max(1, number_in(asked) or 0, *filled))
        added = shown if given.get("added") == kind.prefix else 0
        removed = given.get("removed") == kind.prefix
        is_open = bool(filled) or shown > 1 or removed
        return {
            "label": kind.label,
            "short": kind.short or kind.label,
            "prefix": kind.prefix,
            "another": kind.another,
            "hint": kind.hint,
            "titled": bool(kind.title_key),
            "shown": shown,
            "more": shown < kind.most,
            "open": is_open,
            "removed": removed,
            "entries": [self._entry(kind, number) | {"focus": number == added} for number in range(1, shown + 1)]
            if is_open or opened or self.whole
            else None,
        }

    def _entry(self, kind, number):
        given = self.given
        return {
            "number": number,
            "code": given.get(kind.name("code", number), ""),
            "titles": {end: given.get(kind.name(f"title_{end}", number), "") for end in ("en", "ja")},
            "what": given.get(kind.name("what", number), ""),
            "fields": [self.field(field, kind.name(field.name, number)) for field in kind.all],
        }

    def fields(self, some):
        return [self.field(field, field.name) for field in some]

    def field(self, field, name):
        """A field: its kind, its name, its options with whether they are chosen, or what is typed.

        What is chosen of several stands first, in its order: a browser sends it back in the order that is shown.
        """
        several = field.kind == SEVERAL
        default = field.default if several and field.default else [] if several else ""
        typed = self.given.get(name, default)
        chosen = list(map(str, typed)) if several else [str(typed or field.default)]
        options, fetched = offered.of_field(field, self.lists, self.whole)
        if field.kind in (CHOICE, SEVERAL):
            options = self._with_chosen(options, chosen if several else [c for c in chosen if c], several)
        choices = (
            [self._told(code) for code in chosen if code] if fetched in offered.FITS and field.kind == CHOICE else []
        )
        return {
            "name": name,
            "label": field.label,
            "kind": field.kind,
            "of": " ".join(f"of-{kind}" for kind in field.of),
            "blank": not field.default,
            "typed": bool(typed) if field.kind == TICK else typed or _by_default(field),
            "list": fetched,
            "summary": next(iter(choices), ""),
            "tells": fetched in offered.FITS and field.kind == CHOICE,
            "options": [
                (title, [(code, label, str(code) in chosen) for code, label in pairs]) for title, pairs in options
            ],
            "size": 7 if fetched else min(7, sum(len(pairs) for _title, pairs in options) + 1),
        }

    def _with_chosen(self, options, chosen, several):
        labels = {str(code): label for _title, pairs in options for code, label in pairs}
        first = chosen if several else [code for code in chosen if code not in labels]
        if not first:
            return options
        top = [(code, (labels.get(code) if "@" not in code else "") or self._label(code)) for code in first]
        rest = [(title, [pair for pair in pairs if str(pair[0]) not in first]) for title, pairs in options]
        return [
            (_("Chosen") if several else "", top),
            *((title, pairs) for title, pairs in rest if pairs),
        ]

    def _label(self, code):
        """What a chosen code is called, of which the page has no list yet; at a visit with the visit."""
        if not self.shown_names:
            some = (*offered.collected().values(), *self.lists.values())
            self.shown_names = {str(c): label for groups in some for _title, pairs in groups for c, label in pairs}
        name, _at, visit = code.partition("@")
        label = self.shown_names.get(code) or self.shown_names.get(name, name)
        return f"{label}, {self.shown_names.get(visit, visit)}" if visit else label

    def _told(self, code):
        if not hasattr(self, "known"):
            self.known = offered.told_of()
        return self.known.get(code, "")


def _by_default(field):
    return field.typed(field.default) if field.default else ""
