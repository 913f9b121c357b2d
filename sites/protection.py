"""SQL for migrations: row-level security and audit triggers of a table. A change here needs a migration to re-apply it.

The policies read the scope that `sites.tenancy.scope` sets. `ARRAY(SELECT …)` makes PostgreSQL evaluate the setting
once per statement and use the index. A cast outside of it would be evaluated for every row that is written (20 s for a
million), and an OR on a "sees all" flag would make counts some 80 times slower.
"""

from django.conf import settings
from django.db import migrations


def _ids(setting):
    return f"SELECT unnest(coalesce(nullif(current_setting('{setting}', true), ''), '{{}}')::bigint[])"


def _sites(*settings):
    return f"ANY (ARRAY({' UNION ALL '.join(map(_ids, settings))}))"


READ = _sites("app.read_sites")
WRITE = _sites("app.write_sites")
IDENTIFY = _sites("app.identify_sites")
QUERY = _sites("app.query_sites")
SIGN = _sites("app.sign_sites")
# Whoever verifies, signs or adjudicates updates a record's row; a trigger keeps them to the columns that this is about.
REVIEW = _sites("app.write_sites", "app.verify_sites", "app.sign_sites", "app.adjudicate_sites")
DISCUSS = _sites("app.write_sites", "app.query_sites")  # queries are answered at the site, raised and closed by others


def policies(table, *, read=READ, write=WRITE):
    """Operation: rows of `table` exist only for sites in scope, for its owner too."""
    return migrations.RunSQL(
        f"""
        ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;
        ALTER TABLE {table} FORCE ROW LEVEL SECURITY;
        CREATE POLICY read_in_scope ON {table} FOR SELECT USING (site_id = {read});
        CREATE POLICY insert_in_scope ON {table} FOR INSERT WITH CHECK (site_id = {write});
        CREATE POLICY update_in_scope ON {table} FOR UPDATE USING (site_id = {write}) WITH CHECK (site_id = {write});
        CREATE POLICY delete_in_scope ON {table} FOR DELETE USING (site_id = {write});
        """,
        f"""
        DROP POLICY read_in_scope ON {table};
        DROP POLICY insert_in_scope ON {table};
        DROP POLICY update_in_scope ON {table};
        DROP POLICY delete_in_scope ON {table};
        ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY;
        ALTER TABLE {table} DISABLE ROW LEVEL SECURITY;
        """,
    )


def kept(table, *, insert, update=None, read=READ):
    """Operation: as `policies`, for a table of which no row is ever deleted, nor updated without `update`.

    Rows go only with the patient that they belong to, by the database's own cascade.
    """
    updating = f"CREATE POLICY update_in_scope ON {table} FOR UPDATE USING ({update}) WITH CHECK ({update});"
    return migrations.RunSQL(
        f"""
        ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;
        ALTER TABLE {table} FORCE ROW LEVEL SECURITY;
        CREATE POLICY read_in_scope ON {table} FOR SELECT USING (site_id = {read});
        CREATE POLICY insert_in_scope ON {table} FOR INSERT WITH CHECK ({insert});
        {updating if update else ""}
        """,
        f"""
        DROP POLICY read_in_scope ON {table};
        DROP POLICY insert_in_scope ON {table};
        {f"DROP POLICY update_in_scope ON {table};" if update else ""}
        ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY;
        ALTER TABLE {table} DISABLE ROW LEVEL SECURITY;
        """,
    )


def own_rows(table, *, owner):
    """Operation: rows of `table` exist for their owner alone, at sites where that person enters data.

    owner  column with the person's id
    The system, which acts for no person, reaches the rows of the sites in its scope: to forget what is old.
    """
    person = "current_setting('app.user_id', true)"
    theirs = (
        f"site_id = {WRITE} AND ({owner} = (SELECT nullif({person}, '')::bigint) "
        f"OR (SELECT coalesce({person}, '') = ''))"
    )
    commands = {"read": "SELECT", "insert": "INSERT", "update": "UPDATE", "delete": "DELETE"}
    created = "".join(
        f"CREATE POLICY {name}_in_scope ON {table} FOR {command}"
        f"{'' if command == 'INSERT' else f' USING ({theirs})'}"
        f"{f' WITH CHECK ({theirs})' if command in ('INSERT', 'UPDATE') else ''};\n"
        for name, command in commands.items()
    )
    return migrations.RunSQL(
        f"""
        ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;
        ALTER TABLE {table} FORCE ROW LEVEL SECURITY;
        {created}
        """,
        f"""
        {"".join(f"DROP POLICY {name}_in_scope ON {table};" for name in commands)}
        ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY;
        ALTER TABLE {table} DISABLE ROW LEVEL SECURITY;
        """,
    )


def updated_by(table, sites, *, before=WRITE):
    """Operation: rows of `table` are updated in the scope of `sites` (an expression as above) from now on."""
    sql = "ALTER POLICY update_in_scope ON {0} USING (site_id = {1}) WITH CHECK (site_id = {1})"
    return migrations.RunSQL(sql.format(table, sites), sql.format(table, before))


def audited(table, *, key="id", site="site_id", without=()):
    """Operation: every insert, update and delete of `table` is recorded.

    key      column that names the row in the trail
    site     column with the row's site; empty where a row belongs to the platform
    without  columns never written to the trail; a name after `*` is recorded as changed, without its values
    """
    # Statement level for insert and delete is what keeps bulk loads fast; statement level for update is quadratic.
    arguments = ", ".join(f"'{one}'" for one in (key, site, *without))
    return migrations.RunSQL(
        f"""
        CREATE TRIGGER audit_insert AFTER INSERT ON {table} REFERENCING NEW TABLE AS changed
            FOR EACH STATEMENT EXECUTE FUNCTION audit_rows({arguments});
        CREATE TRIGGER audit_delete AFTER DELETE ON {table} REFERENCING OLD TABLE AS changed
            FOR EACH STATEMENT EXECUTE FUNCTION audit_rows({arguments});
        CREATE TRIGGER audit_update AFTER UPDATE ON {table}
            FOR EACH ROW WHEN (OLD IS DISTINCT FROM NEW) EXECUTE FUNCTION audit_update({arguments});
        """,
        f"""
        DROP TRIGGER audit_insert ON {table};
        DROP TRIGGER audit_delete ON {table};
        DROP TRIGGER audit_update ON {table};
        """,
    )


def app_role():
    """The quoted name of the role that the application connects as."""
    return '"' + settings.DATABASES["default"]["USER"].replace('"', '""') + '"'
