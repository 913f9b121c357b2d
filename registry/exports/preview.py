"""Preview of an export: how many patients and rows it would have, and its first rows."""

import csv
import hashlib
import io
import json
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import ClassVar

from django.db import transaction
from django.utils import timezone

from registry.analysis.design.cohort_flows import FRESH
from registry.exports import choices
from registry.exports.data import copy_rows
from registry.exports.data.datasets import count_sql, outputs, select_sql
from registry.exports.data.selecting import ExportFailed, selected
from registry.exports.package import number_of
from registry.instruments.base import Label
from registry.services import current_protocol
from sites.tenancy.scope import Scope

MOST_ROWS = 5


@dataclass(frozen=True)
class PreviewTable:
    """The beginning of a dataset: how many `rows` it has, (name, Label) of its columns, its first rows as texts."""

    name: str
    label: Label
    rows: int
    columns: list
    first: list


@dataclass(frozen=True)
class Preview:
    """What would be exported.

    excluded  (how many patients, why) of each step of the cohort that leaves some out
    failed    why nothing can be, else None
    at        when it was counted, None for now
    """

    enrolled: int = 0
    exported: int = 0
    excluded: list = field(default_factory=list)
    tables: list = field(default_factory=list)
    failed: Label | None = None
    at: datetime | None = None

    @property
    def is_old(self):
        return self.at is not None and timezone.now() - self.at > FRESH


@dataclass(frozen=True)
class PreviewOf:
    """What is asked of an export before it. In a large registry the worker answers (`cohort_flows.keep`); since rows
    of patients are in the answer, it is kept for some minutes only.

    choices   some Choices
    site_ids  of the sites that the person may export, ascending: nobody else is shown the answer
    blind, hidden  what is withheld from the person, as in a Scope
    """

    choices: object
    site_ids: tuple[int, ...]
    blind: bool = False
    hidden: tuple[str, ...] = ()
    seconds_kept: ClassVar[int] = int(FRESH.total_seconds())

    def to_json(self):
        return {
            "choices": self.choices.to_json(),
            "site_ids": list(self.site_ids),
            "blind": self.blind,
            "hidden": list(self.hidden),
        }

    @classmethod
    def from_json(cls, given):
        hidden = tuple(given["hidden"])
        return cls(choices.from_json(given["choices"]), tuple(given["site_ids"]), given["blind"], hidden)

    @classmethod
    def scope(cls, given, person_id):
        """What a worker may read that answers: what the person may export."""
        hidden, read = tuple(given["hidden"]), tuple(given["site_ids"])
        return Scope(read=read, user_id=person_id, reason="export previewed", blind=given["blind"], hidden=hidden)

    @cached_property
    def key(self):
        """Of the day too, which may be part of the cohort, and of the protocol, whose items are the columns."""
        asked = json.dumps([current_protocol.version(), self.to_json()], sort_keys=True)
        return f"export_preview:{timezone.localdate()}:{hashlib.sha256(asked.encode()).hexdigest()}"

    def count(self):
        """The Preview, now, within the caller's scope."""
        try:
            with transaction.atomic(), selected(self.choices, self.site_ids) as chosen:
                tables = [_previewed(dataset, chosen) for dataset in chosen.datasets]
        except ExportFailed as error:
            return Preview(failed=error.reason)
        steps = zip(chosen.cohort.steps, chosen.flow[1:], strict=True)
        excluded = [(counted["excluded"], step.reason) for step, counted in steps if counted["excluded"]]
        return Preview(chosen.enrolled, chosen.exported, excluded, tables)


def _previewed(dataset, chosen):
    written = outputs(dataset, chosen.choices)
    sql = select_sql(dataset, written, chosen.sites, limit=MOST_ROWS)
    first = list(csv.reader(io.StringIO(b"".join(copy_rows.csv_blocks(sql)).decode(), newline="")))
    rows = number_of(count_sql(dataset, chosen.sites))
    columns = [(variable.name, variable.label) for variable in written]
    return PreviewTable(dataset.name, dataset.label, rows, columns, first)
