"""What the parts of a plan and their values are called: on the form, and where two runs stand side by side."""

from django.utils.translation import gettext_lazy as _

from registry.analysis.design import groupings, methods, named_groups
from registry.analysis.design.sections import SECTIONS
from registry.instruments import levels, timepoints, value_sets, variables

PARTS = {
    "name": _("Name of the plan"),
    "version": _("Version"),
    "grouping": _("Groups"),
    "arms": _("Arms"),
    "named": _("Named groups"),
    "baseline": _("Baseline"),
    "followups": _("Follow-up"),
    "value_sets": _("EQ-5D-5L value sets"),
    "segment_rule": _("Segment rule"),
    "characteristics": _("Characteristics"),
    "outcomes": _("Outcomes"),
    "deltas": _("Changes from baseline"),
    "events": _("Adverse events"),
    "domains": _("EQ-5D-5L dimensions"),
    "overall_continuous": _("All groups, continuous"),
    "overall_categorical": _("All groups, categorical"),
    "second_overall_categorical": _("Beside it, categorical"),
    "pairwise_continuous": _("Pairs of groups, continuous"),
    "pairwise_categorical": _("Pairs of groups, categorical"),
    "adjust": _("Correction for several pairs"),
    "before_after_continuous": _("Before and after, continuous"),
    "before_after_categorical": _("Before and after, categorical"),
    "second_before_after_categorical": _("Beside it, before and after, categorical"),
    "alpha": _("Level of significance"),
    "note": _("Note"),
    "reports": _("Reports"),
    "variables": _("Variables of the plan"),
    "visits": _("Visits of the plan"),
    "as_of": _("Visits are due by"),
}
RULES = {
    "segment_rule": _("A lesion of several segments"),
    "tl_starts_at": _("TL/L/S starts at"),
    "majority_tie": _("A tie between segments"),
}
RULE_CHOICES = {
    "any_involvement": _("cervical before TL/L/S before thoracic"),
    "majority": _("the segment of most vertebrae"),
    "away_from_thoracic": _("is not thoracic"),
    "rostral": _("is the upper one"),
    "caudal": _("is the lower one"),
}


def rule_choices(option):
    """(code, text) of what an option of the segment rule may be."""
    return [(code, RULE_CHOICES.get(code, code)) for code in levels.OPTIONS[option]]


def in_words(part, value, language):
    """The value of a part of a plan, as JSON has it, in words: a text or a list of texts; None for nothing."""
    if value in (None, "", [], {}):
        return None
    if part == "arms":
        return [choice.label.in_language(language) for choice in groupings.arms_from_json(value).grouping.groups]
    if part == "named":
        return [group.label.in_language(language) for group in named_groups.from_json(value).groups]
    if part in ("variables", "visits"):
        return [_text(member["label"], language) for member in value]
    if part in SECTIONS:
        return [_text(member.get("title") or SECTIONS[part].label.en, language) for member in value]
    if part == "segment_rule":
        return [f"{RULES[option]}: {RULE_CHOICES.get(code, code)}" for option, code in value.items()]
    if isinstance(value, list):
        return [_one(part, member, language) for member in value]
    return _one(part, value, language)


def _text(label, language):
    return label if isinstance(label, str) else label.get("ja" if language.startswith("ja") else "en", "")


def _one(part, code, language):
    try:
        label = _label(part, code)
    except (KeyError, ValueError, AttributeError):  # a code of another version of the product
        return str(code)
    return label.in_language(language) if label else str(code)


def _label(part, code):
    if part == "grouping":
        made = {groupings.ARMS: groupings.ARM_LABEL, named_groups.NAMED: named_groups.LABEL}
        return made.get(code) or groupings.GROUPINGS[code].label
    if part in ("baseline", "followups"):
        return timepoints.timepoint(code).label
    if part == "value_sets":
        return value_sets.get(code).label
    if part in ("characteristics", "outcomes", "deltas", "events", "domains"):
        return variables.get(code).label
    if part == "adjust":
        return methods.ADJUSTMENTS[code]
    return methods.BY_CODE[code].label if code in methods.BY_CODE else None
