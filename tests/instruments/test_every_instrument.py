"""What holds for every instrument of the catalogue, whatever it asks."""

from dataclasses import fields, is_dataclass
from datetime import date, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.instruments import catalogue
from registry.instruments.base import MISSING_LABELS, MISSING_REASONS, Bands, Digits, InvalidValue, Label, Total
from registry.instruments.keys import ASSESSMENT_KEYS, PATIENT_KEYS, Number
from registry.instruments.levels import LEVELS

TODAY = date(2025, 6, 1)
ITEMS = (*PATIENT_KEYS, *ASSESSMENT_KEYS[1:], *catalogue.items(catalogue.INSTRUMENTS))
DERIVED = tuple(derived for instrument in catalogue.INSTRUMENTS for derived in instrument.derived)

every_item = pytest.mark.parametrize("item", ITEMS, ids=lambda item: item.name)
every_derived = pytest.mark.parametrize("derived", DERIVED, ids=lambda derived: derived.name)


def accepted(item):
    """Every value of an item that has few, the ends of the range of one that has many."""
    if item.kind == "levels":
        return (("C1",), ("T10", "T11"), ("L5", "S"), LEVELS)
    if item.choices:
        return item.codes
    if item.kind == "integer":
        return (item.minimum, (item.minimum + item.maximum) // 2, item.maximum)
    if item.kind == "decimal":
        return tuple(Decimal(bound).quantize(Decimal(1).scaleb(-item.places)) for bound in (item.minimum, item.maximum))
    if item.kind == "date":
        return (date(1900, 1, 1), date(2024, 2, 29), TODAY)
    if isinstance(item, Number):
        return ("S01-0001", "A" * item.max_length)
    return ("S01-0001", "記述", "a" * item.max_length)


def written(item, value):
    """A value as a CSV cell has it."""
    if item.kind == "levels":
        return ";".join(value)
    return value.isoformat() if item.kind == "date" else str(value)


def refused(item):
    """Values that an item does not take: of the wrong type for all, and those just outside its own."""
    wrong = [[1], {"a": 1}, b"1", 2.5, "\ud800", "a\x00b"]
    if item.kind == "decimal":
        fine = f"{item.minimum}.{'0' * item.places}1"
        return [
            *(value for value in wrong if value != 2.5),
            item.minimum - 1,
            item.maximum + 1,
            fine,
            "x",
            "1e2",
            "1,5",
            True,
        ]
    if item.kind == "levels":
        return [*wrong, "T13", "t1", "T1;T1", "T1;", ["T1", None], 5]
    if item.choices and item.kind == "integer":
        outside = set(range(min(item.codes) - 1, max(item.codes) + 2)) - set(item.codes)
        return [*wrong, *outside, "x", "1.0", True, str(max(item.codes) + 5), "9" * 13]
    if item.kind == "code":
        swapped = [code.swapcase() for code in item.codes if code.swapcase() != code]
        return [*wrong, "nonsense", item.codes[0] + "x", *swapped, 3, True]
    if item.kind == "integer":
        return [*wrong, item.minimum - 1, item.maximum + 1, "x", "1.0", "1e2", True, False, "9" * 13]
    if item.kind == "date":
        return [*wrong, "2024-02-30", "01/02/2024", "2024-1-1", "20240101", "1899-12-31", "2025-06-02", 20240101, True]
    return [*wrong, "a" * (item.max_length + 1), 5]


@every_item
def test_an_item_takes_each_of_its_values_typed_or_native_and_keeps_it(item):
    for value in accepted(item):
        for raw in (value, written(item, value), f"  {written(item, value)} "):
            clean = item.clean(raw, today=TODAY)
            assert clean == value
            assert type(clean) is type(value)
            assert item.clean(clean, today=TODAY) == clean
    for raw, value in item.plain.items():  # what is looked up; with blanks it is looked at
        assert item.clean(raw) is value
        assert item.clean(f" {raw} ") == value


@every_item
def test_an_item_refuses_everything_else_and_says_why_in_both_languages(item):
    for raw in refused(item):
        with pytest.raises(InvalidValue) as refusal:
            item.clean(raw, today=TODAY)
        reason = refusal.value.reason
        assert reason.en
        assert reason.ja
        assert reason.en != reason.ja
        f"{reason.en}{reason.ja}".encode()


@every_item
@pytest.mark.parametrize("empty", [None, "", "  ", "\u3000", (), []])
def test_nothing_typed_is_no_value(item, empty):
    assert item.clean(empty) is None


@every_item
@given(raw=st.one_of(st.text(), st.integers(), st.floats(), st.booleans(), st.dates(), st.lists(st.text(), max_size=3)))
def test_whatever_is_typed_is_cleaned_for_good_or_refused(item, raw):
    try:
        clean = item.clean(raw, today=TODAY)
    except InvalidValue:
        return
    assert item.clean(clean, today=TODAY) == clean


@every_item
def test_a_choice_is_found_by_its_code(item):
    for choice in item.choices:
        assert item.choice(choice.code) is choice
    with pytest.raises(KeyError):
        item.choice("nonsense")


def test_full_width_digits_and_signs_are_understood():
    assert catalogue.item("pain_vas_mm").clean("４５") == 45
    assert catalogue.item("frankel").clean("Ｅ") == "E"
    assert catalogue.item("birth_date").clean("１９５０-０１-３１") == date(1950, 1, 31)
    assert catalogue.item("lesion_levels").clean("Ｔ１０；Ｔ１１") == ("T10", "T11")
    with pytest.raises(InvalidValue):
        catalogue.item("pain_vas_mm").clean("①")


def test_levels_are_kept_in_rostral_order():
    assert catalogue.item("lesion_levels").clean("S;L5;C7") == ("C7", "L5", "S")


def test_a_moment_counts_as_its_date():
    assert catalogue.item("surgery_date").clean(datetime(2024, 3, 1, 9, 30), today=TODAY) == date(2024, 3, 1)


def test_a_message_names_the_range_and_what_was_typed():
    with pytest.raises(InvalidValue) as refusal:
        catalogue.item("pain_vas_mm").clean("145")
    assert refusal.value.reason == Label(
        "must be a whole number from 0 to 100 mm; got “145”", "0から100 mmまでの整数を入力してください（入力値「145」）"
    )


def filled(derived, pick):
    return {name: pick(catalogue.item(name).codes) for name in derived.items}


@every_derived
def test_a_derived_value_needs_every_item(derived):
    answers = filled(derived, min)
    assert derived.compute(answers) is not None
    for name in derived.items:
        assert derived.compute({**answers, name: None}) is None
        assert derived.compute({key: value for key, value in answers.items() if key != name}) is None


@every_derived
def test_a_derived_value_spans_its_range(derived):
    lowest, highest = derived.compute(filled(derived, min)), derived.compute(filled(derived, max))
    if isinstance(derived, Bands):
        assert (lowest, highest) == (derived.choices[0].code, derived.choices[-1].code)
    else:
        assert (lowest, highest) == (derived.minimum, derived.maximum)


def test_the_shapes_of_derived_values_are_those_the_database_computes():
    assert {type(derived) for derived in DERIVED} == {Total, Digits, Bands}


def test_names_and_codes_are_used_once():
    names = [part.name for part in (*ITEMS, *DERIVED)]
    assert len(names) == len(set(names))
    codes = [instrument.code for instrument in catalogue.INSTRUMENTS]
    assert len(codes) == len(set(codes))
    for item in ITEMS:
        assert len(set(item.codes)) == len(item.codes)
        assert set(item.hidden_codes) <= set(item.codes)
        assert not item.name.endswith("_missing")  # the column of the reasons


def labels(thing):
    """Every `Label` inside a declaration."""
    if isinstance(thing, Label):
        yield thing
    elif isinstance(thing, (tuple, list)):
        for part in thing:
            yield from labels(part)
    elif is_dataclass(thing):
        for field in fields(thing):
            yield from labels(getattr(thing, field.name))


@pytest.mark.parametrize("instrument", catalogue.INSTRUMENTS, ids=lambda instrument: instrument.code)
def test_every_label_speaks_both_languages(instrument):
    texts = list(labels(instrument))
    assert instrument.title in texts
    for label in texts:
        assert label.en.strip() == label.en != ""
        assert label.ja.strip() == label.ja != ""


def test_every_reason_for_a_missing_value_has_a_label():
    assert tuple(MISSING_LABELS) == MISSING_REASONS
    assert all(label.en and label.ja for label in MISSING_LABELS.values())


def test_a_label_speaks_the_language_asked_for():
    label = MISSING_LABELS["dead"]
    assert (label.in_language("ja-jp"), label.in_language("en"), label.in_language(None)) == ("死亡", "Dead", "Dead")


def spellings(number):
    """A number of four digits and more with thousands separators, in half and in full width."""
    half = f"{number:,}"
    return half, half.translate({code: code + 0xFEE0 for code in range(0x21, 0x7F)}), half.replace(",", "、")


numbers = pytest.mark.parametrize(
    "item", [item for item in ITEMS if item.kind == "integer" and not item.choices], ids=lambda item: item.name
)


@numbers
@given(number=st.integers(1000, 999_999_999))
def test_thousands_separators_say_the_number_without_them(item, number):
    for text in spellings(number):
        try:
            plain = item.clean(str(number))
        except InvalidValue:
            with pytest.raises(InvalidValue):
                item.clean(text)
        else:
            assert item.clean(text) == plain == number


@numbers
def test_commas_elsewhere_are_no_thousands_separators(item):
    for text in ("1,20", "12,00", "1,2000", ",200", "1,", "1,,200", "0x1,200", "1,200,30"):
        with pytest.raises(InvalidValue):
            item.clean(text)
