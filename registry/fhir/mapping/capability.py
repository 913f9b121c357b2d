"""What this FHIR server can do, as it says itself."""

from registry.fhir.mapping import names

READ_WRITE = ("read", "search-type", "create", "update")
UPDATED = ("_lastUpdated", "date")
ABOUT_ONE = (("patient", "reference"), ("subject", "reference"), UPDATED)
RESOURCES = {
    "Patient": (
        ("read", "search-type", "create"),
        (("identifier", "token"), ("_id", "token"), ("gender", "token"), UPDATED),
    ),
    "Questionnaire": (("read", "search-type"), (("_id", "token"), ("url", "uri"))),
    "QuestionnaireResponse": (READ_WRITE, (*ABOUT_ONE, ("questionnaire", "reference"))),
    "Observation": (("read", "search-type"), (*ABOUT_ONE, ("code", "token"))),
}
INCLUDES = {kind: [f"{kind}:patient", f"{kind}:subject"] for kind in ("QuestionnaireResponse", "Observation")}
EVERYTHING = {"name": "everything", "definition": "http://hl7.org/fhir/OperationDefinition/Patient-everything"}


def statement(base, version, day):
    """The CapabilityStatement. day: a date, since which it is so."""
    return {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": day.isoformat(),
        "kind": "instance",
        "software": {"name": "Metaspine", "version": version},
        "implementation": {"description": "Metaspine registry", "url": base},
        "fhirVersion": names.VERSION,
        "format": ["application/fhir+json"],
        "rest": [
            {
                "mode": "server",
                "documentation": "Pseudonymous: no names, no dates of birth, no free text are read out. "
                "What is written goes by the registry's own rules.",
                "resource": [
                    {
                        "type": name,
                        "interaction": [{"code": interaction} for interaction in interactions],
                        "versioning": "versioned-update" if "update" in interactions else "no-version",
                        "readHistory": False,
                        "updateCreate": False,
                        "conditionalCreate": name == "Patient",
                        "searchParam": [{"name": parameter, "type": kind} for parameter, kind in parameters],
                        **({"searchInclude": INCLUDES[name]} if name in INCLUDES else {}),
                        **({"operation": [EVERYTHING]} if name == "Patient" else {}),
                    }
                    for name, (interactions, parameters) in RESOURCES.items()
                ],
                "interaction": [{"code": "transaction"}, {"code": "batch"}],
            }
        ],
    }
