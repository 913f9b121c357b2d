"""What every request goes through: the scope of the person who made it, and text that a database can hold."""

from typing import Any

from django.contrib.auth.middleware import AuthenticationMiddleware, get_user
from django.core.exceptions import BadRequest
from django.http import HttpResponseNotAllowed
from django.utils.functional import SimpleLazyObject

from sites.logs import request_id
from sites.people import tokens
from sites.people.sessions import asking
from sites.tenancy.access import access_of
from sites.tenancy.scope import entered


class PersonMiddleware(AuthenticationMiddleware):
    """Django's: `request.user` is whose session it is, found out when somebody asks. The session was read with them."""

    def process_request(self, request: Any) -> None:
        super().process_request(request)
        request.user = SimpleLazyObject(lambda: _person_of(request))


def _person_of(request: Any) -> Any:
    with asking(request.session):
        return get_user(request)


class ScopeMiddleware:
    """Sets `request.access` and enters the person's scope; someone not signed in has none and sees no row.

    A request of the API may name its person by a token: then access and scope are what the token leaves of them.
    """

    def __init__(self, get_response: Any) -> None:
        self.get_response = get_response

    def __call__(self, request: Any) -> Any:
        request.id = getattr(request, "id", "") or request_id.new()
        tokens.identify(request)
        if request.token is not None:
            pass  # its access came with it
        elif request.user.is_authenticated:
            request.access = access_of(request.user)
        else:
            request.access = SimpleLazyObject(lambda: access_of(request.user))
        with entered(request.access.scope(request.id)):
            return self.get_response(request)


class PageMethods:
    """Pages understand GET, HEAD and POST, whatever the view behind an address would make of another method: 405.

    The API's addresses say for themselves what they understand.
    """

    METHODS = ("GET", "HEAD", "POST")
    API = "/api/"

    def __init__(self, get_response: Any) -> None:
        self.get_response = get_response

    def __call__(self, request: Any) -> Any:
        if request.method not in self.METHODS and not request.path_info.startswith(self.API):
            return HttpResponseNotAllowed(self.METHODS, b"", content_type="text/plain; charset=utf-8")
        return self.get_response(request)


class NullByteMiddleware:
    """Refuses text with a null byte, which no person types and PostgreSQL does not take: 400 rather than a failure."""

    def __init__(self, get_response: Any) -> None:
        self.get_response = get_response

    def __call__(self, request: Any) -> Any:
        return self.get_response(request)

    def process_view(self, request: Any, view: Any, args: Any, kwargs: Any) -> None:
        sent = (value for data in (request.GET, request.POST) for _name, values in data.lists() for value in values)
        if "\x00" in request.path or any("\x00" in value for value in sent):
            raise BadRequest("null byte")
