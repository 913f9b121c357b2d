"""Writing what is new or changed in whole sets: one statement a table, under the triggers and policies of any write."""

from registry.imports.checking.comparing import completing_sql, same_key, touched
from registry.imports.checking.staging import stage
from registry.instruments import catalogue
from registry.models import Patient, State
from registry.services.files import file_formats
from registry.services.files.file_formats import column_of
from registry.services.follow_up.schedule import ensure_timepoint
from registry.services.records.identity import newest_key_id, opened, write


def _columns(file):
    """Columns of the table that the file gives values for, the key included; a record is numbered by the database."""
    return [column_of(item.name) for item in file.stored if item.name != file_formats.RECORD]


def store_new(cursor, file):
    """Insert the new rows of `file`; a form with everything answered is complete, any other a draft."""
    _insert(cursor, file, f"JOIN {touched(file)} AS c USING (line)", "c.missing", "WHERE c.is_new")
    if file == file_formats.PATIENTS:
        cursor.execute(
            f"""
            INSERT INTO registry_identity (patient_id, site_id, key, birth_date, birth_mark, marked_with)
            SELECT s.patient_id, p.site_id, s.key, s.birth_date, s.birth_mark, %s
            FROM {stage(file)} AS s JOIN {touched(file)} AS c USING (line) JOIN registry_patient AS p USING (patient_id)
            WHERE c.is_new AND s.birth_date IS NOT NULL
            """,
            [newest_key_id()],
        )
    if file == file_formats.FOLLOW_UP_ENDS:
        _ask_no_more(cursor, _TOUCHED_ENDS)


def store_all(cursor, file):
    """Insert all staged rows of `file`, of which none is stored; returns how many there were."""
    _insert(cursor, file, "", "s.missing")
    return cursor.rowcount


def _insert(cursor, file, chosen, missing, condition=""):
    """Insert rows of the stage `s`.

    chosen, condition  SQL that joins and says which
    missing            SQL of their reasons for missing values
    """
    if file == file_formats.ASSESSMENTS:
        _ensure_timepoints(cursor)
    columns = _columns(file)
    values = [f"s.{column}" for column in columns]
    if file == file_formats.PATIENTS:
        columns, values = [*columns, "age_at_surgery"], [*values, "s.age_at_surgery"]
        place, site = "JOIN study_sites_site AS place ON place.code = s.site_code", "place.id"
    else:
        place, site = "JOIN registry_patient AS place ON place.patient_id = s.patient_id", "place.site_id"
    for state in file.forms:
        complete = completing_sql(file, state, "s", missing)
        columns += [state, asked_by(state)]
        values += [_state(complete), _asked(complete)]
    # Asked once a statement, not for each of its rows.
    stamps = {column: f"(SELECT {sql})" for column, sql in Patient.STAMPS.items()}
    stamps |= {"missing": missing} if file.keeps_reasons else {}
    stamps |= {"form": f"'{file.form}'"} if file.form else {}
    for column, value in stamps.items():
        columns.append(column)
        values.append(value)
    cursor.execute(
        f"INSERT INTO {file.table} (site_id, {', '.join(columns)}) SELECT {site}, {', '.join(values)} "
        f"FROM {stage(file)} AS s {chosen} {place} {condition}"
    )


def _ensure_timepoints(cursor):
    """The timepoints of unscheduled visits that no visit had before."""
    cursor.execute(
        f"SELECT DISTINCT timepoint_id FROM {stage(file_formats.ASSESSMENTS)} AS s "
        "WHERE NOT EXISTS (SELECT FROM registry_timepoint AS t WHERE t.code = s.timepoint_id)"
    )
    for (code,) in cursor.fetchall():
        ensure_timepoint(code)


def _state(complete):
    return f"CASE WHEN {complete} THEN '{State.COMPLETE}' ELSE '{State.DRAFT}' END"


def asked_by(state):
    """The column of the version of the protocol by which the form with this state was completed."""
    return state.removesuffix("state") + "asked_by"


def _asked(complete):
    version = catalogue.current().version
    return f"CASE WHEN {complete} THEN {version} END" if version else "NULL::integer"


def store_changes(cursor, file):
    """Update the stored rows that differ; the transaction's scope carries the reason."""
    assignments = ["missing = c.missing"] if file.keeps_reasons else []
    assignments += [f"{column} = s.{column}" for column in _columns(file)]
    if file == file_formats.PATIENTS:
        assignments.append("age_at_surgery = s.age_at_surgery")
    for state in file.forms:
        complete = completing_sql(file, state, "s", "c.missing", "t")
        advanced = _state(complete)
        assignments.append(f"{state} = CASE WHEN t.{state} = '{State.DRAFT}' THEN {advanced} ELSE t.{state} END")
        version = asked_by(state)
        assignments.append(
            f"{version} = CASE WHEN t.{state} = '{State.DRAFT}' THEN {_asked(complete)} ELSE t.{version} END"
        )
    cursor.execute(
        f"""
        UPDATE {file.table} AS t SET {", ".join(assignments)}
        FROM {stage(file)} AS s JOIN {touched(file)} AS c USING (line)
        WHERE {same_key(file, "s", "t")} AND NOT c.is_new
        """
    )
    if file == file_formats.PATIENTS:
        _store_birth_dates(cursor)
        _ask_no_more(cursor, _DEAD)
    if file == file_formats.FOLLOW_UP_ENDS:
        _ask_no_more(cursor, _TOUCHED_ENDS)


_DEAD = f"SELECT patient_id FROM {stage(file_formats.PATIENTS)} WHERE vital_status = 'dead'"
_TOUCHED_ENDS = (
    f"SELECT patient_id FROM {stage(file_formats.FOLLOW_UP_ENDS)} "
    f"JOIN {touched(file_formats.FOLLOW_UP_ENDS)} USING (line)"
)


def _ask_no_more(cursor, patients):
    """The open links of patients who died or whose follow-up ended, as `follow_up.ask_no_more` does for one."""
    cursor.execute(
        f"""
        UPDATE registry_patientlink AS link SET revoked_at = statement_timestamp()
        WHERE link.patient_id IN ({patients}) AND link.submitted_at IS NULL AND link.revoked_at IS NULL
        """
    )


def _store_birth_dates(cursor):
    cursor.execute(
        f"SELECT s.patient_id, s.key, s.birth_date FROM {stage(file_formats.PATIENTS)} AS s "
        f"JOIN {touched(file_formats.PATIENTS)} AS c USING (line) WHERE c.birth_differs"
    )
    for patient_id, key, ciphertext in cursor.fetchall():
        born = opened(patient_id, key, {"birth_date": ciphertext})["birth_date"] if ciphertext else None
        write(Patient.objects.get(pk=patient_id), birth_date=born)
