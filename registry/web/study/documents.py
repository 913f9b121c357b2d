"""A declaration of an own instrument between the fields of a page and its document."""

from registry.instruments.base import half_width_number
from registry.protocol import definitions

HEAD_TEXTS = ("citation", "licence", "higher_is", "completed_by", "record")
HEAD_LABELS = ("title", "how_to")
LABELS = ("label", "section", "help")
NUMBERS = ("minimum", "maximum", "places", "max_length")  # of a date its limits are days, which stay as they are
TEXTS = ("name", "kind", "unit", "minimum", "maximum", "places", "max_length", "show_if", "required_if", "formula")
MORE_CHECKS = 2  # empty rows for further checks


def label_in(post, name):
    """{"en": …, "ja": …} of two fields, without what is empty."""
    texts = {code: post.get(f"{name}_{code}", "").strip() for code in ("en", "ja")}
    return {code: text for code, text in texts.items() if text}


def new(post):
    """The document of a form that has no item yet."""
    return {
        "metaspine": "instrument",
        "format": definitions.FORMAT,
        "code": post.get("code", "").strip(),
        "title": label_in(post, "title"),
        "record": post.get("record", ""),
        "items": [],
        "checks": [],
    }


def with_head(document, post):
    """The document with what the page of the whole form says of it."""
    changed = dict(document) | {name: post.get(name, "").strip() for name in HEAD_TEXTS}
    for name in HEAD_LABELS:
        if label := label_in(post, name):
            changed[name] = label
        else:
            changed.pop(name, None)
    changed["checks"] = checks_in(post)
    return changed


def checks_in(post):
    checks = []
    for place in range(200):
        if f"check-{place}-when" not in post:
            break
        when, says = post.get(f"check-{place}-when", "").strip(), label_in(post, f"check-{place}-says")
        if when or says:
            checks.append({"name": post.get(f"check-{place}-name") or f"check_{place + 1}", "when": when, "says": says})
    return checks


def item_in(post):
    """An item of a document, of the fields of its page."""
    item = {name: post.get(name, "").strip() for name in TEXTS}
    item = {name: half_width_number(text) if name in NUMBERS else text for name, text in item.items() if text}
    for name in LABELS:
        if label := label_in(post, name):
            item[name] = label
    if post.get("choices", "").strip():
        item["choices"] = choices_in(post["choices"])
    if item.get("kind") != "calculated":
        item["required"] = "required" in post
    if item.get("kind") == "date":
        item["not_future"] = "may_be_future" not in post
    return item


def choices_in(text):
    """Codes, one a line: `code | English | 日本語`."""
    choices = []
    for line in text.splitlines():
        if line.strip():
            code, *labels = (part.strip() for part in line.replace("｜", "|").split("|"))
            label = dict(zip(("en", "ja"), labels, strict=False))
            choices.append({"code": code, "label": label or {"en": code}})
    return choices


def criteria_in(text):
    """Criteria: `code | English | 日本語 | condition`; one with a condition is checked by the machine."""
    return _lines_in(text, ("when",))


def ethics_in(text):
    """Approvals: `site | number | approved on (2026-05-01) | valid until`."""
    approvals = []
    for line in filter(str.strip, text.splitlines()):
        code, number, *days = (part.strip() for part in [*line.replace("｜", "|").split("|", 3), ""])
        approval = {"code": code, "label": {"en": number} if number else {"en": code}}
        days = zip(("approved", "until"), days, strict=False)
        approvals.append(approval | {name: day for name, day in days if day})
    return approvals


def ethics_text(approvals):
    """The approvals as `ethics_in` reads them."""
    lines = (
        [approval["code"], _label_of(approval, "en"), approval.get("approved", ""), approval.get("until", "")]
        for approval in approvals
    )
    return "\n".join(" | ".join(parts).rstrip(" |") for parts in lines)


def criteria_text(criteria):
    """The criteria as `criteria_in` reads them."""
    lines = (
        [criterion["code"], _label_of(criterion, "en"), _label_of(criterion, "ja"), criterion.get("when", "")]
        for criterion in criteria
    )
    return "\n".join(" | ".join(parts).rstrip(" |") for parts in lines)


def _label_of(entry, language):
    label = entry.get("label") or {}
    return label.get(language, "") if isinstance(label, dict) else label


def _lines_in(text, names):
    """Codes as `choices_in` reads them, with what stands behind the Japanese label under some names."""
    entries = choices_in(text)
    lines = [line.replace("｜", "|").split("|", 2 + len(names)) for line in text.splitlines() if line.strip()]
    for entry, parts in zip(entries, lines, strict=True):
        entry |= {name: part.strip() for name, part in zip(names, parts[3:], strict=False) if part.strip()}
    return entries


def consents_in(text):
    """Versions of the consent form: `version | English | 日本語 | since (2026-05-01) | again | languages (en, ja)`."""
    versions = choices_in(text)
    lines = [line.replace("｜", "|").split("|") for line in text.splitlines() if line.strip()]
    for version, parts in zip(versions, lines, strict=True):
        since, again, languages = (part.strip() for part in [*parts[3:6], "", "", ""][:3])
        if since:
            version["since"] = since
        if again:
            version["again"] = again.lower() in ("again", "re-consent", "reconsent", "再同意") or again
        if languages:
            version["languages"] = [code.strip().lower() for code in languages.replace("、", ",").split(",")]
    return versions


def consents_text(versions):
    """The versions as `consents_in` reads them."""
    lines = choices_text({"choices": versions}).splitlines()
    return "\n".join(_with_extras(line, version) for line, version in zip(lines, versions, strict=True))


def _with_extras(line, version):
    again = version.get("again")
    extras = [
        version.get("since", ""),
        "again" if again is True else again or "",
        ", ".join(version.get("languages", ())),
    ]
    if not any(extras):
        return line
    parts = [part.strip() for part in line.split("|")]
    return " | ".join([*parts, *[""] * (3 - len(parts)), *extras]).rstrip(" |")


def choices_text(item):
    """The codes of an item as `choices_in` reads them."""
    lines = []
    for choice in item.get("choices") or ():
        label = choice.get("label") or {}
        label = label if isinstance(label, dict) else {"en": label}
        parts = [str(choice.get("code", "")), label.get("en", ""), label.get("ja", "")]
        lines.append(" | ".join(parts).rstrip(" |"))
    return "\n".join(lines)
