"""All guards as SQL, in the order in which they are made, and the hash that says whether a database has these."""

import hashlib
import re
from functools import cache
from pathlib import Path

from registry.guards import catalogue, rights, tables
from sites.audit import sealing

FUNCTIONS = (
    "scope",
    "audit",
    "seals",
    "records",
    "queries",
    "signatures",
    "kept",
    "patient_links",
    "erasure",
    "in_error",
    "moves",
    "protocol",
    "participation",
)
# What the SQL of several functions shares. One event as text that depends on no setting of the session:
EVENT = """jsonb_build_array(e.id, extract(epoch FROM e.at), e.site_id, e.table_name, e.row_id,
    e.action, e.user_id, e.request_id, e.reason, e.transaction_id, e.old, e.new)::text"""
# What a seal's hash covers beside the content of its events:
HEAD = """jsonb_build_array(s.number, encode(s.previous, 'hex'), s.ids::text, s.last_id, s.settled_id, s.snapshot,
    s.ceiling, s.events, extract(epoch FROM s.first_at), extract(epoch FROM s.last_at),
    extract(epoch FROM s.made_at))::text"""
# The ranges of a multirange as `r (first, beyond)`. Taken apart here and not in the condition: with row-level security
# PostgreSQL uses an index only for conditions that cannot leak, and lower() and upper() are not known not to.
RANGES = """(
        SELECT coalesce(lower(one), -9223372036854775808) AS first, coalesce(upper(one), 9223372036854775807) AS beyond
        FROM unnest({0}) AS one OFFSET 0
    ) AS r"""
# The events of a range `r` of ids. OFFSET keeps the planner from one join of all with all.
EVENTS_OF_RANGE = """LATERAL (
        SELECT * FROM study_sites_auditevent WHERE id >= r.first AND id < r.beyond ORDER BY id OFFSET 0
    ) AS e"""


@cache
def functions():
    """The SQL of every function, but for the hashes of the keys that may seal."""
    folder = Path(__file__).parent / "sql"
    whole = "\n".join((folder / f"{name}.sql").read_text() for name in FUNCTIONS)
    whole = re.sub(r"@RANGES_OF\((.+?)\)@", lambda match: RANGES.format(match[1]), whole, flags=re.DOTALL)
    for name, text in {"@EVENT@": EVENT, "@HEAD@": HEAD, "@EVENTS_OF_RANGE@": EVENTS_OF_RANGE}.items():
        whole = whole.replace(name, text)
    return whole


def script(role):
    """The SQL that makes every guard in a database without any. `role` is the application's, None where it owns all."""
    sealers = ",".join(hashlib.sha256(token).hexdigest() for token in sealing.tokens())
    return _whole(role).replace("@TOKENS@", sealers)


@cache
def _whole(role):
    return "\n".join([functions(), *tables.EVERYTHING, rights.WITHHELD_FROM_ALL, *rights.granted(role)])


@cache
def digest():
    """SHA-256 of the script and of how a database is read, in hexadecimal.

    The same whatever the application's role and the deployment's keys are.
    """
    return hashlib.sha256((_whole("application") + catalogue.READ).encode()).hexdigest()
