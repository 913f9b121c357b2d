"""Records of repeating forms in a file: which stored one a row is, by its number or, without one, by its answers."""

from registry.imports.checking.comparing import first_rows
from registry.imports.checking.staging import stage
from registry.imports.report import Finding
from registry.instruments.base import Label
from registry.services.files.file_formats import RECORD, column_of, numbered_records

UNKNOWN = Label(
    "The patient has no record {v} of this form. Leave the number empty for a new record.",
    "この患者のこの調査票に記録{v}はありません。新しい記録は番号を空欄にしてください。",
)
STORED = Label(
    "has the answers of record {v}, which is stored: it was taken for that one",
    "登録済みの記録{v}と同じ内容のため、その記録として扱います",
)
AGAIN = Label(
    "has the answers of line {n}: two records, unless one of them is left out",
    "{n}行目と同じ内容です。どちらかを除かなければ2件の記録になります。",
)


def find_unknown(cursor, file, errors):
    """Add to `errors` the rows whose number is none of the patient's records of this form."""
    rows, total = first_rows(
        cursor,
        f"""
        SELECT count(*) OVER (), s.line, s.id::text FROM {stage(file)} AS s
        WHERE s.id IS NOT NULL AND NOT EXISTS (
            SELECT FROM {file.table} AS t WHERE t.id = s.id AND t.patient_id = s.patient_id AND t.form = %s
        )
        ORDER BY s.line
        """,
        [file.form],
    )
    findings = [Finding(file.filename, line, RECORD, number, UNKNOWN.format(v=number)) for line, number in rows]
    errors.extend(findings, total)


def recognise(cursor, file, staged, identifies, warnings, places):
    """Give rows without a number that of a stored record with the same answers, so that a file brought in twice
    stores nothing twice; of several the first takes the first. Rows that stay alike are told.

    staged      the `Staged` of the file: columns that it has not, and reasons that it does not tell, are not compared
    identifies  ids of the sites whose identifying answers may be compared; None for all
    places      line → which of the patient's records a row is, counted in the order in which they were entered: one
                with other answers than any other record is a correction of it
    """
    values = {"form": file.form, "sites": list(identifies or ())}
    if places:
        _take_places(cursor, file, values, places, _same(file, staged, "t", hidden=identifies is not None))
    cursor.execute(
        f"""
        WITH alike AS (
            SELECT s.line, t.id, row_number() OVER (PARTITION BY t.id ORDER BY s.line) AS of_record,
                   row_number() OVER (PARTITION BY s.line ORDER BY t.id) AS of_line
            FROM {stage(file)} AS s JOIN {file.table} AS t ON t.patient_id = s.patient_id AND t.form = %(form)s
            WHERE s.id IS NULL AND NOT EXISTS (SELECT FROM {stage(file)} AS named WHERE named.id = t.id)
              AND {_same(file, staged, "t", hidden=identifies is not None)}
        )
        UPDATE {stage(file)} AS s SET id = alike.id FROM alike WHERE alike.line = s.line AND of_record = of_line
        RETURNING s.line, s.id::text
        """,
        values,
    )
    _tell(file, warnings, [(line, number, STORED.format(v=number)) for line, number in cursor.fetchall()])
    if places:
        _take_places(cursor, file, values, places, "true")
    cursor.execute(
        f"""
        SELECT s.line, min(t.line) FROM {stage(file)} AS s JOIN {stage(file)} AS t
        ON t.patient_id = s.patient_id AND t.line < s.line AND t.id IS NULL
        WHERE s.id IS NULL AND {_same(file, staged, "t")} GROUP BY s.line
        """
    )
    _tell(file, warnings, [(line, "", AGAIN.format(n=first)) for line, first in cursor.fetchall()])


def _take_places(cursor, file, values, places, condition):
    """Give rows the number of the record that is the patient's first, second, …, where no other row has it."""
    cursor.execute(
        f"""
        WITH placed AS (SELECT * FROM unnest(%(lines)s::int[], %(places)s::int[]) AS u (line, n)),
             stored AS ({numbered_records(file.table, "%(form)s")})
        UPDATE {stage(file)} AS s SET id = of_place.id FROM (
            SELECT s.line, t.id FROM placed JOIN {stage(file)} AS s USING (line)
            JOIN stored AS t ON t.patient_id = s.patient_id AND t.n = placed.n
            WHERE s.id IS NULL AND NOT EXISTS (SELECT FROM {stage(file)} AS named WHERE named.id = t.id)
              AND {condition}
        ) AS of_place WHERE of_place.line = s.line
        """,
        values | {"lines": list(places), "places": list(places.values())},
    )


def _same(file, staged, other, *, hidden=False):
    """SQL that is true where the row `s` answers as the row `other`."""
    untold = ", ".join(f"'{item.name}'" for item in file.stored if item.name not in staged.reported)
    conditions = [f"s.missing = {other}.missing - ARRAY[{untold}]::text[]"]
    for item in file.stored:
        if item.name in file.key or item.name in staged.absent:
            continue
        column = column_of(item.name)
        same = f"s.{column} IS NOT DISTINCT FROM {other}.{column}"
        unseen = hidden and item.identifying
        conditions.append(f"({same} OR {other}.site_id <> ALL (%(sites)s))" if unseen else same)
    return " AND ".join(conditions)


def _tell(file, warnings, rows):
    findings = [Finding(file.filename, line, RECORD, value, reason) for line, value, reason in sorted(rows)]
    warnings.extend(findings, len(findings))
