"""What only whole sets show: rows named twice, rows that belong to nothing, and what differs from what is stored."""

import json

from django.db import connection

from registry.imports.checking.staging import HIDDEN, shape_of, stage
from registry.imports.report import LISTED, Finding
from registry.instruments import catalogue, levels
from registry.instruments.base import Label
from registry.models import State
from registry.protocol import sql
from registry.services.files import file_formats
from registry.services.files.file_formats import column_of
from registry.services.records import identity
from registry.services.records.cleaning import NOT_ASKED, REQUIRED
from registry.services.records.extras import asked_among
from registry.services.records.identity import opened
from sites.models import Site

SITE_CODE_SHAPE = shape_of(Site, "site_code_shape")
SITE_CODE = Label(
    "cannot be the code of a site: 1 to 8 capital letters and digits, beginning with a letter",
    "施設コードは英大文字と数字の8文字以内で、先頭は英大文字にしてください",
)
NO_SITE = Label("There is no site “{v}”.", "施設「{v}」は登録されていません。")
NO_PATIENT = Label("There is no patient “{v}”.", "患者「{v}」は登録されていません。")
ANOTHER_SITE = Label(
    "The patient is enrolled at site {v}, and a file moves nobody. Write {v} here: the visits stay with "
    "that site. For a transfer of care, "
    "end the follow-up at {v} (cared for elsewhere), and the new site enrols the patient under a number of its own.",
    "この患者は施設{v}で登録されており、ファイルでは施設を移せません。ここは{v}のままにしてください。転院の場合は、施設{v}で追跡を終了"
    "（転院・他施設で診療）し、転院先で新しい番号で登録します。",
)
TWICE = {
    "patients": Label("The patient is on line {n} already.", "この患者は{n}行目にもあります。"),
    "assessments": Label(
        "A second assessment of this patient and timepoint: the first is on line {n}.",
        "同じ患者・同じ時期の評価が{n}行目にもあります。",
    ),
    "adverse_events": Label("The event is on line {n} already.", "この有害事象は{n}行目にもあります。"),
    "follow_up_ends": Label("The patient is on line {n} already.", "この患者は{n}行目にもあります。"),
}
RECORD_TWICE = Label("The record is on line {n} already.", "この記録は{n}行目にもあります。")
LOCKED = Label(
    "The form is signed: it must be unlocked before it can change.",
    "署名済みです。変更するには署名を解除してください。",
)
STORED = Label("stored: {v}", "登録済みの値：{v}")
DIFFERS = Label("differs from what is stored", "登録済みの値と異なります")
NOTHING = "∅"


def first_rows(cursor, sql, parameters=None):
    """(rows, total) of a query whose first column is `count(*) OVER ()`: at most LISTED rows, without that column."""
    cursor.execute(f"{sql} LIMIT {LISTED}", parameters)
    rows = cursor.fetchall()
    return [row[1:] for row in rows], rows[0][0] if rows else 0


def same_key(file, left, right):
    return " AND ".join(f"{left}.{column_of(name)} = {right}.{column_of(name)}" for name in file.key)


def find_twice(cursor, file, errors):
    """Rows whose key an earlier row of the same file has."""
    keys = ", ".join(column_of(name) for name in file.key)
    known = " AND ".join(f"{column_of(name)} IS NOT NULL" for name in file.key)
    named = ", ".join(f"s.{column_of(name)}" for name in file.key)
    rows, total = first_rows(
        cursor,
        f"""
        SELECT count(*) OVER (), s.line, first.line, concat_ws(', ', {named})
        FROM {stage(file)} AS s
        JOIN (
            SELECT {keys}, min(line) AS line FROM {stage(file)} WHERE {known} GROUP BY {keys} HAVING count(*) > 1
        ) AS first ON {same_key(file, "s", "first")}
        WHERE s.line > first.line ORDER BY s.line
        """,
    )
    reason = TWICE.get(file.name, RECORD_TWICE)
    column = ", ".join(file.key)
    findings = [Finding(file.filename, line, column, value, reason.format(n=first)) for line, first, value in rows]
    errors.extend(findings, total)


def find_without_patient(cursor, file, errors):
    """Rows of a patient who is neither stored nor in patients.csv."""
    rows, total = first_rows(
        cursor,
        f"""
        SELECT count(*) OVER (), s.line, s.patient_id FROM {stage(file)} AS s
        WHERE s.patient_id IS NOT NULL
          AND NOT EXISTS (SELECT FROM registry_patient AS p WHERE p.patient_id = s.patient_id)
          AND NOT EXISTS (SELECT FROM {stage(file_formats.PATIENTS)} AS p WHERE p.patient_id = s.patient_id)
        ORDER BY s.line
        """,
    )
    errors.extend([_named(file, "patient_id", line, value, NO_PATIENT) for line, value in rows], total)


def _named(file, column, line, value, reason):
    return Finding(file.filename, line, column, value, reason.format(v=value))


def create_sites(cursor, errors):
    """Create the sites of patients.csv that do not exist; returns their codes. An impossible code is an error."""
    file = file_formats.PATIENTS
    cursor.execute(
        f"SELECT site_code, min(line) FROM {stage(file)} AS s WHERE site_code IS NOT NULL "
        "AND NOT EXISTS (SELECT FROM study_sites_site WHERE code = s.site_code) GROUP BY 1 ORDER BY 1"
    )
    unknown = cursor.fetchall()
    for code, line in unknown:
        if not SITE_CODE_SHAPE.fullmatch(code):
            errors.add(_named(file, "site_code", line, code[:80], SITE_CODE))
    codes = [code for code, _ in unknown if SITE_CODE_SHAPE.fullmatch(code)]
    for code in codes:
        Site.objects.create(code=code, name=code)
    return codes


def find_wrong_sites(cursor, errors):
    """Patients of a site that does not exist, and patients who are enrolled at another one."""
    file = file_formats.PATIENTS
    rows, total = first_rows(
        cursor,
        f"""
        SELECT count(*) OVER (), line, site_code FROM {stage(file)} AS s
        WHERE site_code IS NOT NULL AND NOT EXISTS (SELECT FROM study_sites_site WHERE code = s.site_code)
        ORDER BY line
        """,
    )
    errors.extend([_named(file, "site_code", line, value, NO_SITE) for line, value in rows], total)
    rows, total = first_rows(
        cursor,
        f"""
        SELECT count(*) OVER (), s.line, s.site_code, site.code FROM {stage(file)} AS s
        JOIN registry_patient AS p USING (patient_id) JOIN study_sites_site AS site ON site.id = p.site_id
        WHERE s.site_code <> site.code ORDER BY s.line
        """,
    )
    findings = [
        Finding(file.filename, line, "site_code", value, ANOTHER_SITE.format(v=code)) for line, value, code in rows
    ]
    errors.extend(findings, total)


NOT_ENROLLING = Label(
    "The site takes no patient who consents on that day: from {first} until {last} would fit.",
    "この施設はこの同意取得日の患者を登録できません（{first}から{last}まで）。",
)


def find_not_enrolling(cursor, errors):
    """Patients, new or with another day of consent, whose site was not yet activated on that day, or closed before."""
    file = file_formats.PATIENTS
    rows, total = first_rows(
        cursor,
        f"""
        SELECT count(*) OVER (), s.line, s.consent_date, site.activated_on, site.closed_on
        FROM {stage(file)} AS s JOIN study_sites_site AS site ON site.code = s.site_code
        LEFT JOIN registry_patient AS p USING (patient_id)
        WHERE (s.consent_date < site.activated_on OR s.consent_date > site.closed_on)
          AND s.consent_date IS DISTINCT FROM p.consent_date
        ORDER BY s.line
        """,
    )
    findings = [
        Finding(
            file.filename, line, "consent_date", str(day), NOT_ENROLLING.format(first=first or "…", last=last or "…")
        )
        for line, day, first, last in rows
    ]
    errors.extend(findings, total)


IN_ERROR = Label(
    "The patient “{v}” is marked as entered in error: take that back first.",
    "患者「{v}」は誤登録とされています。先に誤登録を取り消してください。",
)


def find_in_error(cursor, errors):
    """Patients whose number is that of somebody entered in error: the number stays theirs."""
    file = file_formats.PATIENTS
    rows, total = first_rows(
        cursor,
        f"""
        SELECT count(*) OVER (), s.line, s.patient_id FROM {stage(file)} AS s
        JOIN registry_enteredinerror AS e ON e.form = 'patient' AND e.record = s.patient_id AND e.taken_back_at IS NULL
        ORDER BY s.line
        """,
    )
    errors.extend([_named(file, "patient_id", line, value, IN_ERROR) for line, value in rows], total)


SPELT_OTHERWISE = Label(
    "is new and differs from the stored “{v}” by capitals alone: is it the same patient?",
    "新しい番号ですが、登録済みの「{v}」と大文字・小文字だけが異なります。同じ患者ではありませんか",
)


def find_spelt_otherwise(cursor, warnings):
    """Tell of new patients whose number is a stored one in other capitals."""
    file = file_formats.PATIENTS
    rows, total = first_rows(
        cursor,
        f"""
        SELECT count(*) OVER (), s.line, s.patient_id, p.patient_id FROM {stage(file)} AS s
        JOIN {file.table} AS p ON lower(p.patient_id) = lower(s.patient_id) AND p.patient_id <> s.patient_id
        WHERE NOT EXISTS (SELECT FROM {file.table} AS same WHERE same.patient_id = s.patient_id) ORDER BY s.line
        """,
    )
    spelt = [_named(file, "patient_id", line, new, SPELT_OTHERWISE.format(v=stored)) for line, new, stored in rows]
    warnings.extend(spelt, total)


LEFT_OUT = Label(
    "is hidden by other answers of the patient, and was left out as the mapping says",
    "他の回答により尋ねない項目のため、対応表の指定どおり取り込みませんでした",
)
ALIKE = Label(
    "may be the same person as row {n}: the same sex, day of birth and day of consent or surgery",
    "{n}行目と同一人物の可能性があります（性別・生年月日・同意日または手術日が同じ）",
)


def find_alike(cursor, alike, findings):
    """Pairs of patients of a file, one of them new, who may be the same person: somebody is asked.

    alike  (line, line of the first) of each pair. The reason holds lines alone: rows of the source come in later.
    """
    file = file_formats.PATIENTS
    lines = sorted({line for pair in alike for line in pair})
    cursor.execute(
        f"SELECT s.line, s.patient_id, c.is_new FROM {stage(file)} AS s JOIN {touched(file)} AS c USING (line) "
        "WHERE s.line = ANY (%s)",
        [lines],
    )
    known = {line: (patient, is_new) for line, patient, is_new in cursor.fetchall()}
    for line, first in alike:
        if any(known.get(number, ("", False))[1] for number in (line, first)):
            patient = known.get(line, ("", False))[0] or ""
            findings.add(Finding(file.filename, line, "patient_id", patient, ALIKE.format(n=first)))


ENROLLED_ALREADY = Label(
    "may be {v}, who is enrolled at this site: the same sex and day of birth",
    "この施設に登録済みの{v}と同一人物の可能性があります（性別・生年月日が同じ）",
)


def find_enrolled_already(cursor, identifies, findings):
    """New patients of a file who may be enrolled at their site: by the blind index, which the system's scope fills.

    identifies  ids of the sites whose identifiers may be told of; None for all
    """
    file = file_formats.PATIENTS
    identity.fill_marks()
    cursor.execute(
        f"""
        SELECT s.line, s.patient_id, p.patient_id
        FROM {stage(file)} AS s JOIN {touched(file)} AS c USING (line)
        JOIN study_sites_site AS place ON place.code = s.site_code
        JOIN registry_identity AS i ON i.site_id = place.id AND i.birth_mark = s.birth_mark
        JOIN registry_patient AS p ON p.patient_id = i.patient_id AND p.sex = s.sex AND p.in_error IS NULL
        WHERE c.is_new AND (%(all)s OR place.id = ANY (%(sites)s))
        ORDER BY s.line, p.patient_id
        """,
        {"all": identifies is None, "sites": list(identifies or ())},
    )
    for line, patient, known in cursor.fetchall():
        findings.add(Finding(file.filename, line, "patient_id", patient, ENROLLED_ALREADY.format(v=known)))


def new_patients(cursor, identifies):
    """(numbers of the new patients of a file, those of sites whose people could be asked nothing)."""
    file = file_formats.PATIENTS
    cursor.execute(
        f"""
        SELECT s.patient_id, NOT (%(all)s OR place.id = ANY (%(sites)s))
        FROM {stage(file)} AS s JOIN {touched(file)} AS c USING (line)
        JOIN study_sites_site AS place ON place.code = s.site_code WHERE c.is_new
        """,
        {"all": identifies is None, "sites": list(identifies or ())},
    )
    rows = cursor.fetchall()
    return [number for number, _ in rows], [number for number, unasked in rows if unasked]


def touched(file):
    """The name of the temporary table of the rows that are new or differ: line, is_new, birth_differs, missing."""
    return f"touched_{file.name}"


def find_touched(cursor, file, staged):
    """Fill `touched(file)`. A reason for a missing value that the file has no column for stays as it is."""
    births = _lines_whose_birth_date_differs() if file == file_formats.PATIENTS else []
    reported = _text_array([f"'{name}'" for name in staged.reported])
    answered = _text_array(
        [
            f"CASE WHEN s.{column_of(item.name)} IS NOT NULL THEN '{item.name}' END"
            for item in _reasoned(file)
            if item.name not in staged.reported
        ]
    )
    reasons = file.missing_of("t")
    wanted = (
        f"CASE WHEN {reasons} IS NULL OR {reasons} = '{{}}' THEN s.missing "
        f"ELSE ({reasons} - {reported} - {answered}) || s.missing END"
    )
    cursor.execute(f"DROP TABLE IF EXISTS {touched(file)}")
    cursor.execute(
        f"""
        CREATE TEMP TABLE {touched(file)} ON COMMIT DROP AS
        SELECT s.line, t.patient_id IS NULL AS is_new, s.line = ANY (%s) AS birth_differs, {wanted} AS missing
        FROM {stage(file)} AS s LEFT JOIN {file.table} AS t ON {same_key(file, "s", "t")}
        WHERE t.patient_id IS NULL OR s.line = ANY (%s) OR {reasons} IS DISTINCT FROM {wanted}
           OR {_row("s", _values(file))} IS DISTINCT FROM {_row("t", _values(file))}
        """,
        [births, births],
    )
    cursor.execute(f"ANALYZE {touched(file)} (line)")
    cursor.execute(f"SELECT count(*) FILTER (WHERE is_new), count(*) FILTER (WHERE NOT is_new) FROM {touched(file)}")
    return cursor.fetchone()


def hash_of_touched(cursor, file):
    """A hash over which rows are new or differ, and the versions of those that they would replace."""
    cursor.execute(
        f"""
        SELECT md5(coalesce(string_agg(concat_ws(':', c.line, t.version), ',' ORDER BY c.line), ''))
        FROM {touched(file)} AS c JOIN {stage(file)} AS s USING (line)
        LEFT JOIN {file.table} AS t ON {same_key(file, "s", "t")}
        """
    )
    return cursor.fetchone()[0]


def _text_array(expressions):
    return f"ARRAY[{', '.join(expressions)}]::text[]"


def _row(alias, names):
    return f"ROW({', '.join(f'{alias}.{column_of(name)}' for name in names)})"


def _values(file):
    """Names of the stored columns that are not the row's key."""
    return [item.name for item in file.stored if item.name not in file.key]


def _reasoned(file):
    """Items that a reason may stand for, the birth date included."""
    return [item for item in file.items if item.name not in file.mandatory]


def _lines_whose_birth_date_differs():
    """Lines of patients.csv whose birth date is not the stored one: compared here, since both are encrypted."""
    lines = []
    with connection.chunked_cursor() as cursor:
        cursor.execute(
            f"""
            SELECT s.line, s.patient_id, s.key, s.birth_date, i.key, i.birth_date
            FROM {stage(file_formats.PATIENTS)} AS s JOIN registry_patient AS p USING (patient_id)
            LEFT JOIN registry_identity AS i USING (patient_id)
            WHERE s.birth_date IS NOT NULL OR i.birth_date IS NOT NULL
            """
        )
        for line, patient_id, *sealed in cursor:
            given, stored = _birth_date(patient_id, *sealed[:2]), _birth_date(patient_id, *sealed[2:])
            if given != stored:
                lines.append(line)
    return lines


def _birth_date(patient_id, key, ciphertext):
    return opened(patient_id, key, {"birth_date": ciphertext})["birth_date"] if key and ciphertext else None


def list_differences(cursor, file, differences):
    """What changes in rows that are stored: `differences.total` counts the rows, its list names the cells."""
    names = _values(file)
    columns = [f"{alias}.{column_of(name)}" for name in names for alias in ("s", "t")]
    rows, total = first_rows(
        cursor,
        f"""
        SELECT count(*) OVER (), c.line, c.birth_differs, c.missing::text, {file.missing_of("t")}::text,
               {", ".join(columns)}
        FROM {touched(file)} AS c JOIN {stage(file)} AS s USING (line)
        JOIN {file.table} AS t ON {same_key(file, "s", "t")}
        WHERE NOT c.is_new ORDER BY c.line
        """,
    )
    cells = [finding for row in rows for finding in _differences(file, names, *row)]
    differences.extend(cells, total)


def _differences(file, names, line, *row):
    for column, was, now in differences_of(file, names, *row):
        reason = DIFFERS if now == HIDDEN else STORED.format(v=was)
        yield Finding(file.filename, line, column, now, reason)


def differences_of(file, names, birth_differs, reasons, stored_reasons, *values):
    """(column, stored, new) of each cell that differs, as texts; identifying ones hidden.

    reasons, stored_reasons  JSON of the row's reasons for missing values
    values                   of each of `names`: the new one, then the stored one
    """
    items = {item.name: item for item in file.items}
    if birth_differs:
        yield "birth_date", HIDDEN, HIDDEN
    for name, new, old in zip(names, values[::2], values[1::2], strict=True):
        if new == old:
            continue
        if items[name].identifying:
            yield name, HIDDEN, HIDDEN
        else:
            yield name, shown_value(items[name], old), shown_value(items[name], new)
    new, old = json.loads(reasons), json.loads(stored_reasons)
    for name in sorted(new.keys() | old.keys()):
        if new.get(name) != old.get(name):
            yield name + file_formats.MISSING_SUFFIX, old.get(name, NOTHING), new.get(name, NOTHING)


def shown_value(item, value):
    if value is None:
        return NOTHING
    if item.kind == "levels":
        return ";".join(levels.from_mask(value))
    return str(value)


def complete_sql(file, items, alias, missing):
    """SQL that is true where each required item of a form, and of an extra that is begun, has a value or a reason."""
    known = {item.name: f"({alias}.{column_of(item.name)} IS NOT NULL OR {missing} ? '{item.name}')" for item in items}
    current = catalogue.current()
    asked = {item.name for item in catalogue.items(current.core(tuple(current.instruments)))}
    needed = [
        _unless_not_asked(item, known[item.name], alias, current)
        for item in items
        if item.required and (item.name in asked or item.name in KEYS)
    ]
    for extra in asked_among(file.brought):  # whoever begins one answers all that it requires
        if own := [item for item in extra.items if item.name in known]:
            whole = " AND ".join(_answered_if_asked(item, known[item.name], alias, file) for item in own) or "true"
            begun = "true" if file.form else " OR ".join(known[item.name] for item in own)
            needed.append(f"(NOT ({begun}) OR ({whole}))")
    return " AND ".join(needed) or "true"


def completing_sql(file, state, alias, missing, stored=""):
    """SQL that is true where a draft becomes complete: `complete_sql`, and what own forms ask of whoever completes it.

    stored  alias of the stored row, which has the answers that the file has no columns for; "" for a new row
    """
    items, current = file.forms[state], catalogue.current()
    needed = [complete_sql(file, items, alias, missing)]
    names = {item.name for item in items}
    asked = [own for own in current.own.get(file.extra_forms.get(state, ""), ()) if current.asks(own.code)]
    for instrument in asked:
        for item in current.as_asked(instrument).items:
            row, reasons = (alias, missing) if item.name in names else (stored, f"{stored}.missing")
            answered = f"({row}.{column_of(item.name)} IS NOT NULL OR {reasons} ? '{item.name}')" if row else "false"
            needed.append(_unless_not_asked(item, _answered_if_asked(item, answered, alias, file), alias, current))
    return " AND ".join(needed)


def _unless_not_asked(item, answered, alias, current):
    """SQL that is true where an item has its answer, or its visit does not ask it or leaves it open."""
    if item.name in KEYS:
        return answered
    of_visits = current.matrix.get(catalogue.instrument_of(item.name).code, {})
    free = sorted(visit for visit, how in of_visits.items() if how != catalogue.REQUIRED)
    if not free:
        return answered
    listed = ", ".join(f"'{visit}'" for visit in free)  # codes of visits are letters and digits
    return f"({answered} OR {alias}.{column_of('timepoint')} IN ({listed}))"


KEYS = frozenset(
    item.name for item in (*catalogue.PATIENT_KEYS, *catalogue.ASSESSMENT_KEYS, catalogue.item("assessment_date"))
)


def _answered_if_asked(item, answered, alias, file):
    """SQL that is true where an item has its answer or needs none: what own items ask hangs on other answers."""
    trees = catalogue.current().conditions.get(item.name, {})
    shown = condition_sql(trees["show_if"], alias, file) if "show_if" in trees else "true"
    if item.required:
        return answered if shown == "true" else f"(NOT ({shown}) OR {answered})"
    if "required_if" in trees:
        return f"(NOT ({shown} AND {condition_sql(trees['required_if'], alias, file)}) OR {answered})"
    return "true"


def condition_sql(tree, alias, file, patients=None):
    """SQL of a condition over the staged rows of `file`, over the patients that they are of, and over what is stored
    of them beside what the file brings.

    patients  the file of the patients, where these are staged and not stored yet
    """
    of_patient = {item.name for item in catalogue.current().items_of_patient}

    def column(name):
        if name in file.columns:
            return f"{alias}.{column_of(name)}"
        if name in of_patient:
            own = f"(SELECT p.{column_of(name)} FROM %s AS p WHERE p.patient_id = {alias}.patient_id)"
            stored = own % file_formats.PATIENTS.table
            if patients is None or name not in patients.columns:
                return stored
            staged = f"EXISTS (SELECT FROM {stage(patients)} AS p WHERE p.patient_id = {alias}.patient_id)"
            return f"CASE WHEN {staged} THEN {own % stage(patients)} ELSE {stored} END"
        return f"(SELECT r.{column_of(name)} FROM {file.table} AS r WHERE {same_key(file, alias, 'r')})"

    return sql.expression(tree, column)


def _asked_if(file):
    """(item, tree of its condition) of the items of own forms that a file brings and that others may hide."""
    trees = [(item, catalogue.current().conditions.get(item.name, {})) for item in catalogue.items(file.brought)]
    return [(item, tree["show_if"]) for item, tree in trees if "show_if" in tree]


def leave_out_not_asked(cursor, file, absent, patients, warnings):
    """Empty the cells of `file` that other answers rule out, as REDCap keeps them, and tell each by row and column.
    Returns how many rows of a visit or record said nothing else, and are taken away.

    absent    columns that the file has not: what is stored of them stays
    patients  the file of the patients where they come too, else None
    """
    if patients is not None:
        cursor.execute(f"CREATE INDEX IF NOT EXISTS staged_patients ON {stage(patients)} (patient_id)")
    items, lines = [(item, tree) for item, tree in _asked_if(file) if item.name not in absent], []
    while emptied := [line for item, tree in items for line in _left_out(cursor, file, item, tree, patients, warnings)]:
        lines += emptied  # and once more: an answer that is left out may hide another
    if not lines or file == file_formats.PATIENTS:
        return 0
    answers = ", ".join(f"s.{column_of(item.name)}" for item in file.stored if item.name not in file.key)
    cursor.execute(
        f"DELETE FROM {stage(file)} AS s WHERE line = ANY (%s) AND num_nonnulls({answers}) = 0 AND s.missing = '{{}}'",
        [lines],
    )
    return cursor.rowcount


def _left_out(cursor, file, item, tree, patients, warnings):
    column = column_of(item.name)
    hidden = f"s.{column} IS NOT NULL AND NOT ({condition_sql(tree, 's', file, patients)})"
    rows, total = first_rows(
        cursor,
        f"SELECT count(*) OVER (), s.line, s.{column}::text FROM {stage(file)} AS s WHERE {hidden} ORDER BY line",
    )
    warnings.extend([Finding(file.filename, line, item.name, value, LEFT_OUT) for line, value in rows], total)
    if not total:
        return []
    cursor.execute(f"UPDATE {stage(file)} AS s SET {column} = NULL WHERE {hidden} RETURNING line")
    return [line for (line,) in cursor.fetchall()]


def find_not_asked(cursor, file, errors):
    """Answers of own items that other answers of their row rule out."""
    for item, tree in _asked_if(file):
        rows, total = first_rows(
            cursor,
            f"""
            SELECT count(*) OVER (), c.line, s.{column_of(item.name)}::text
            FROM {touched(file)} AS c JOIN {stage(file)} AS s USING (line)
            WHERE s.{column_of(item.name)} IS NOT NULL AND NOT ({condition_sql(tree, "s", file)}) ORDER BY c.line
            """,
        )
        errors.extend([Finding(file.filename, line, item.name, value, NOT_ASKED) for line, value in rows], total)


def find_forbidden_changes(cursor, file, errors):
    """Changes that not even a reason allows: of a signed form, and of a completed form that would lose an answer."""
    for state, items in file.forms.items():
        complete = complete_sql(file, items, "s", "c.missing")
        names = [item.name for item in items if item in file.stored]
        changes = f"{_row('s', names)} IS DISTINCT FROM {_row('t', names)} OR " + " OR ".join(
            f"c.missing -> '{name}' IS DISTINCT FROM t.missing -> '{name}'" for name in names
        )
        if any(item.name == "birth_date" for item in items):
            changes += " OR c.birth_differs"
        rows, total = first_rows(
            cursor,
            f"""
            SELECT count(*) OVER (), c.line, s.patient_id, t.{state} = '{State.LOCKED}' AS locked
            FROM {touched(file)} AS c JOIN {stage(file)} AS s USING (line)
            JOIN {file.table} AS t ON {same_key(file, "s", "t")}
            WHERE NOT c.is_new AND ({changes})
              AND (t.{state} = '{State.LOCKED}' OR (t.{state} <> '{State.DRAFT}' AND NOT ({complete})))
            ORDER BY c.line
            """,
        )
        findings = [
            Finding(file.filename, line, state, value, LOCKED if locked else REQUIRED) for line, value, locked in rows
        ]
        errors.extend(findings, total)


def sites_of(cursor, files):
    """Ids of the sites of the patients in the staged `files`, once they are stored."""
    staged = " UNION ".join(f"SELECT patient_id FROM {stage(file)}" for file in files)
    cursor.execute(f"SELECT DISTINCT site_id FROM registry_patient WHERE patient_id IN ({staged}) ORDER BY 1")
    return [site for (site,) in cursor.fetchall()]
