"""Row-level security of a table, as SQL. The policies read the scope that `sites.tenancy.scope` sets.

`ARRAY(SELECT …)` makes PostgreSQL evaluate the setting once per statement and use the index. A cast outside of it would
be evaluated for every row that is written (20 s for a million), and an OR on a "sees all" flag would make counts some
80 times slower.
"""


def _ids(setting):
    return f"SELECT unnest(coalesce(nullif(current_setting('{setting}', true), ''), '{{}}')::bigint[])"


def _sites(*settings):
    return f"ANY (ARRAY({' UNION ALL '.join(map(_ids, settings))}))"


READ = _sites("app.read_sites")
WRITE = _sites("app.write_sites")
IDENTIFY = _sites("app.identify_sites")
QUERY = _sites("app.query_sites")
SIGN = _sites("app.sign_sites")
ADJUDICATE = _sites("app.adjudicate_sites")
# Whoever verifies, signs or adjudicates updates a record's row; a trigger keeps them to the columns that this is about.
REVIEW = _sites("app.write_sites", "app.verify_sites", "app.sign_sites", "app.adjudicate_sites")
DISCUSS = _sites("app.write_sites", "app.query_sites")  # queries are answered at the site, raised and closed by others
PERSON = "(SELECT nullif(current_setting('app.user_id', true), '')::bigint)"
ADMINISTERS = "(SELECT current_setting('app.administers', true)) = 'on'"
HOLDER = "(SELECT nullif(current_setting('app.link', true), ''))"  # hash of the patient's link that was opened


def forced(table):
    """Rows exist only by policies, for the table's owner too."""
    return f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;\nALTER TABLE {table} FORCE ROW LEVEL SECURITY;"


def policy(table, name, command="ALL", *, using="", check="", role="PUBLIC"):
    """One policy of `table`, for a role: rows that `using` holds for are seen, and written where `check` holds."""
    using, check = (f" {word} ({condition})" if condition else "" for word, condition in ((
        "USING", using), ("WITH CHECK", check)))  # fmt: skip
    return f"CREATE POLICY {name} ON {table} FOR {command} TO {role}{using}{check};"


def hides_errors(table):
    """Rows of `table` that were entered in error are there for no query, unless its transaction asks for them.

    Restrictive: whatever else lets a row be seen. PostgreSQL asks the setting once, and only where a row has the mark.
    """
    asked = "(SELECT current_setting('app.in_error', true)) = 'on'"
    return (
        f"CREATE POLICY not_in_error ON {table} AS RESTRICTIVE FOR SELECT TO PUBLIC "
        f"USING (in_error IS NULL OR {asked});"
    )


def hides_arms(table, *columns):
    """Rows of `table` that name the arm of the study are not there for whoever must not know it.

    columns  SQL of what may name it, as text
    """
    blind = "(SELECT current_setting('app.blind', true)) = 'on'"
    names = " OR ".join(f"coalesce({column}, '') LIKE '%study\\_arm%'" for column in columns)
    return (
        f"CREATE POLICY arms_hidden ON {table} AS RESTRICTIVE FOR SELECT TO PUBLIC USING (NOT ({blind} AND ({names})));"
    )


def hides_what_tells_arms(table, *columns):
    """Rows of `table` that name an item which tells of the arm are not there for whoever must not know it.

    columns  SQL of the JSON, as text, that may name it; the names are those of the transaction's `app.hidden`
    """
    names = "(SELECT nullif(current_setting('app.hidden', true), ''))"
    tells = " OR ".join(f"""coalesce({column}, '') ~ ('"(' || {names} || ')[":]')""" for column in columns)
    return (
        f"CREATE POLICY arms_not_told ON {table} AS RESTRICTIVE FOR SELECT TO PUBLIC "
        f"USING ({names} IS NULL OR NOT ({tells}));"
    )


def of_the_registry(table):
    """Rows of `table` are of no site, for everybody whom the application lets read them."""
    return [forced(table), policy(table, "everybody", using="true", check="true")]


def by_site(table, *, read=READ, write=WRITE, update=None):
    """Rows of `table` exist only for sites in scope; they are updated in the scope of `update` where it is another."""
    updated = f"site_id = {update or write}"
    return [
        forced(table),
        policy(table, "read_in_scope", "SELECT", using=f"site_id = {read}"),
        policy(table, "insert_in_scope", "INSERT", check=f"site_id = {write}"),
        policy(table, "update_in_scope", "UPDATE", using=updated, check=updated),
        policy(table, "delete_in_scope", "DELETE", using=f"site_id = {write}"),
    ]


def never_deleted(table, *, insert, update=None, read=READ):
    """As `by_site`, for a table of which no row is ever deleted, nor updated without `update`.

    Rows go only with the patient that they belong to, by the database's own cascade.
    """
    return [
        forced(table),
        policy(table, "read_in_scope", "SELECT", using=f"site_id = {read}"),
        policy(table, "insert_in_scope", "INSERT", check=insert),
        *([policy(table, "update_in_scope", "UPDATE", using=update, check=update)] if update else []),
    ]


def own_rows(table, *, owner):
    """Rows of `table` exist for their owner alone, at sites where that person enters data.

    owner  column with the person's id
    The system, which acts for no person, reaches the rows of the sites in its scope: to forget what is old.
    """
    person = "current_setting('app.user_id', true)"
    theirs = f"site_id = {WRITE} AND ({owner} = {PERSON} OR (SELECT coalesce({person}, '') = ''))"
    return [
        forced(table),
        policy(table, "read_in_scope", "SELECT", using=theirs),
        policy(table, "insert_in_scope", "INSERT", check=theirs),
        policy(table, "update_in_scope", "UPDATE", using=theirs, check=theirs),
        policy(table, "delete_in_scope", "DELETE", using=theirs),
    ]
