"""What lies on top of a form's own state: an open query. The one place where lists, grid and start page ask.

A form is named by `baseline`, `surgery`, `follow_up` or the code of a timepoint.
"""

# Nothing raises queries yet: each function says so, in the shape in which it will say more.


def open_queries(patient_ids):
    """(patient id, form) of every form with an open query, for some patients. At most one query."""
    return frozenset()


def open_query_sql(form=""):
    """SQL: whether the patient `p` has an open query, on one form or on any; `u` is any unscheduled visit."""
    return "false"


HAS_QUERIES = False  # whether the registry has queries at all: the start page then has a column of them


def open_queries_by_site(site_ids):
    """Site id to its open queries."""
    return {}


def queries_to_answer(site_ids, limit):
    """The oldest open queries that wait for a site's answer: mappings with `patient_id`, `form`, `text`, `at`."""
    return []
