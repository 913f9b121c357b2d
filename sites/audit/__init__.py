"""Acts that are not changes of a row: sign-ins, exports, views of identifiers."""

import json
from typing import Any

from django.db import connection


def record(action: Any, *, site_id: Any = None, table: str = "", row_id: Any = "", detail: Any = None) -> None:
    """Append one act to the audit trail, by whom and in which request the scope says.

    `detail` must hold no identifiers and no clinical values: only what was done, such as a count or a file name.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT audit_act(%s, %s, %s, %s, %s)", [action, site_id, table, str(row_id), json.dumps(detail or {})]
        )


def record_for_sites(action: Any, site_ids: Any, *, detail: Any = None, **about: Any) -> None:
    """As `record`, of an act on the data of some sites: an event for each, so that its own people see it.

    An act on several has another of no site, which administrators see; numbers over all of them stand there alone.
    """
    sites, detail = sorted(set(site_ids)), detail or {}
    if len(sites) == 1:
        record(action, site_id=sites[0], detail=detail, **about)
        return
    sites_detail = {name: value for name, value in detail.items() if isinstance(value, (bool, str))} | {
        "sites": len(sites)
    }
    for site_id in sites:
        record(action, site_id=site_id, detail=sites_detail, **about)
    record(action, detail=detail, **about)
