"""Examples of answers for the schema, made from the schema itself, so that they are of every field and never behind."""

from registry.api.schema.examples import PATIENT

KNOWN = {"patient_id": PATIENT, "site_code": PATIENT.partition("-")[0], "timepoint": "1m"}
TEXTS = {
    "date": "2026-01-15",
    "date-time": "2026-01-15T09:30:00+09:00",
    "uuid": "6f3b1c2e-8d4a-4f6b-9a51-2c7d8e9f0a1b",
    "uri": "https://registry.example.org/api/v1/",
    "email": "alice@example.org",
}


def add_samples(document):
    """Give every answer of an OpenAPI document that is JSON an example."""
    schemas = document["components"]["schemas"]
    for operations in document["paths"].values():
        for operation in operations.values():
            for status, answer in operation["responses"].items():
                for kind, content in answer.get("content", {}).items():
                    if status.startswith("2") and kind == "application/json":
                        content.setdefault("example", sample(content["schema"], schemas))


def sample(schema, schemas, name=""):
    """A value that a JSON schema allows, of the field `name`: the first of a list, the middle of a short range."""
    if "$ref" in schema:
        return sample(schemas[schema["$ref"].rpartition("/")[2]], schemas, name)
    if "allOf" in schema:
        return sample(schema["allOf"][0], schemas, name)
    for several in ("anyOf", "oneOf"):
        if several in schema:
            return sample(next(of for of in schema[several] if of.get("type") != "null"), schemas, name)
    if "enum" in schema:
        return schema["enum"][0]
    kinds = schema.get("type", "object")
    kind = kinds if isinstance(kinds, str) else next(kind for kind in kinds if kind != "null")
    if kind == "object":
        return {
            property_name: sample(of, schemas, property_name)
            for property_name, of in schema.get("properties", {}).items()
        }
    if kind == "array":
        return [sample(schema.get("items", {}), schemas, name)]
    if kind in ("integer", "number"):
        low = schema.get("minimum", 1)
        return low + min((schema.get("maximum", low) - low) // 2, 60)
    return {"boolean": True, "null": None}.get(kind, KNOWN.get(name, TEXTS.get(schema.get("format"), "…")))
