"""Instruments know no database: here the schedule is the product's own."""

import pytest

from registry.instruments import timepoints


@pytest.fixture(autouse=True)
def own_schedule(monkeypatch):
    monkeypatch.setattr(timepoints, "_read_planned", lambda: timepoints.SCHEDULE)
