"""Twenty thousand rows of everything that the declarations allow: in, out, in and out again, bounded in time."""

import csv
import datetime as dt
import random
import time

from registry.instruments import catalogue, levels
from registry.instruments.base import MISSING_REASONS
from registry.instruments.timepoints import SCHEDULE
from registry.models import AdverseEvent, Assessment, FollowUpEnd, Identity, Patient
from registry.services.files import file_formats
from sites.tenancy.scope import everything
from tests.transfer.conftest import EVENT, texts

PATIENTS, ASSESSMENTS, ENDS = 3_500, 16_000, 200
SECONDS = 60  # of this process; some 6
TEXTS = (
    "=SUM(A1)",
    "'",
    "''=",
    "+81",
    "@",
    "a;b,c",
    '"',
    "two\nlines",
    "\\N",
    "\\",
    "日本語",
    "−5",
    "x" * 500,
    "é\u0301",
)
WIDE = {code: code + 0xFEE0 for code in range(0x30, 0x3A)}  # a Japanese keyboard's digits


def answer(item, chance):
    """Text that the item accepts, now and then typed unusually."""
    if item.kind == "levels":
        return ";".join(chance.sample(levels.LEVELS, chance.randint(1, 5)))
    if item.kind == "text":
        return chance.choice([text for text in TEXTS if len(text) <= item.max_length])
    if item.choices:
        text = str(chance.choice(item.codes))
    else:
        text = str(chance.choice([item.minimum, item.maximum, chance.randint(item.minimum, item.maximum)]))
    if item.kind == "integer":
        text = chance.choice([text, text, text, f" {text} ", text.translate(WIDE), f"0{text}"])
    return text


def row_of(file, chance, known):
    """A row: `known` values, else an answer, a reason, or nothing."""
    row = dict(known)
    for item in file.items:
        if item.name in row:
            continue
        drawn = chance.random()
        if item.kind == "date" or drawn < 0.05:
            row[item.name] = ""
        elif drawn < 0.15:
            row[item.name], row[item.name + file_formats.MISSING_SUFFIX] = "", chance.choice(MISSING_REASONS)
        else:
            row[item.name] = answer(item, chance)
    return row


def patient(number, chance):
    surgery = dt.date(2018, 10, 1) + dt.timedelta(chance.randint(0, 800))
    last = surgery + dt.timedelta(chance.randint(0, 900))
    died = chance.random() < 0.3
    return {
        "patient_id": f"{chance.choice('NS')}{number}.x_{number % 7}",
        "site_code": chance.choice(["N01", "S01"]),
        "birth_date": chance.choice(["", (surgery - dt.timedelta(chance.randint(1, 36_000))).isoformat()]),
        "consent_date": "",
        "surgery_date": surgery.isoformat(),
        "last_contact_date": last.isoformat(),
        "vital_status": "dead" if died else "alive",
        "death_date": (last + dt.timedelta(chance.randint(0, 99))).isoformat() if died else "",
    }


def end(known, chance, uses=("keep", "stop")):
    """Follow-up of a patient (a row of patients.csv) ended on the day of surgery."""
    kind = chance.choice(("withdrawn", "lost"))
    use = chance.choice(uses) if kind == "withdrawn" else ""
    day, reason = known["surgery_date"], chance.choice(catalogue.item("end_reason").codes)
    return dict(zip(file_formats.FOLLOW_UP_ENDS.columns, (known["patient_id"], kind, day, reason, use), strict=True))


def write(path, file, rows):
    names = [*file.columns, *(reason.name for reason in file.reasons)]
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, names, restval="", lineterminator="\r\n")
        writer.writeheader()
        writer.writerows({name: guarded(file, name, text) for name, text in row.items()} for row in rows)


def guarded(file, name, text):
    """What someone who knows the rule writes."""
    return f"'{text}" if name == "detail" and text.startswith(tuple(file_formats.GUARDED)) else text


def test_twenty_thousand_rows_go_round(bring_in, take_out, tmp_path):
    chance = random.Random(20261121)
    folder = tmp_path / "in"
    folder.mkdir()
    patients = [row_of(file_formats.PATIENTS, chance, patient(number, chance)) for number in range(PATIENTS)]
    visits = [(patient, visit) for patient in patients for visit in SCHEDULE]
    assessments = [
        row_of(
            file_formats.ASSESSMENTS,
            chance,
            {
                "patient_id": item["patient_id"],
                "timepoint": visit.code,
                "assessment_date": (dt.date.fromisoformat(item["surgery_date"]) + dt.timedelta(visit.day)).isoformat(),
            },
        )
        for item, visit in chance.sample(visits, ASSESSMENTS)
    ]
    events = [
        row_of(
            file_formats.ADVERSE_EVENTS,
            chance,
            EVENT | {"patient_id": patient["patient_id"], "onset_date": patient["surgery_date"]},
        )
        for patient in patients[:500]
    ]
    ends = [end(item, chance) for item in chance.sample(patients, ENDS)]
    for file, rows in zip(file_formats.FILES, (patients, assessments, events, ends), strict=True):
        write(folder / file.filename, file, rows)

    started = time.process_time()
    report = bring_in(folder)
    assert (report.errors.shown, report.stored) == ([], True)
    assert [count.new for count in report.counts.values()] == [PATIENTS, ASSESSMENTS, 500, ENDS]
    first = take_out("first")
    assert {(count.new, count.changed) for count in bring_in(first).counts.values()} == {(0, 0)}
    with everything():
        for model in (FollowUpEnd, AdverseEvent, Assessment, Identity, Patient):
            model.objects.all()._raw_delete("default")  # no collecting: the rows go in one statement
    assert bring_in(first).stored
    assert texts(take_out("second")) == texts(first)
    assert time.process_time() - started < SECONDS


def test_unscheduled_visits_come_in_and_go_out(good, tmp_path, bring_in, take_out):
    path = good / "assessments.csv"
    lines = path.read_text().splitlines()
    unscheduled = [lines[1].replace("preop", code).replace("2024-01-09", "2024-03-01") for code in ("u1", "u2", "u10")]
    path.write_text("\n".join([*lines, *unscheduled]) + "\n")
    assert bring_in(good).stored
    out = take_out("out")
    written = (out / "assessments.csv").read_text().splitlines()
    assert [line.split(",")[1] for line in written if line.startswith("N01-0001")] == ["preop", "1m", "u1", "u2", "u10"]
    path.write_text("\n".join([*lines, lines[1].replace("preop", "u0")]) + "\n")
    report = bring_in(good)
    assert [error.column for error in report.errors.shown] == ["timepoint"]
