"""The daily e-mail: what waits for a person, in numbers. It names no patient, not even by number, for e-mail is read by
others on its way.

`waiting` counts under the person's own scope, `letter` says it in the person's language, `deliver` tells it once a day.
"""

from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core import signing
from django.core.mail import EmailMultiAlternatives
from django.db import transaction
from django.db.models import Count, Min, Q
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import get_language, ngettext, override
from django.utils.translation import gettext as _

from registry.models import Query, QueryState
from registry.services.follow_up import schedule, visits
from registry.services.protocol import branding
from sites import audit
from sites.models import Digest, Membership, Site, User
from sites.tenancy.access import PERMISSIONS, Access, Can, Role, access_of
from sites.tenancy.scope import entered, everything

SALT = "registry.services.digests.stop"
TOLD = frozenset(role for role in Role if PERMISSIONS[role] & {Can.ENTER, Can.QUERY})  # who may have something waiting
NEW = timedelta(days=1)


@dataclass(frozen=True)
class VisitLine:
    """Visits of one timepoint at one site without a form: window open, window closed, at most a week left."""

    site: Site
    code: str
    due: int
    overdue: int
    closing: int


@dataclass(frozen=True)
class QueryLine:
    """Queries of one site that wait for this person: `state` says whether to answer them or to close them.

    new     those whose last message came within a day
    oldest  days since the last message of the one that waits longest
    """

    site: Site
    state: str
    number: int
    new: int
    oldest: int


@dataclass(frozen=True)
class Waiting:
    visits: tuple[VisitLine, ...] = ()
    queries: tuple[QueryLine, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.visits or self.queries)

    def total(self, name: str) -> int:
        """The sum of `due`, `overdue` or `closing` over all lines."""
        return sum(getattr(visit, name) for visit in self.visits)

    @property
    def counts(self) -> dict[str, int]:
        """What is told, as numbers by name."""
        numbers = {name: self.total(name) for name in ("due", "overdue", "closing")}
        for state in (QueryState.OPEN, QueryState.ANSWERED):
            numbers[f"queries_{state}"] = sum(query.number for query in self.queries if query.state == state)
        return numbers


def waiting(access: Access, today: Any) -> Waiting:
    """What waits for a person on a day. Call it in a transaction under the scope of `access`."""
    sites = {
        site.pk: site for site in Site.objects.filter(pk__in=access.sites_for(Can.ENTER, Can.QUERY)).order_by("code")
    }
    return Waiting(_visits(access.sites_for(Can.ENTER), sites, today), _queries(access, sites))


def _visits(entered_at: Any, sites: Any, today: Any) -> tuple:
    if not entered_at:
        return ()
    plans = schedule.plans()
    counts: Counter[tuple[int, str, str]] = Counter()
    for visit in visits.awaited(entered_at, plans, today):
        counts[visit.site_id, visit.code, visit.state(today)] += 1
        counts[visit.site_id, visit.code, "closing"] += visit.days_left(today) <= visits.CLOSING_SOON
    order = [timepoint.code for timepoint in plans.timepoints]
    about = {key[:2] for key in counts}
    return tuple(
        VisitLine(sites[site], code, *(counts[site, code, name] for name in ("due", "overdue", "closing")))
        for site, code in sorted(about, key=lambda key: (sites[key[0]].code, order.index(key[1])))
    )


def _queries(access: Access, sites: Any) -> tuple[QueryLine, ...]:
    """As the number beside *Queries* in the navigation: open ones to answer at the site, answered ones to close."""
    now = timezone.now()
    rows = (
        Query.objects.order_by("site__code", "-state")
        .filter(
            Q(site_id__in=access.sites_for(Can.ENTER), state=QueryState.OPEN)
            | Q(site_id__in=access.sites_for(Can.QUERY), state=QueryState.ANSWERED)
        )
        .values_list("site_id", "state")
        .annotate(Count("pk"), new=Count("pk", Q(changed_at__gt=now - NEW)), oldest=Min("changed_at"))
    )
    return tuple(
        QueryLine(sites[site], state, number, new, (now - oldest).days) for site, state, number, new, oldest in rows
    )


# -- The e-mail --------------------------------------------------------------------------------------------------------


def letter(user: Any, digest: Any) -> EmailMultiAlternatives:
    """The e-mail that tells `digest`, as text and HTML, in the language of the person."""
    stop = settings.ADDRESS + reverse("digest_stop", args=[stop_token(user)])
    with override(user.language):
        language = get_language()
        labels = schedule.labels()
        context = {
            "visits": [
                (_site_name(visit.site), labels[visit.code].in_language(language), visit) for visit in digest.visits
            ],
            "queries": [(_site_name(query.site), _asked(query)) for query in digest.queries],
            "address": settings.ADDRESS + reverse("home"),
            "queries_address": settings.ADDRESS + reverse("queries"),
            "stop": stop,
            "language": language,
            "synthetic": settings.SYNTHETIC,
        }
        brand = branding.current()
        text = brand.signed(render_to_string("digests/digest.txt", context).strip())
        html = brand.said(render_to_string("digests/digest.html", context | {"brand": brand}))
        subject = brand.said(_subject(digest))
    headers = {
        "List-Unsubscribe": f"<{stop}>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",  # RFC 8058
        "Auto-Submitted": "auto-generated",
    }
    mail = EmailMultiAlternatives(subject, text, None, [user.email], headers=headers)
    mail.attach_alternative(html, "text/html")
    return mail


def _site_name(site: Any) -> str:
    return f"{site.code} {site.name_ja if get_language() == 'ja' and site.name_ja else site.name}"


def _asked(line: Any) -> str:
    """“3 queries to answer, 1 new; the oldest waits for 12 days”."""
    if line.state == QueryState.OPEN:
        text = ngettext("%(n)s query to answer", "%(n)s queries to answer", line.number) % {"n": line.number}
    else:
        text = ngettext("%(n)s answered query to close", "%(n)s answered queries to close", line.number) % {
            "n": line.number
        }
    parts = [text]
    if line.new:
        parts.append(_("%(n)s new since yesterday") % {"n": line.new})
    if line.oldest:
        parts.append(
            ngettext("the oldest waits for %(n)s day", "the oldest waits for %(n)s days", line.oldest)
            % {"n": line.oldest}
        )
    return "; ".join(parts) if get_language() != "ja" else "、".join(parts)


def _subject(digest: Any) -> str:
    parts = []
    waits = digest.total("due") + digest.total("overdue")
    if waits:
        parts.append(ngettext("%(n)s visit", "%(n)s visits", waits) % {"n": waits})
    if asked := sum(query.number for query in digest.queries):
        parts.append(ngettext("%(n)s query", "%(n)s queries", asked) % {"n": asked})
    between = "、" if get_language() == "ja" else ", "
    return _("Metaspine: %(what)s waiting for you") % {"what": between.join(parts)}


def stop_token(user: Any) -> str:
    """What the link that stops a person's e-mails is signed with. It does nothing else, and does not expire."""
    return signing.dumps(user.pk, salt=SALT)


def person_of(token: Any) -> User | None:
    """The person whose e-mails a link stops, or None."""
    try:
        return User.objects.filter(pk=signing.loads(token, salt=SALT)).first()
    except signing.BadSignature:
        return None


# -- Once a day --------------------------------------------------------------------------------------------------------


def hour_has_come() -> Any:
    return timezone.localtime().hour >= settings.DIGEST_HOUR


def recipients(today: Any) -> Any:
    """Who may have something to be told and was not told today: active people who want it, with a running role."""
    running = Membership.objects.running(today).filter(role__in=sorted(TOLD))
    digests = Digest.objects.filter(last_on__gte=today)
    people = User.objects.filter(is_active=True, digest=True, pk__in=running.values("user"))
    return people.exclude(pk__in=digests.values("user")).order_by("pk")


def found_for(user: Any, today: Any) -> Waiting:
    """What `waiting` finds, under the person's own scope."""
    access = access_of(user, today)
    with entered(access.scope()), transaction.atomic():
        return waiting(access, today)


def deliver(user_id: Any, today: Any) -> bool | None:
    """Send a person the e-mail of a day; None if that is done already, otherwise whether there was something to tell.

    The row stays locked until the e-mail is handed over: two workers send one. Raises OSError where it cannot be sent,
    and then the day is still to be told.
    """
    Digest.objects.get_or_create(user_id=user_id)
    with everything(reason="daily e-mail"), transaction.atomic():
        untold = Q(last_on=None) | Q(last_on__lt=today)
        mine = Digest.objects.select_for_update(skip_locked=True).filter(untold, user_id=user_id).first()
        if mine is None or (user := recipients(today).filter(pk=user_id).first()) is None:
            return None
        digest = found_for(user, today)
        mine.last_on = today
        mine.save(update_fields=["last_on"])
        if digest:
            audit.record("digest_sent", table="study_sites_user", row_id=user_id, detail=digest.counts)
            letter(user, digest).send()
        return bool(digest)
