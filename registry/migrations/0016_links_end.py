"""A patient's link that was revoked or has expired changes nothing any more, whatever code holds it."""

from django.db import migrations

HELD = "(SELECT nullif(current_setting('app.link', true), ''))"

GUARD = f"""
CREATE FUNCTION patient_link_works() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF {HELD} IS NOT NULL AND (OLD.revoked_at IS NOT NULL OR OLD.expires_at <= statement_timestamp()) THEN
        RAISE EXCEPTION 'this link no longer works' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER patient_link_works BEFORE UPDATE ON registry_patientlink
    FOR EACH ROW EXECUTE FUNCTION patient_link_works();
"""
UNGUARD = """
DROP TRIGGER patient_link_works ON registry_patientlink;
DROP FUNCTION patient_link_works();
"""


class Migration(migrations.Migration):
    dependencies = [("registry", "0015_respondent")]

    operations = [migrations.RunSQL(GUARD, UNGUARD)]
