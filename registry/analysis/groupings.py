"""By what patients may be grouped: each grouping gives every patient a place among its groups, or none."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from registry.analysis import frame as frames
from registry.instruments import levels, patient, sins
from registry.instruments.base import Choice, Label


@dataclass(frozen=True)
class Grouping:
    """`groups` are Choices in the order of print, None where the data decide them; `places` (frame, rule) ->
    (groups, (n,) place of each patient among them, negative for none)."""

    code: str
    label: Label
    groups: tuple | None
    places: Callable


def _segments(frame, rule):
    compared = levels.SEGMENT_GROUPS[: len(SEGMENTS)]
    places = frame.segment_group(rule)
    return compared, np.where(places < len(compared), places, -1).astype(np.int16)


def _column(name, groups):
    return Grouping(name, _LABELS[name], groups, lambda frame, rule: (groups, frame[name]))


def _regions(frame, rule):
    names = sorted({region for region in frame.regions.values() if region})
    place = {pk: names.index(region) if region else -1 for pk, region in frame.regions.items()}
    sites, where = np.unique(frame["site"], return_inverse=True)
    by_site = np.array([place[pk] for pk in sites.tolist()], np.int16)
    groups = tuple(Choice(name, Label(name, name)) for name in names)
    return groups, by_site[where] if sites.size else np.empty(0, np.int16)


SEGMENTS = frames.GROUPS[:3]  # multisegment and unknown lesions are compared with nobody
_LABELS = {
    "sex": Label("Sex", "性別"),
    "primary_tumour": Label("Primary tumour", "原発腫瘍"),
    "procedure": Label("Procedure", "術式"),
    "sins_class": Label("SINS class", "SINS分類"),
}
GROUPINGS = {
    one.code: one
    for one in (
        Grouping("segment_group", Label("Segment group", "分節群"), levels.SEGMENT_GROUPS[:3], _segments),
        _column("sex", patient.SEXES),
        Grouping("region", Label("Region of the site", "施設の地域"), None, _regions),
        _column("primary_tumour", patient.PRIMARY_TUMOURS),
        _column("procedure", patient.PROCEDURES),
        _column("sins_class", tuple(choice for _, choice in sins.STABILITY)),
    )
}
