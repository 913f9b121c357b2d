"""Own instruments from draft to retirement: keeping a draft, what publishing it would change, publishing, retiring.

What is published stands in the next version of the protocol; the database gets the columns and what they accept.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from string import ascii_lowercase
from typing import Any

from django.db import DatabaseError, connection, transaction

from registry.instruments import catalogue
from registry.instruments.base import Instrument, Item, Label
from registry.instruments.patient_forms import FINISHED_FORMS
from registry.models import OwnInstrument, ProtocolVersion
from registry.models.columns import stored_items
from registry.models.study.own import MODELS
from registry.protocol import definitions
from registry.protocol.definitions import Fault
from registry.services import current_protocol as current
from sites.tenancy.access import Access, Can
from sites.tenancy.scope import current as scope
from sites.tenancy.scope import everything

LOCK = 0x4D53_50  # one publishes at a time


class InvalidDefinition(ValueError):
    """A declaration that cannot be published; `faults` say where and why."""

    def __init__(self, faults: Any) -> None:
        self.faults = list(faults)
        super().__init__("; ".join(map(str, self.faults)))


class Busy(Exception):
    """Somebody reads the table for longer than publishing waits; nothing was published, and a later try may succeed."""


@dataclass(frozen=True)
class Effect:
    """What publishing would change of an item: `stored` answers stand against it, which keeps it from happening."""

    name: str
    what: Label
    stored: int = 0


def require(access: Access | None) -> None:
    """Only administrators; None is a command or the system."""
    if access is not None:
        access.require(Can.ADMINISTER)


def _user_id(access: Access) -> Any:
    return access.user_id if access is not None else None


@transaction.atomic
def keep_draft(*, access: Access, document: Any, note: str = "") -> OwnInstrument:
    """Store a document as the draft of its instrument, faulty or not, and return the row. Raises PermissionDenied."""
    require(access)
    code = str(document.get("code") or "")[:20]
    _lock()
    draft = OwnInstrument.objects.filter(code=code, is_draft=True).first()
    if draft is None:
        last = OwnInstrument.objects.filter(code=code).order_by("-version").first()
        draft = OwnInstrument(code=code, version=last.version + 1 if last else 1)
    draft.document, draft.changed_by_id = document, _user_id(access)
    draft.save()
    return draft


@transaction.atomic
def discard_draft(*, access: Access, code: str) -> None:
    require(access)
    OwnInstrument.objects.filter(code=code, is_draft=True).delete()


def _lock() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])


def read(document: Any, protocol: Any = None) -> Any:
    """The `Reading` of a document within a protocol (its document): with the names that are taken and those known."""
    protocol = current.document_of(current.version()) if protocol is None else protocol
    declared = protocol.get("instruments") or []
    others = [code for code in declared if code["document"]["code"] != document.get("code")]
    return definitions.read(document, taken=taken(others), known=current.known_to({"document": document}, others))


def taken(declared: Any = ()) -> frozenset[Any | str]:
    """Names that no item may have: the product's, its tables' columns, and those of other own instruments."""
    names = {item.name for item in catalogue.BUILT_IN.all_items} | set(catalogue.BUILT_IN._derived)
    for model in set(MODELS.values()):
        own = {field.name for field in model._meta.local_fields if getattr(field, "is_own", False)}
        names |= ({field.column for field in model._meta.local_fields} | {*dir(model)}) - own  # `site`, `save`, `pk`
    names |= {
        "record",  # of a repeating form, in files
        "key",
        "site_code",
        "age_at_surgery",
        "hsuv",
        "birth_date",
        "birth_mark",
        "warned",
        "line",
        "reason",
        "version",
        "complete",
    }
    names |= {*ascii_lowercase, "changed", "shown", "old", "new"}  # rows that the database's own functions call so
    for instrument in declared:
        names |= {item["name"] for item in instrument["document"]["items"]}
    return frozenset(names)


def as_data(item: Item, record: str) -> dict:
    """An item as the database's own functions read it."""
    return {
        "name": item.name,
        "kind": item.kind,
        "form": record,
        "codes": [str(code) for code in item.codes],
        "minimum": None if item.minimum is None else str(item.minimum),
        "maximum": None if item.maximum is None else str(item.maximum),
        "places": item.places,
        "max_length": item.max_length,
    }


def effects(instrument: Instrument, record: str, before: Instrument | None) -> list:
    """The `Effect`s of publishing an instrument over the version that holds, if there is one."""
    all_effects = []
    new = {item.name: item for item in instrument.items}
    for item in before.items if before else ():
        if item.name not in new:
            count = _count(item, record, "true")
            all_effects.append(
                Effect(
                    item.name, Label("is no longer asked; its answers stay", "今後は尋ねません（回答は残ります）"), 0
                )
            )
            if count:
                all_effects[-1] = Effect(
                    item.name,
                    Label(
                        f"is no longer asked; {count} stored answers stay",
                        f"今後は尋ねません（回答{count}件は残ります）",
                    ),
                )
        elif new[item.name].kind != item.kind:
            count = _count(item, record, "true")
            what = Label(
                f"changes its kind from {item.kind} to {new[item.name].kind}, which a column cannot; give the new item "
                "another name",
                f"種類が{item.kind}から{new[item.name].kind}に変わります。別の名前の項目としてください。",
            )
            all_effects.append(Effect(item.name, what, max(count, 1)))
        else:
            all_effects += _narrowed(item, new[item.name], record)
    return all_effects


def _narrowed(old: Any, new: Any, record: Any) -> Iterator[Effect]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT own_accepted(%s), own_accepted(%s)", [json.dumps(as_data(item, record)) for item in (old, new)]
        )
        before, after = cursor.fetchone()
    if before == after:
        return
    count = _count(new, record, f"NOT ({after})")
    gone = [str(code) for code in old.codes if code not in new.codes]
    if gone:
        listed = ", ".join(gone)
        what = Label("no longer accepts {listed}", "{listed}は入力できなくなります").format(listed=listed)
    else:
        what = Label("accepts other values than before", "受け付ける値の範囲が変わります")
    if count:
        more = Label("; {count} stored answers are outside of it", "（保存済みの{count}件が範囲外です）").format(
            count=count
        )
        what = Label(what.en + more.en, what.ja + more.ja)
    yield Effect(new.name, what, count)


def _count(item: Item, record: Any, condition: Any) -> Any:
    """How many stored answers of an item meet an SQL condition, at all sites: only the number leaves this function."""
    table = MODELS[record]._meta.db_table
    with everything(user_id=scope().user_id), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            f'SELECT count(*) FROM {table} WHERE "{item.name}" IS NOT NULL AND {condition}'.replace("%", "%%"), []
        )
        return cursor.fetchone()[0]


def newest_document() -> dict[str, Any]:
    """The newest protocol's document, for whoever stores the next version of it in this transaction.

    Whoever else does so waits until then: of two at once the second goes on from what the first stored.
    """
    _lock()
    current.forget()
    return current.document_of(current.version())


@transaction.atomic
def publish(*, access: Access, code: str, note: Any) -> ProtocolVersion:
    """Publish the draft of an instrument; returns the new ProtocolVersion.

    Raises PermissionDenied, KeyError where there is no draft, InvalidDefinition, Busy. Nothing is half-published.
    """
    require(access)
    _lock()
    current.forget()
    draft = OwnInstrument.objects.select_for_update(of=("self",)).filter(code=code, is_draft=True).first()
    if draft is None:
        raise KeyError(code)
    protocol = current.document_of(current.version())
    reading = read(draft.document, protocol)
    if reading.faults:
        raise InvalidDefinition(reading.faults)
    record, instrument = draft.document["record"], reading.instrument
    refuse_incompatible(instrument, record, protocol)
    _add_columns(instrument, record)
    draft.is_draft, draft.changed_by_id = False, _user_id(access)
    draft.save()
    others = [instrument for instrument in protocol.get("instruments") or [] if instrument["document"]["code"] != code]
    entry = {"version": draft.version, "document": draft.document}
    return store(access, protocol | {"instruments": [*others, entry]}, note)


def refuse_incompatible(instrument: Instrument, record: Any, protocol: Any) -> None:
    """Raise InvalidDefinition where stored answers stand against the new version, or a form against the old one's."""
    entry = next(
        (entry for entry in protocol.get("instruments") or [] if entry["document"]["code"] == instrument.code), None
    )
    if entry is None:
        return
    if entry["document"]["record"] != record:
        reason = Label(
            f"is asked with “{entry['document']['record']}” already; another instrument would fit",
            f"既に「{entry['document']['record']}」で使われています",
        )
        raise InvalidDefinition([Fault(0, "record", record, reason)])
    before = current.current().own.get(record, ())
    before = next((former for former in before if former.code == instrument.code), None)
    against = [effect for effect in effects(instrument, record, before) if effect.stored]
    if against:
        rows = {item.name: row for row, item in enumerate(instrument.items, start=1)}
        raise InvalidDefinition(
            [Fault(rows.get(effect.name, 0), "kind", effect.name, effect.what) for effect in against]
        )


def _add_columns(instrument: Instrument, record: Any) -> None:
    items = json.dumps([as_data(item, record) for item in instrument.items])
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT publish_own_columns(%s, %s)", [MODELS[record]._meta.db_table, items])
    except DatabaseError as error:
        if getattr(error.__cause__, "sqlstate", "") == "55P03":
            raise Busy from error
        raise


@transaction.atomic
def retire(*, access: Access, code: str, note: Any, back: bool = False) -> ProtocolVersion:
    """Ask an instrument no more, or again (`back`); its answers stay. Returns the new ProtocolVersion."""
    require(access)
    protocol = newest_document()
    entries = protocol.get("instruments") or []
    if code not in {entry["document"]["code"] for entry in entries}:
        raise KeyError(code)
    entries = [entry | {"retired": not back} if entry["document"]["code"] == code else entry for entry in entries]
    return store(access, protocol | {"instruments": entries}, note)


def store(access: Access, document: Any, note: Any) -> ProtocolVersion:
    """Store a protocol's document as its next version; for whoever has checked it, of `newest_document`."""
    protocol = current.build(document)
    row = ProtocolVersion.objects.create(
        document=document, asked=needed(protocol), note=note, created_by_id=_user_id(access)
    )
    current.forget()
    return row


def needed(protocol: catalogue.Catalogue) -> dict:
    """Names of the items that a complete form needs whatever is answered elsewhere, by form, and by visit or code.

    `records` has every item of each repeating form: no record of it holds another.
    """
    visits = {visit for states in protocol.matrix.values() for visit in states}

    def names(instruments: Any, form: Any, visit: str = "") -> list[str]:
        own = [instrument for instrument in protocol.own.get(form, ()) if protocol.asks(instrument.code, visit)]
        asked = [*protocol.core(instruments, visit), *(protocol.as_asked(instrument, visit) for instrument in own)]
        return [item.name for item in stored_items(asked) if item.required and not item.show_if]

    return {
        **{code: names(form.instruments, code) for code, form in FINISHED_FORMS.items()},
        "assessment": {
            visit or "*": names(catalogue.ASSESSMENT, "assessment", visit) for visit in ("", *sorted(visits))
        },
        "repeat": {
            repeat.code: [item.name for item in repeat.items if item.required and not item.show_if]
            for repeat in protocol.repeats
        },
        "records": {repeat.code: [item.name for item in repeat.items] for repeat in protocol.repeats},
    }
