"""A whole protocol as one file: what the study is, its schedule, instruments, and what is asked when.

The file is our own JSON (`"metaspine": "protocol"`): `study` as the page about the study keeps it, `schedule`, `extras`
that are switched on, `library` (instruments that come along, by code), `instruments` (documents), `off` and `matrix`.
It is published through the same services as a study that is set up page by page, in one transaction.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from django.db import transaction
from django.utils import timezone

from registry.instruments import catalogue, extras
from registry.instruments.base import Label
from registry.instruments.spelling import read_json
from registry.models import ProtocolVersion
from registry.protocol import definitions
from registry.protocol.definitions import Fault
from registry.protocol.expressions import closest
from registry.services.follow_up import schedule
from registry.services.protocol import bringing, publishing, setup
from registry.services.protocol.publishing import InvalidDefinition
from registry.services.records.cleaning import InvalidAnswers
from registry.services.records.extras import switch, switched_on
from sites.tenancy.access import Access

FORMAT = 1
STUDIES = Path(definitions.__file__).parent / "studies"
PARTS = {
    "study": dict,
    "schedule": dict,
    "extras": list,
    "library": list,
    "instruments": list,
    "off": list,
    "matrix": dict,
}
VISIT = ("code", "label", "label_ja", "day", "before", "after")


@dataclass
class Reading:
    """A file as a protocol's document, or the faults that keep it from being one."""

    document: dict = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)


def come_along() -> dict[str, Any]:
    """The protocols that come with the product: name of the file to its document."""
    return {path.stem: json.loads(path.read_text()) for path in sorted(STUDIES.glob("*.json"))}


def read(content: bytes) -> Reading:
    """What a file declares, with every fault of its shape; instruments are checked as they are published."""
    if len(content) > bringing.LARGEST:
        return _refused(Label("is larger than 5 MB", "5 MBを超えています"))
    try:
        document = read_json(content.decode("utf-8-sig"))
    except ValueError as error:
        return _refused(*bringing.no_json(error))
    if not isinstance(document, dict) or document.get("metaspine") != "protocol":
        return _refused(
            Label(
                'is no protocol: "metaspine": "protocol" is not in it. An instrument is brought on the page of own '
                "instruments",
                'プロトコールの定義ではありません（"metaspine": "protocol"がありません）',
            )
        )
    return Reading(document, [*_shape(document), *_references(document)])


def _refused(reason: Any, row: int = 0) -> Reading:
    return Reading(faults=[Fault(row, "", "", reason)])


def _shape(document: Any) -> Iterator[Fault]:
    known = {"metaspine", "format", *PARTS}
    for key in sorted(document.keys() - known):
        reason = Label(
            f"is no part of a protocol; one of {', '.join(PARTS)} would fit",
            f"プロトコールにない項目です（{', '.join(PARTS)}のいずれか）",
        )
        yield Fault(0, key, "", reason)
    if document.get("format", FORMAT) != FORMAT:
        reason = Label("must be {format}", "{format}としてください").format(format=FORMAT)
        yield Fault(0, "format", str(document["format"])[:80], reason)
    for key, kind in PARTS.items():
        if key in document and not isinstance(document[key], kind):
            wanted = Label("must be a list", "リストとしてください")
            if kind is dict:
                wanted = Label("must be an object", "オブジェクトとしてください")
            yield Fault(0, key, str(document[key])[:80], wanted)


def _references(document: Any) -> Iterator[Fault]:
    """Codes that name nothing."""
    library = bringing.library()
    own = [instrument.get("code") for instrument in _dicts(document.get("instruments"))]
    named = {
        "extras": set(extras.SWITCHES),
        "library": set(library),
        "off": {instrument.code for instrument in catalogue.BUILT_IN.instruments} - setup.ALWAYS,
        "matrix": {instrument_code.code for instrument_code in catalogue.OF_ASSESSMENT}
        | {instrument_code for instrument_code in own if instrument_code}
        | set(library),
    }
    for key, codes in named.items():
        given = document.get(key)
        for row, code in enumerate(given if isinstance(given, (list, dict)) else (), start=1):
            if code not in codes:
                near = closest(str(code), sorted(codes))
                hint = (
                    Label("; did you mean “{near}”?", "（「{near}」でしょうか）").format(near=near)
                    if near
                    else Label("", "")
                )
                reason = Label("“{code}” is not there{hint}", "「{code}」はありません{hint}").format(
                    code=code, hint=hint
                )
                yield Fault(row, key, str(code)[:80], reason)


def _dicts(raw: Any) -> list[dict]:
    return [entry for entry in raw if isinstance(entry, dict)] if isinstance(raw, list) else []


@transaction.atomic
def load(*, access: Access, document: Any, note: Any, today: Any = None) -> ProtocolVersion | None:
    """Publish a whole protocol. Returns the newest ProtocolVersion.

    What the registry has already stays where the file does not say otherwise. Raises PermissionDenied, Busy, and
    InvalidDefinition with every fault of the part that could not be published; nothing is half-published.
    """
    for code in document.get("extras") or ():
        switch(access=access, code=code, on=True)
    if plan := document.get("schedule"):
        _publish_schedule(access, plan, today or timezone.localdate())
    library = bringing.library()
    own = [library[code] for code in document.get("library") or ()] + list(document.get("instruments") or ())
    parts: list[Callable[[], Any]] = [
        partial(_publish_instrument, access, own_document, note) for own_document in own if not _published(own_document)
    ]
    if about := document.get("study"):
        parts.insert(0, partial(setup.save_about, access=access, about=about, note=note))
    _publish_in_any_order(parts)
    states = {
        (code, visit): how for code, visits in (document.get("matrix") or {}).items() for visit, how in visits.items()
    }
    if states or document.get("off"):
        setup.save_matrix(access=access, off=list(document.get("off") or ()), states=states, note=note)
    return ProtocolVersion.objects.order_by("-pk").first()


def _publish_in_any_order(parts: list[Callable[[], Any]]) -> None:
    """Publish parts that may name each other's items, whatever their order in the file: arms, criteria, instruments.

    Raises InvalidDefinition with the faults of the first that could not be published once all others were.
    """
    while parts:
        left, first = [], None
        for part in parts:
            try:
                with transaction.atomic():
                    part()
            except InvalidDefinition as error:
                left.append(part)
                first = first or error
        if first is not None and len(left) == len(parts):
            raise first
        parts = left


def _publish_instrument(access: Access, document: Any, note: Any) -> None:
    publishing.keep_draft(access=access, document=document)
    try:
        publishing.publish(access=access, code=str(document.get("code") or "")[:20], note=note)
    except InvalidDefinition as error:
        raise InvalidDefinition(
            [Fault(f.row, f"{document.get('code')}: {f.column}", f.value, f.reason) for f in error.faults]
        ) from error


def _published(document: Any) -> bool:
    return any(published["document"] == document and not published.get("retired") for published in bringing.published())


def _publish_schedule(access: Access, plan: Any, today: Any) -> None:
    visits = [{name: str(visit.get(name, "")) for name in VISIT} for visit in _dicts(plan.get("visits"))]
    start, note = str(plan.get("effective_from") or ""), str(plan.get("note") or "")
    if visits == _visits(schedule.plans(now=True).versions[-1].plan):
        return
    try:
        schedule.publish(access=access, effective_from=start, visits=visits, note=note, today=today)
    except InvalidAnswers as error:
        faults = []
        for key, reasons in error.errors.items():
            name, _, place = key.rpartition("-")
            row = int(place) + 1 if place.isdecimal() else 0
            value = visits[row - 1].get(name, "") if row else ""
            faults += [Fault(row, f"schedule: {name or key}", value, reason) for reason in reasons]
        raise InvalidDefinition(faults) from error


def _visits(plan: Any) -> list[dict[str, str]]:
    return [
        dict(
            zip(
                VISIT,
                map(
                    str,
                    (
                        document.code,
                        document.label.en,
                        document.label.ja,
                        document.day,
                        document.before,
                        document.after,
                    ),
                ),
                strict=True,
            )
        )
        for document in plan
    ]


def document_of_registry() -> dict:
    """The protocol that holds, as a file that another registry loads."""
    whole_document = setup.document()
    current = schedule.plans(now=True).versions[-1]
    made = {"study_arm", "eligibility", "consent_form"}  # `study` makes them anew
    own = [published["document"] for published in bringing.published() if not published.get("retired")]
    return {
        "metaspine": "protocol",
        "format": FORMAT,
        "study": whole_document.get("study") or {},
        "schedule": {
            "effective_from": current.effective_from.isoformat(),
            "note": "as it was exported",
            "visits": [
                visit | {key: int(visit[key]) for key in ("day", "before", "after")} for visit in _visits(current.plan)
            ],
        },
        "extras": sorted(switched_on(now=True)),
        "library": [],
        "instruments": [document for document in own if document["code"] not in made],
        "off": list(whole_document.get("off") or ()),
        "matrix": whole_document.get("matrix") or {},
    }
