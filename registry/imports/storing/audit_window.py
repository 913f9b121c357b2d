"""Where the audit trail tells of an import: what was stored, and what was there before."""


def newest(cursor):
    """The number of the newest event that this transaction sees; 0 for none."""
    cursor.execute("SELECT coalesce(max(id), 0) FROM study_sites_auditevent")
    return cursor.fetchone()[0]


def transaction(cursor):
    """The number of the transaction, as its events have it."""
    cursor.execute("SELECT pg_current_xact_id()::text::bigint")
    return cursor.fetchone()[0]
