"""Every request runs under the scope of the person who made it."""

import uuid

from django.utils.functional import SimpleLazyObject

from sites.access import access_of
from sites.scope import entered


class ScopeMiddleware:
    """Sets `request.access` and enters the person's scope; someone not signed in has none and sees no row."""

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        request.id = uuid.uuid4().hex
        if request.user.is_authenticated:
            request.access = access_of(request.user)
        else:
            request.access = SimpleLazyObject(lambda: access_of(request.user))
        with entered(request.access.scope(request.id)):
            return self.get_response(request)
