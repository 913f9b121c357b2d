"""Inviting people, and accepting an invitation."""

from allauth.account.utils import perform_login
from allauth.core.internal.ratelimit import respond_429
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import logout
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.db import IntegrityError, transaction
from django.shortcuts import get_object_or_404, redirect, render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.translation import get_language, override
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from registry import tasks
from registry.web.account.forms import AcceptForm, InvitationForm
from sites import attempts
from sites.confirming import confirmed
from sites.models import Invitation
from sites.people.invitations import NotInvited, invite, invited, renew, revoke
from sites.people.invitations import accept as accept_invitation
from sites.tenancy.access import ROLE_LABELS, Can, Role
from sites.tenancy.scope import everything

PAGE = 50
LINK = "invitation_link"  # in the session, for the next page alone: the link of an invitation that no mail carries


@never_cache
@require_safe
def invitation_list(request):
    """Who is invited, and what became of it; for administrators."""
    request.access.require(Can.ADMINISTER)
    invitations = Invitation.objects.select_related("site", "invited_by").order_by("-created_at", "-pk")
    page = Paginator(invitations, PAGE).get_page(request.GET.get("page"))
    context = {
        "page": page,
        "rows": [(invitation, ROLE_LABELS[Role(invitation.role)]) for invitation in page],
        "link": request.session.pop(LINK, None),
        "mail": settings.MAIL,
    }
    return render(request, "people/invitations.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@confirmed
def invitation_new(request):
    request.access.require(Can.ADMINISTER)
    form = InvitationForm(request.POST if request.method == "POST" else None, initial=_initial(request))
    if request.method == "POST" and form.is_valid():
        try:
            with transaction.atomic():
                invitation = form.save(commit=False)
                _send(request, invitation, invite(invitation, access=request.access))
            return redirect("invitations")
        except ValidationError as error:
            form.add_error(None, error)
        except IntegrityError:  # somebody else invited the same person a moment ago
            form.add_error("email", _("This person is invited already: send that invitation again, or revoke it."))
    return render(
        request, "people/invitation_new.html", {"form": form, "mail": settings.MAIL}, status=422 if form.errors else 200
    )


def _initial(request):
    """One's own language, and the site that the link to this page names."""
    return {"language": get_language(), "site": request.GET.get("site", "") or None}


def _send(request, invitation, token):
    """Mail the link to the person, or where there is no mail keep it for the administrator's next page."""
    address = request.build_absolute_uri(reverse("invitation", args=[token]))
    if not settings.MAIL:
        request.session[LINK] = {"email": invitation.email, "address": address}
        return
    with override(invitation.language):
        text = render_to_string("account/email/invitation.txt", {"invitation": invitation, "address": address})
        subject = _("Invitation to Metaspine")
    tasks.start_mail(subject, text, invitation.email)
    messages.success(request, _("The invitation is sent to %(email)s.") % {"email": invitation.email})


@require_POST
@confirmed
def invitation_renew(request, invitation_id):
    """Another link, another while; the one before no longer works."""
    request.access.require(Can.ADMINISTER)
    invitation = get_object_or_404(Invitation, pk=invitation_id)
    try:
        _send(request, invitation, renew(invitation, access=request.access))
    except NotInvited:
        messages.error(request, _("This invitation is accepted or revoked already."))
    return redirect("invitations")


@require_POST
@confirmed
def invitation_revoke(request, invitation_id):
    request.access.require(Can.ADMINISTER)
    invitation = get_object_or_404(Invitation, pk=invitation_id)
    revoke(invitation, access=request.access)
    messages.success(request, _("The invitation is revoked: its link no longer works."))
    return redirect("invitations")


@never_cache
@login_not_required
@sensitive_post_parameters("password1", "password2")
@require_http_methods(["GET", "HEAD", "POST"])
def accept(request, token):
    """The invited person's page: name, language, password; then they are signed in."""
    try:
        attempts.take("invitation", request)
    except attempts.TooMany:
        return respond_429(request)
    try:
        # Nobody is signed in here; the link is what lets this one row be read.
        with everything(reason="invitation opened"):
            invitation = invited(token)
        initial = {"name": invitation.name, "language": invitation.language}
        form = AcceptForm(request.POST if request.method == "POST" else None, email=invitation.email, initial=initial)
        if request.method == "POST" and form.is_valid():
            return _accepted(request, token, form.cleaned_data)
    except NotInvited:
        return _private(render(request, "account/not_invited.html", status=404))
    context = {"form": form, "invitation": invitation, "role": ROLE_LABELS[Role(invitation.role)]}
    # In the language of the invitation, until the person chooses another.
    with override(get_language() if settings.LANGUAGE_COOKIE_NAME in request.COOKIES else invitation.language):
        return _private(render(request, "account/accept.html", context, status=422 if form.errors else 200))


def _accepted(request, token, data):
    user = accept_invitation(token, name=data["name"], language=data["language"], password=data["password1"])
    logout(request)  # whoever was signed in here before
    return perform_login(request, user, email_verification="none")


def _private(response):
    """The address is a secret: no other site that this page leads to is told where somebody came from."""
    # Not `no-referrer`: with it a browser sends `Origin: null` with the page's own form, and the form is refused.
    response["Referrer-Policy"] = "same-origin"
    return response
