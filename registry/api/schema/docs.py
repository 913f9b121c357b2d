"""The API's documentation as a page: the schema, laid out. No script, and nothing from anywhere else."""

import re
from functools import cache

from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe
from drf_spectacular.generators import SchemaGenerator

from registry.api.shared.addresses import patterns

WELL = ("200", "201", "202", "204")


@require_safe
def docs(request):
    schema = described()
    return render(
        request,
        "api/docs.html",
        {
            "openapi": schema["openapi"],
            "base": request.build_absolute_uri(reverse("api:root")),
            "groups": _groups(schema),
        },
    )


@cache
def described():
    """The schema of the API; it does not change while a process lives."""
    return SchemaGenerator().get_schema(request=None, public=True)


def _groups(schema):
    """(tag, its operations), in the order in which `registry.api.urls` has them."""
    order = [reverse("api:root") + str(one.pattern).replace("<", "{").replace(">", "}") for one in patterns()]
    order = [re.sub(r"{\w+:", "{", one) for one in order]
    groups = {}
    for path, methods in sorted(schema["paths"].items(), key=lambda pair: order.index(pair[0])):
        for method, operation in methods.items():
            told = _told(schema, path, method.upper(), operation)
            groups.setdefault(operation["tags"][0], []).append(told)
    return list(groups.items())


def _told(schema, path, method, operation):
    answers = operation["responses"]
    status = next(one for one in WELL if one in answers)
    return {
        "id": operation["operationId"],
        "method": method,
        "path": path,
        "description": operation["description"].partition("\n\n")[0],
        "needs": operation["description"].partition("\n\n")[2].replace("`", ""),
        "parameters": [
            _field(one["name"], one["schema"], one.get("description", ""), "" if one["in"] == "query" else one["in"])
            for one in operation["parameters"]
        ],
        "sent": _fields(schema, operation.get("requestBody")),
        "status": status,
        "answered": _fields(schema, answers[status]),
        "others": [(one, told.get("description", "")) for one, told in sorted(answers.items()) if one != status],
    }


def _fields(schema, body):
    """The fields of a body or answer; those of one thing of a page."""
    content = (body or {}).get("content", {}).get("application/json", {}).get("schema", {})
    properties = _resolved(schema, content).get("properties", {})
    if properties.keys() <= {"items", "next"} and "items" in properties:
        properties = _resolved(schema, properties["items"]["items"]).get("properties", {})
    return [_field(name, _resolved(schema, one), one.get("description", "")) for name, one in properties.items()]


def _resolved(schema, part):
    reference = part.get("$ref", "")
    return schema["components"]["schemas"][reference.rpartition("/")[2]] if reference else part


def _field(name, schema, description, place=""):
    return {"name": name, "value": _value(schema), "description": description, "place": place}


def _value(schema):
    """What a value is, in a few words."""
    if codes := schema.get("enum"):
        return ", ".join("null" if one is None else str(one) for one in codes)
    kinds = schema.get("type", "any")
    told = " or ".join(kinds) if isinstance(kinds, list) else kinds
    if "minimum" in schema or "maximum" in schema:
        told += f", {schema.get('minimum', '…')} to {schema.get('maximum', '…')}"
    if "maxLength" in schema:
        told += f", at most {schema['maxLength']} characters"
    return told + (f" ({schema['format']})" if "format" in schema else "")
