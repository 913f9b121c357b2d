"""Ends of follow-up in a file: the rules that `follow_up.end_follow_up` holds one patient to, for all rows at once."""

from registry.imports.checking.comparing import touched
from registry.imports.checking.staging import EMPTY_KEY, stage
from registry.imports.report import LISTED, Finding
from registry.instruments.base import Label
from registry.instruments.core.follow_up_end import WITHDRAWN
from registry.services.files import file_formats
from registry.services.follow_up.ends import AFTER_DEATH, BEFORE_CONSENT, END_AFTER, END_BEFORE

ONLY_WITHDRAWN = Label(
    "is the patient's decision when consent is withdrawn: otherwise leave it empty",
    "同意撤回の場合のみ入力する項目です。それ以外は空欄にしてください。",
)
# Column, what it must not be, and why. `p` is the patient as the import leaves it.
RULES = (
    ("end_date", "s.end_date < p.consent_date", BEFORE_CONSENT),
    ("end_date", "s.end_date > p.death_date", AFTER_DEATH),
    ("end_data_use", f"s.end_kind = '{WITHDRAWN}' AND s.end_data_use IS NULL", EMPTY_KEY),
    ("end_data_use", f"s.end_kind <> '{WITHDRAWN}' AND s.end_data_use IS NOT NULL", ONLY_WITHDRAWN),
)
_PATIENTS = f"""
    SELECT patient_id, consent_date, death_date FROM {stage(file_formats.PATIENTS)}
    UNION ALL
    SELECT patient_id, consent_date, death_date FROM {file_formats.PATIENTS.table} AS stored
    WHERE NOT EXISTS (SELECT FROM {stage(file_formats.PATIENTS)} AS given WHERE given.patient_id = stored.patient_id)
"""


# The same about patients whose end of follow-up stays as it is stored.
RULES_OF_PATIENTS = (
    ("consent_date", "s.consent_date > e.end_date", END_BEFORE),
    ("death_date", "s.death_date < e.end_date", END_AFTER),
)
_KEPT_ENDS = f"""
    SELECT patient_id, end_date FROM {file_formats.FOLLOW_UP_ENDS.table} AS stored
    WHERE NOT EXISTS (
        SELECT FROM {stage(file_formats.FOLLOW_UP_ENDS)} AS given
        WHERE given.patient_id = stored.patient_id AND given.end_date <> stored.end_date
    )
"""
CHECKED = {
    file_formats.FOLLOW_UP_ENDS: (RULES, f"({_PATIENTS}) AS p"),
    file_formats.PATIENTS: (RULES_OF_PATIENTS, f"({_KEPT_ENDS}) AS e"),
}


def find_impossible(cursor, file, errors):
    """Add to `errors` what no form would take about ends of follow-up in the new and changed rows of `file`."""
    rules, other = CHECKED.get(file, ((), ""))
    for column, wrong, reason in rules:
        cursor.execute(
            f"""
            SELECT count(*) OVER (), c.line, s.{column}::text
            FROM {touched(file)} AS c JOIN {stage(file)} AS s USING (line) JOIN {other} USING (patient_id)
            WHERE {wrong} ORDER BY c.line LIMIT {LISTED}
            """
        )
        rows = cursor.fetchall()
        findings = [Finding(file.filename, line, column, value or "", reason) for _, line, value in rows]
        errors.extend(findings, rows[0][0] if rows else 0)
