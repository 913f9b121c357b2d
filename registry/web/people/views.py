"""Pages on people and sites: what a person can see, and how enrolment goes. Counts only, never a patient."""

from contextlib import nullcontext
from dataclasses import replace
from urllib.parse import urlencode

from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import Prefetch, Q
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.utils.html import escape
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from registry.web.people.charts import HEIGHT, STEP, bars, chart
from registry.web.people.counts import enrolment, sight
from registry.web.shared import cells, wording
from registry.web.shared.filters import Filter, chips, codes
from sites import audit
from sites.models import Membership, Site, User
from sites.tenancy.access import ROLE_LABELS, Can, Role, access_of
from sites.tenancy.scope import entered, everything

PAGE = 50
NO_ROLE = "none"


@require_safe
def people_list(request):
    """Everybody with an account and their roles today, for administrators: 50 a page, by name, address, role, site."""
    request.access.require(Can.ADMINISTER)
    running = Membership.objects.running(timezone.localdate())
    query = " ".join(request.GET.get("q", "").split())
    filters = _filters(request)
    parameters = ({"q": query} if query else {}) | codes(filters)
    people = _narrowed(User.objects.all(), running, **parameters).order_by("name", "email", "pk")
    listed = people.prefetch_related(
        Prefetch("memberships", running.select_related("site").order_by("pk"), to_attr="running")
    )
    page = Paginator(listed, PAGE).get_page(request.GET.get("page"))
    context = {
        "page": page,
        "rows": [(user, _roles(user.running)) for user in page],
        "query": query,
        "filters": filters,
        "chips": chips(filters, parameters),
        "any_filter": bool(parameters),
        "page_query": urlencode(parameters),
    }
    return render(request, "people/list.html", context)


def _filters(request):
    roles = [*((role.value, words) for role, words in ROLE_LABELS.items()), (NO_ROLE, _("Active, without a role"))]
    sites = [(site.code, str(site)) for site in Site.objects.all()]
    offered = (("role", _("Role"), roles), ("site", _("Site"), sites))
    return [Filter(name, label, options, request.GET.get(name, "")) for name, label, options in offered]


def _narrowed(people, running, q="", role="", site=""):
    """Those of `people` with every word of `q` in name or address, and one running membership that fits the rest."""
    for word in q.split():
        people = people.filter(Q(name__icontains=word) | Q(email__icontains=word))
    if role == NO_ROLE:
        people = people.filter(is_active=True).exclude(pk__in=running.values("user"))
        role = ""
    if role:
        running = running.filter(role=role)
    if site:
        running = running.filter(site__code=site)
    return people.filter(pk__in=running.values("user")) if role or site else people


def _roles(memberships):
    return [(ROLE_LABELS[Role(membership.role)], membership.site) for membership in memberships]


def person_access(request, user_id):
    """What one person can see, as the database answers under that person's own scope; for administrators."""
    request.access.require(Can.ADMINISTER)
    person = get_object_or_404(User, pk=user_id)
    access = access_of(person)
    scope = access.scope()
    # The person's scope, but whoever asks stays who they are.
    with entered(replace(scope, user_id=request.user.pk, request_id=request.id)):
        seen = sight()
    audit.record("access_counted", table="study_sites_user", row_id=person.pk)
    reachable = {*scope.read, *scope.write, *scope.identify}
    kinds = ["patients", *(timepoint.pk for timepoint in seen.timepoints), "adverse_events", "identities"]
    context = {
        "person": person,
        "memberships": [
            (membership, ROLE_LABELS[Role(membership.role)], _when(membership))
            for membership in person.memberships.select_related("site").order_by("starts_on", "pk")
        ],
        "timepoints": seen.timepoints,
        "rows": [
            (site, _abilities(access, site), [seen.of(site.pk, kind) for kind in kinds])
            for site in Site.objects.filter(pk__in=seen.site_ids.union(reachable))
        ],
        "totals": [seen.total(kind) for kind in kinds],
    }
    return render(request, "people/access.html", context)


def _when(membership):
    today = timezone.localdate()
    if membership.starts_on > today:
        return "future"
    return "past" if membership.ends_on and membership.ends_on < today else "running"


def _abilities(access, site):
    return {ability.value for ability in Can if access.may(ability, site.pk)}


def site_enrolment(request):
    """Enrolment by site: all sites for administrators and central roles, their own for everybody else."""
    access = request.access
    if access.may(Can.ADMINISTER):
        # An administrator's scope reaches no patient, by design: count under the scope of all sites, and let nothing
        # but these counts a site leave the block.
        scope, sites = everything(user_id=access.user_id), Site.objects.all()
    elif access.may(Can.READ):
        scope, sites = nullcontext(), Site.objects.filter(pk__in=access.scope().read)
    else:
        raise PermissionDenied
    with scope:
        counted = enrolment(sites)
    context = {
        "enrolment": counted,
        "rows": counted.sites,
        "chart": chart(counted.months, counted.by_month) if len(counted.months) > 1 else None,
        "months": list(zip(counted.months, counted.by_month, _sums(counted.by_month), strict=True)),
        "written": cells.joined(_written(counted)),
        "by_month": cells.rows(
            (f"{month:%Y-%m}", [str(n), str(so_far)])
            for month, n, so_far in zip(counted.months, counted.by_month, _sums(counted.by_month), strict=True)
        ),
    }
    return render(request, "people/enrolment.html", context)


def _written(counted):
    """Rows of the table by site as HTML."""
    box = f"0 0 {STEP * len(counted.months)} {HEIGHT}"
    for counted_site in counted.sites:
        site, code, target = counted_site.site, escape(counted_site.site.code), counted_site.site.enrolment_target
        progress, drawn = wording.NOTHING, ""
        if target:
            progress = (
                f'<progress max="{target}" value="{counted_site.n}" aria-label="{code}">{counted_site.n}</progress>'
            )
        if counted_site.n and len(counted.months) > 1:
            drawn = (
                f'<svg class="bars" viewBox="{box}" preserveAspectRatio="none" role="img" '
                f'aria-label="{code}"><path d="{bars(counted_site.months, counted.busiest)}"/></svg>'
            )
        yield (
            f'<tr><th scope="row"><span class="code">{code}</span> {escape(wording.site_name(site))}</th>'
            f'<td class="number">{counted_site.n}</td>'
            f'<td class="number">{wording.NOTHING if target is None else target}</td>'
            f'<td class="wide">{progress}</td><td class="nowrap">{escape(wording.day(counted_site.first))}</td>'
            f'<td class="nowrap">{escape(wording.day(counted_site.last))}</td><td>{drawn}</td></tr>'
        )


def _sums(counts):
    total, sums = 0, []
    for n in counts:
        total += n
        sums.append(total)
    return sums
