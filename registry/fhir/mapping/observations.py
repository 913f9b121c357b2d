"""Observation for what is computed of an assessment: totals, classes and states, and HSUV by each value set."""

from registry.fhir.mapping import names
from registry.instruments import catalogue, value_sets
from registry.instruments.base import Bands
from registry.protocol.calculated import calculated

CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"
UCUM = "http://unitsofmeasure.org"
HSUV = "hsuv-"


def derived_values():
    """Name of each derived value of an assessment → (its declaration, its instrument)."""
    return {derived.name: (derived, of) for of in catalogue.current().of_assessment for derived in of.derived}


def codes():
    """FHIR ids of everything that is observed."""
    totals = tuple(names.resource_id(name) for name in derived_values())
    return totals + tuple(map(_code_of, value_sets.ALL))


def _code_of(value_set):
    return HSUV + names.resource_id(value_set.code.lower())


def observation_id(code, patient_id, timepoint):
    """`barthel-total.1m.S07-0012`."""
    return f"{code}.{timepoint}.{names.encoded(patient_id)}"


def parts_of(text):
    """(code, patient ID, timepoint) of an Observation's id; ValueError."""
    code, _, rest = text.partition(".")
    timepoint, _, patient = rest.partition(".")
    if code not in codes() or not timepoint or not patient:
        raise ValueError(text)
    return code, names.decoded(patient), timepoint


def written(row, base):
    """The Observations of one assessment: none of what cannot be computed, because an answer that it needs is missing.

    row  an Assessment: columns of answers and derived values, `eq5d_state`, version, moment
    """
    observations = []
    for name, (derived, instrument) in derived_values().items():
        value = _value(row, derived, instrument)
        if value is not None:
            coding = names.codings(name, derived.label.en)
            observations.append(
                _observation(names.resource_id(name), coding, _shown(derived, value), instrument, row, base)
            )
    eq5d = catalogue.instrument("eq5d5l")
    for value_set in value_sets.ALL if row.eq5d_state is not None else ():
        code = _code_of(value_set)
        display = f"EQ-5D-5L health state utility value, {value_set.label.en}"
        coding = [{"system": names.code_system("hsuv"), "code": value_set.code, "display": display}]
        quantity = {"value": value_set.table()[row.eq5d_state], "unit": "utility", "system": UCUM, "code": "1"}
        observations.append(_observation(code, coding, {"valueQuantity": quantity}, eq5d, row, base))
    return observations


def _value(row, derived, instrument):
    if not instrument.own:
        return getattr(row, derived.name, None)
    return calculated(instrument, row)[derived.name]


def _shown(derived, value):
    if isinstance(derived, Bands):
        label = next(choice.label for choice in derived.choices if choice.code == value)
        coding = {"system": names.code_system(derived.name), "code": value, "display": label.en}
        return {"valueCodeableConcept": {"coding": [coding]}}
    if isinstance(value, int):
        return {"valueInteger": int(value)}
    return {"valueQuantity": {"value": float(value)}} if not isinstance(value, str) else {"valueString": value}


def _observation(code, coding, value, instrument, row, base):
    meta = {"versionId": str(row.version)}
    if row.updated_at is not None:
        meta["lastUpdated"] = row.updated_at.isoformat(timespec="milliseconds")
    answers = names.response_id(instrument, row.patient_id, timepoint=row.timepoint_id)
    resource = {
        "resourceType": "Observation",
        "id": observation_id(code, row.patient_id, row.timepoint_id),
        "meta": meta,
        "extension": [{"url": names.TIMEPOINT, "valueCode": row.timepoint_id}],
        "status": "preliminary" if row.state == "draft" else "final",
        "category": [{"coding": [{"system": CATEGORY, "code": "survey", "display": "Survey"}]}],
        "code": {"coding": coding, "text": coding[0]["display"]},
        "subject": {"reference": f"Patient/{names.encoded(row.patient_id)}"},
        **value,
        "derivedFrom": [{"reference": f"QuestionnaireResponse/{answers}"}],
    }
    if row.assessment_date:
        resource["effectiveDateTime"] = row.assessment_date.isoformat()
    return resource
