"""Extra instruments in a file, which the contract has not: found by its columns, and taken as the forms take them."""

from registry.imports.checking.comparing import same_key, touched
from registry.imports.checking.staging import stage
from registry.imports.files import reading
from registry.imports.report import LISTED, Finding
from registry.instruments import catalogue
from registry.services.files.file_formats import column_of
from registry.services.records.extras import SWITCHED_OFF, asked_among


def as_found(file, given):
    """The `file_formats.File` with those extra instruments that what is `given` of it has columns of.

    given  a Path or `reading.Rows`
    """
    try:
        with reading.table(given) as rows:
            _, header = next(rows, (1, []))
    except reading.Unreadable:  # told when it is read
        return file
    return file.with_extras([name.strip() for name in header])


def find_switched_off(cursor, file, errors):
    """Answers to extra instruments that are off: refused, but for what says the same as is stored."""
    on = {item.name for item in catalogue.items(asked_among(file.brought))}
    for item in catalogue.items(file.brought):
        if item.name in on:
            continue
        cursor.execute(
            f"""
            SELECT count(*) OVER (), c.line, s.{column_of(item.name)}::text
            FROM {touched(file)} AS c JOIN {stage(file)} AS s USING (line)
            LEFT JOIN {file.table} AS t ON {same_key(file, "s", "t")}
            WHERE s.{column_of(item.name)} IS DISTINCT FROM t.{column_of(item.name)}
               OR c.missing -> '{item.name}' IS DISTINCT FROM t.missing -> '{item.name}'
            ORDER BY c.line LIMIT {LISTED}
            """
        )
        rows = cursor.fetchall()
        findings = [Finding(file.filename, line, item.name, value or "", SWITCHED_OFF) for _, line, value in rows]
        errors.extend(findings, rows[0][0] if rows else 0)
