"""Where rows are read from: the registry as it is, or a snapshot of it that stands in tables of the transaction."""

from dataclasses import dataclass
from typing import Any

from registry.models import (
    AdverseEvent,
    Assessment,
    Consent,
    ConsentWithdrawal,
    FollowUpEnd,
    OwnRecord,
    Patient,
    ScreeningEntry,
)


@dataclass(frozen=True)
class Source:
    """The tables of one state of the registry. Their columns are called the same whichever state it is.

    ends         "" for a snapshot of before the ends of follow-up were frozen
    own_records  "" for one of a registry without repeating forms, or of before they were frozen
    consents, withdrawals, screening  "" where there were none, or of before they were frozen
    lacking      columns that the registry has got since, which are empty there
    """

    patients: str = Patient._meta.db_table
    assessments: str = Assessment._meta.db_table
    events: str = AdverseEvent._meta.db_table
    ends: str = FollowUpEnd._meta.db_table
    own_records: str = OwnRecord._meta.db_table
    consents: str = Consent._meta.db_table
    withdrawals: str = ConsentWithdrawal._meta.db_table
    screening: str = ScreeningEntry._meta.db_table
    lacking: frozenset = frozenset()

    def reading(self, sql: str) -> Any:
        """The statement `sql`, written for the registry as it is, over the tables of this source."""
        for name in ("patients", "assessments", "events", "own_records"):  # what analyses read
            sql = sql.replace(getattr(LIVE, name), getattr(self, name) or getattr(LIVE, name))
        return sql


LIVE = Source()
