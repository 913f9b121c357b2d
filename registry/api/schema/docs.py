"""The API's documentation as a page: the schema, laid out. No script, and nothing from anywhere else."""

import re

from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from registry.api.schema.document import described_now
from registry.api.shared.addresses import patterns

WELL = ("200", "201", "202", "204")


@require_safe
def docs(request):
    schema = described_now()
    return render(
        request,
        "api/docs.html",
        {
            "openapi": schema["openapi"],
            "base": request.build_absolute_uri(reverse("api:root")),
            "groups": _groups(schema),
        },
    )


def _groups(schema):
    """(tag, its operations), in the order in which `registry.api.urls` has them."""
    order = [reverse("api:root") + str(pattern.pattern).replace("<", "{").replace(">", "}") for pattern in patterns()]
    order = [re.sub(r"{\w+:", "{", address).rstrip("/") for address in order]
    groups = {}
    for path, methods in sorted(schema["paths"].items(), key=lambda pair: order.index(pair[0])):
        for method, operation in methods.items():
            operation_shown = _told(schema, path, method.upper(), operation)
            groups.setdefault(operation["tags"][0], []).append(operation_shown)
    return list(groups.items())


def _told(schema, path, method, operation):
    answers = operation["responses"]
    status = next(code for code in WELL if code in answers)
    return {
        "id": operation["operationId"],
        "method": method,
        "path": path,
        "description": operation["description"].partition("\n\n")[0],
        "needs": operation["description"].partition("\n\n")[2].replace("`", ""),
        "parameters": [
            _field(
                parameter["name"],
                parameter["schema"],
                parameter.get("description", ""),
                "" if parameter["in"] == "query" else parameter["in"],
            )
            for parameter in operation["parameters"]
        ],
        "sent": _fields(schema, operation.get("requestBody")),
        "status": status,
        "answered": _fields(schema, answers[status]),
        "others": [(code, answer.get("description", "")) for code, answer in sorted(answers.items()) if code != status],
    }


def _fields(schema, body):
    """The fields of a body or answer; those of one thing of a page."""
    content = (body or {}).get("content", {}).get("application/json", {}).get("schema", {})
    properties = _resolved(schema, content).get("properties", {})
    if properties.keys() <= {"items", "next"} and "items" in properties:
        properties = _resolved(schema, properties["items"]["items"]).get("properties", {})
    return [_field(name, _resolved(schema, field), field.get("description", "")) for name, field in properties.items()]


def _resolved(schema, part):
    reference = part.get("$ref", "")
    return schema["components"]["schemas"][reference.rpartition("/")[2]] if reference else part


def _field(name, schema, description, place=""):
    return {"name": name, "value": _value(schema), "description": description, "place": place}


def _value(schema):
    """What a value is, in a few words."""
    if codes := schema.get("enum"):
        return ", ".join("null" if code is None else str(code) for code in codes)
    kinds = schema.get("type", "any")
    kinds_text = " or ".join(kinds) if isinstance(kinds, list) else kinds
    if "minimum" in schema or "maximum" in schema:
        kinds_text += f", {schema.get('minimum', '…')} to {schema.get('maximum', '…')}"
    if "maxLength" in schema:
        kinds_text += f", at most {schema['maxLength']} characters"
    return kinds_text + (f" ({schema['format']})" if "format" in schema else "")
