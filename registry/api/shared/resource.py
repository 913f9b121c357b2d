"""What every operation of the API has in common."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404
from rest_framework.exceptions import UnsupportedMediaType
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.permissions import SAFE_METHODS
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.views import APIView

from registry.api.shared import throttles
from registry.api.shared.parsing import JSONObject
from registry.api.shared.signing_in import Allowed
from registry.models import Patient
from registry.services.files.data_use import patient_of_use_to

ANYTHING = "*/*"  # what a client takes that does not say


class Negotiation(DefaultContentNegotiation):
    """Django REST framework's, but where there is one format, and it is what is asked for, nothing is weighed."""

    def select_renderer(self, request, renderers, format_suffix=None):
        only = renderers[0] if len(renderers) == 1 else None
        if only and not format_suffix and request.META.get("HTTP_ACCEPT", ANYTHING) in (ANYTHING, only.media_type):
            return only, only.media_type
        return super().select_renderer(request, renderers, format_suffix)


class Resource(APIView):
    """One address. A method without an entry in `needs` asks only for somebody who is signed in.

    needs   method to the ability that a person needs somewhere; 403 without it
    scopes  method to the scope that a token needs, where it is not the usual one
    tag     heading of the operations in the documentation
    may_match  whether a POST may say in If-Match which version it acts on; a PATCH must
    versioned  whether it shows one record with its version: ETag, If-None-Match, If-Match
    """

    renderer_classes: Sequence[type[BaseRenderer]] = (JSONRenderer,)
    parser_classes: Sequence[type[BaseParser]] = (JSONObject,)
    media_types = (JSONObject.media_type,)  # of the bodies that it takes
    permission_classes = (Allowed,)
    content_negotiation_class = Negotiation
    throttle_classes = (throttles.BySession,)
    http_method_names: Sequence[str] = ("get", "head", "post", "patch")
    needs: Mapping[str, Any] = {}
    scopes: Mapping[str, Any] = {}
    tag = ""
    versioned = False
    may_match = False

    def initialize_request(self, request, *args, **kwargs):
        """As Django REST framework's, with what is asked for most often at hand: it looks for each of Django's
        attributes in vain first."""
        wrapped = super().initialize_request(request, *args, **kwargs)
        wrapped.method, wrapped.META = request.method, request.META
        return wrapped

    def initial(self, request, *args, **kwargs):
        throttles.check(request)
        super().initial(request, *args, **kwargs)
        if hasattr(self, request.method.lower()) and not self.is_for(self.access):
            raise PermissionDenied
        # A form would have been read by now, and look like a body without anything in it.
        content_type = request.content_type.partition(";")[0].strip().lower()
        changes = request.method not in SAFE_METHODS and hasattr(self, request.method.lower())
        if changes and content_type not in ("", *self.media_types):
            raise UnsupportedMediaType(content_type[:80])

    def finalize_response(self, request, response, *args, **kwargs):
        response = super().finalize_response(request, response, *args, **kwargs)
        response.headers.setdefault("Cache-Control", "no-store")
        return throttles.with_limits(request._request, response)

    def is_for(self, access):
        """Whether people with this Access have anything to do with it, where `needs` does not say all."""
        return True

    @property
    def access(self):
        return self.request._request.access

    def patient(self, patient_id, names=None):
        """The patient in the address; Http404 for one that the person may not see. `names` as of `one_visible_to`."""
        try:
            return patient_of_use_to(self.access, patient_id, names)
        except Patient.DoesNotExist:
            raise Http404 from None
