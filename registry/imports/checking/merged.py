"""Hard checks between the columns of a patient, on what the file brings together with what is stored of the rest.

A file that changes one date of two is told by row and column, in words; the database's own constraints say the same,
but only by their name.
"""

from registry.imports.checking.comparing import touched
from registry.imports.checking.staging import EMPTY_KEY, HIDDEN, stage
from registry.imports.report import LISTED, Finding
from registry.instruments.checks import EVENT_CHECKS, PATIENT_CHECKS, DateOrder
from registry.services.files import file_formats
from registry.services.files.file_formats import column_of
from registry.services.records.identity import opened
from registry.services.review.soft_checks import stand_in_birth_date

ENCRYPTED = "birth_date"


def find_broken(cursor, absent, errors, identifies=None):
    """Add to `errors` the new and changed patients that break a hard check.

    absent      columns that the file has not
    identifies  ids of the sites whose identifiers may be told of; None for all
    """
    for check in PATIENT_CHECKS:
        if ENCRYPTED not in check.items and not set(check.items) <= set(absent):
            _find(cursor, check, absent, errors)
    if {"birth_date", "consent_date", "surgery_date"} - set(absent):
        _find_births(cursor, absent, errors, identifies)
    if "site_code" in absent:
        cursor.execute(
            f"SELECT count(*) OVER (), line FROM {stage(file_formats.PATIENTS)} WHERE site_code IS NULL ORDER BY "
            f"line LIMIT {LISTED}"
        )
        rows = cursor.fetchall()
        findings = [Finding(file_formats.PATIENTS.filename, line, "site_code", "", EMPTY_KEY) for _, line in rows]
        errors.extend(findings, rows[0][0] if rows else 0)


def find_broken_events(cursor, errors):
    """Add to `errors` the new and changed adverse events that break a hard check."""
    for check in EVENT_CHECKS:
        _find(cursor, check, (), errors, file_formats.ADVERSE_EVENTS)


def _mended(check, absent):
    """The column of the file that is to be mended: what the check is about, or the other where the file has only
    that.
    """
    first, second = (check.later, check.earlier) if isinstance(check, DateOrder) else check.items
    return second if first in absent else first


def _broken_sql(check):
    if isinstance(check, DateOrder):
        return f"s.{column_of(check.later)} {'<=' if check.strict else '<'} s.{column_of(check.earlier)}"
    return f"s.{column_of(check.item)} IS NOT NULL AND s.{column_of(check.other)} IS DISTINCT FROM '{check.value}'"


def _find(cursor, check, absent, errors, file=file_formats.PATIENTS):
    column = _mended(check, absent)
    if any(name not in (*file.columns, *file.with_extras(check.items).columns) for name in check.items):
        return
    cursor.execute("SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0", [stage(file)])
    if not {name for (name,) in cursor.fetchall()}.issuperset(check.items):  # an extra that the file does not bring
        return
    cursor.execute(
        f"SELECT count(*) OVER (), c.line, s.{column_of(column)}::text FROM {touched(file)} AS c "
        f"JOIN {stage(file)} AS s USING (line) WHERE {_broken_sql(check)} ORDER BY "
        f"c.line LIMIT {LISTED}"
    )
    rows = cursor.fetchall()
    findings = [Finding(file.filename, line, column, value or "", check.message) for _, line, value in rows]
    errors.extend(findings, rows[0][0] if rows else 0)


def _find_births(cursor, absent, errors, identifies):
    """The same with the birth date, which only the program can read.

    Where it is stored and not for the eyes of whoever brings the file, a date that follows from what everybody sees
    (the age at surgery) stands in: whether a check holds would tell, file by file, on which day somebody was born.
    """
    of_births = [check for check in PATIENT_CHECKS if ENCRYPTED in check.items]
    others = sorted({name for check in of_births for name in check.items} - {ENCRYPTED})
    hidden = "FALSE" if identifies is None else "t.site_id <> ALL (%(sites)s) AND i.birth_date IS NOT NULL"
    cursor.execute(
        f"SELECT c.line, s.patient_id, s.key, s.birth_date, coalesce({hidden}, FALSE), t.surgery_date, "
        f"t.age_at_surgery, {', '.join(f's.{name}' for name in others)} FROM {touched(file_formats.PATIENTS)} AS c "
        f"JOIN {stage(file_formats.PATIENTS)} AS s USING (line) "
        "LEFT JOIN registry_patient AS t USING (patient_id) LEFT JOIN registry_identity AS i USING (patient_id) "
        "WHERE s.birth_date IS NOT NULL ORDER BY c.line",
        {"sites": list(identifies or ())},
    )
    for line, patient_id, key, ciphertext, is_hidden, operated, age, *dates in cursor.fetchall():
        values = dict(zip(others, dates, strict=True))
        if is_hidden:
            values[ENCRYPTED] = stand_in_birth_date(operated, age)
        else:
            values |= opened(patient_id, key, {ENCRYPTED: ciphertext})
        for check in of_births:
            if check.is_broken(values):
                column = _mended(check, absent)
                shown = HIDDEN if column == ENCRYPTED else str(values[column])
                errors.add(Finding(file_formats.PATIENTS.filename, line, column, shown, check.message))
