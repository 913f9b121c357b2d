import random
from itertools import combinations

import pytest

from registry.instruments.levels import (
    DEFAULT_RULE,
    LEVELS,
    SEGMENT_GROUPS,
    SegmentRule,
    from_mask,
    in_runs,
    is_consecutive,
    mask,
    number,
)


def test_levels_run_from_c1_to_s():
    assert len(LEVELS) == 25
    assert (LEVELS[0], LEVELS[6], LEVELS[7], LEVELS[18], LEVELS[19], LEVELS[24]) == ("C1", "C7", "T1", "T12", "L1", "S")


def test_a_mask_keeps_each_level_as_a_bit():
    assert mask(["C1"]) == 1
    assert mask(["C7", "T1"]) == 0b1100_0000
    assert mask(["S"]) == 1 << 24
    assert mask([]) == 0
    for level in LEVELS:
        assert from_mask(mask([level])) == (level,)
    assert from_mask(mask(["S", "C1", "T5"])) == ("C1", "T5", "S")
    assert from_mask(0) == ()
    for bits in (-1, 1 << 25):
        with pytest.raises(ValueError, match="not a mask"):
            from_mask(bits)
    with pytest.raises(KeyError):
        mask(["T13"])


@pytest.mark.parametrize(
    ("levels", "count", "consecutive"),
    [
        ("", 0, False),
        ("T1", 1, True),
        ("T2 T1", 2, True),
        ("C7 T1", 2, True),
        ("L5 S", 2, True),
        ("T1 T3", 2, False),
        ("T1 T2 T4", 3, False),
        ("T12 L1 L2 L3", 4, True),
    ],
)
def test_counting_and_gaps(levels, count, consecutive):
    assert number(levels.split()) == count
    assert is_consecutive(levels.split()) is consecutive


@pytest.mark.parametrize(
    ("levels", "written"),
    [
        ("", ""),
        ("S", "S"),
        ("T3 T2", "T2–T3"),
        ("C7 T1 T3 T4 T5 T6 T7", "C7–T1, T3–T7"),
        ("T10 T11 T12 L2 L4 L5 S", "T10–T12, L2, L4–S"),
    ],
)
def test_neighbours_are_written_as_a_run(levels, written):
    assert in_runs(levels.split()) == written


@pytest.mark.parametrize(
    ("levels", "group"),
    [
        ("C7 T1", "cervical"),
        ("T1", "thoracic"),
        ("T10", "thoracic"),
        ("T10 T11", "tls"),
        ("T9 T10 T11", "tls"),
        ("S", "tls"),
        ("C1", "cervical"),
        ("C6 C7 T1", "cervical"),
        ("C7 T1 T2", "cervical"),
        ("T2 T3 T4", "thoracic"),
        ("T11", "tls"),
        ("L5 S", "tls"),
        ("T1 T3", "multisegment"),
        ("T1 T2 T3 T4", "multisegment"),
        ("C3 L3", "multisegment"),
        ("", "unknown"),
    ],
)
def test_the_default_rule(levels, group):
    assert DEFAULT_RULE.group(levels.split()) == group


def test_nothing_recorded_is_unknown():
    assert DEFAULT_RULE.group(None) == "unknown"


def test_table_1_of_the_segment_study_is_possible_cell_by_cell():
    """Table 1, doi:10.1177/21925682241297948: the levels seen in each group, with 1 to 3 adjacent vertebrae.

    Cervical C2–T1, thoracic T1–T10, TL/L/S T10–S. The rule also allows T2 and T9 at the edges, which no patient had.
    """
    runs = [LEVELS[start : start + length] for length in (1, 2, 3) for start in range(len(LEVELS) - length + 1)]
    seen = {"cervical": set(), "thoracic": set(), "tls": set()}
    for run in runs:
        seen[DEFAULT_RULE.group(run)].update(run)
    assert seen["cervical"] == set(LEVELS[: LEVELS.index("T2") + 1])
    assert seen["thoracic"] == set(LEVELS[LEVELS.index("T1") : LEVELS.index("T10") + 1])
    assert seen["tls"] == set(LEVELS[LEVELS.index("T9") :])


def by_bits(bits):
    """The default rule as the database and the comparison compute it, from the mask alone."""
    if bits == 0:
        return "unknown"
    if bits // (bits & -bits) not in (1, 3, 7):
        return "multisegment"
    if bits & 0b111_1111:
        return "cervical"
    return "tls" if bits >> LEVELS.index("T11") else "thoracic"


def test_the_default_rule_is_the_formula_on_bits():
    few = (levels for count in range(5) for levels in combinations(LEVELS, count))
    chance = random.Random(20240501)
    many = (from_mask(chance.getrandbits(25)) for _ in range(2000))
    for levels in (*few, *many):
        assert DEFAULT_RULE.group(levels) == by_bits(mask(levels))


@pytest.mark.parametrize(
    ("options", "levels", "group"),
    [
        ({"tl_starts_at": "T10"}, "T10", "tls"),
        ({"tl_starts_at": "T10"}, "T9", "thoracic"),
        ({"segment_rule": "majority"}, "C7 T1 T2", "thoracic"),
        ({"segment_rule": "majority"}, "C6 C7 T1", "cervical"),
        ({"segment_rule": "majority"}, "C7 T1", "cervical"),
        ({"segment_rule": "majority"}, "T10 T11", "tls"),
        ({"segment_rule": "majority"}, "T9 T10 T11", "thoracic"),
        ({"segment_rule": "majority", "majority_tie": "rostral"}, "C7 T1", "cervical"),
        ({"segment_rule": "majority", "majority_tie": "rostral"}, "T10 T11", "thoracic"),
        ({"segment_rule": "majority", "majority_tie": "caudal"}, "C7 T1", "thoracic"),
        ({"segment_rule": "majority", "majority_tie": "caudal"}, "T10 T11", "tls"),
        ({"segment_rule": "majority"}, "T1 T3", "multisegment"),
    ],
)
def test_other_rules(options, levels, group):
    assert SegmentRule(**options).group(levels.split()) == group


def test_a_rule_names_the_options_in_use():
    assert DEFAULT_RULE.version == "any_involvement/T11/1"
    assert DEFAULT_RULE.in_words.en == "cervical before TL/L/S (from T11) before thoracic"
    other = SegmentRule(segment_rule="majority", tl_starts_at="T10")
    assert other.version == "majority/T10/away_from_thoracic/1"
    assert [SegmentRule.of_version(rule.version) for rule in (DEFAULT_RULE, other)] == [DEFAULT_RULE, other]


@pytest.mark.parametrize("option", ["segment_rule", "tl_starts_at", "majority_tie"])
def test_an_unknown_option_is_refused(option):
    with pytest.raises(ValueError, match=option):
        SegmentRule(**{option: "nonsense"})


@pytest.mark.parametrize(
    ("levels", "why"),
    [
        ((), "no level is known"),
        (("C7", "T1"), "a cervical vertebra is involved"),
        (("T10", "T11"), "T11 or below is involved, and no cervical vertebra"),
        (("T9", "T10"), "T1 to T10 alone"),
        (("T1", "T3"), "the vertebrae are not neighbours"),
        (("T1", "T2", "T3", "T4"), "more than 3 vertebrae"),
    ],
)
def test_a_group_says_why(levels, why):
    assert DEFAULT_RULE.reason(levels).en == why


def test_every_set_of_levels_has_a_reason_by_every_rule():
    rules = [
        SegmentRule(tl_starts_at=start, segment_rule=kind)
        for start in ("T10", "T11")
        for kind in ("any_involvement", "majority")
    ]
    for rule in rules:
        for many in (1, 2):
            for levels in combinations(LEVELS, many):
                assert rule.reason(levels).ja


def test_every_group_is_named():
    assert [choice.code for choice in SEGMENT_GROUPS] == ["cervical", "thoracic", "tls", "multisegment", "unknown"]
