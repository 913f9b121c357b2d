"""Who asks: the token or the session that the middleware has found, and whether that is enough for an operation."""

from django.utils.translation import gettext as _
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework import exceptions
from rest_framework.authentication import BaseAuthentication
from rest_framework.permissions import SAFE_METHODS, BasePermission

from sites.people import tokens
from sites.people.tokens import TokenScope


class ByToken(BaseAuthentication):
    """`sites.middleware` has read the token already, because the scope of the request hangs on it."""

    def authenticate(self, request):
        asked = request._request
        if asked.token_fault == tokens.TOO_OFTEN:
            raise exceptions.Throttled
        if asked.token_fault:  # one answer for a used, an expired, a revoked and an invented one
            raise exceptions.AuthenticationFailed(
                _("The token is not accepted. Its owner sees on the page “API tokens” what became of it.")
            )
        return (asked.user, asked.token) if asked.token is not None else None

    def authenticate_header(self, request):
        return 'Bearer realm="Metaspine"'


class ByTokenScheme(OpenApiAuthenticationExtension):
    target_class = ByToken
    name = "token"

    def get_security_definition(self, auto_schema):
        return {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "msp_…",
            "description": "An API token, issued on the page “API tokens”.",
        }


class Allowed(BasePermission):
    """A view says in `needs` what each method asks of a person, and in `scopes` what of a token beside the usual."""

    def has_permission(self, request, view):
        if not request.user.is_authenticated:
            raise exceptions.NotAuthenticated(_("Sign in with a token: Authorization: Bearer msp_…"))
        ability = view.needs.get(request.method.replace("HEAD", "GET"))
        wanted = [view.scopes.get(request.method, usual_scope(request.method)), _scope_for(ability)]
        for scope in filter(None, wanted):
            if not token_may(request, scope):
                self.message = _(
                    "This needs a token with the scope “%(scope)s”: issue one on the page “API tokens”."
                ) % {"scope": scope.value}
                return False
        return ability is None or request._request.access.may(ability)


def _scope_for(ability):
    """The scope that gives a token an ability; None where several do, or none."""
    scopes = [scope for scope, abilities in tokens.ABILITIES.items() if ability in abilities]
    return scopes[0] if len(scopes) == 1 else None


def usual_scope(method):
    return TokenScope.READ if method in SAFE_METHODS else TokenScope.WRITE


def token_may(request, scope):
    """Whether the request's token has this scope; a session has every one."""
    return request.auth is None or scope in request.auth.scopes
