"""Putting the guards in place, after every `migrate`: what is declared takes the place of whatever is there."""

import json

from django.db import connections, transaction

from registry.guards import catalogue, checking, declared, rights

# Of tables and functions of the schema alone; what an extension brought stays.
CLEARED = f"""
DO $$
DECLARE
    one record;
BEGIN
    FOR one IN
        SELECT format('DROP TRIGGER %I ON %s', t.tgname, c.oid::regclass) AS act
        FROM pg_trigger AS t JOIN pg_class AS c ON c.oid = t.tgrelid
        WHERE c.relnamespace = 'public'::regnamespace AND NOT t.tgisinternal
        UNION ALL
        SELECT format('DROP POLICY %I ON %s', p.polname, c.oid::regclass)
        FROM pg_policy AS p JOIN pg_class AS c ON c.oid = p.polrelid
        WHERE c.relnamespace = 'public'::regnamespace
        UNION ALL
        SELECT format('DROP RULE %I ON %s', w.rulename, c.oid::regclass)
        FROM pg_rewrite AS w JOIN pg_class AS c ON c.oid = w.ev_class
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
    LOOP
        EXECUTE one.act;
    END LOOP;
    FOR one IN
        SELECT format('DROP ROUTINE %s', p.oid::regprocedure) AS act FROM pg_proc AS p
        WHERE p.pronamespace = 'public'::regnamespace AND {catalogue.OURS.format("p", "pg_proc")}
    LOOP
        EXECUTE one.act;
    END LOOP;
    FOR one IN
        SELECT format('ALTER TABLE %s NO FORCE ROW LEVEL SECURITY, DISABLE ROW LEVEL SECURITY', c.oid::regclass) AS act
        FROM pg_class AS c
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
          AND (c.relrowsecurity OR c.relforcerowsecurity)
    LOOP
        EXECUTE one.act;
    END LOOP;
END $$;
"""
STORED = """
INSERT INTO registry_guard (declared, held, signature, applied_at) VALUES (%s, %s, %s, now())
ON CONFLICT (one) DO UPDATE SET (declared, held, signature, applied_at) = (
    excluded.declared, excluded.held, excluded.signature, excluded.applied_at)
"""


class SchemaAltered(Exception):
    """Columns or constraints are not what migrations made: nobody but a person can say what to do about it."""


def refuse_altered_schema(using):
    """Raise SchemaAltered where somebody changed the tables since the last `migrate`."""
    with transaction.atomic(using), connections[using].cursor() as cursor:
        if altered := checking.altered_schema(cursor):
            raise SchemaAltered(
                f"Since the last migrate, and by no migration: {checking.listed(altered)}. Restore what was changed, "
                "or say `migrate --accept-schema` once it is known to be right. Nothing was done."
            )


def apply(using):
    """Put every guard in place as the owner `using`, and write down, signed, what the database then holds.

    Nothing happens where the database holds already what is declared. Returns what was different, as clauses.
    """
    connection = connections[using]
    with transaction.atomic(using), connection.cursor() as cursor:
        differences = checking.differences(using)
        if differences:
            cursor.execute(CLEARED)
            cursor.execute(declared.script(rights.app_role(connection)))
            objects = catalogue.held(cursor)
            digest = declared.digest()
            cursor.execute(STORED, [digest, json.dumps(objects), checking.signature(digest, objects)])
    return differences
