"""The forms of signing in and of one's own account: django-allauth's, in the words and looks of this registry."""

from collections.abc import Mapping
from typing import Any

from allauth.account import forms as account
from allauth.account.adapter import get_adapter
from allauth.core import context
from allauth.mfa.adapter import get_adapter as second_factor_adapter
from allauth.mfa.base import forms as mfa
from allauth.mfa.models import Authenticator
from allauth.mfa.totp import forms as totp
from allauth.mfa.webauthn import forms as webauthn
from django import forms
from django.contrib.auth.password_validation import validate_password
from django.utils.translation import gettext_lazy as _

from sites.email_addresses import EmailAddressFormField
from sites.models import Invitation, User
from sites.people.membership_forms import RoleInWords

LENGTH = _(
    "At least 12 characters. Three or four words that do not belong together are good. "
    "Common passwords and your own name are refused."
)


def _begin_with_a_word(field):
    """A list to choose from begins with a word, not with a row of dashes."""
    if isinstance(field, forms.ModelChoiceField) and field.empty_label:
        field.empty_label = _("Choose…") if field.required else _("None")
    elif isinstance(field, forms.TypedChoiceField):
        field.choices = [(code, words if code else _("Choose…")) for code, words in field.choices]


class Styled:
    """Bootstrap's classes on every field, the registry's labels, and no placeholders, which vanish when one types."""

    labels: Mapping[str, Any] = {}
    helps: Mapping[str, Any] = {}
    large = False

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        for name, field in self.fields.items():
            widget = field.widget
            widget.attrs.pop("placeholder", None)
            if isinstance(widget, forms.CheckboxInput):
                kind = "form-check-input"
            else:
                kind = "form-select" if isinstance(widget, forms.Select) else "form-control"
            widget.attrs["class"] = kind + (f" {kind}-lg" if self.large else "")
            _begin_with_a_word(field)
            field.label = self.labels.get(name, field.label)
            field.help_text = self.helps.get(name, "" if name in self.labels else field.help_text)


class SignInForm(Styled, account.LoginForm):
    large = True
    labels = {"login": _("E-mail address"), "password": _("Password")}

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        styled = self.fields["login"]
        self.fields["login"] = EmailAddressFormField(label=styled.label, widget=styled.widget)
        styled.widget.attrs |= {"autocomplete": "username", "inputmode": "email", "autofocus": True}

    def add_prefix(self, field_name):
        """The browser's name for the address is `username`, under which password managers keep it."""
        return super().add_prefix("username" if field_name == "login" else field_name)


class ForgottenPasswordForm(Styled, account.ResetPasswordForm):
    large = True
    labels = {"email": _("E-mail address")}
    email = EmailAddressFormField()

    def clean_email(self):
        """Who gets a link: the active person of this address, who has a password to forget."""
        email = self.cleaned_data["email"]
        people = User.objects.filter(email=email, is_active=True)
        self.users = [user for user in people if user.has_usable_password()]
        return email


class NewPasswordForm(Styled, account.ResetPasswordKeyForm):
    labels = {"password1": _("New password"), "password2": _("New password, once more")}
    helps = {"password1": LENGTH}


class ChangePasswordForm(Styled, account.ChangePasswordForm):
    labels = {"oldpassword": _("Present password")} | NewPasswordForm.labels
    helps = NewPasswordForm.helps

    def clean_oldpassword(self):
        """Counted as every guess at the password is."""
        if not get_adapter().reauthenticate(self.user, self.cleaned_data.get("oldpassword", "")):
            raise get_adapter().validation_error("enter_current_password")
        return self.cleaned_data["oldpassword"]


class ConfirmPasswordForm(Styled, account.ReauthenticateForm):
    labels = {"password": _("Password")}


class CountedCode:
    """Codes of an app and recovery codes are counted by person and by address; the right one takes back itself."""

    def clean_code(self):
        """As django-allauth's, but for its counter, which the right code of one person would clear for the address."""
        taken = get_adapter().counted("code_failed", context.request, self.user)
        code, of_codes = self.cleaned_data["code"], Authenticator.objects.exclude(type=Authenticator.Type.WEBAUTHN)
        factors = sorted(of_codes.filter(user=self.user), key=lambda factor: factor.type != Authenticator.Type.TOTP)
        for factor in factors:
            if factor.wrap().validate_code(code):
                factor.user, self.authenticator = self.user, factor
                taken.undo()
                return code
        if factors:
            self._emit_authentication_failed(factors[0])
        raise second_factor_adapter().validation_error("incorrect_code")


class CodeForm(CountedCode, Styled, mfa.AuthenticateForm):
    large = True
    labels = {"code": _("Code")}

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.fields["code"].widget.attrs |= {"inputmode": "numeric", "autofocus": True}


class ConfirmCodeForm(CountedCode, Styled, mfa.ReauthenticateForm):
    labels = {"code": _("Code")}


class ActivateAppForm(Styled, totp.ActivateTOTPForm):
    labels = {"code": _("Code that the app shows now")}

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.fields["code"].widget.attrs["inputmode"] = "numeric"


class AddKeyForm(Styled, webauthn.AddWebAuthnForm):
    labels = {"name": _("Name of the key")}
    helps = {"name": _("To tell it from your other keys, for example “blue key” or “my laptop”.")}


class RenameKeyForm(Styled, webauthn.EditWebAuthnForm):
    labels = {"name": _("Name of the key")}


class Days(forms.DateInput):
    """A day, by the browser's own calendar."""

    input_type = "date"

    def __init__(self):
        super().__init__(format="%Y-%m-%d")


class InvitationForm(RoleInWords, Styled, forms.ModelForm):
    class Meta:
        model = Invitation
        fields = ("email", "name", "language", "role", "site", "starts_on", "ends_on")
        widgets = {"starts_on": Days(), "ends_on": Days()}

    helps = {
        "name": _("Can be left to the person."),
        "site": _("Empty for central roles: data manager, statistician, administrator."),
        "ends_on": _("The last day with access. Empty: no end."),
    }

    def clean_email(self):
        """Said here, where the field is: `sites.people.invitations` refuses the same."""
        email = self.cleaned_data["email"]
        if User.objects.filter(email=email).exists():
            raise forms.ValidationError(_("This person has an account already: give it another role instead."))
        if Invitation.objects.filter(email=email, accepted_at=None, revoked_at=None).exists():
            raise forms.ValidationError(_("This person is invited already: send that invitation again, or revoke it."))
        return email


class AcceptForm(Styled, forms.Form):
    large = True
    name = forms.CharField(label=_("Your name"), max_length=120)
    language = forms.ChoiceField(label=_("Language"), choices=User._meta.get_field("language").choices or ())
    password1 = forms.CharField(label=_("Password"), strip=False, widget=forms.PasswordInput)
    password2 = forms.CharField(label=_("Password, once more"), strip=False, widget=forms.PasswordInput)
    helps = {"password1": LENGTH}

    def __init__(self, *args, email, **kwargs):
        super().__init__(*args, **kwargs)
        self.email = email
        self.fields["name"].widget.attrs["autocomplete"] = "name"
        for field in ("password1", "password2"):
            self.fields[field].widget.attrs["autocomplete"] = "new-password"

    def clean(self):
        cleaned = super().clean()
        first, second = cleaned.get("password1"), cleaned.get("password2")
        if first and second and first != second:
            self.add_error("password2", _("The two passwords differ."))
        if first:
            try:
                validate_password(first, User(email=self.email, name=cleaned.get("name", "")))
            except forms.ValidationError as error:
                self.add_error("password1", error)
        return cleaned
