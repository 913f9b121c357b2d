"""The monthly mail about a site's scorecard: that it is there, and links to the page and the PDF of each own site.

A mail passes through other hands, so the PDF is no attachment: its numbers stand behind the sign-in.
"""

from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.core.cache import caches
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import override

from registry.services.quality import scorecards
from sites.models import Membership, Site, User
from sites.tenancy.access import Can, Role, access_of

MONTH = 40 * 24 * 3600  # seconds for which is remembered who was written to


def recipients(today: Any) -> Any:
    """The sites' own people who want mails from the registry, of running roles."""
    running = Membership.objects.running(today).filter(role__in=(Role.COORDINATOR, Role.INVESTIGATOR))
    return User.objects.filter(is_active=True, digest=True, pk__in=running.values("user")).order_by("pk")


def letters(today: Any) -> Iterator[tuple[str, str, str]]:
    """(subject, body, address) for whoever was not written to this month; nothing before anything was counted."""
    if scorecards.network() is None:
        return
    for person in recipients(today):
        if not caches["durable"].add(f"scorecard-mail-{today:%Y-%m}-{person.pk}", True, MONTH):
            continue
        with override(person.language):
            body = render_to_string(
                "quality/scorecard_mail.txt",
                {"sites": _addresses(person), "synthetic": settings.SYNTHETIC},
            )
            subject = _("Metaspine: this month's scorecard of your site")
        yield subject, body.strip() + "\n", person.email


def _addresses(person: User) -> list[tuple[Site, str, str]]:
    """(site, address of its page, of its PDF) of the sites where somebody enters data."""
    sites = Site.objects.filter(pk__in=access_of(person).sites_for(Can.ENTER)).order_by("code")
    pages = [settings.ADDRESS + reverse(name) + "?" for name in ("scorecard", "scorecard_pdf")]
    made = [(site, urlencode({"site": site.code})) for site in sites]
    return [(site, pages[0] + query, pages[1] + query) for site, query in made]
