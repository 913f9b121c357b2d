"""Declarations that a study brings along: a REDCap dictionary or project, CDISC ODM, a FHIR Questionnaire or our own
JSON, kept as drafts.
"""

import json
from pathlib import Path
from typing import Any

from registry.instruments.base import Label
from registry.instruments.spelling import read_json
from registry.protocol import definitions, odm_metadata, questionnaires, redcap
from registry.protocol.definitions import Fault
from registry.protocol.notes import Carried
from registry.services import current_protocol as current
from registry.services.protocol import publishing
from sites.tenancy.access import Access

LARGEST = 5_000_000  # bytes of a file
NO_CODE = Label(
    "“code” must be 1 to 20 small letters, digits or “_”, beginning with a letter",
    "codeは、英小文字で始まる20文字以内の英小文字・数字・「_」としてください",
)
CODE_TWICE = Label("two declarations have the code “{v}”", "コード「{v}」の定義が2つあります")
NO_ITEMS = Label("“items” of “{v}” must be a list of items", "「{v}」のitemsは項目の一覧としてください")
LIBRARY = Path(definitions.__file__).parent / "library"


def read(content: bytes, record: str) -> Carried:
    """What is in a file, whichever of these it is; `record` is what its forms are to be asked with."""
    if len(content) > LARGEST:
        return _refused(Label(f"is larger than {LARGEST // 10**6} MB", f"{LARGEST // 10**6} MBを超えています"))
    taken = publishing.taken()
    text, _encoding = redcap.decoded(content)
    if text.lstrip("\ufeff \r\n\t")[:1] == "<":
        return odm_metadata.read(content, record, taken)
    if text.lstrip("\ufeff \r\n\t")[:1] not in ("{", "["):
        return redcap.read(content, record, taken)
    try:
        document = read_json(text.lstrip("\ufeff"))
    except ValueError as error:
        return _refused(*no_json(error))
    if isinstance(document, dict) and document.get("resourceType"):
        return questionnaires.read(document, record, taken)
    return _own(document)


def no_json(error: ValueError) -> tuple[Label, int]:
    """Why a file is no JSON that can be kept, and its line where that is known."""
    reason = Label("cannot be read as JSON: {error}", "JSONとして読み取れません：{error}")
    return reason.format(error=getattr(error, "reason", error)), getattr(error, "lineno", 0)


def _refused(reason: Any, row: int = 0) -> Carried:
    return Carried(faults=[Fault(row, "", "", reason)])


def _own(entry: Any) -> Carried:
    documents = entry if isinstance(entry, list) else entry.get("instruments", [entry])
    result = Carried()
    for document in documents if isinstance(documents, list) else [documents]:
        document = document.get("document", document) if isinstance(document, dict) else document
        if not isinstance(document, dict) or document.get("metaspine") != "instrument":
            reason = Label(
                'is no declaration of an instrument: "metaspine": "instrument" is not in it',
                '尺度の定義ではありません（"metaspine": "instrument"がありません）',
            )
            result.faults.append(Fault(0, "metaspine", "", reason))
        elif unfit := _unfit(document, result.documents):
            result.faults.append(Fault(0, "", str(document.get("code"))[:80], unfit))
        else:
            result.documents[document["code"]] = document
            result.seen += len(document["items"])
            result.faults += publishing.read(document).faults
    return result


def _unfit(document: dict, before: Any) -> Label | None:
    """Why a document cannot be kept even as a draft with faults; None where it can."""
    code, items = document.get("code"), document.get("items")
    if not isinstance(code, str) or not definitions.CODE.fullmatch(code):
        return NO_CODE
    if code in before:
        return CODE_TWICE.format(v=code)
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        return NO_ITEMS.format(v=code)
    return None


def bring(*, access: Access, content: Any, record: Any) -> Carried:
    """Keep each form of a file as a draft; what became of it. A file that is wrong as a whole leaves no draft."""
    carried = read(content, record)
    if not any(fault.row in (0, 1) and not fault.column for fault in carried.faults):
        for document in carried.documents.values():
            publishing.keep_draft(access=access, document=document)
    return carried


def library() -> dict[Any, Any]:
    """The documents that come with the product, by code, in the order of their titles."""
    documents = [json.loads(path.read_text()) for path in sorted(LIBRARY.glob("*.json"))]
    return {document["code"]: document for document in sorted(documents, key=lambda document: document["title"]["en"])}


def published() -> Any:
    """Entries of the protocol that holds: {"version", "document", "retired"}."""
    return current.document_of(current.version()).get("instruments") or []
