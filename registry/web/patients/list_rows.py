"""Lines of the list of patients and of the identification log as HTML, put together in Python: a template takes several
times longer.
"""

from django.urls import reverse

from registry.instruments import catalogue
from registry.instruments.keys import LOCAL_NUMBERS
from registry.models import Patient
from registry.web.shared import cells, wording
from registry.web.shared.cells import escape
from registry.web.shared.lookup import TELLING_OF_FORMS
from sites.database.fast_rows import rows_of

# Of a patient's hundred columns those that a line shows, or that tell the states of their forms.
COLUMNS = (
    "patient_id",
    "site_id",
    "sex",
    "age_at_surgery",
    "primary_tumour",
    "lesion_levels",
    "segment_group",
    "segment_adjudicated",
    "surgery_date",
    "vital_status",
    "death_date",
    *TELLING_OF_FORMS,
)


def patients(numbers):
    """What a line shows of each of some patients, in the order of their numbers given. One query."""
    by_number = {
        row.patient_id: row for row in rows_of(Patient).only(COLUMNS).where("patient_id = ANY (%s)", [numbers])
    }
    return [by_number[number] for number in numbers if number in by_number]


class Lines:
    """Lines of a page of the list. Whatever is no number is escaped, and what many have in common is worded once.

    sites       those whose patients stand in the list, where it says of which each is
    identified  patient's number to what stands beside it
    """

    def __init__(self, sites, identified):
        self.sites = {site.pk: (escape(wording.site_name(site)), escape(site.code)) for site in sites}
        self.identified = identified
        self.address = reverse("patients")
        self.segments, self.worded = {}, wording.Worded(escape)

    def line(self, patient, states):
        """`states`: the cells of the forms."""
        number = escape(patient.patient_id)
        site = self.sites.get(patient.site_id)
        age = wording.NOTHING if patient.age_at_surgery is None else patient.age_at_surgery
        return (
            f'<tr data-href><th scope="row" class="pinned"><a href="{self.address}{number}/">{number}</a>'
            f"{cells.beside(self.identified, patient.patient_id)}</th>"
            + (f'<td title="{site[0]}">{site[1]}</td>' if site else "")
            + f'<td class="wide-only">{self._answer(patient, "sex")}</td><td class="number wide-only">{age}</td>'
            f"<td>{self._answer(patient, 'primary_tumour')}</td>"
            f'<td class="nowrap">{self._answer(patient, "lesion_levels")}</td>'
            f'<td class="fit wide-only">{self._segment(patient)}</td>'
            f'<td class="nowrap">{escape(wording.day(patient.surgery_date))}</td>'
            f"{states}<td>{self._answer(patient, 'vital_status')}</td></tr>\n"
        )

    def _answer(self, patient, name):
        return self.worded(catalogue.item(name), getattr(patient, name))

    def _segment(self, patient):
        key = bool(patient.lesion_levels), patient.segment_adjudicated, patient.segment_group
        if key not in self.segments:
            self.segments[key] = escape(wording.segment_of(patient))
        return self.segments[key]


LOG = ("patient_id", "sex", "consent_date", "surgery_date")


def of_log(site_id, limit, offset):
    """What the identification log says of a site's patients in the order of their numbers; limit: None for all."""
    rows = rows_of(Patient).only(LOG)
    return rows.where("site_id = %s ORDER BY patient_id LIMIT %s OFFSET %s", [site_id, limit, offset])


def identification_log(lines, identifiers):
    """Rows of the log. identifiers: patient's number to {field: plain value}, of those whose identifiers are there."""
    worded, sex = wording.Worded(escape), catalogue.item("sex")
    return cells.joined(_log_row(line, identifiers.get(line.patient_id, {}), worded(sex, line.sex)) for line in lines)


def _log_row(line, known, sex):
    days = (known.get("birth_date"), line.consent_date, line.surgery_date)
    born, consent, surgery = (f'<td class="nowrap">{escape(wording.day(date))}</td>' for date in days)
    number, initials = (escape(known.get(name) or wording.NOTHING) for name in LOCAL_NUMBERS)
    return (
        f'<tr><th scope="row" class="code nowrap">{escape(line.patient_id)}</th><td class="code">{number}</td>'
        f"<td>{initials}</td>{born}<td>{sex}</td>{consent}{surgery}</tr>\n"
    )
