"""Taking an import back: what it added goes, what it changed becomes what it was, from the audit trail's own record.

Refused, with a list, where any of its rows was changed since or something was recorded on top of it. The undoing is an
import itself: with a person, a reason, a place in the history and events in the trail.
"""

import logging

from django.db import IntegrityError, connection, transaction

from registry.imports.report import LISTED, Finding, Findings
from registry.imports.storing import audit_window
from registry.instruments.base import Label
from registry.models import AdverseEvent, Assessment, FollowUpEnd, Identity, OwnRecord, Patient
from registry.services.follow_up.ends import AFTER_DEATH, BEFORE_CONSENT
from sites import audit
from sites.database.constraints import broken
from sites.tenancy.scope import entered

log = logging.getLogger(__name__)

# Children before what they belong to: the order of removal.
MODELS = (FollowUpEnd, OwnRecord, AdverseEvent, Assessment, Identity, Patient)
NEVER_RESTORED = ("version", "updated_at", "updated_by_id", "site_id", "key")

CHANGED_LATER = Label("was changed since, by {who}", "その後{who}が変更しました")
BUILT_UPON = Label("{n} × “{what}” were recorded since", "その後「{what}」が{n}件登録されました")
SYSTEM = Label("the system", "システム")
REFUSED_BY_DATABASE = Label(
    "The database refused: something else depends on these rows. The log of the server says what.",
    "データベースが拒否しました。これらの行に依存するデータがあります（詳細はサーバーのログにあります）。",
)


def obstacles(done):
    """`Findings` on what stands against undoing the Import `done`; file is the table, value the row.

    Call it in the scope of somebody who may undo it.
    """
    findings = Findings()
    with transaction.atomic(), connection.cursor() as cursor:
        _gather(cursor, done)
        _find_changed_later(cursor, done, findings)
        _find_built_upon(cursor, findings)
    return findings


def undo(done, *, scope):
    """Take the Import `done` back in `scope`, which holds the reason. Returns (Findings, counts, trail).

    Where there are findings, nothing was changed.

    counts  table's name → {"removed": rows, "restored": rows}
    trail   as `Report.trail`
    """
    findings, counts, where = Findings(), {}, ()
    try:
        with transaction.atomic():
            with entered(scope), connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_xact_lock(hashtext('import'))")
                after = audit_window.newest(cursor)
                _gather(cursor, done)
                _lock(cursor)
                _find_changed_later(cursor, done, findings)
                _find_built_upon(cursor, findings)
                if not findings:
                    for model in MODELS:
                        counts[model._meta.model_name] = {
                            "restored": _restore(cursor, model),
                            "removed": _remove(cursor, model),
                        }
                    _find_contradicted(cursor, findings)
                    cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
                    cursor.execute("SELECT DISTINCT site_id FROM undone WHERE site_id IS NOT NULL")
                    sites = [site for (site,) in cursor.fetchall()]
                    about = {"table": "registry_import", "row_id": done.pk, "detail": counts}
                    audit.record_for_sites("import_undone", sites, **about)
                    where = (audit_window.transaction(cursor), after, audit_window.newest(cursor))
            if findings:
                transaction.set_rollback(True)
    except IntegrityError as error:
        log.warning("import not undone: %s", broken(error))
        findings.add(Finding("", None, "", "", REFUSED_BY_DATABASE))
        counts = {}
    return findings, counts, where


def _gather(cursor, done):
    """The temporary table `undone`: for each row that the import touched, whether it is new, or what it was before."""
    tables = [model._meta.db_table for model in MODELS]
    cursor.execute("DROP TABLE IF EXISTS undone")
    cursor.execute(
        """
        CREATE TEMP TABLE undone ON COMMIT DROP AS
        SELECT e.table_name, e.row_id, e.site_id, bool_or(e.action = 'insert') AS is_new,
               jsonb_object_agg(old.key, old.value ORDER BY e.id DESC) FILTER (WHERE old.key IS NOT NULL) AS old
        FROM study_sites_auditevent AS e LEFT JOIN LATERAL jsonb_each(e.old) AS old ON e.action = 'update'
        WHERE e.id > %s AND e.id <= %s AND e.transaction_id = %s AND e.table_name = ANY (%s)
          AND e.action IN ('insert', 'update')
        GROUP BY e.table_name, e.row_id, e.site_id
        """,
        [done.trail_from, done.trail_to, done.transaction_id, tables],
    )
    cursor.execute("ANALYZE undone")


def _lock(cursor):
    """Nobody changes the rows between the check and the end."""
    for model in MODELS:
        table, key = model._meta.db_table, model._meta.pk.column
        cursor.execute(
            f"SELECT FROM {table} AS t JOIN undone AS u ON u.row_id = t.{key}::text "
            "WHERE u.table_name = %s ORDER BY t." + key + " FOR UPDATE OF t",
            [table],
        )


def _find_changed_later(cursor, done, obstacles):
    cursor.execute(
        f"""
        SELECT count(*) OVER (), u.table_name, u.row_id, who.name
        FROM undone AS u
        JOIN LATERAL (
            SELECT e.user_id FROM study_sites_auditevent AS e
            WHERE e.site_id = u.site_id AND e.table_name = u.table_name AND e.row_id = u.row_id AND e.id > %s
              -- A key that was rotated changed no answer. Updates are objects, the rows of many at once are texts.
              AND CASE e.action WHEN 'update' THEN e.new - 'key' <> '{{}}' ELSE e.action IN ('insert', 'delete') END
            ORDER BY e.id DESC LIMIT 1
        ) AS later ON true
        LEFT JOIN study_sites_user AS who ON who.id = later.user_id
        ORDER BY u.table_name, u.row_id LIMIT {LISTED}
        """,
        [done.trail_to],
    )
    rows = cursor.fetchall()
    findings = [
        Finding(table.removeprefix("registry_"), None, "", row, _changed_by(name)) for _, table, row, name in rows
    ]
    obstacles.extend(findings, rows[0][0] if rows else 0)


def _changed_by(name):
    return (
        CHANGED_LATER.format(who=name)
        if name
        else Label(CHANGED_LATER.en.format(who=SYSTEM.en), CHANGED_LATER.ja.format(who=SYSTEM.ja))
    )


def _find_built_upon(cursor, obstacles):
    """Rows that refer to a row which is to go, and are not to go themselves."""
    for model in MODELS:
        for relation in model._meta.related_objects:
            child, column = relation.related_model, relation.field.column
            cursor.execute(
                f"""
                SELECT count(*) OVER (), u.row_id, count(*)
                FROM undone AS u JOIN {child._meta.db_table} AS c ON c.{column}::text = u.row_id
                WHERE u.table_name = %s AND u.is_new AND NOT EXISTS (
                    SELECT FROM undone AS own
                    WHERE own.table_name = %s AND own.row_id = c.{child._meta.pk.column}::text AND own.is_new
                )
                GROUP BY u.row_id ORDER BY u.row_id LIMIT {LISTED}
                """,
                [model._meta.db_table, child._meta.db_table],
            )
            rows = cursor.fetchall()
            what = str(child._meta.verbose_name)
            findings = [
                Finding(model._meta.model_name, None, "", row, BUILT_UPON.format(n=n, what=what)) for _, row, n in rows
            ]
            obstacles.extend(findings, rows[0][0] if rows else 0)


def _find_contradicted(cursor, obstacles):
    """Ends of follow-up that what was restored contradicts: they may have been recorded since, in rows of their own."""
    cursor.execute(
        f"""
        SELECT count(*) OVER (), e.patient_id, e.end_date < p.consent_date
        FROM {FollowUpEnd._meta.db_table} AS e JOIN {Patient._meta.db_table} AS p USING (patient_id)
        WHERE (e.end_date < p.consent_date OR e.end_date > p.death_date)
          AND e.patient_id IN (SELECT row_id FROM undone WHERE table_name = ANY (%s))
        ORDER BY e.patient_id LIMIT {LISTED}
        """,
        [[Patient._meta.db_table, FollowUpEnd._meta.db_table]],
    )
    rows = cursor.fetchall()
    findings = [
        Finding(FollowUpEnd._meta.model_name, None, "end_date", row, BEFORE_CONSENT if before else AFTER_DEATH)
        for _, row, before in rows
    ]
    obstacles.extend(findings, rows[0][0] if rows else 0)


def _restore(cursor, model):
    """Give the changed rows of a table the values that they had; returns how many."""
    table, key = model._meta.db_table, model._meta.pk.column
    columns = [
        field.column
        for field in model._meta.concrete_fields
        if not field.generated and not field.primary_key and field.column not in NEVER_RESTORED
    ]
    assignments = ", ".join(f'"{column}" = was."{column}"' for column in columns)
    cursor.execute(
        f"""
        UPDATE {table} AS t SET {assignments}
        FROM undone AS u JOIN {table} AS b ON b.{key}::text = u.row_id
        CROSS JOIN LATERAL jsonb_populate_record(b, u.old) AS was
        WHERE u.table_name = %s AND NOT u.is_new AND t.{key} = b.{key}
        """,
        [table],
    )
    return cursor.rowcount


def _remove(cursor, model):
    table, key = model._meta.db_table, model._meta.pk.column
    cursor.execute(
        f"DELETE FROM {table} AS t USING undone AS u WHERE u.table_name = %s AND u.is_new AND t.{key}::text = u.row_id",
        [table],
    )
    return cursor.rowcount
