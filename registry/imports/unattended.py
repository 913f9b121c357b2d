"""Imports without pages, for the command line and the API: files, a kept mapping by its name, answers, a decision.

The questions that a page would ask are answered beforehand (`Answers`) or stay open, and are told; nothing is guessed.
"""

from dataclasses import dataclass

from registry.imports import jobs
from registry.imports.files.mapping import Mapping
from registry.imports.files.sources import EVERY
from registry.instruments.base import Explained, Label
from registry.models import Import, ImportMapping

Status, Act = Import.Status, Import.Act

NO_MAPPING = Label("There is no mapping “{v}”.", "対応表「{v}」はありません。")
STEPS = {
    "choices": Label(
        "It must be said how the files are read: encoding, delimiter, sheets or header.",
        "ファイルの読み方（文字コード、区切り、シート、見出し行）を指定してください。",
    ),
    "columns": Label(
        "The columns are the file's own: name a kept mapping.",
        "独自の列名です。保存済みの対応表の名前を指定してください。",
    ),
    "values": Label("The mapping leaves values unsaid.", "対応表に未指定の値があります。"),
}


class NotPossible(Explained, ValueError):
    """What was asked for cannot be done; `reason` is a Label."""


@dataclass(frozen=True)
class Answers:
    """How files are read, where they do not say it: the same for all files of an import.

    header  the row that names the columns ("3"), or two of them ("1+2")
    """

    encoding: str | None = None
    delimiter: str | None = None
    sheets: tuple[str, ...] = ()
    formulas: bool = False
    header: str = ""

    def to_json(self):
        headers = {EVERY: self.header} if self.header else {}
        given = {"encoding": self.encoding, "delimiter": self.delimiter, "sheets": list(self.sheets)}
        given |= {"formulas": self.formulas, "headers": headers}
        return {name: value for name, value in given.items() if value}


def begin(*, access, files, mapping="", answers=None):
    """A new Import of `files` (name → upload), to be checked by the kept mapping of that name. Raises PermissionDenied,
    NotPossible.
    """
    saved_mapping = ImportMapping.objects.filter(name=mapping).first() if mapping else None
    if mapping and saved_mapping is None:
        raise NotPossible(NO_MAPPING.format(v=mapping[:80]))
    job = jobs.begin(access=access, files=files, answers=answers and answers.to_json())
    if saved_mapping is not None:
        jobs.set_mapping(job, Mapping.from_json(saved_mapping.mapping), "check", saved_mapping.name)
    return job


def waits_for(job):
    """What an open import waits for that nobody has answered, as a Label; None where nothing, or where it is not
    open.
    """
    return STEPS.get(jobs.step_of(job)) if job.status == Status.OPEN else None


def next_act(job):
    """What a worker can do with an open import now: read or check; None where somebody must answer first."""
    if job.status != Status.OPEN:
        return None
    step = jobs.step_of(job)
    return {"read": Act.READ, "check": Act.CHECK}.get(step)


def carry_through(job):
    """Read and check an import in this process, as far as its questions are answered; returns it anew."""
    while (act := next_act(job)) is not None:
        jobs.request(job, act)
        jobs.perform(job.pk)
        job.refresh_from_db()
    return job
