"""Declared sections read from JSON: known fields alone, each with what would fit in both languages."""

import re
from dataclasses import MISSING, fields

from registry.analysis.design.errors import listed, refusal
from registry.instruments.base import Label

CODE = re.compile(r"[a-z][a-z0-9_]{0,39}")
LONGEST_NAME = 120


def read(kind, cls, data):
    """The section of a class that `written` wrote. Refused says where it is, what is wrong and what fits."""
    if not isinstance(data, dict):
        raise refusal("{kind}: a section is an object", "{kind}：セクションはオブジェクトで指定します", kind=kind)
    known = {part.name: part for part in fields(cls)}
    if unknown := sorted(data.keys() - known.keys()):
        raise refusal(
            "{kind}: there is no {unknown}; a section of this kind has {fits}",
            "{kind}：{unknown}はありません。使える項目：{fits}",
            kind=kind,
            unknown=listed(unknown),
            fits=listed(known),
        )
    needed = [name for name, part in known.items() if part.default is MISSING and part.default_factory is MISSING]
    if lacking := [name for name in needed if name not in data]:
        raise refusal(
            "{kind}: {lacking} is lacking", "{kind}：{lacking}がありません", kind=kind, lacking=listed(lacking)
        )
    return cls(**{name: frozen(value) for name, value in data.items()} | {"title": title(kind, data.get("title"))})


def title(kind, given):
    try:
        label = Label(given["en"], given["ja"])
    except (KeyError, TypeError):
        label = None
    if label is None or not all(
        isinstance(t, str) and 0 < len(t.strip()) <= LONGEST_NAME for t in (label.en, label.ja)
    ):
        raise refusal(
            "{kind}: a section needs a title in English (en) and Japanese (ja) of at most {most} characters",
            "{kind}：セクションには{most}文字以内の英語（en）と日本語（ja）の表題（title）が必要です",
            kind=kind,
            most=LONGEST_NAME,
        )
    return label


class Frozen(dict):
    """An object of a plan's JSON as a value: it can be hashed, and is never changed."""

    def __hash__(self):
        return hash(tuple(sorted(self.items(), key=lambda item: item[0])))


class Section:
    """What every declared section has: a code, a title, and its JSON."""

    def to_json(self):
        return written(self)

    def check(self, names):
        """Refused where a variable of `names` (design.variables.declared.Variables) is of a kind that does not fit."""


def frozen(value):
    """Lists as tuples and objects as Frozen, so that a section is a value."""
    if isinstance(value, (list, tuple)):
        return tuple(frozen(part) for part in value)
    if isinstance(value, dict):
        return Frozen({name: frozen(part) for name, part in value.items()})
    return value


def written(section):
    """A section as JSON; what is as by default is left out."""
    label = {}
    for part in fields(section):
        value = getattr(section, part.name)
        default = part.default if part.default_factory is MISSING else part.default_factory()
        if value != default:
            label[part.name] = thawed(value)
    return label


def thawed(value):
    if isinstance(value, Label):
        return {"en": value.en, "ja": value.ja}
    if isinstance(value, tuple):
        return [thawed(part) for part in value]
    if isinstance(value, dict):
        return {name: thawed(part) for name, part in value.items()}
    return value


def check_code(kind, code):
    if not isinstance(code, str) or not CODE.fullmatch(code):
        raise refusal(
            "{kind}: “{code}” is no code; small letters, digits and underscores, such as overall_survival",
            "{kind}：「{code}」はコードとして使えません。overall_survivalのように英小文字・数字・下線で指定してください。",
            kind=kind,
            code=code,
        )


def one_of(kind, place, value, choices):
    if value not in choices:
        raise refusal(
            "{kind}, {place}: “{value}” does not fit; one of {fits}",
            "{kind}の{place}：「{value}」は使えません。使えるもの：{fits}",
            kind=kind,
            place=place,
            value=value,
            fits=listed(choices),
        )


def number(kind, place, value, least=None, above=None, most=None, whole=False):
    right = isinstance(value, int if whole else (int, float)) and not isinstance(value, bool)
    right = right and (least is None or value >= least) and (above is None or value > above)
    if not right or (most is not None and value > most):
        bounds = [f"≥ {least}"] * (least is not None) + [f"> {above}"] * (above is not None)
        bounds += [f"≤ {most}"] * (most is not None)
        raise refusal(
            "{kind}, {place}: {value} does not fit; a {what} {bounds}",
            "{kind}の{place}：{value}は使えません。{what_ja}（{bounds}）で指定してください。",
            kind=kind,
            place=place,
            value=repr(value),
            what="whole number" if whole else "number",
            what_ja="整数" if whole else "数値",
            bounds=", ".join(bounds),
        )


def some(kind, place, values, least=0):
    if not isinstance(values, tuple) or len(values) < least:
        raise refusal(
            "{kind}, {place}: a list of at least {least}",
            "{kind}の{place}：{least}個以上の一覧で指定してください",
            kind=kind,
            place=place,
            least=least,
        )


def reference(given):
    """(variable, visit) of what a section names: a name, or an object with variable and perhaps visit."""
    return (given["variable"], given.get("visit", "")) if isinstance(given, dict) else (given, "")


def key(given):
    """A name of a variable at a visit as one text: `age_at_surgery`, `kps@1m`."""
    return "@".join(filter(None, reference(given)))
