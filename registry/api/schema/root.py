"""The beginning of the API: what there is, what it looks like to a machine, and what is not there."""

from django.urls import NoReverseMatch, reverse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.renderers import JSONRenderer
from rest_framework.response import Response

from registry.api.schema.document import described_now
from registry.api.shared.addresses import patterns
from registry.api.shared.item_fields import Declared, serializer
from registry.api.shared.problems import document
from registry.api.shared.resource import Resource

RootShown = serializer("Root", {"resources": Declared({"type": "object", "additionalProperties": {"type": "string"}})})


class Root(Resource):
    tag = "Registry"

    @extend_schema(responses=RootShown)
    def get(self, request):
        """Every resource of the API: name to address."""
        addresses = {}
        for pattern in patterns():
            try:
                addresses[pattern.name] = request.build_absolute_uri(reverse(f"api:{pattern.name}"))
            except NoReverseMatch:
                continue  # of one thing: its address needs to know which
        del addresses["root"]
        return Response({"resources": addresses})


class OpenAPI(JSONRenderer):
    media_type = "application/vnd.oai.openapi+json"


class Schema(Resource):
    tag = "Registry"
    renderer_classes = (JSONRenderer, OpenAPI)

    @extend_schema(responses=OpenApiTypes.OBJECT)
    def get(self, request):
        """This document: OpenAPI 3.1."""
        return Response(described_now())


def nothing(request, rest=""):
    """What answers at an address that does not exist."""
    return document(404)
