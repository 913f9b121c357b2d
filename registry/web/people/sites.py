"""Sites, for administrators: the list, one site's page, and the form of it. Counts only, never a patient."""

from dataclasses import dataclass
from urllib.parse import urlencode

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Count, Q
from django.shortcuts import get_object_or_404, redirect, render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from registry.instruments.base import Label
from registry.services.protocol import setup
from registry.web.account.forms import Days, Styled
from registry.web.people.counts import enrolment
from registry.web.people.trail import newest
from registry.web.shared import cells, wording
from registry.web.shared.cells import escape
from registry.web.shared.filters import Filter, chips, codes
from sites.confirming import confirmed
from sites.models import Invitation, Membership, Site
from sites.people.site_forms import SiteForm
from sites.tenancy.access import ROLE_LABELS, Can, Role
from sites.tenancy.scope import everything

PAGE = 50
OPEN, FUTURE, CLOSED, DESERTED = "open", "future", "closed", "deserted"


class StyledSiteForm(Styled, SiteForm):
    class Meta(SiteForm.Meta):
        widgets = {"activated_on": Days(), "closed_on": Days()}


@dataclass(frozen=True)
class Line:
    """A site in the list: its state (OPEN, FUTURE, CLOSED), people with a role today, patients enrolled."""

    site: Site
    state: str
    people: int
    patients: int


def _state(site, today):
    if site.activated_on and site.activated_on > today:
        return FUTURE
    return OPEN if site.enrols(today) else CLOSED


@require_safe
def site_list(request):
    """Every site with its people and patients in numbers: 50 a page, by code, name and region, state."""
    request.access.require(Can.ADMINISTER)
    today = timezone.localdate()
    query = " ".join(request.GET.get("q", "").split())
    filters = _filters(request)
    parameters = ({"q": query} if query else {}) | codes(filters)
    running = Membership.objects.running(today)
    people = Count("memberships__user", filter=Q(memberships__in=running), distinct=True)
    listed = _narrowed(Site.objects.annotate(people=people), today, **parameters).order_by("code")
    page = Paginator(listed, PAGE).get_page(request.GET.get("page"))
    lines = [Line(site, _state(site, today), site.people, n) for site, n in _enrolled(request.access, page)]
    context = {
        "page": page,
        "rows": lines,
        "written": cells.joined(_written(lines)),
        "query": query,
        "filters": filters,
        "chips": chips(filters, parameters),
        "any_filter": bool(parameters),
        "page_query": urlencode(parameters),
    }
    return render(request, "people/sites.html", context)


def _written(lines):
    """Lines of the list as HTML."""
    sites, invite = reverse("sites"), reverse("invitation_new")
    states, nobody, nothing = {}, escape(_("Invite somebody")), wording.NOTHING
    for line in lines:
        site = line.site
        about = line.state, site.activated_on, site.closed_on
        if about not in states:
            states[about] = render_to_string("people/site_state.html", {"state": line.state, "site": site}).strip()
        people = line.people or f'<a href="{invite}?site={site.pk}">{nobody}</a>'
        target = nothing if site.enrolment_target is None else site.enrolment_target
        yield (
            f'<tr data-href="{sites}{site.pk}/"><th scope="row"><a href="{sites}{site.pk}/">{escape(site)}</a></th>'
            f'<td class="wide">{escape(site.region or nothing)}</td><td>{states[about]}</td>'
            f'<td class="number">{people}</td>'
            f'<td class="number">{line.patients}</td><td class="number wide">{target}</td>'
            f'<td class="wide">{escape(site.contact_name or nothing)}</td></tr>'
        )


def _enrolled(access, sites):
    """(site, how many patients) of some. An administrator's scope reaches no patient: only counts leave the block."""
    with everything(user_id=access.user_id):
        return [(line.site, line.n) for line in enrolment(sites).sites]


def _filters(request):
    regions = Site.objects.exclude(region="").order_by("region").values_list("region", "region").distinct()
    states = [
        (OPEN, _("Enrolling")),
        (FUTURE, _("Not yet activated")),
        (CLOSED, _("Closed to enrolment")),
        (DESERTED, _("Nobody has a role there")),
    ]
    offered = (("state", _("State"), states), ("region", _("Region"), list(regions)))
    return [Filter(name, label, options, request.GET.get(name, "")) for name, label, options in offered if options]


def _narrowed(sites, today, q="", state="", region=""):
    for word in q.split():
        sites = sites.filter(
            Q(code__icontains=word) | Q(name__icontains=word) | Q(name_ja__icontains=word) | Q(region__icontains=word)
        )
    if region:
        sites = sites.filter(region=region)
    return sites.filter(_in_state(state, today)) if state else sites


def _in_state(state, today):
    """The condition of a state; an empty day excludes nothing."""
    begun = Q(activated_on=None) | Q(activated_on__lte=today)
    return {
        FUTURE: Q(activated_on__gt=today),
        CLOSED: begun & Q(closed_on__lt=today),
        OPEN: begun & (Q(closed_on=None) | Q(closed_on__gte=today)),
        DESERTED: Q(people=0),
    }[state]


@require_safe
def site_page(request, site_id):
    """One site: contact, activation, ethics approval, people today, invitations, counts and what was changed."""
    request.access.require(Can.ADMINISTER)
    site, today = get_object_or_404(Site, pk=site_id), timezone.localdate()
    with everything(user_id=request.access.user_id):
        counted = enrolment([site])
    memberships = site.memberships.running(today).select_related("user").order_by("role", "user__name", "pk")
    approvals = (setup.document().get("study") or {}).get("ethics") or ()
    context = {
        "site": site,
        "state": _state(site, today),
        "enrolment": counted.sites[0],
        "approvals": [wording.words(Label(**line["label"])) for line in approvals if line["code"] == site.code],
        "any_approval": bool(approvals),
        "people": [(membership, ROLE_LABELS[Role(membership.role)]) for membership in memberships],
        "invitations": [
            (invitation, ROLE_LABELS[Role(invitation.role)])
            for invitation in Invitation.objects.filter(site=site, accepted_at=None, revoked_at=None).order_by("email")
        ],
        "trail": newest([("study_sites_site", [site.pk])]),
    }
    return render(request, "people/site.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@confirmed
def site_new(request):
    request.access.require(Can.ADMINISTER)
    return _form(request, Site(), _("The site is added."))


@require_http_methods(["GET", "HEAD", "POST"])
@confirmed
def site_change(request, site_id):
    request.access.require(Can.ADMINISTER)
    return _form(request, get_object_or_404(Site, pk=site_id), _("The site is changed."))


def _form(request, site, done):
    form = StyledSiteForm(request.POST if request.method == "POST" else None, instance=site)
    if request.method == "POST" and form.is_valid():
        form.save()
        messages.success(request, done)
        return redirect("site", site.pk)
    # The form has written into `site` what it was sent: the heading says what is stored.
    stored = Site.objects.filter(pk=site.pk).first()
    return render(request, "people/site_form.html", {"form": form, "site": stored}, status=422 if form.errors else 200)
