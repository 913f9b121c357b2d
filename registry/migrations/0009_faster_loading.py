"""Bulk loads stamp their rows themselves: the trigger is called only where a new row says anything else."""

from django.db import migrations

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


class Migration(migrations.Migration):
    dependencies = [("registry", "0008_imports"), ("study_sites", "0007_faster_loading")]

    operations = [
        migrations.RunSQL(
            fires(table, before="INSERT OR UPDATE", now="UPDATE") + STAMPED.format(table),
            f"DROP TRIGGER record_stamped ON {table};" + fires(table, before="UPDATE", now="INSERT OR UPDATE"),
        )
        for table in RECORDS
    ]
