"""What stands above every page about a patient."""

from django.utils.translation import gettext as _

from registry.instruments import catalogue
from registry.services.current_protocol import ARM
from registry.web.shared import wording


def in_words(patient, name):
    return wording.shown(catalogue.item(name), getattr(patient, name))


def facts(patient):
    """The lines of the header of every page about a patient: (label, value, note)."""
    rule = _("adjudicated") if patient.segment_adjudicated else _("by rule")
    vital = in_words(patient, "vital_status")
    if patient.death_date:
        vital = f"{vital}, {wording.shown(catalogue.item('death_date'), patient.death_date)}"
    return [
        (
            _("Site"),
            patient.site.code,
            wording.site_name(patient.site),
        ),
        (_("Sex"), in_words(patient, "sex"), ""),
        (_("Age at surgery"), patient.age_at_surgery if patient.age_at_surgery is not None else "–", ""),
        (_("Primary tumour"), in_words(patient, "primary_tumour"), ""),
        (_("Levels"), in_words(patient, "lesion_levels"), ""),
        (
            _("Segment group"),
            wording.segment_of(patient),
            rule if patient.lesion_levels else "",
        ),
        (_("Surgery"), in_words(patient, "surgery_date"), in_words(patient, "procedure") if patient.procedure else ""),
        (_("Vital status"), vital, ""),
        *_arm(patient),
    ]


def _arm(patient):
    """The arm of the study that the patient is assigned to; nothing for whoever must not know it."""
    try:
        item = catalogue.item(ARM)
    except KeyError:
        return []
    arm = getattr(patient, ARM, None)
    return [(_("Study arm"), wording.shown(item, arm) if arm else "–", "")]
