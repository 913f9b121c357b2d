"""What is wrong with a resource that was sent, and the OperationOutcome that says so."""

from dataclasses import dataclass

from registry.instruments.base import Label


@dataclass(frozen=True)
class Fault:
    """One issue: FHIRPath of the element at fault, a code of FHIR's issue types, and the reason."""

    path: str
    code: str
    reason: Label


class InvalidResource(ValueError):
    """A resource that cannot be taken. `faults` names everything at once."""

    def __init__(self, faults):
        self.faults = faults
        super().__init__("; ".join(f"{fault.path}: {fault.reason}" for fault in faults))


def path_of(link_id):
    return f"QuestionnaireResponse.item.where(linkId='{link_id}')"


def outcome(faults, language="en"):
    """An OperationOutcome of some faults."""
    return {
        "resourceType": "OperationOutcome",
        "issue": [
            {
                "severity": "error",
                "code": fault.code,
                "details": {"text": fault.reason.in_language(language)},
                **({"expression": [fault.path]} if fault.path else {}),
            }
            for fault in faults
        ],
    }
