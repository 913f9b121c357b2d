"""The audit trail: functions that write it, triggers on the tables of this app, and who may read it."""

from django.db import migrations

from sites.protection import READ, audited

SCOPE = """nullif(current_setting('app.user_id', true), '')::bigint,
           coalesce(current_setting('app.request_id', true), ''),
           coalesce(current_setting('app.reason', true), ''),
           pg_current_xact_id()::text::bigint"""

FUNCTIONS = f"""
-- Trigger arguments: the key column, the column with the site ('' where there is none), then columns left out of the
-- trail; those that start with * are recorded as changed without their values.
CREATE FUNCTION audit_shown(r jsonb, arguments text[]) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
    SELECT coalesce(
        (SELECT jsonb_object_agg(key, CASE WHEN '*' || key = ANY (arguments) THEN '"***"'::jsonb ELSE value END)
         FROM jsonb_each(r) WHERE NOT key = ANY (arguments)), '{{}}'::jsonb)
$$;

CREATE FUNCTION audit_rows() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    key_column text := TG_ARGV[0];
    site_column text := TG_ARGV[1];
    left_out text[] := TG_ARGV[2:];
    hides boolean := EXISTS (SELECT FROM unnest(TG_ARGV[2:]) AS one WHERE one LIKE '*%');
BEGIN
    INSERT INTO study_sites_auditevent
        (site_id, table_name, row_id, action, user_id, request_id, reason, transaction_id, old, new)
    SELECT (shown ->> site_column)::bigint, TG_TABLE_NAME, shown ->> key_column, lower(TG_OP), {SCOPE},
           CASE TG_OP WHEN 'DELETE' THEN shown END, CASE TG_OP WHEN 'INSERT' THEN shown END
    FROM (SELECT CASE WHEN hides THEN audit_shown(jsonb_strip_nulls(to_jsonb(c)), left_out)
                      ELSE jsonb_strip_nulls(to_jsonb(c)) - coalesce(left_out, '{{}}') END AS shown
          -- OFFSET keeps the row from being turned into JSON again for each use: half the time of a bulk load.
          FROM changed AS c OFFSET 0) AS rows;
    RETURN NULL;
END $$;

CREATE FUNCTION audit_update() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    before jsonb := to_jsonb(OLD);
    after jsonb := to_jsonb(NEW);
    was jsonb;
    became jsonb;
BEGIN
    SELECT jsonb_object_agg(key, before -> key), jsonb_object_agg(key, value) INTO was, became
    FROM jsonb_each(after) WHERE before -> key IS DISTINCT FROM value;
    IF TG_NARGS > 2 THEN
        was := audit_shown(was, TG_ARGV[2:]);
        became := audit_shown(became, TG_ARGV[2:]);
    END IF;
    IF became <> '{{}}'::jsonb THEN
        INSERT INTO study_sites_auditevent
            (site_id, table_name, row_id, action, user_id, request_id, reason, transaction_id, old, new)
        VALUES ((after ->> TG_ARGV[1])::bigint, TG_TABLE_NAME, after ->> TG_ARGV[0], 'update', {SCOPE}, was, became);
    END IF;
    RETURN NULL;
END $$;

-- An act that changes no row. The application's role cannot write the table itself.
CREATE FUNCTION audit_act(act text, site bigint, of_table text, of_row text, detail jsonb)
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF act IN ('insert', 'update', 'delete') THEN
        RAISE EXCEPTION 'the act % is recorded by triggers only', act;
    END IF;
    INSERT INTO study_sites_auditevent
        (site_id, table_name, row_id, action, user_id, request_id, reason, transaction_id, new)
    VALUES (site, of_table, of_row, act, {SCOPE}, detail);
END $$;
"""

POLICIES = f"""
ALTER TABLE study_sites_auditevent ENABLE ROW LEVEL SECURITY;
ALTER TABLE study_sites_auditevent FORCE ROW LEVEL SECURITY;
CREATE POLICY read_in_scope ON study_sites_auditevent FOR SELECT USING (site_id = {READ});
CREATE POLICY read_platform ON study_sites_auditevent FOR SELECT
    USING (site_id IS NULL AND (SELECT current_setting('app.administers', true)) = 'on');
-- The functions above insert as the owner; the application's role has no right to insert at all.
CREATE POLICY append ON study_sites_auditevent FOR INSERT WITH CHECK (true);
"""


class Migration(migrations.Migration):
    dependencies = [("study_sites", "0001_initial")]

    operations = [
        migrations.RunSQL(
            FUNCTIONS,
            """
            DROP FUNCTION audit_act(text, bigint, text, text, jsonb);
            DROP FUNCTION audit_update();
            DROP FUNCTION audit_rows();
            DROP FUNCTION audit_shown(jsonb, text[]);
            """,
        ),
        migrations.RunSQL(
            POLICIES,
            """
            DROP POLICY append ON study_sites_auditevent;
            DROP POLICY read_platform ON study_sites_auditevent;
            DROP POLICY read_in_scope ON study_sites_auditevent;
            ALTER TABLE study_sites_auditevent NO FORCE ROW LEVEL SECURITY;
            ALTER TABLE study_sites_auditevent DISABLE ROW LEVEL SECURITY;
            """,
        ),
        audited("study_sites_site", site=""),
        audited("study_sites_user", site="", without=("last_login", "*password")),
        audited("study_sites_membership", site=""),
    ]
