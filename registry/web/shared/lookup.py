"""Finding what a page is about. Another site's record does not exist: 404, never 403."""

from uuid import UUID

from django.http import Http404

from registry.instruments.patient_forms import FINISHED_FORMS, PATIENT_FORMS
from registry.instruments.timepoints import unscheduled, unscheduled_number
from registry.models import Assessment, Patient, State
from registry.models.records.clinical import records_of
from registry.services.follow_up import schedule
from sites.models import User
from sites.tenancy.access import Can

COUNTED = 10_000  # a list is counted up to here: nobody reads further, and counting a million rows takes seconds


def number_in(text, digits=17):
    """The whole number that an address or a field says; None for anything else, and for one too long for any id."""
    return int(text) if text and text.isascii() and text.isdecimal() and len(text) <= digits else None


def uuid_in(text):
    """The UUID that an address or a field says; None for anything else."""
    try:
        return UUID(text or "")
    except ValueError:
        return None


def page_in(text, last):
    """The number of a list's page that an address says, from 1 to `last`."""
    return min(max(number_in(text, 8) or 1, 1), last)


def counted(rows):
    """How many rows a list has, counted to one more than COUNTED."""
    return rows.order_by()[: COUNTED + 1].count()


def last_page(count, size):
    """The last page of `size` rows of a list that was `counted`; the first where it is empty."""
    return max(1, -(-min(count, COUNTED) // size))


def patient_of(request, patient_id, names=None):
    """The patient in the address; Http404 for one that the person may not see. `names` as of `one_visible_to`."""
    try:
        return Patient.objects.one_visible_to(request.access, patient_id, names)
    except Patient.DoesNotExist:
        raise Http404 from None


def identifying_patient_of(request, patient_id):
    """The patient, for the site's own people; Http404 for anyone else, as the identifiers do not exist for them."""
    patient = patient_of(request, patient_id)
    if not request.access.may(Can.IDENTIFY, patient.site_id):
        raise Http404
    return patient


def assessments_of(patient):
    """Timepoint code to `Assessment`."""
    return {record.timepoint_id: record for record in records_of(Assessment, patient)}


def visit_label(patient, timepoint, plan):
    """The `Label` of an assessment that the patient may have: planned, recorded or the next unscheduled; or Http404."""
    if planned := next((visit.label for visit in plan if visit.code == timepoint), None):
        return planned
    recorded = assessments_of(patient)
    if timepoint in recorded:
        return schedule.labels()[timepoint]
    if timepoint != schedule.next_unscheduled(recorded):
        raise Http404
    return unscheduled(unscheduled_number(timepoint)).label


def names_of(user_ids):
    """Person's id to name, for the ids that are not None."""
    return dict(User.objects.filter(pk__in={user_id for user_id in user_ids if user_id}).values_list("pk", "name"))


# Of a patient's hundred columns those by which `form_state` knows the state of what is finished and signed.
TELLING_OF_FORMS = (
    "missing",
    *dict.fromkeys(form.state_column for form in FINISHED_FORMS.values()),
    *dict.fromkeys(item.name for form in FINISHED_FORMS.values() for item in form.first_items),
)


def form_state(patient, form):
    """The state of one of a patient's own forms; `empty` for a draft in which nothing was answered yet."""
    column = PATIENT_FORMS[form].state_column
    if column is not None and getattr(patient, column) != State.DRAFT:
        return getattr(patient, column)
    names = [item.name for item in PATIENT_FORMS[form].first_items]
    begun = any(getattr(patient, name) is not None or name in patient.missing for name in names)
    if column is None:
        return "complete" if begun else "empty"
    return "draft" if begun else "empty"
