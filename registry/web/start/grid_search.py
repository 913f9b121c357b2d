"""Which patients the grid shows: those whom its filters let through, in the order of their numbers.

What a search by state reads does not hang on how many patients there are. Recorded states that may be rare among a
million forms are read from indexes of these states, a page's worth of each site. What the schedule says of a visit
without a form is asked of those alone whose date of surgery lets it be so; where they are many, the next of them are
soon met in the order of numbers.
"""

from functools import cache, cached_property

from django.db import connection

from registry.instruments.patient_forms import FINISHED_FORMS, PATIENT_FORMS
from registry.models import State
from registry.services.follow_up import visits
from registry.services.review import form_states
from registry.web.shared.lookup import COUNTED

UNSCHEDULED = form_states.UNSCHEDULED  # the column of the visits outside a patient's plan
PLANNED_STATES = ("due", "overdue", "missed")  # what only the schedule says
INDEXED_STATES = (State.DRAFT, State.VERIFIED, State.LOCKED)  # those of the partial indexes by state
IN_STATE = 1_000  # a search by state counts and looks at so many patients: each takes an index or two


class Search:
    """Numbers of the patients that the filters let through, in order. Everything typed goes in as a parameter."""

    def __init__(self, sites, plans, today, query, chosen, due, by_identifier):
        wanted = [site.pk for site in sites if chosen.get("site") in (None, site.code)]
        self.plans, self.today, self.conditions = plans, today, []
        self.form, self.state = chosen.get("form", ""), chosen.get("state", "")
        self.parameters = {"sites": wanted, "site": wanted[0] if wanted else 0, "form": self.form}
        # Of one site the rows come in order from the index; of several, from the primary key's.
        self.of_sites = "p.site_id = %(site)s" if len(wanted) == 1 else "p.site_id = ANY (%(sites)s)"
        self.indexed = self.state in INDEXED_STATES
        waiting = self.state if self.state in PLANNED_STATES else "awaited" if due and not self.state else ""
        self.spans = self._spans(waiting) if waiting else None  # dates of surgery that are searched; None for any
        self.counted = IN_STATE if self.state or due else COUNTED  # how far rows are counted
        if query:
            self.parameters |= {"like": f"%{_unmeant(query)}%", "by_identifier": by_identifier}
            self.conditions.append("(p.patient_id ILIKE %(like)s OR p.patient_id = ANY (%(by_identifier)s))")
        if self.state and not self.indexed:
            self.conditions.append(f"({self._in_state(self.state)})")
        elif self.form == UNSCHEDULED and not self.state:
            self.conditions.append(self._recorded("true"))
        if due:
            self.conditions.append(self._waiting("awaited"))

    def page(self, after, size):
        """(the next numbers after `after`, at most `size`; whether there are more)."""
        if self.indexed:
            patient_ids = self._indexed_page(after, size + 1)
        elif self.spans is not None and self._operated_within[1]:
            patient_ids = [patient_id for patient_id in self._operated_within[0] if patient_id > after][: size + 1]
        else:
            following = "AND p.patient_id > %(after)s" if after else ""
            patient_ids = self._numbers(
                f"SELECT p.patient_id FROM registry_patient AS p {self._ends} "
                f"WHERE {self._all(self.of_sites)} {following} ORDER BY p.patient_id LIMIT {size + 1}",
                after=after,
            )
        return patient_ids[:size], len(patient_ids) > size

    def count(self):
        """(how many there are at least, whether there may be more): counted to `counted`."""
        if self.spans is not None:
            patient_ids, all_of_them = self._operated_within
            return len(patient_ids), not all_of_them
        if self.indexed:
            parts = self._in_index("ANY (%(sites)s)", "", self.counted + 1)
            rows = " UNION ".join(f"(SELECT r.patient_id FROM ({part}) AS r)" for part in parts)
        else:
            rows = f"SELECT FROM registry_patient AS p {self._ends} WHERE {self._all(self.of_sites)}"
        (count,) = self._numbers(
            f"SELECT count(*) FROM (SELECT FROM ({rows}) AS r LIMIT {self.counted + 1}) AS counted"
        )
        return min(count, self.counted), count > self.counted

    # -- Patients in order -----------------------------------------------------------------------------------------

    @property
    def _ends(self):
        return visits.ENDS if any("e.end_date" in condition for condition in self.conditions) else ""

    def _all(self, *conditions):
        return " AND ".join([*conditions, *self.conditions])

    def _numbers(self, sql, **parameters):
        with connection.cursor() as cursor:
            cursor.execute(sql, self.parameters | parameters)
            return [number for (number,) in cursor.fetchall()]

    def _in_state(self, state):
        """SQL: whether a form of the patient is in a state by what only the patient's other rows tell."""
        if state == "query":
            return form_states.open_query_sql(self.form)
        if state in PLANNED_STATES:
            return self._waiting(state)
        own = [_own_in_state(form, state) for form in FINISHED_FORMS if self.form in ("", form)]
        if self.form not in FINISHED_FORMS:
            own.append(self._recorded(f"a.state = '{State(state)}'"))
        return " OR ".join(own)

    @property
    def _of_form(self):
        if self.form == UNSCHEDULED:
            return "a.timepoint_id LIKE 'u%%'"
        return "a.timepoint_id = %(form)s" if self.form else "true"

    def _recorded(self, condition):
        return (
            f"EXISTS (SELECT FROM registry_assessment AS a WHERE a.site_id = p.site_id "
            f"AND a.patient_id = p.patient_id AND {self._of_form} AND {condition})"
        )

    # -- States of visits without a form ---------------------------------------------------------------------------

    def _waiting(self, state):
        of_form = "v.code = %(form)s" if self.form and self.form not in (*FINISHED_FORMS, UNSCHEDULED) else "true"
        return (
            f"EXISTS (SELECT FROM {visits.visits_sql(self.plans, self.today)} WHERE {visits.PLANNED} "
            f"AND {visits.when(state)} AND {of_form} AND {visits.OPEN} AND {visits.NOT_RECORDED} "
            "OFFSET 0)"  # asked of one patient after the other: joined, it would be answered for all of them first
        )

    def _spans(self, state):
        if self.form in (*FINISHED_FORMS, UNSCHEDULED):
            if state in PLANNED_STATES:  # no form of the plan
                return []
            return visits.surgery_spans(self.plans, self.today, state)
        return visits.surgery_spans(self.plans, self.today, state, self.form)

    @cached_property
    def _operated_within(self):
        """(numbers of those who match among the first IN_STATE of the spans, in order; whether these are all)."""
        if not self.spans:
            return [], True
        spans = ", ".join(f"(date '{first}', date '{last}')" for first, last in self.spans)
        looked_at = (
            f"SELECT p.* FROM (VALUES {spans}) AS span (first, last) CROSS JOIN LATERAL ("
            "SELECT patient_id, site_id, surgery_date, vital_status, death_date "
            "FROM registry_patient AS p WHERE p.surgery_date >= span.first AND p.surgery_date <= span.last "
            f"AND {self.of_sites} OFFSET 0) AS p LIMIT {IN_STATE + 1}"
        )
        with connection.cursor() as cursor:
            cursor.execute(
                f"WITH p AS MATERIALIZED ({looked_at}) SELECT count(*), array(SELECT p.patient_id FROM p {self._ends} "
                f"WHERE {self._all()} ORDER BY p.patient_id) FROM p",
                self.parameters,
            )
            looked_at, patient_ids = cursor.fetchone()
        return patient_ids, looked_at <= IN_STATE

    # -- States that have an index ---------------------------------------------------------------------------------

    def _indexed_page(self, after, size):
        """The next numbers, read site by site: those of one mostly come before those of the next."""
        following = "AND {row}.patient_id > %(after)s" if after else ""
        first = "SELECT min(p.patient_id) FROM registry_patient AS p WHERE p.site_id = s.site_id AND p.patient_id > %s"
        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT * FROM (SELECT ({first}) AS first, s.site_id FROM unnest(%s::bigint[]) AS s (site_id)) AS r "
                "WHERE first IS NOT NULL ORDER BY first",
                [after, self.parameters["sites"]],
            )
            left = cursor.fetchall()
        parts = " UNION ALL ".join(f"({part})" for part in self._in_index("s.site_id", following, size))
        sql = (
            "SELECT DISTINCT r.patient_id FROM unnest(%(part)s::bigint[]) AS s (site_id) "
            f"CROSS JOIN LATERAL ({parts}) AS r ORDER BY r.patient_id LIMIT {size}"
        )
        patient_ids, sites = [], 1
        while left and not (len(patient_ids) == size and patient_ids[-1] < left[0][0]):
            part, left, sites = [site for _first, site in left[:sites]], left[sites:], 4 * sites
            patient_ids = sorted(patient_ids + self._numbers(sql, part=part, after=after))[:size]
        return patient_ids

    def _in_index(self, site, following, limit):
        """SQL of (site, number) for each kind of form: its first `limit` patients with one in the state, in order."""
        own = f"registry_patient AS p {self._ends}"
        parts = [("p", own, _own_in_state(form, self.state)) for form in FINISHED_FORMS if self.form in ("", form)]
        if self.form not in FINISHED_FORMS:
            of_patient = (
                f"JOIN registry_patient AS p USING (site_id, patient_id) {self._ends}" if self.conditions else ""
            )
            others = f"registry_assessment AS a {of_patient}"
            parts.append(("a", others, f"a.state = '{State(self.state)}' AND {self._of_form}"))
        return [
            f"SELECT DISTINCT {row}.site_id, {row}.patient_id FROM {rows} "
            f"WHERE {self._all(f'{row}.site_id = {site}', condition)} {following.format(row=row)} "
            f"ORDER BY {row}.site_id, {row}.patient_id LIMIT {limit}"
            for row, rows, condition in parts
        ]


def _unmeant(query):
    """What was typed with its wildcards taken literally."""
    return query.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


@cache
def _own_in_state(form, state):
    """SQL: one of the patient's own forms is in a state, written out: an index of some states is none for a parameter.

    A draft in which nothing was answered is not begun.
    """
    in_state = f"p.{PATIENT_FORMS[form].state_column} = '{State(state)}'"
    if state != State.DRAFT:
        return in_state
    names = [item.name for item in PATIENT_FORMS[form].first_items if not item.identifying]
    begun = " OR ".join(f"p.{name} IS NOT NULL" for name in names)
    keys = ", ".join(f"'{name}'" for name in names)
    return f"({in_state} AND ({begun} OR p.missing ?| ARRAY[{keys}]))"
