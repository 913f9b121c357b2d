"""What PostgreSQL's own catalogue says of a schema: every table, column, constraint, policy, trigger, function, right.

`held(cursor)` is a mapping of an object's name, such as `trigger registry_patient.record_stored`, to a hash of its
definition. PostgreSQL writes the definitions, so they compare only with what a server of the same version wrote.
"""

import hashlib
import re

NAMES = "nsp.nspname = 'public'"
# Objects that come with an extension are not ours.
OURS = """NOT EXISTS (
    SELECT FROM pg_depend AS d WHERE d.objid = {0}.oid AND d.classid = '{1}'::regclass AND d.deptype = 'e')"""

READ = f"""
SELECT 'table ' || c.relname, concat_ws(' ', c.relkind, c.relrowsecurity, c.relforcerowsecurity, r.rolname, c.relacl)
FROM pg_class AS c JOIN pg_namespace AS nsp ON nsp.oid = c.relnamespace JOIN pg_roles AS r ON r.oid = c.relowner
WHERE {NAMES} AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND {OURS.format("c", "pg_class")}
UNION ALL
SELECT 'column ' || c.relname || '.' || a.attname,
       concat_ws(' ', format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attgenerated, a.attidentity, a.attacl,
                 pg_get_expr(d.adbin, d.adrelid))
FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid JOIN pg_namespace AS nsp ON nsp.oid = c.relnamespace
LEFT JOIN pg_attrdef AS d ON d.adrelid = c.oid AND d.adnum = a.attnum
WHERE {NAMES} AND c.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped AND {OURS.format("c", "pg_class")}
UNION ALL
SELECT 'constraint ' || c.relname || '.' || k.conname, concat_ws(' ', pg_get_constraintdef(k.oid), k.convalidated)
FROM pg_constraint AS k JOIN pg_class AS c ON c.oid = k.conrelid JOIN pg_namespace AS nsp ON nsp.oid = c.relnamespace
WHERE {NAMES} AND k.contype <> 'n' AND k.conname NOT LIKE 'ownitem\\_%' -- publishing changes what an own item accepts
UNION ALL
SELECT 'index ' || i.relname, concat_ws(' ', pg_get_indexdef(i.oid), x.indisvalid)
FROM pg_index AS x JOIN pg_class AS i ON i.oid = x.indexrelid JOIN pg_namespace AS nsp ON nsp.oid = i.relnamespace
WHERE {NAMES}
UNION ALL
SELECT 'policy ' || c.relname || '.' || p.polname,
       concat_ws(' | ', p.polcmd, p.polpermissive,
                 (SELECT string_agg(r::regrole::text, ',' ORDER BY r) FROM unnest(p.polroles) AS r),
                 pg_get_expr(p.polqual, p.polrelid), '|', pg_get_expr(p.polwithcheck, p.polrelid))
FROM pg_policy AS p JOIN pg_class AS c ON c.oid = p.polrelid JOIN pg_namespace AS nsp ON nsp.oid = c.relnamespace
WHERE {NAMES}
UNION ALL
SELECT 'trigger ' || c.relname || '.' || t.tgname, concat_ws(' ', pg_get_triggerdef(t.oid), t.tgenabled)
FROM pg_trigger AS t JOIN pg_class AS c ON c.oid = t.tgrelid JOIN pg_namespace AS nsp ON nsp.oid = c.relnamespace
WHERE {NAMES} AND NOT t.tgisinternal
UNION ALL
SELECT 'rule ' || c.relname || '.' || w.rulename, pg_get_ruledef(w.oid)
FROM pg_rewrite AS w JOIN pg_class AS c ON c.oid = w.ev_class JOIN pg_namespace AS nsp ON nsp.oid = c.relnamespace
WHERE {NAMES} AND {OURS.format("c", "pg_class")}
UNION ALL
SELECT 'function ' || p.oid::regprocedure, concat_ws(' ', pg_get_functiondef(p.oid), r.rolname, p.proacl)
FROM pg_proc AS p JOIN pg_namespace AS nsp ON nsp.oid = p.pronamespace JOIN pg_roles AS r ON r.oid = p.proowner
WHERE {NAMES} AND p.prokind IN ('f', 'p') AND {OURS.format("p", "pg_proc")}
UNION ALL
SELECT 'function ' || p.oid::regprocedure, concat_ws(' ', p.prokind, r.rolname, p.proacl)
FROM pg_proc AS p JOIN pg_namespace AS nsp ON nsp.oid = p.pronamespace JOIN pg_roles AS r ON r.oid = p.proowner
WHERE {NAMES} AND p.prokind NOT IN ('f', 'p') AND {OURS.format("p", "pg_proc")}
UNION ALL
SELECT 'operator ' || o.oid::regoperator, o.oprcode::text
FROM pg_operator AS o JOIN pg_namespace AS nsp ON nsp.oid = o.oprnamespace
WHERE {NAMES} AND {OURS.format("o", "pg_operator")}
UNION ALL
-- A table's rows are also those of the tables that inherit from it, which have no triggers of it.
SELECT 'heir ' || i.inhrelid::regclass || ' of ' || c.relname, ''
FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhparent JOIN pg_namespace AS nsp ON nsp.oid = c.relnamespace
WHERE {NAMES} AND c.relkind IN ('r', 'p')
UNION ALL
SELECT 'rights on schema public', nspacl::text FROM pg_namespace WHERE nspname = 'public'
UNION ALL
-- Roles that may do something with patients, and what they are members of.
SELECT 'role ' || r.rolname, concat_ws(' ', r.rolsuper, r.rolbypassrls, r.rolcreaterole, r.rolreplication,
       (SELECT string_agg(m.roleid::regrole::text, ',' ORDER BY m.roleid) FROM pg_auth_members AS m
        WHERE m.member = r.oid))
FROM pg_roles AS r WHERE r.oid IN (
    SELECT acl.grantee FROM pg_class AS c, aclexplode(c.relacl) AS acl
    WHERE c.relname = 'registry_patient' AND c.relnamespace = 'public'::regnamespace)
UNION ALL
-- A table of the same name that is found first would be read instead.
SELECT 'schema ' || nsp.nspname, '' FROM pg_namespace AS nsp
WHERE nsp.nspname <> 'public' AND nsp.nspname !~ '^pg_' AND nsp.nspname <> 'information_schema'
  AND EXISTS (SELECT FROM pg_class AS c JOIN pg_class AS o ON o.relname = c.relname
              WHERE c.relnamespace = nsp.oid AND o.relnamespace = 'public'::regnamespace)
UNION ALL
SELECT 'server', split_part(current_setting('server_version'), '.', 1)
UNION ALL
SELECT 'server', split_part(current_setting('server_version'), '.', 1)
UNION ALL
-- Any role may give itself defaults; other people's roles are their own affair.
SELECT 'setting ' || split_part(one, '=', 1), concat_ws(' ', s.setrole, one)
FROM pg_db_role_setting AS s, unnest(s.setconfig) AS one
WHERE s.setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
  AND (s.setrole = 0 OR s.setrole IN (
      SELECT unnest(ARRAY[acl.grantee, c.relowner]) FROM pg_class AS c, aclexplode(c.relacl) AS acl
      WHERE c.relname = 'registry_patient' AND c.relnamespace = 'public'::regnamespace))
  AND (one LIKE 'app.%'
       OR split_part(one, '=', 1) IN ('search_path', 'session_replication_role', 'row_security', 'role'))
"""


# How PostgreSQL writes a comparison with several texts, as it was made and after it was dumped and restored once.
MADE = re.compile(r"\(ARRAY\[((?:'(?:[^']|'')*'::character varying(?:, )?)+)\]\)::text\[\]")
TEXT = re.compile(r"'(?:[^']|'')*'::character varying")


def held(cursor):
    """{name of an object: the first 16 letters of its definition's SHA-256}, read in the cursor's transaction."""
    cursor.execute("SELECT current_setting('search_path')")
    (before,) = cursor.fetchone()
    cursor.execute("SELECT set_config('search_path', 'pg_catalog', true)")  # so that names are written in full
    cursor.execute(READ)
    objects = {name: _hashed(restored(text or "")) for name, text in cursor.fetchall()}
    objects["reader"] = _hashed(READ)
    cursor.execute("SELECT set_config('search_path', %s, true)", [before])
    return objects


def _hashed(text):
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def restored(definition):
    """A definition as PostgreSQL writes it after a dump was restored."""
    return MADE.sub(lambda made: "ARRAY[" + TEXT.sub(lambda text: f"({text[0]})::text", made[1]) + "]", definition)
