"""Bulk loads stamp their rows themselves, and the timepoints of many rows are looked up once each."""

import django.db.models.deletion
from django.db import migrations, models

RECORDS = ("registry_patient", "registry_assessment", "registry_adverseevent")

STAMPED = """
CREATE TRIGGER record_stamped BEFORE INSERT ON {0} FOR EACH ROW WHEN (
    NEW.updated_at IS DISTINCT FROM statement_timestamp()
    OR NEW.updated_by_id IS DISTINCT FROM nullif(current_setting('app.user_id', true), '')::bigint
) EXECUTE FUNCTION stamp_row();
"""


def fires(table, *, before, now):
    """SQL that has the trigger `record_stored` fire on other events; its arguments stay: they are long lists of columns."""
    return f"""
        DO $$
        DECLARE
            whole text;
        BEGIN
            SELECT pg_get_triggerdef(oid) INTO STRICT whole FROM pg_trigger
            WHERE tgname = 'record_stored' AND tgrelid = '{table}'::regclass;
            DROP TRIGGER record_stored ON {table};
            EXECUTE replace(whole, 'BEFORE {before} ON', 'BEFORE {now} ON');
        END $$;
    """


# A key was checked row by row, and each check locked the timepoint's row: one lock that every save at every site wrote.
# Timepoints never go and are never renamed, so nothing needs locking, and the set of a statement's timepoints is looked
# up in one query.
TIMEPOINTS = """
CREATE FUNCTION timepoint_known() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    unknown text;
BEGIN
    IF TG_OP = 'INSERT' THEN
        SELECT given INTO unknown FROM (SELECT DISTINCT timepoint_id AS given FROM added) AS of_rows
        WHERE NOT EXISTS (SELECT FROM registry_timepoint WHERE code = given) LIMIT 1;
    ELSIF NOT EXISTS (SELECT FROM registry_timepoint WHERE code = NEW.timepoint_id) THEN
        unknown := NEW.timepoint_id;
    END IF;
    IF unknown IS NOT NULL THEN
        RAISE EXCEPTION 'there is no timepoint %', unknown USING ERRCODE = 'foreign_key_violation',
            TABLE = TG_TABLE_NAME, CONSTRAINT = 'assessment_timepoint_known';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER timepoint_known AFTER INSERT ON registry_assessment REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION timepoint_known();
CREATE TRIGGER timepoint_still_known AFTER UPDATE ON registry_assessment
    FOR EACH ROW WHEN (OLD.timepoint_id IS DISTINCT FROM NEW.timepoint_id) EXECUTE FUNCTION timepoint_known();

CREATE FUNCTION keep_timepoint() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'a timepoint stays, and so does its code' USING ERRCODE = 'foreign_key_violation',
        TABLE = TG_TABLE_NAME, CONSTRAINT = 'timepoint_kept';
END $$;
CREATE TRIGGER keep_timepoint BEFORE DELETE ON registry_timepoint FOR EACH ROW EXECUTE FUNCTION keep_timepoint();
CREATE TRIGGER keep_code BEFORE UPDATE ON registry_timepoint
    FOR EACH ROW WHEN (OLD.code IS DISTINCT FROM NEW.code) EXECUTE FUNCTION keep_timepoint();
"""
NO_TIMEPOINTS = """
DROP FUNCTION keep_timepoint() CASCADE;
DROP FUNCTION timepoint_known() CASCADE;
"""


class Migration(migrations.Migration):
    dependencies = [("registry", "0008_imports"), ("study_sites", "0007_faster_loading")]

    operations = [
        migrations.RunSQL(
            fires(table, before="INSERT OR UPDATE", now="UPDATE") + STAMPED.format(table),
            f"DROP TRIGGER record_stamped ON {table};" + fires(table, before="UPDATE", now="INSERT OR UPDATE"),
        )
        for table in RECORDS
    ] + [
        migrations.AlterField(
            "assessment",
            "timepoint",
            models.ForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="assessments",
                to="registry.timepoint",
            ),
        ),
        migrations.RunSQL(TIMEPOINTS, NO_TIMEPOINTS),
    ]
