"""Addresses of signing in and of one's own account. The names with `account_` and `mfa_` are django-allauth's."""

from allauth.account import views as allauth
from allauth.mfa.base import views as mfa
from allauth.mfa.recovery_codes import views as codes
from allauth.mfa.totp import views as totp
from allauth.mfa.webauthn import views as webauthn
from allauth.socialaccount import views as social
from allauth.socialaccount.providers import registry as providers
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.views import LogoutView
from django.urls import path, re_path
from django.views.generic import TemplateView

from registry.web.account import session, single_sign_on
from registry.web.account import views as account_views

sign_out = login_not_required(LogoutView.as_view())  # also out of a sign-in that waits for its second factor
inactive = login_not_required(TemplateView.as_view(template_name="account/no_account.html"))
providers.load()  # what `sites.apps.SingleSignOnConfig` leaves to whoever serves pages

urlpatterns = [
    path("login/", session.sign_in, name="login"),
    path("login/", session.sign_in, name="account_login"),
    path("login/code/", mfa.authenticate, name="mfa_authenticate"),
    path("login/inactive/", inactive, name="account_inactive"),
    path("logout/", sign_out, name="logout"),
    path("logout/", sign_out, name="account_logout"),
    path("language/", session.set_language, name="set_language"),
    path("session/", session.session, name="session"),
    path("session/stay/", session.session_stay, name="session_stay"),
    path("session/back/", session.session_back, name="session_back"),
    path("sso/login/", single_sign_on.login, {"provider_id": "sso"}, name="openid_connect_login"),
    path("sso/callback/", single_sign_on.callback, {"provider_id": "sso"}, name="openid_connect_callback"),
    path("sso/error/", login_not_required(social.login_error), name="socialaccount_login_error"),
    path("sso/cancelled/", login_not_required(social.login_cancelled), name="socialaccount_login_cancelled"),
    path("password/forgotten/", account_views.forgotten_password, name="account_reset_password"),
    path("password/forgotten/sent/", allauth.password_reset_done, name="account_reset_password_done"),
    path("password/new/done/", allauth.password_reset_from_key_done, name="account_reset_password_from_key_done"),
    re_path(
        r"^password/new/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>[^/]+)/$",
        account_views.new_password,
        name="account_reset_password_from_key",
    ),
    path("account/", account_views.account, name="account"),
    path("account/entry/", account_views.entry, name="account_entry"),
    path("account/digest/", account_views.digest, name="account_digest"),
    path("digest/stop/<str:token>/", account_views.digest_stop, name="digest_stop"),
    path("account/confirm/", allauth.reauthenticate, name="account_reauthenticate"),
    path("account/confirm/code/", mfa.reauthenticate, name="mfa_reauthenticate"),
    path("account/confirm/key/", webauthn.reauthenticate_webauthn, name="mfa_reauthenticate_webauthn"),
    path("account/password/", account_views.change_password, name="account_change_password"),
    path("account/sessions/end/", account_views.sign_out_everywhere, name="sign_out_everywhere"),
    path("account/sessions/<int:session_id>/end/", account_views.session_end, name="session_end"),
    path("account/second-factor/", mfa.index, name="mfa_index"),
    path("account/second-factor/app/", totp.activate_totp, name="mfa_activate_totp"),
    path("account/second-factor/app/remove/", totp.deactivate_totp, name="mfa_deactivate_totp"),
    path("account/second-factor/codes/", codes.view_recovery_codes, name="mfa_view_recovery_codes"),
    path("account/second-factor/codes/new/", codes.generate_recovery_codes, name="mfa_generate_recovery_codes"),
    path("account/second-factor/codes/file/", codes.download_recovery_codes, name="mfa_download_recovery_codes"),
    path("account/second-factor/keys/", webauthn.list_webauthn, name="mfa_list_webauthn"),
    path("account/second-factor/keys/add/", webauthn.add_webauthn, name="mfa_add_webauthn"),
    path("account/second-factor/keys/<int:pk>/", webauthn.edit_webauthn, name="mfa_edit_webauthn"),
    path("account/second-factor/keys/<int:pk>/remove/", webauthn.remove_webauthn, name="mfa_remove_webauthn"),
]
