"""The newest events of the audit trail about a site or a person, for their pages."""

from django.db.models import Q

from registry.web.audit.filters import table_in_words
from registry.web.audit.history import act_in_words, lines_of
from registry.web.shared.lookup import names_of
from sites.models import AuditEvent

SHOWN = 10
EMPTY = "–"


def _line(line):
    """“Name: before → after”; of what is new, only what it is."""
    values = [value for value in (line.old, line.new) if value not in ("", EMPTY)]
    return f"{line.label}: {' → '.join(values) or EMPTY}"


def newest(rows):
    """The newest events of the platform about some rows, each as a dict for `people/trail.html`.

    rows  (table, keys) of each table
    """
    wanted = Q()
    for table, keys in rows:
        wanted |= Q(table_name=table, row_id__in=[str(key) for key in keys])
    events = list(AuditEvent.objects.filter(wanted, site_id=None).order_by("-pk")[:SHOWN])
    names = names_of([event.user_id for event in events])
    return [
        {
            "event": event,
            "who": names.get(event.user_id, ""),
            "what": act_in_words(event.action),
            "table": table_in_words(event.table_name),
            "lines": [_line(line) for line in lines_of(event, identifies=False) if line.old != line.new],
        }
        for event in events
    ]
