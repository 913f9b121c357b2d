"""The study's set-up: its names and numbers, arms, eligibility, consent, ethics, and the matrix of what is asked when.

Arms and criteria become own instruments of the baseline, so that files, cohorts, comparisons and exports have them as
they have everything else that is declared. Versions of the consent form are what consents are recorded of.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from registry.instruments import catalogue
from registry.instruments.base import Label
from registry.instruments.catalogue import ASKED, NOT_ASKED, REQUIRED
from registry.instruments.core.consent import LANGUAGES
from registry.instruments.patient_forms import BASELINE
from registry.models import ScheduleVersion
from registry.protocol import definitions
from registry.protocol.definitions import Fault
from registry.services import current_protocol as current
from registry.services.follow_up import schedule
from registry.services.protocol import branding, publishing, wording
from registry.services.protocol.publishing import InvalidDefinition
from sites.models import Membership, Site
from sites.tenancy.access import BLINDABLE, Access, Can

TEXTS = ("short_name", "number", "jrct", "umin", "contact", "imprint", "colour", "accent")
ARM_FORMS = ("baseline", "surgery")
OLDEST = 100  # years that a study may ask for at least
LISTS = ("arms", "inclusion", "exclusion", "consent", "ethics")
# Core instruments without which the registry knows nothing of a patient.
ALWAYS = frozenset(
    instrument.code for instrument in (catalogue.ENROLMENT, catalogue.DISEASE, catalogue.SURGERY, catalogue.FOLLOW_UP)
)


@dataclass(frozen=True)
class Step:
    """One step of the set-up: where it is done, and what is missing; empty where it is done."""

    code: str
    title: str
    url: str
    missing: str = ""
    note: str = ""


def document() -> Any:
    """The document of the protocol that holds."""
    return current.document_of(current.version())


def steps(protocol: Any = None) -> list[Step]:
    """The steps of the set-up, in order."""
    protocol = document() if protocol is None else protocol
    about = protocol.get("study") or {}
    name = about.get("name") or {}
    sites, people = Site.objects.count(), Membership.objects.count()
    unworded = ", ".join(wording.nowhere())
    asked = [instrument for instrument in protocol.get("instruments") or [] if not instrument.get("retired")]

    def lines(key: Any) -> int:
        return len(about.get(key) or ())

    rows = [
        ("name", _("Name and short name"), "study_about", name.get("en") and about.get("short_name"),
         _("English name and short name"), ""),
        ("number", _("Protocol number and registration"), "study_about", about.get("number"), _("protocol number"), ""),
        ("ethics", _("Ethics approvals"), "study_about", not (lacking := _ethics_missing(about)), lacking, ""),
        ("sites", _("Sites"), "sites", sites, _("at least one site"), sites),
        ("people", _("People and roles"), "people", people > 1, _("somebody who enters data"), people),
        ("schedule", _("Schedule of visits"), "schedule", ScheduleVersion.objects.exists(), _("a schedule"), ""),
        ("instruments", _("Own instruments"), "own_instruments", True, "", len(asked)),
        ("matrix", _("What is asked when"), "study_matrix", "matrix" in protocol or "off" in protocol,
         _("a look at the matrix"), ""),
        ("wording", _("Licensed wording"), "licensed_wording", not unworded, unworded, ""),
        ("arms", _("Arms"), "study_about", lines("arms") >= 2 or about.get("single_arm"),
         _("two arms, or one group"), ""),
        ("eligibility", _("Eligibility"), "study_about", lines("inclusion"), _("inclusion criteria"), ""),
        ("consent", _("Consent"), "study_about", lines("consent"), _("a version of the consent form"), ""),
        ("target", _("Target"), "study_about", about.get("target"), _("how many patients are to be enrolled"), ""),
    ]  # fmt: skip
    return [
        Step(code, str(title), url, "" if done else str(missing), str(note))
        for code, title, url, done, missing, note in rows
    ]


@transaction.atomic
def save_about(*, access: Access, about: Any, note: Any) -> Any:
    """Store what the study is: names, numbers, lists. Returns the new ProtocolVersion.

    Raises PermissionDenied; InvalidDefinition where a list names something twice, or drops what patients have.
    """
    access.require(Can.ADMINISTER)
    faults = list(_shape(about)) or list(_faults(about))
    if faults:
        raise InvalidDefinition(faults)
    protocol = publishing.newest_document() | {"study": about}
    row = publishing.store(access, protocol, note)
    for made in (_arms(about), _eligibility(about)):
        if made and _differs(made):
            publishing.keep_draft(access=access, document=made)
            row = publishing.publish(access=access, code=made["code"], note=note)
    return row


def _differs(made: Any) -> Any:
    entries = document().get("instruments") or []
    return next((entry["document"] for entry in entries if entry["document"]["code"] == made["code"]), None) != made


NO_TEXT = Label("must be a text of one line, at most 500 characters", "1行の文字列（500文字以内）としてください")
NO_WORDS = Label("must be an object of language to text", "言語ごとの文字列のオブジェクトとしてください")
NO_LIST = Label("must be a list", "リストとしてください")
NO_ENTRY = Label("must be an object with a code", "コードを持つオブジェクトとしてください")


def _shape(about: Any) -> Iterator[Fault]:
    """What is of another type than pages expect, or would break the head of a mail: files say anything."""
    for key in (*TEXTS, "logo", "arm_at"):
        if about.get(key) is not None and not _is_line(about[key]):
            yield Fault(0, key, str(about[key])[:80], NO_TEXT)
    if not _is_words(about.get("name")):
        yield Fault(0, "name", str(about["name"])[:80], NO_WORDS)
    for key in (*LISTS, "blind"):
        entries = about.get(key)
        if entries is not None and not isinstance(entries, (list, tuple)):
            yield Fault(0, key, str(entries)[:80], NO_LIST)
        elif key != "blind":
            yield from _entry_faults(key, entries or ())


def _entry_faults(key: str, entries: Any) -> Iterator[Fault]:
    for row, entry in enumerate(entries, start=1):
        if not isinstance(entry, dict) or not _is_line(entry.get("code")):
            yield Fault(row, key, str(entry)[:80], NO_ENTRY)
        elif not _is_words(entry.get("label")):
            yield Fault(row, key, str(entry["label"])[:80], NO_WORDS)


def _is_line(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= 500 and len(value.splitlines()) < 2 and "\0" not in value


def _is_words(value: Any) -> bool:
    return value is None or (isinstance(value, dict) and all(isinstance(text, str) for text in value.values()))


def _faults(about: Any) -> Iterator[Fault]:
    for key in LISTS:
        codes = [criterion["code"] for criterion in about.get(key) or ()]
        for row, code in enumerate(codes, start=1):
            if key != "ethics" and codes.count(code) > 1 and codes.index(code) < row - 1:
                yield Fault(
                    row,
                    key,
                    code,
                    Label("“{code}” is there twice; another code would fit", "「{code}」が重複しています").format(
                        code=code
                    ),
                )
            elif not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,19}", code):
                reason = Label(
                    "is no code; up to 20 letters, digits, “_”, “.” or “-” would fit",
                    "コードに使えません（英数字・「_」「.」「-」の20文字以内）",
                )
                yield Fault(row, key, code, reason)
    for row, version in enumerate(about.get("consent") or (), start=1):
        yield from _consent_faults(row, version)
    yield from _ethics_faults(about.get("ethics") or ())
    yield from branding.faults(about)
    if about.get("arm_at") not in (None, *ARM_FORMS):
        reason = Label("must be baseline or surgery", "baselineまたはsurgeryとしてください")
        yield Fault(0, "arm_at", str(about["arm_at"])[:80], reason)
    for role in about.get("blind") or ():
        if role not in BLINDABLE:
            fits = ", ".join(BLINDABLE)
            reason = Label(f"cannot be blind; one of {fits} can", f"盲検にできません（{fits}のいずれか）")
            yield Fault(0, "blind", str(role)[:80], reason)
    yield from _number_faults(about)


def _number_faults(about: Any) -> Iterator[Fault]:
    if about.get("target") and not str(about["target"]).isdecimal():
        yield Fault(0, "target", str(about["target"]), Label("must be a whole number", "整数を入力してください"))
    if (age := about.get("minimum_age")) not in (None, "") and not (str(age).isdecimal() and int(age) <= OLDEST):
        reason = Label(f"must be a whole number of years up to {OLDEST}", f"{OLDEST}以下の整数（歳）としてください")
        yield Fault(0, "minimum_age", str(age)[:80], reason)


def _ethics_faults(approvals: Any) -> Iterator[Fault]:
    """What is wrong with the approvals of ethics committees: days that are none."""
    for row, approval in enumerate(approvals, start=1):
        for name in ("approved", "until"):
            text = str(approval.get(name) or "")
            if text and not _is_day(text):
                yield Fault(row, "ethics", text[:80], NO_DAY)


NO_DAY = Label("is no day; 2026-05-01 would fit", "日付ではありません（例：2026-05-01）")


def _is_day(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def approvals_lacking(about: Any, today: date) -> tuple[list[str], list[str]]:
    """(codes of sites without an approval, codes of those whose last approval is over on a day)."""
    approvals: dict[str, list] = {}
    for approval in about.get("ethics") or ():
        approvals.setdefault(approval["code"].upper(), []).append(approval.get("until") or "")
    sites = Site.objects.order_by("code").values_list("code", flat=True)
    over = [
        code
        for code in sites
        if all(until and until < today.isoformat() for until in approvals.get(code.upper(), [""]))
    ]
    return [code for code in sites if code.upper() not in approvals], over


def _ethics_missing(about: Any) -> str:
    """What the guide says is lacking of the approvals; empty where every site has one that holds."""
    without, over = approvals_lacking(about, timezone.localdate())
    if not Site.objects.exists():
        return "" if about.get("ethics") else str(_("an approval for each site"))
    parts = []
    if without:
        parts.append(_("an approval for %(sites)s") % {"sites": ", ".join(without)})
    known = {code.upper() for code in Site.objects.values_list("code", flat=True)}
    if unknown := [approval["code"] for approval in about.get("ethics") or () if approval["code"].upper() not in known]:
        parts.append(_("a site for the approval of %(sites)s") % {"sites": ", ".join(unknown)})
    if over:
        parts.append(_("a renewed approval for %(sites)s") % {"sites": ", ".join(over)})
    return "; ".join(map(str, parts))


def _consent_faults(row: int, version: Any) -> Iterator[Fault]:
    """What is wrong with a version of the consent form, beside its code."""
    since = str(version.get("since") or "")
    if since and not _is_day(since):
        yield Fault(row, "consent", since[:80], NO_DAY)
    if version.get("again") not in (None, True, False):
        reason = Label("must be “again” or empty", "「again」または空欄としてください")
        yield Fault(row, "consent", str(version["again"])[:80], reason)
    known = [choice.code for choice in LANGUAGES]
    for code in version.get("languages") or ():
        if code not in known:
            fits = ", ".join(map(str, known))
            reason = Label(f"is no language of a form; one of {fits} would fit", f"使える言語：{fits}")
            yield Fault(row, "consent", str(code)[:80], reason)


_HEAD = {"metaspine": "instrument", "format": definitions.FORMAT, "record": "baseline", "checks": []}


def _arms(about: Any) -> Any:
    arms = about.get("arms") or ()
    return arms and _HEAD | {
        "code": current.ARM,
        "record": about.get("arm_at") or ARM_FORMS[0],
        "title": {"en": "Study arm", "ja": "研究群"},
        "items": [
            {"name": "study_arm", "label": {"en": "Study arm", "ja": "研究群"}, "kind": "code", "choices": list(arms)},
            {"name": "study_arm_why", "label": {"en": "Why this arm", "ja": "割付の理由"}, "kind": "text",
             "required": False},
        ],
    }  # fmt: skip


def _eligibility(about: Any) -> dict[str, Any] | None:
    criteria = [("inclusion", criterion) for criterion in about.get("inclusion") or ()]
    criteria += [("exclusion", criterion) for criterion in about.get("exclusion") or ()]
    if not criteria:
        return None
    heads = {"inclusion": {"en": "Inclusion", "ja": "選択基準"}, "exclusion": {"en": "Exclusion", "ja": "除外基準"}}
    items, seen = [], set()
    for kind, criterion in criteria:
        item = {
            "name": definitions.naming.fitting(f"{kind[:4]}_{criterion['code']}"),
            "label": criterion["label"],
            "kind": "yes_no",
        }
        if criterion.get("when"):  # the machine checks it, of what the baseline answers
            item |= {"kind": "calculated", "formula": f"if({criterion['when']}, 1, 0)"}
        if kind not in seen:
            item["section"] = heads[kind]
            seen.add(kind)
        items.append(item)
    wrong = [f"[{item['name']}] = {0 if item['name'].startswith('incl') else 1}" for item in items]
    check = {
        "name": "not_eligible",
        "when": " or ".join(wrong),
        "says": {"en": "A criterion of eligibility is not met", "ja": "適格基準を満たしていません"},
    }
    title = {"en": "Eligibility", "ja": "適格性"}
    return _HEAD | {"code": "eligibility", "title": title, "items": items, "checks": [check]}


# The matrix


def visits() -> list[tuple[str, Label]]:
    """Every visit that a version of the schedule plans, in order: (code, label)."""
    known: dict[str, tuple[int, Label]] = {}
    for version in schedule.plans(now=True).versions:
        for timepoint in version.plan:
            known.setdefault(timepoint.code, (timepoint.day, timepoint.label))
    return [(code, label) for code, (_day, label) in sorted(known.items(), key=lambda pair: pair[1][0])]


def of_baseline() -> Any:
    """Instruments of the patient's baseline that a protocol may leave out."""
    return tuple(instrument for instrument in BASELINE.instruments if instrument.code not in ALWAYS)


def of_visits() -> Any:
    protocol = catalogue.current()
    own = tuple(
        instrument for instrument in protocol.own.get("assessment", ()) if instrument.code not in protocol.retired
    )
    return catalogue.ASSESSMENT + own


@transaction.atomic
def save_matrix(*, access: Access, off: Any, states: Any, note: Any) -> Any:
    """Store what is asked when. Returns the new ProtocolVersion.

    off     codes of instruments that are not asked at all
    states  (code, visit) to how it is asked there (ASKED)
    """
    access.require(Can.ADMINISTER)
    matrix: dict[str, dict[str, str]] = {}
    for (code, visit), state in states.items():
        if state in ASKED and state != REQUIRED:
            matrix.setdefault(code, {})[visit] = state
    every = {code for code, _ in visits()}
    for code, of_visits_ in matrix.items():
        if every and {visit for visit, state in of_visits_.items() if state == NOT_ASKED} == every:
            off = [*off, code]
    own = {own_instrument.code for own_instrument in catalogue.current().own_instruments}
    off = sorted(set(off) - ALWAYS - own)
    return publishing.store(access, publishing.newest_document() | {"off": off, "matrix": matrix}, note)
