"""What a patient's link brings in is changed by whoever holds it, and by nobody else, whatever code writes it."""

from django.db import migrations

HELD = "(SELECT nullif(current_setting('app.link', true), ''))"

GUARD = f"""
CREATE FUNCTION patient_link_answered() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF {HELD} IS NULL THEN
        RAISE EXCEPTION 'whoever holds the link answers, nobody else' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER patient_link_answered BEFORE UPDATE ON registry_patientlink
    FOR EACH ROW WHEN (NEW.answers IS DISTINCT FROM OLD.answers) EXECUTE FUNCTION patient_link_answered();
"""
UNGUARD = """
DROP TRIGGER patient_link_answered ON registry_patientlink;
DROP FUNCTION patient_link_answered();
"""


class Migration(migrations.Migration):
    dependencies = [("registry", "0016_links_end")]

    operations = [migrations.RunSQL(GUARD, UNGUARD)]
