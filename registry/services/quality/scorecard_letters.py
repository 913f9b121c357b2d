"""The monthly mail about a site's scorecard: that it is there, and the link. Its numbers stand behind the sign-in."""

from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.core.cache import caches
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import override

from registry.services.quality import scorecards
from sites.models import Membership, User
from sites.tenancy.access import Role

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
                {"address": settings.ADDRESS + reverse("scorecard"), "synthetic": settings.SYNTHETIC},
            )
            subject = _("Metaspine: this month's scorecard of your site")
        yield subject, body.strip() + "\n", person.email
