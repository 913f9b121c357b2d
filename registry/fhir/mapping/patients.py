"""Patient, without anything that identifies: the registry's number, sex, site, and whether the patient has died."""

from dataclasses import dataclass

from registry.fhir.mapping import elements, names
from registry.fhir.mapping.faults import Fault, InvalidResource
from registry.fhir.mapping.responses import dictionaries, extension_of
from registry.instruments.base import InvalidValue, Label
from registry.instruments.keys import HOSPITAL_NUMBER, SITE_CODE

PSEUDONYMISED = {
    "system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue",
    "code": "PSEUDED",
    "display": "pseudonymized",
}
NOT_ONE = Label("must be a Patient", "Patientではありません")
NO_SITE = Label("needs an identifier of the system {v}", "識別子体系{v}が必要です").format(v=names.SITE_CODE)
NAMES = Label("must not be sent: the registry keeps no names and addresses", "氏名・住所などは受け付けません")
OTHER_SYSTEM = Label(
    "has a system that is not kept: {v} is the hospital's number",
    "受け付けない識別子体系です。病院の患者番号は{v}です。",
).format(v=names.HOSPITAL_NUMBER)
NOT_GIVEN = Label("is given by the registry, not sent", "登録システムが付与する番号のため、送信できません")
IDENTIFYING = ("name", "telecom", "address", "contact", "photo")


def written(patient_id, site_code, values, *, version=None, updated_at=None):
    """The Patient resource. values: sex, vital_status, consent_date as stored."""
    meta = {"security": [PSEUDONYMISED]}
    if version is not None:
        meta["versionId"] = str(version)
    if updated_at is not None:
        meta["lastUpdated"] = updated_at.isoformat(timespec="milliseconds")
    resource = {
        "resourceType": "Patient",
        "id": names.encoded(patient_id),
        "meta": meta,
        "identifier": [{"use": "official", "system": names.PATIENT_ID, "value": patient_id}],
        "active": True,
        "managingOrganization": {"identifier": {"system": names.SITE_CODE, "value": site_code}},
    }
    if values.get("sex"):
        resource["gender"] = values["sex"]
    if values.get("vital_status"):
        resource["deceasedBoolean"] = values["vital_status"] == "dead"
    if values.get("consent_date"):
        resource["extension"] = [{"url": names.CONSENT, "valueDate": values["consent_date"].isoformat()}]
    return resource


@dataclass
class Enrolment:
    """What a Patient says, ready for the service that enrols."""

    site_code: str
    raw: dict
    consented: bool
    hospital_number: str = ""
    another_person: bool = False  # that who is like this at the site is known to be somebody else


def read(resource):
    """The `Enrolment` that a Patient asks for. Raises InvalidResource."""
    if not isinstance(resource, dict) or resource.get("resourceType") != "Patient":
        raise InvalidResource([Fault("Patient", "structure", NOT_ONE)])
    faults = [Fault(f"Patient.{name}", "business-rule", NAMES) for name in IDENTIFYING if name in resource]
    organization = resource.get("managingOrganization")
    identifier = organization.get("identifier") if isinstance(organization, dict) else None
    identifiers = dictionaries([identifier])
    site = next(
        (identifier.get("value") for identifier in identifiers if identifier.get("system") == names.SITE_CODE), None
    )
    if not isinstance(site, str):
        faults.append(Fault("Patient.managingOrganization.identifier", "required", NO_SITE))
    else:
        site = _spelled(SITE_CODE, site, "Patient.managingOrganization.identifier", faults)
    hospital_number = _hospital_number(resource, faults)
    others = {name: value for name, value in resource.items() if name not in IDENTIFYING}
    faults += elements.misplaced(others, elements.PATIENT, "Patient")
    if faults:
        raise InvalidResource(faults)
    consent = extension_of(resource, names.CONSENT, "valueDate")
    raw = {"sex": resource.get("gender"), "birth_date": resource.get("birthDate"), "consent_date": consent}
    texts = {name: value or "" for name, value in raw.items()}
    another_person = extension_of(resource, names.ANOTHER_PERSON, "valueBoolean") is True
    return Enrolment(site, texts, bool(consent), hospital_number, another_person)


def _hospital_number(resource, faults):
    """The hospital's number among the identifiers; any other identifier is a fault, for nothing sent is passed over."""
    given = resource.get("identifier", [])
    if not isinstance(given, list) or not all(isinstance(entry, dict) for entry in given):
        faults.append(Fault("Patient.identifier", "structure", OTHER_SYSTEM))
        return ""
    number = ""
    for place, entry in enumerate(given):
        system, value = entry.get("system"), entry.get("value")
        path = f"Patient.identifier[{place}]"
        if system == names.PATIENT_ID:
            faults.append(Fault(path, "business-rule", NOT_GIVEN))
        elif system != names.HOSPITAL_NUMBER or not isinstance(value, str) or not value.strip() or number:
            faults.append(Fault(path, "not-supported", OTHER_SYSTEM))
        else:
            number = _spelled(HOSPITAL_NUMBER, value, path, faults)
    return number


def _spelled(item, value, path, faults):
    """A value in the one spelling of its item; what it may not be is a fault, which names the character."""
    try:
        return item.clean(value) or ""
    except InvalidValue as error:
        faults.append(Fault(path, "value", error.reason))
        return ""


# Where a fault of an answer is in the resource.
PATHS = {
    "sex": "Patient.gender",
    "birth_date": "Patient.birthDate",
    "consent_date": f"Patient.extension.where(url='{names.CONSENT}')",
}
