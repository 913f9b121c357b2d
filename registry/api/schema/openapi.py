"""How drf-spectacular names the operations, and what every one of them may answer."""

import http

from drf_spectacular.openapi import AutoSchema

from registry.api.schema.examples import BODIES, REQUIRED
from registry.api.schema.samples import add_samples
from registry.api.shared.addresses import patterns
from registry.api.shared.idempotency import LONGEST_KEY
from registry.api.shared.problems import MEDIA_TYPE
from registry.api.shared.request_body import REASON_HEADER
from registry.api.shared.signing_in import usual_scope

PROBLEM = {
    "type": "object",
    "description": "A problem document (RFC 9457).",
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "errors": {
            "type": "object",
            "description": "Fields at fault, all of them: name to reasons.",
            "additionalProperties": {"type": "array", "items": {"type": "string"}},
        },
    },
    "required": ["type", "title", "status"],
}
TOLD = {
    "400": "The request cannot be read.",
    "401": "Nobody is signed in.",
    "403": "The person or the token may not do this.",
    "406": "The answer is application/json only.",
    "404": "There is no such thing, or none that one may see.",
    "409": "It is signed, or there already; or the Idempotency-Key was used for something else.",
    "412": "Somebody else has changed it: If-Match does not hold.",
    "413": "The body is too large.",
    "415": "The body is not application/json.",
    "422": "Some fields cannot be stored; `errors` names all of them.",
    "428": "If-Match is missing.",
    "429": "Too many requests; Retry-After says for how many seconds.",
}
EXAMPLE = {"type": "about:blank", "title": "Unprocessable Entity", "status": 422}
EXAMPLE |= {"errors": {"ecog_ps": ["must be one of 0, 1, 2, 3, 4, 5; got “7”"]}}
ALWAYS = ("400", "401", "403", "404", "406", "429")
OF_METHOD = {
    "GET": (),
    "POST": ("409", "413", "415", "422"),
    "PATCH": ("409", "412", "413", "415", "422", "428"),
}


def _header(name, schema, description, required=False):
    return {"in": "header", "name": name, "schema": schema, "description": description, "required": required}


KEY = _header(
    "Idempotency-Key",
    {"type": "string", "minLength": 1, "maxLength": LONGEST_KEY, "pattern": "^[!-~]+$"},
    "Any text of your own. Sent again within a day, the request is answered again and not done again.",
)
MATCH = _header(
    "If-Match", {"type": "string", "examples": ['"3"']}, "The ETag of the version that this changes.", required=True
)
MAY_MATCH = MATCH | {
    "required": False,
    "description": "The ETag of the version that this acts on; 412 where it is another by now.",
}
REASON = _header(
    REASON_HEADER,
    {"type": "string"},
    "Why a completed form is corrected, percent-encoded; the field `reason` of the body does the same.",
)
HEADERS = {"POST": (KEY,), "PATCH": (MATCH, REASON)}


class Described(AutoSchema):
    """Operations are named after their address's name and the method: `patients_get`."""

    def get_operation_id(self):
        return f"{_names()[type(self.view)]}_{self.method.lower()}"

    def get_tags(self):
        return [self.view.tag]

    def get_operation(self, *args):
        operation = super().get_operation(*args)
        if operation is None:
            return None
        operation["summary"] = (getattr(self.view, self.method.lower()).__doc__ or "").split(". ")[0].strip(". \n")
        headers = HEADERS.get(self.method, ()) + ((MAY_MATCH,) if self.view.may_match else ())
        operation["parameters"] = [*operation.get("parameters", ()), *headers]
        ability = self.view.needs.get(self.method)
        scope = self.view.scopes.get(self.method, usual_scope(self.method))
        needs = f"Needs the ability `{ability}` and" if ability else "Needs"
        operation["description"] = f"{operation.get('description', '')}\n\n{needs} the token scope `{scope}`.".strip()
        if operation["operationId"] in BODIES:
            operation["requestBody"]["content"]["application/json"]["example"] = BODIES[operation["operationId"]]
        unchanged = ("304",) if self.view.versioned and self.method == "GET" else ()
        outdated = ("412",) if self.view.may_match else ()
        for status in (*ALWAYS, *OF_METHOD[self.method], *unchanged, *outdated):
            operation["responses"].setdefault(status, _problem(status))
        for status, answer in operation["responses"].items():
            answer["description"] = answer.get("description") or http.HTTPStatus(int(status)).phrase
        return operation


def _problem(status):
    if status == "304":
        return {"description": "Not changed since the version in If-None-Match."}
    content = {"schema": {"$ref": "#/components/schemas/Problem"}}
    if status == "422":
        content["example"] = EXAMPLE
    return {"description": TOLD[status], "content": {MEDIA_TYPE: content}}


def complete(result, generator, request, public):
    """What the serializers do not know: the problem documents, which fields a body cannot do without, and examples."""
    result["paths"] = {path.rstrip("/"): operations for path, operations in result["paths"].items()}  # the root's
    schemas = result["components"].setdefault("schemas", {})
    schemas["Problem"] = PROBLEM
    for name, required in REQUIRED.items():
        schemas[name]["required"] = required
    add_samples(result)
    return result


def _names():
    return {pattern.callback.cls: pattern.name for pattern in patterns() if hasattr(pattern.callback, "cls")}
