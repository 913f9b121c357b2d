"""Single sign-on by OpenID Connect, stricter than the library: a nonce, the ID token's signature, the issuer's name.

The provider's ID token must be there, be signed by a key that its metadata name, be for this client, answer the nonce
of this browser's own start, and speak of the person whom the user information speaks of. Sources: OpenID Connect Core
1.0, 3.1.3.7 and 5.3.2; RFC 9700, 2.1 and 4.4.
"""

import secrets
from hmac import compare_digest

from allauth.core.internal.deferred import jwt
from allauth.socialaccount.helpers import render_authentication_error
from allauth.socialaccount.internal import jwtkit
from allauth.socialaccount.models import SocialApp
from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from allauth.socialaccount.providers.oauth2.views import OAuth2CallbackView, OAuth2LoginView
from allauth.socialaccount.providers.openid_connect.views import OpenIDConnectOAuth2Adapter
from django.contrib.auth.decorators import login_not_required
from django.http import Http404
from django.utils.http import urlencode
from requests import RequestException

NONCE = "oidc_nonce"  # in the session, from the start at the button to the answer
# Signatures that need the provider's private key. None of a shared secret, and none that is no signature.
SIGNATURES = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"})
WELL_KNOWN = "/.well-known/openid-configuration"


class Adapter(OpenIDConnectOAuth2Adapter):
    @property
    def openid_config(self):
        """The provider's metadata. OAuth2Error where they name another issuer than the one that was configured."""
        config = super().openid_config
        configured = self.get_provider().server_url.removesuffix(WELL_KNOWN)
        if str(config.get("issuer", "")).rstrip("/") != configured.rstrip("/"):
            raise OAuth2Error("the provider's metadata name another issuer than METASPINE_OIDC_URL")
        return config

    def complete_login(self, request, app, token, **kwargs):
        self.request = request
        if not kwargs["response"].get("id_token"):
            raise OAuth2Error("the provider sent no ID token")
        return super().complete_login(request, app, token, **kwargs)

    def _fetch_user_info(self, access_token):
        """What the provider tells of the person; an address is verified if it says `true`, not if it says anything."""
        claims = super()._fetch_user_info(access_token)
        self.subject = claims.get("sub")
        return claims | {"email_verified": claims.get("email_verified") in (True, "true")}

    def _decode_id_token(self, app, id_token):
        try:
            header = jwt.get_unverified_header(id_token)
        except jwt.PyJWTError as error:
            raise OAuth2Error("the ID token cannot be read") from error
        if header.get("alg") not in SIGNATURES or "kid" not in header:
            raise OAuth2Error(f"the ID token is not signed by a key of the provider ({header.get('alg')})")
        claims = jwtkit.verify_and_decode(
            credential=id_token,
            keys_url=self.openid_config["jwks_uri"],
            issuer=self.openid_config["issuer"],
            audience=app.client_id,
            lookup_kid=jwtkit.lookup_kid_jwk,
            verify_signature=True,
        )
        expected = self.request.session.pop(NONCE, "")
        if not expected or not compare_digest(str(claims.get("nonce", "")), expected):
            raise OAuth2Error("the ID token does not answer this browser's start")
        if claims.get("sub") != self.subject:
            raise OAuth2Error("the ID token and the user information are of two people")
        return claims


def _of(request, provider_id, view):
    try:
        adapter = Adapter(request, provider_id)
        return view.adapter_view(adapter)(request)
    except SocialApp.DoesNotExist:
        raise Http404 from None
    except (OAuth2Error, RequestException) as error:  # about the provider's metadata, or they could not be had
        return render_authentication_error(request, adapter.get_provider(), exception=error)


@login_not_required
def login(request, provider_id):
    """To the provider's page, with a nonce; what the address asks to send along is not sent."""
    request.GET = request.GET.copy()
    request.GET["auth_params"] = urlencode({"nonce": request.session.setdefault(NONCE, secrets.token_urlsafe(32))})
    return _of(request, provider_id, OAuth2LoginView)


@login_not_required
def callback(request, provider_id):
    """Back from the provider's page."""
    return _of(request, provider_id, OAuth2CallbackView)
