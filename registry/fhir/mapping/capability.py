"""What this FHIR server can do, as it says itself."""

from registry.fhir.mapping import names

READ_WRITE = ("read", "search-type", "create", "update")
RESOURCES = {
    "Patient": (("read", "search-type", "create"), (("identifier", "token"), ("_id", "token"))),
    "Questionnaire": (("read", "search-type"), (("_id", "token"), ("url", "uri"))),
    "QuestionnaireResponse": (READ_WRITE, (("patient", "reference"), ("subject", "reference"),
                                           ("questionnaire", "reference"))),
}  # fmt: skip


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
                        "searchParam": [{"name": name, "type": kind} for name, kind in parameters],
                    }
                    for name, (interactions, parameters) in RESOURCES.items()
                ],
            }
        ],
    }
