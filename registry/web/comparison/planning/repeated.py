"""Repeating forms of the study's own on a plan's page: what of a patient's records together may be compared.

A choice is `form:give` or `form:give:item`, such as `rt_courses:count` or `rt_courses:sum:rtc_dose_gy`.
"""

from django.utils.translation import get_language
from django.utils.translation import gettext as _

from registry.analysis.design.errors import refusal
from registry.analysis.design.variables import declared, sources
from registry.instruments import catalogue

SECTION = {"code": "repeats", "title": {"en": "Repeating forms", "ja": "繰り返し調査票"}}
OF_FORM = ("any", "count")
OF_ITEM = ("first", "last")
OF_NUMBER = ("sum", "least", "most")


def _words():
    return {
        "any": _("any record"),
        "count": _("number of records"),
        "day": _("days from surgery to the first"),
        "first": _("of the first record"),
        "last": _("of the last record"),
        "sum": _("sum"),
        "least": _("smallest"),
        "most": _("largest"),
    }


def offered(chosen):
    """[(title of the form, [(choice, label, whether it is chosen)])] of every repeating form, and of what is chosen
    beside them."""
    shown = [
        (_text(form.title), [(choice, label, choice in chosen) for choice, label in _choices(form)])
        for form in catalogue.current().repeats
    ]
    lost = set(chosen) - set(codes())
    return [*shown, *([(_("Chosen"), [(name, name, True) for name in chosen if name in lost])] if lost else [])]


def codes():
    """Every choice, in the order of the page."""
    return [choice for form in catalogue.current().repeats for choice, _label in _choices(form)]


def _text(label):
    return label.in_language(get_language() or "en")


def _choices(form):
    words = _words()
    for give in OF_FORM:
        yield f"{form.code}:{give}", words[give]
    for item in form.items:
        for give in _given_of(form, item):
            yield f"{form.code}:{give}:{item.name}", f"{_text(item.label)}: {words[give]}"


def _given_of(form, item):
    if item.kind == "date":
        return ("day",)
    source = declared.gathered_source({"repeat": form.code, "item": item.name, "give": "first"})
    if source is None or source.kind == sources.DATE:
        return ()
    return OF_ITEM + (OF_NUMBER if source.kind == sources.CONTINUOUS else ())


def variable_of(choice):
    """The variable of a plan's JSON that a choice stands for."""
    of = of_choice(choice)
    return {"name": "_".join(("rec", *of.values()))[:40].rstrip("_"), "of": of}


def of_choice(choice):
    """The `of` of a variable that a choice stands for. Refused says which is none."""
    if choice.count(":") not in (1, 2):
        raise refusal(
            "“{choice}” says nothing of records; such as form:count or form:sum:item",
            "「{choice}」は記録から求めるものを示していません。例：form:count、form:sum:item",
            choice=choice,
        )
    return dict(zip(("repeat", "give", "item"), choice.split(":"), strict=False))


def choice_of(variable):
    """The choice that makes a variable of a plan's JSON."""
    of = variable["of"]
    return ":".join(filter(None, (of["repeat"], of.get("give", "any"), of.get("item"))))
