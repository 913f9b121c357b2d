"""One person's page for administrators: roles from a day to a day, sessions, second factor, and a new password."""

from allauth.account.internal.flows.password_reset import get_reset_password_from_key_url
from allauth.account.utils import user_pk_to_url_str
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django import forms
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.tokens import default_token_generator
from django.db.models import Q
from django.shortcuts import get_object_or_404, redirect, render
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy
from django.utils.translation import override
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from registry import tasks
from registry.web.account.adapters import notify
from registry.web.account.forms import Days, Styled
from registry.web.people.trail import newest
from sites import audit
from sites.confirming import confirmed
from sites.models import Invitation, Membership, User
from sites.people.administrators import none_would_last
from sites.people.membership_forms import LAST_ADMINISTRATOR, MembershipForm
from sites.people.sign_ins import address_changed, end_sessions, reset_second_factor
from sites.tenancy.access import ROLE_LABELS, Can, Role

LINK = "password_link"  # in the session, for the next page alone


class RoleForm(Styled, MembershipForm):
    """A role for this person."""

    class Meta(MembershipForm.Meta):
        fields = ("role", "site", "starts_on", "ends_on")
        widgets = {"starts_on": Days(), "ends_on": Days()}

    def _get_validation_exclusions(self):
        """The person is no field here, but the same role twice from the same day is still refused in words."""
        return super()._get_validation_exclusions() - {"user"}


class EndForm(RoleForm):
    """The last day of a role that has begun; of one that has not, everything but the person."""


class PersonForm(Styled, forms.ModelForm):
    """What a person is called, the address they sign in with, and the language of their mails."""

    class Meta:
        model = User
        fields = ("name", "email", "language")

    helps = {
        "email": _lazy("The person signs in with it. Another one ends their sessions, and both addresses are told.")
    }

    def clean_email(self):
        """Said here, and once: the database refuses the same."""
        email = self.cleaned_data["email"]
        if User.objects.filter(email=email).exclude(pk=self.instance.pk).exists():
            raise forms.ValidationError(_("Somebody else has an account with this address."))
        return email


def _person(request, user_id):
    request.access.require(Can.ADMINISTER)
    return get_object_or_404(User, pk=user_id)


@never_cache
@require_safe
def person(request, user_id):
    user = _person(request, user_id)
    return render(request, "people/person.html", _context(request, user, RoleForm()))


def _context(request, user, form):
    today = timezone.localdate()
    return {
        "person": user,
        "memberships": [
            (membership, ROLE_LABELS[Role(membership.role)], _when(membership, today))
            for membership in user.memberships.select_related("site").order_by("starts_on", "pk")
        ],
        "form": form,
        "factors": Authenticator.objects.filter(user=user).exclude(type=Authenticator.Type.RECOVERY_CODES),
        "sessions": UserSession.objects.purge_and_list(user),
        "link": request.session.pop(LINK, None),
        "mail": settings.MAIL,
        "invited": Invitation.objects.filter(accepted_by=user).select_related("invited_by").first(),
        "trail": newest(
            [
                ("study_sites_user", [user.pk]),
                ("study_sites_membership", user.memberships.values_list("pk", flat=True)),
            ]
        ),
    }


def _when(membership, today):
    if membership.starts_on > today:
        return "future"
    return "past" if membership.ends_on and membership.ends_on < today else "running"


@require_http_methods(["GET", "HEAD", "POST"])
@confirmed
def person_change(request, user_id):
    """Name, address and language."""
    user = _person(request, user_id)
    form = PersonForm(request.POST if request.method == "POST" else None, instance=user)
    if request.method == "POST" and form.is_valid():
        form.save()
        if "email" in form.changed_data:
            address_changed(user, form.initial["email"])
        messages.success(request, _("The person is changed."))
        return redirect("person", user.pk)
    context = {"form": form, "person": User.objects.get(pk=user_id)}
    return render(request, "people/person_change.html", context, status=422 if form.errors else 200)


@require_POST
@confirmed
def person_role(request, user_id):
    """Give another role."""
    user = _person(request, user_id)
    form = RoleForm(request.POST, instance=Membership(user=user))
    if not form.is_valid():
        return render(request, "people/person.html", _context(request, user, form), status=422)
    form.save()
    messages.success(request, _("The role is given."))
    return redirect("person", user.pk)


@require_http_methods(["GET", "HEAD", "POST"])
@confirmed
def membership(request, membership_id):
    """The last day of a role; of one that has not begun, its days, site and kind too."""
    request.access.require(Can.ADMINISTER)
    role = get_object_or_404(Membership.objects.select_related("user", "site"), pk=membership_id)
    form = EndForm(request.POST if request.method == "POST" else None, instance=role)
    if request.method == "POST" and form.is_valid():
        form.save()
        messages.success(request, _("The role is changed."))
        return redirect("person", role.user_id)
    context = {"form": form, "membership": role, "role": ROLE_LABELS[Role(role.role)]}
    return render(request, "people/membership.html", context, status=422 if form.errors else 200)


@require_POST
@confirmed
def person_sessions(request, user_id):
    """Sign a person out everywhere."""
    user = _person(request, user_id)
    end_sessions(user)
    messages.success(request, _("All sessions of %(person)s are ended.") % {"person": user})
    return redirect("person", user.pk)


@require_POST
@confirmed
def person_factors(request, user_id):
    """Take away the second factor of somebody who lost it; where one is required they set up another at once."""
    user = _person(request, user_id)
    reset_second_factor(user)
    notify("second_factor_reset", user)
    messages.success(request, _("The second factor of %(person)s is removed.") % {"person": user})
    return redirect("person", user.pk)


@require_POST
@confirmed
def person_active(request, user_id):
    """Make a person inactive, at once and everywhere, or active again: as is sent, so that two presses are one."""
    user = _person(request, user_id)
    if request.POST.get("active") not in ("0", "1"):
        return redirect("person", user.pk)
    active = request.POST["active"] == "1"
    if not active and none_would_last(timezone.localdate(), without=Q(user=user)):
        messages.error(request, str(LAST_ADMINISTRATOR))
        return redirect("person", user.pk)
    user.is_active = active
    user.save(update_fields=["is_active"])
    if not user.is_active:
        end_sessions(user)
    done = _("%(person)s is active again.") if user.is_active else _("%(person)s can no longer sign in.")
    messages.success(request, done % {"person": user})
    return redirect("person", user.pk)


@require_POST
@confirmed
def person_password(request, user_id):
    """A link with which the person sets a password: sent to them, or shown once to be handed over."""
    user = _person(request, user_id)
    key = f"{user_pk_to_url_str(user)}-{default_token_generator.make_token(user)}"
    address = get_reset_password_from_key_url(request, key)
    if settings.MAIL and "send" in request.POST:
        with override(user.language):
            text = render_to_string("account/email/password_link.txt", {"address": address, "who": request.user})
            tasks.start_mail(_("Your password for Metaspine"), text, user.email)
        messages.success(request, _("The link is sent to %(email)s.") % {"email": user.email})
    else:
        request.session[LINK] = address
    audit.record("password_link_made", table="study_sites_user", row_id=user.pk)
    return redirect("person", user.pk)
