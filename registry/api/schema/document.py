"""The OpenAPI document: of the product, and with the own items that the protocol asks now."""

import copy
from functools import cache, lru_cache

from drf_spectacular.generators import SchemaGenerator

from registry.api.schema.samples import add_samples
from registry.api.shared.item_fields import derived_schema, item_schema
from registry.instruments import catalogue
from registry.instruments.patient_forms import PATIENT_FORMS

# Schema of the document to the forms whose own items it has; what is only read has calculated values too.
READ = {"Patient": tuple(PATIENT_FORMS), "Assessment": ("assessment",), "OwnRecord": ("repeat",)}
SENT = {
    "PatchedBaselineChange": ("baseline",),
    "PatchedSurgeryChange": ("surgery",),
    "PatchedFollowUpChange": ("follow_up",),
    "AssessmentNew": ("assessment",),
    "PatchedAssessmentChange": ("assessment",),
    "OwnRecordNew": ("repeat",),
    "PatchedOwnRecordChange": ("repeat",),
}


@cache
def described():
    """The schema of the API without own items; it does not change while a process lives."""
    return SchemaGenerator().get_schema(request=None, public=True)


def described_now():
    """The schema of the API with the own items of the protocol that holds now."""
    current = catalogue.current()
    return _described(current) if current.own_instruments else described()


@lru_cache(maxsize=2)
def _described(current):
    document = copy.deepcopy(described())
    schemas = document["components"]["schemas"]
    for name, forms in (READ | SENT).items():
        schemas[name]["properties"] |= _properties(current, forms, derived=name in READ)
    for operations in document["paths"].values():
        for operation in operations.values():
            for answer in operation["responses"].values():
                for content in answer.get("content", {}).values():
                    content.pop("example", None)
    add_samples(document)
    return document


def _properties(current, forms, *, derived):
    properties = {}
    for instrument in (instrument for form in forms for instrument in current.own.get(form, ())):
        parts = {item.name: item_schema(item) for item in instrument.items}
        if derived:
            parts |= {part.name: derived_schema(part) for part in instrument.derived}
        said = f" Of “{instrument.title.en}” ({instrument.code})."
        properties |= {name: schema | {"description": schema["description"] + said} for name, schema in parts.items()}
    return properties
