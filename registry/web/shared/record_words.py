"""What forms and their items are called, and where a form is: in the reader's language, for every page."""

from registry.instruments import catalogue
from registry.instruments.patient_forms import PATIENT_FORMS
from registry.models import QueryForm
from registry.services.follow_up import schedule
from registry.services.row_addresses import address_of
from registry.web.shared import wording


def assessment_url(patient_id, timepoint):
    return address_of("assessment", patient_id, timepoint)


def form_label(form, visit_labels):
    """What a form is called. `visit_labels` maps timepoints to labels."""
    if form.kind == QueryForm.ASSESSMENT:
        return visit_labels.get(form.timepoint, form.timepoint)
    if form.kind == QueryForm.OWN_RECORD and form.own:
        return own_label(form)
    return str(QueryForm(form.kind).label)


def own_label(form):
    """What a record of a repeating form is called: the form, and the number that tells it from the others."""
    title = wording.words(catalogue.instrument(form.own).title)
    return f"{title} {form.record}" if form.record else title


def form_url(patient_id, form):
    if form.kind in PATIENT_FORMS:
        return address_of(f"patient_{form.kind}", patient_id)
    if form.kind == QueryForm.ASSESSMENT:
        return assessment_url(patient_id, form.timepoint)
    if form.own is not None and form.record is None:
        return address_of("own_record_new", patient_id, form.own)
    if form.kind == QueryForm.OWN_RECORD:
        return address_of("own_record", patient_id, form.own, form.record)
    return address_of("adverse_event", patient_id, form.event)


def item_label(name):
    """What an item is called, with its instrument where that says more; nothing for the form as a whole."""
    if not name:
        return ""
    try:
        item = catalogue.item(name)
    except KeyError:
        return name
    label = wording.words(item.label)
    try:
        instrument = catalogue.instrument_of(name)
    except KeyError:
        return label
    return f"{wording.words(instrument.title)}: {label}" if instrument.derived else label


def visit_labels():
    return {code: wording.words(label) for code, label in schedule.labels().items()}
