"""The pages on API tokens: one's own, to issue and to revoke; everybody's, for administrators to look after."""

import uuid
from datetime import timedelta

from django import forms
from django.contrib import messages
from django.core.cache import caches
from django.core.exceptions import PermissionDenied
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from registry.web.account.adapters import notify
from registry.web.shared.wording import site_name
from sites.confirming import confirmed
from sites.models import ApiToken, Site
from sites.people import tokens
from sites.people.tokens import SCOPE_LABELS, TokenScope
from sites.tenancy.access import Can

DAYS = (7, 30, 90, 180, 365)
USUAL_DAYS = 90


class SitesField(forms.ModelMultipleChoiceField):
    def label_from_instance(self, site):
        return f"{site.code} {site_name(site)}"


class TokenForm(forms.Form):
    """What a new token is called, may do, and for how long."""

    name = forms.CharField(
        label=gettext_lazy("Name of the token"),
        max_length=80,
        help_text=gettext_lazy("What uses it, such as “Nightly figures for the ward”."),
        widget=forms.TextInput(attrs={"class": "form-control", "autocomplete": "off"}),
    )
    scopes = forms.MultipleChoiceField(
        label=gettext_lazy("May"),
        required=False,
        choices=[(scope.value, label) for scope, label in SCOPE_LABELS.items() if scope != TokenScope.READ],
        widget=forms.CheckboxSelectMultiple(attrs={"class": "form-check-input"}),
        help_text=gettext_lazy("Reading records without direct identifiers is part of every token."),
    )
    sites = SitesField(
        label=gettext_lazy("Only at"),
        queryset=Site.objects.none(),
        required=False,
        widget=forms.CheckboxSelectMultiple(attrs={"class": "form-check-input"}),
        help_text=gettext_lazy("None chosen: at every site where you work."),
    )
    days = forms.TypedChoiceField(
        label=gettext_lazy("Expires after"),
        coerce=int,
        initial=USUAL_DAYS,
        choices=lambda: [(days, ngettext("%(n)s day", "%(n)s days", days) % {"n": days}) for days in DAYS],
        widget=forms.Select(attrs={"class": "form-select"}),
    )

    def __init__(self, access, data=None):
        super().__init__(data)
        reach = Site.objects.filter(pk__in=access.sites_for(*Can))
        self.fields["sites"].queryset = reach
        if reach.count() < 2:
            del self.fields["sites"]

    def scope(self):
        """What the token may do, as `tokens.issue` takes it."""
        given = self.cleaned_data
        return {
            "name": given["name"],
            "scopes": given["scopes"],
            "site_ids": [site.pk for site in given.get("sites", ())] or None,
            "expires_at": timezone.now() + timedelta(days=given["days"]),
        }


@never_cache
@require_http_methods(["GET", "POST"])
@confirmed
def own(request):
    """One's own tokens; a POST issues one and shows it, this once."""
    if not request.access.grants:
        raise PermissionDenied
    form, issued = TokenForm(request.access, request.POST if request.method == "POST" else None), None
    repeated = request.method == "POST" and form.is_valid() and _is_repeated(request)
    if repeated:
        form = TokenForm(request.access)
    elif request.method == "POST" and form.is_valid():
        try:
            issued = tokens.issue(access=request.access, user=request.user, **form.scope())
            form = TokenForm(request.access)
            notify("token_issued", request.user)
        except tokens.SecondFactorNeeded:
            form.add_error(
                "scopes",
                _("Reading direct identifiers asks for a second factor: set one up on your account's page first."),
            )
        except ValueError as error:
            form.add_error(None, str(error))
    context = {
        "form": form,
        "issued": issued,
        "repeated": repeated,
        "submission": uuid.uuid4().hex,
        "rows": _rows(ApiToken.objects.select_related("user").filter(user=request.user)),
    }
    status = 201 if issued else 409 if repeated else 422 if form.errors else 200
    return render(request, "account/tokens/own.html", context, status=status)


def _is_repeated(request):
    """Whether this very form was sent before, by a second click or by loading the page again."""
    sent = request.POST.get("submission", "")[:64]
    return bool(sent) and not caches["durable"].add(f"token-issued:{request.user.pk}:{sent}", True, timeout=24 * 3600)


@require_safe
def everybody(request):
    """Everybody's tokens, for administrators."""
    request.access.require(Can.ADMINISTER)
    rows = _rows(ApiToken.objects.select_related("user").order_by("user__name", "-created_at"))
    return render(request, "account/tokens/everybody.html", {"rows": rows})


@require_POST
def revoke(request, token_id):
    """End a token: one's own, or for administrators anybody's. Somebody else's does not exist for other people."""
    mine = ApiToken.objects.all() if request.access.may(Can.ADMINISTER) else ApiToken.objects.filter(user=request.user)
    token = get_object_or_404(mine, pk=token_id)
    tokens.revoke(access=request.access, token=token)
    messages.success(request, _("Revoked: %(name)s.") % {"name": token.name})
    return redirect("tokens" if token.user_id == request.user.pk else "tokens_everybody")


def _rows(api_tokens):
    """(token, its scopes in words, its sites or None, its state), the running ones first."""
    codes = dict(Site.objects.values_list("pk", "code"))
    rows = [
        (
            token,
            [SCOPE_LABELS[TokenScope(scope)] for scope in token.scopes],
            None if token.site_ids is None else [codes.get(pk, "?") for pk in token.site_ids],
            tokens.state_of(token),
        )
        for token in api_tokens
    ]
    return sorted(rows, key=lambda row: row[3] != "running")
