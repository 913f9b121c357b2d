"""What the database guards by itself: tenancy, audit, row versions, reasons for change, results that never change."""

from django.db import migrations

from registry.instruments import catalogue
from registry.instruments.keys import ASSESSMENT_DATE
from registry.instruments.timepoints import SCHEDULE
from registry.models.clinical import BASELINE, SURGERY
from registry.models.columns import reasons_sql, stored_items
from sites.protection import IDENTIFY, audited, policies

RECORDS = ("registry_patient", "registry_assessment", "registry_adverseevent")
CHILDREN = ("registry_assessment", "registry_adverseevent", "registry_identity")

FUNCTIONS = """
-- Who last stored the row, and its version. Arguments: pairs of a state column and the columns of its form, which
-- change only with a reason once the form is no draft.
CREATE FUNCTION record_stored() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    before jsonb;
    after jsonb;
BEGIN
    NEW.updated_at := statement_timestamp();
    NEW.updated_by_id := nullif(current_setting('app.user_id', true), '')::bigint;
    IF TG_OP = 'UPDATE' THEN
        NEW.version := OLD.version + 1;
        IF coalesce(current_setting('app.reason', true), '') = '' THEN
            before := to_jsonb(OLD);
            after := to_jsonb(NEW);
            FOR i IN 0 .. TG_NARGS - 2 BY 2 LOOP
                IF before ->> TG_ARGV[i] <> 'draft' AND EXISTS (
                    SELECT FROM unnest(string_to_array(TG_ARGV[i + 1], ',')) AS name
                    WHERE before -> name IS DISTINCT FROM after -> name
                       OR before -> 'missing' -> name IS DISTINCT FROM after -> 'missing' -> name
                ) THEN
                    RAISE EXCEPTION 'a completed form changes only with a reason'
                        USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = 'reason_for_change';
                END IF;
            END LOOP;
        END IF;
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION forget_outcomes() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    DELETE FROM registry_utility AS u USING removed AS r WHERE u.assessment_id = r.id;
    DELETE FROM registry_change AS c USING removed AS r WHERE c.assessment_id = r.id;
    RETURN NULL;
END $$;

CREATE FUNCTION keep_result() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    IF OLD.status = 'done' AND (NEW.result, NEW.status, NEW.plan, NEW.cohort, NEW.snapshot)
            IS DISTINCT FROM (OLD.result, OLD.status, OLD.plan, OLD.cohort, OLD.snapshot) THEN
        RAISE EXCEPTION 'the result of a comparison never changes' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER forget_outcomes AFTER DELETE ON registry_assessment REFERENCING OLD TABLE AS removed
    FOR EACH STATEMENT EXECUTE FUNCTION forget_outcomes();
-- What was saved lately, in a few kilobytes: rows are nearly in the order of their time.
CREATE INDEX assessment_by_time ON registry_assessment USING brin (updated_at);
CREATE TRIGGER keep_result BEFORE UPDATE ON registry_comparisonrun
    FOR EACH ROW EXECUTE FUNCTION keep_result();
"""


def stored(table, **forms):
    """`forms`: a state column to the items of its form."""
    arguments = ", ".join(f"'{state}', '{','.join(item.name for item in items)}'" for state, items in forms.items())
    return migrations.RunSQL(
        f"CREATE TRIGGER record_stored BEFORE INSERT OR UPDATE ON {table} "
        f"FOR EACH ROW EXECUTE FUNCTION record_stored({arguments})",
        f"DROP TRIGGER record_stored ON {table}",
    )


def same_site(table):
    """A child's site is its patient's: a composite key instead of Django's, moved along if the patient moves."""
    return migrations.RunSQL(
        f"ALTER TABLE {table} ADD CONSTRAINT {table}_same_site FOREIGN KEY (site_id, patient_id) "
        "REFERENCES registry_patient (site_id, patient_id) ON UPDATE CASCADE DEFERRABLE INITIALLY DEFERRED",
        f"ALTER TABLE {table} DROP CONSTRAINT {table}_same_site",
    )


def known_reasons(table):
    return migrations.RunSQL(reasons_sql(table, table), f"ALTER TABLE {table} DROP CONSTRAINT {table}_reasons_known")


def add_timepoints(apps, schema_editor):
    apps.get_model("registry", "Timepoint").objects.using(schema_editor.connection.alias).bulk_create(
        apps.get_model("registry", "Timepoint")(
            code=one.code,
            label=one.label.en,
            label_ja=one.label.ja,
            target_day=one.day,
            days_before=one.before,
            days_after=one.after,
            position=position,
        )
        for position, one in enumerate(SCHEDULE)
    )


class Migration(migrations.Migration):
    dependencies = [("registry", "0002_relations"), ("study_sites", "0002_audit_trail")]

    operations = [
        migrations.RunSQL(
            FUNCTIONS,
            """
            DROP TRIGGER keep_result ON registry_comparisonrun;
            DROP INDEX assessment_by_time;
            DROP TRIGGER forget_outcomes ON registry_assessment;
            DROP FUNCTION keep_result();
            DROP FUNCTION forget_outcomes();
            DROP FUNCTION record_stored();
            """,
        ),
        stored("registry_patient", baseline_state=stored_items(BASELINE), surgery_state=stored_items(SURGERY)),
        stored("registry_assessment", state=(ASSESSMENT_DATE, *stored_items(catalogue.ASSESSMENT))),
        stored("registry_adverseevent"),
        *(known_reasons(table) for table in RECORDS),
        *(same_site(table) for table in CHILDREN),
        policies("registry_patient"),
        policies("registry_assessment"),
        policies("registry_adverseevent"),
        policies("registry_identity", read=IDENTIFY),
        policies("registry_utility"),
        policies("registry_change"),
        audited("registry_patient", key="patient_id", without=("version", "updated_at", "updated_by_id")),
        audited("registry_assessment", without=("version", "updated_at", "updated_by_id")),
        audited("registry_adverseevent", without=("version", "updated_at", "updated_by_id")),
        audited("registry_identity", key="patient_id", without=("*key",)),
        audited("registry_timepoint", key="code", site=""),
        migrations.RunPython(add_timepoints, migrations.RunPython.noop),
    ]
