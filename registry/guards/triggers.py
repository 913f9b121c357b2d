"""Triggers of a table, as SQL."""

from registry.models.records.clinical import Record


def trigger(table, name, when, function, *arguments, rows=True, having="", among=""):
    """A trigger of `table` that calls `function`.

    when    such as "BEFORE UPDATE"
    rows    fires for each row, otherwise once a statement
    having  condition on OLD and NEW
    among   such as "NEW TABLE AS added": the statement's rows
    """
    texts = ", ".join("'" + argument.replace("'", "''") + "'" for argument in arguments)
    return (
        f"CREATE TRIGGER {name} {when} ON {table} {f'REFERENCING {among} ' if among else ''}"
        f"FOR EACH {'ROW' if rows else 'STATEMENT'} {f'WHEN ({having}) ' if having else ''}"
        f"EXECUTE FUNCTION {function}({texts});"
    )


def audited(table, *, key="id", site="site_id", without=()):
    """Every insert, update and delete of `table` is recorded.

    key      column that names the row in the trail
    site     column with the row's site; empty where a row belongs to the platform
    without  columns never written to the trail; a name after `*` is recorded as changed, without its values
    """
    # Statement level for insert and delete is what keeps bulk loads fast; statement level for update is quadratic.
    about = (key, site, *without)
    return [
        trigger(table, "audit_insert", "AFTER INSERT", "audit_rows", *about, rows=False, among="NEW TABLE AS changed"),
        trigger(table, "audit_delete", "AFTER DELETE", "audit_rows", *about, rows=False, among="OLD TABLE AS changed"),
        trigger(table, "audit_update", "AFTER UPDATE", "audit_update", *about, having="OLD IS DISTINCT FROM NEW"),
    ]


def record(table, state_columns, **forms):
    """The life of a clinical record's forms: who stored it, what a signed or completed form lets change.

    state_columns  the states of the forms in this row
    forms          a state column to the items of its form
    """
    stored = [text for state, items in forms.items() for text in (state, ",".join(item.name for item in items))]
    begins = " OR ".join(
        [f"NEW.{state} IN ('verified', 'locked')" for state in state_columns] + ["NEW.verified <> '{}'"]
    )
    if table == "registry_patient":
        begins += " OR NEW.segment_adjudicated IS NOT NULL"
    locked = " OR ".join(f"OLD.{state} = 'locked'" for state in state_columns)
    # Statements that know of them stamp their rows themselves.
    unstamped = " OR ".join(f"NEW.{column} IS DISTINCT FROM {sql}" for column, sql in Record.STAMPS.items())
    return [
        trigger(table, "record_stored", "BEFORE UPDATE", "record_stored", *stored),
        trigger(table, "record_stamped", "BEFORE INSERT", "stamp_row", having=unstamped),
        trigger(table, "record_begins", "BEFORE INSERT", "record_begins", having=begins),
        trigger(table, "refuse_signed", "BEFORE DELETE", "refuse_signed", having=locked),
    ]
