"""Hospital numbers and initials beside patients' numbers, where a person of the site asked for them in this session."""

from registry.services.entry import known_patients
from sites.tenancy.access import Can

SWITCH = "identifiers_shown"


def is_shown(request):
    """Whether lists show identifiers: to who may see them, once they asked for it in this session."""
    return bool(request.session.get(SWITCH)) and request.access.may(Can.IDENTIFY)


def beside(request, patient_ids):
    """Patient's number to what stands beside it, where the switch is on: “4711 · Q.N.”; {} where it is off."""
    if not is_shown(request):
        return {}
    identifiers = known_patients.identifiers_of(request.access, set(patient_ids))
    texts = {
        pk: " · ".join(filter(None, (identifier["hospital_number"], identifier["initials"])))
        for pk, identifier in identifiers.items()
    }
    return {pk: text for pk, text in texts.items() if text}


def search(request, text):
    """Numbers of the patients whose hospital number or initials are `text`; [] where the switch is off."""
    return known_patients.search(request.access, text) if text and is_shown(request) else []
