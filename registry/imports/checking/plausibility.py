"""Soft checks over what an import stored: counted and listed, never a reason to refuse.

A check is a function of a few columns, so PostgreSQL hands over each combination of their values once.
"""

from registry.imports.checking.comparing import same_key, touched
from registry.imports.checking.staging import BIRTH_WARNINGS, UNDER_AGE, UNDER_AGE_LABEL, stage
from registry.imports.report import LISTED, Finding
from registry.instruments import catalogue, checks
from registry.models import QueryForm
from registry.services.current_protocol import minimum_age
from registry.services.files import file_formats
from registry.services.files.file_formats import column_of
from registry.services.follow_up import schedule
from registry.services.review.soft_checks import answer_of, form_of_repeat, kind_of, own_checks, patient_names


def _checks_of(file):
    """The soft checks that speak about a row of `file`, alone or with its patient."""
    every = [*checks.SOFT_CHECKS, *checks.of_visits(schedule.plans())]
    lacking = catalogue.current().extra_names.difference(file.columns)  # extras that the file does not bring
    every = [check for check in every if not lacking.intersection(check.items)]
    every = [check for check in every if check.name not in BIRTH_WARNINGS and _file_of(check) == file]
    return [*every, *(check for check in own_checks(catalogue.current()) if _speaks_of(check, file))]


def _speaks_of(check, file):
    """Whether a check of an own instrument is about rows of `file`, and the file brings one of its answers."""
    kind = kind_of(check)
    if kind == QueryForm.OWN_RECORD:
        is_about = file.form == form_of_repeat(check.items)
    else:
        is_about = file == (file_formats.ASSESSMENTS if kind == QueryForm.ASSESSMENT else file_formats.PATIENTS)
    return is_about and not set(file.columns).isdisjoint(check.items)


def _file_of(check):
    for file in (file_formats.ADVERSE_EVENTS, file_formats.ASSESSMENTS):
        if any(_has_own(file, name) for name in check.items):
            return file
    return file_formats.PATIENTS


def _has_own(file, name):
    """Whether `name` is a column of the file's table, derived values included, and not the patient's."""
    if name in file_formats.PATIENTS.columns:
        return False
    return any(field.name == name for field in file.model._meta.get_fields() if field.concrete)


def find_warnings(cursor, file, warnings):
    """Add to `warnings` what is unlikely in the new and changed rows of `file`, which are stored by now."""
    unlikely = [*_unlikely(cursor, file)] + ([*_unlikely_births(cursor)] if file == file_formats.PATIENTS else [])
    findings = [
        Finding(file.filename, line, ", ".join(names), "", message)
        for names, message, _, lines in unlikely
        for line in lines
    ]
    warnings.extend(sorted(findings, key=lambda finding: finding.row), sum(count for _, _, count, _ in unlikely))


def _unlikely(cursor, file):
    """(names, message, how many rows, the first of their lines) for each check that speaks."""
    soft_checks = _checks_of(file)
    if not soft_checks:
        return
    _look_at(cursor, file, sorted({name for check in soft_checks for name in check.items}))
    for check in soft_checks:
        columns = ", ".join(check.items)
        known = (" OR " if check.some else " AND ").join(f"{name} IS NOT NULL" for name in check.items)
        cursor.execute(f"SELECT count(*), min(line), {columns} FROM looked_at WHERE {known} GROUP BY {columns}")
        rows = [row[:2] for row in cursor.fetchall() if check.unlikely(*map(_answer, check.items, row[2:]))]
        if rows:
            counts, firsts = zip(*rows, strict=True)
            cursor.execute(f"SELECT line FROM looked_at AS l WHERE {_alike(check)} ORDER BY line LIMIT {LISTED}",
                           [list(firsts)])  # fmt: skip
            yield check.items, check.message, sum(counts), [line for (line,) in cursor.fetchall()]


def _alike(check):
    """SQL that is true of rows that answer as some lines do: with missing answers too, where the check takes them."""
    columns = ", ".join(check.items)
    if not check.some:
        return f"({columns}) IN (SELECT {columns} FROM looked_at WHERE line = ANY (%s))"
    same = " AND ".join(f"l.{name} IS NOT DISTINCT FROM of_line.{name}" for name in check.items)
    return f"EXISTS (SELECT FROM looked_at AS of_line WHERE of_line.line = ANY (%s) AND {same})"


def _answer(name, value):
    return None if value is None else answer_of(name, value)


def _look_at(cursor, file, names):
    """The temporary table `looked_at`: lines and what the checks need, of the rows, of what is stored of them beside
    what the file brings, and of their patients.
    """
    of = {name: _alias(file, name) for name in names}
    columns = [f"{of[name]}.{column_of(name)} AS {name}" for name in names]
    joins = ""
    if "p" in of.values():
        joins += " JOIN registry_patient AS p ON p.patient_id = s.patient_id"
    if "t" in of.values():
        joins += f" LEFT JOIN {file.table} AS t ON {same_key(file, 's', 't')}"
    cursor.execute("DROP TABLE IF EXISTS looked_at")
    cursor.execute(
        f"CREATE TEMP TABLE looked_at ON COMMIT DROP AS SELECT line, {', '.join(columns)} "
        f"FROM {touched(file)} AS c JOIN {stage(file)} AS s USING (line){joins}"
    )


def _alias(file, name):
    """Which row has the column `name`: the staged one, the stored one, or that of the patient."""
    current = catalogue.current()
    if name in current.own_names | current.extra_names:
        return "s" if name in file.columns else "p" if name in patient_names() else "t"
    return "s" if file == file_formats.PATIENTS or _has_own(file, name) else "p"


def _unlikely_births(cursor):
    """What was seen of the birth dates while they were in the clear."""
    cursor.execute(
        f"SELECT of_birth.warning, count(*), (array_agg(c.line))[:{LISTED}] FROM {stage(file_formats.PATIENTS)} AS s "
        f"JOIN {touched(file_formats.PATIENTS)} AS c USING (line), "
        "unnest(s.warned) AS of_birth (warning) GROUP BY 1 ORDER BY 1"
    )
    for name, count, lines in cursor.fetchall():
        if name == UNDER_AGE:
            yield ("birth_date", "consent_date"), UNDER_AGE_LABEL.format(years=minimum_age()), count, lines
        else:
            yield BIRTH_WARNINGS[name].items, BIRTH_WARNINGS[name].message, count, lines
