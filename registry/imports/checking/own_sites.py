"""Patients of sites that whoever imports has nothing to do with: refused by row, without a word on what is there.

A number that begins with the code of the own site is the site's to know about. Of any other nothing is said but that
new patients have another, whether or not somebody has it.
"""

from registry.imports.checking.comparing import first_rows
from registry.imports.checking.staging import stage
from registry.imports.report import Finding
from registry.instruments.base import Label
from registry.models import Erasure, Patient, Transfer
from registry.services.files import file_formats
from sites.models import Site
from sites.tenancy.scope import everything

FILE = file_formats.PATIENTS
NOT_YOURS = Label(
    "“{v}” is no site that you import for: {codes}.",
    "「{v}」は取り込める施設（{codes}）ではありません。",
)
OTHER_NUMBER = Label(
    "The numbers of new patients of {site} begin with “{site}-”.",
    "施設{site}の新しい患者の番号は「{site}-」で始まります。",
)
TAKEN = Label(
    "The number “{v}” was given before, and no number is given twice. Enrol the patient under another.",
    "番号「{v}」は使用済みで、再使用できません。別の番号で登録してください。",
)


def find_foreign(cursor, sites, errors):
    """Add to `errors` the staged patients of other sites than `sites` (ids), and new ones with a number of elsewhere.

    The site of a refused row is emptied in the stage: no later check speaks about it.
    """
    if set(Site.objects.values_list("pk", flat=True)) <= set(sites):
        return
    codes = list(Site.objects.filter(pk__in=sites).order_by("code").values_list("code", flat=True))
    _find_sites(cursor, codes, errors)
    _find_numbers(cursor, errors)
    _find_taken(cursor, errors)


def _rows(cursor, condition, *values):
    columns = "count(*) OVER (), s.line, s.patient_id, s.site_code"
    return first_rows(cursor, f"SELECT {columns} FROM {stage(FILE)} AS s WHERE {condition} ORDER BY s.line", values)


def _find_sites(cursor, codes, errors):
    foreign = "site_code IS NOT NULL AND site_code <> ALL (%s)"
    rows, total = _rows(cursor, foreign, codes)
    listed = ", ".join(codes) or "–"
    findings = [
        Finding(FILE.filename, line, "site_code", site, NOT_YOURS.format(v=site, codes=listed))
        for line, _patient, site in rows
    ]
    errors.extend(findings, total)
    if total:
        cursor.execute(f"UPDATE {stage(FILE)} AS s SET site_code = NULL WHERE {foreign}", [codes])


NEW = f"NOT EXISTS (SELECT FROM {Patient._meta.db_table} AS p WHERE p.patient_id = s.patient_id)"
OF_THE_SITE = "starts_with(s.patient_id, s.site_code || '-')"


def _find_numbers(cursor, errors):
    rows, total = _rows(cursor, f"s.site_code IS NOT NULL AND NOT {OF_THE_SITE} AND {NEW}")
    findings = [
        Finding(FILE.filename, line, "patient_id", patient, OTHER_NUMBER.format(site=site))
        for line, patient, site in rows
    ]
    errors.extend(findings, total)


def _find_taken(cursor, errors):
    """Numbers of the own site that are somebody's who moved away or was erased: no row of theirs is in scope."""
    known = " UNION ALL ".join(
        f"SELECT FROM {model._meta.db_table} AS t WHERE t.patient_id = s.patient_id"
        for model in (Patient, Erasure, Transfer)
    )
    cursor.execute(f"SELECT array_agg(line) FROM {stage(FILE)} AS s WHERE {OF_THE_SITE} AND {NEW}")
    (new,) = cursor.fetchone()
    with everything():
        rows, total = _rows(cursor, f"s.line = ANY (%s) AND EXISTS ({known})", new or [])
    findings = [
        Finding(FILE.filename, line, "patient_id", patient, TAKEN.format(v=patient)) for line, patient, _site in rows
    ]
    errors.extend(findings, total)
