"""What every page's frame shows."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from django.conf import settings
from django.urls import NoReverseMatch, get_script_prefix, reverse
from django.utils.functional import Promise
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from registry.services.entry import suspected_pairs
from registry.services.protocol import branding
from registry.web.account.session import seconds_left
from registry.web.review.queries import waiting
from registry.web.shared import identified
from sites.tenancy.access import Can


def open_pairs(access):
    """How many pairs wait for a data manager; nobody else is asked, nor costs a statement."""
    return suspected_pairs.open_pairs(access).count() if access.may(Can.RECONCILE) else 0


@dataclass(frozen=True)
class Entry:
    """A line of the left navigation: the name of its address, and which ability opens it.

    count  takes the person's access and says how much waits there
    """

    url_name: str
    label: str | Promise
    abilities: tuple[Can, ...] = tuple(Can)
    icon: str = ""
    count: Callable | None = None


NAVIGATION = (
    Entry("home", _("My day"), icon="home"),
    Entry("patients", _("Patients"), (Can.READ,), icon="patients"),
    Entry("screening", _("Screening log"), (Can.READ,), icon="screening"),
    Entry("queries", _("Queries"), (Can.ENTER, Can.QUERY), icon="query", count=waiting),
    Entry("suspected_pairs", _("One patient?"), (Can.RECONCILE,), icon="pair", count=open_pairs),
    Entry("to_sign", _("Ready to sign"), (Can.SIGN,), icon="state-locked"),
    Entry("to_verify", _("Verification"), (Can.VERIFY,), icon="verify"),
    Entry("quality", _("Quality"), (Can.READ,), icon="quality"),
    Entry("scorecard", _("Scorecard"), (Can.ENTER,), icon="scorecard"),
    Entry("safety", _("Safety"), (Can.READ,), icon="state-query"),
    Entry("grid", _("Grid of forms"), (Can.READ,), icon="grid"),
    Entry("blank_paper", _("Paper forms"), (Can.ENTER,), icon="grid"),
    Entry("comparison", _("Comparison"), (Can.COMPARE,), icon="comparison"),
    Entry("cohorts", _("Cohorts"), (Can.COMPARE,), icon="cohorts"),
    Entry("export", _("Export"), (Can.EXPORT,), icon="export"),
    Entry("snapshots", _("Snapshots"), (Can.FREEZE, Can.COMPARE), icon="snapshot"),
    Entry("import", _("Import"), (Can.IMPORT,), icon="import"),
    Entry("enrolment", _("Enrolment"), (Can.READ, Can.ADMINISTER), icon="enrolment"),
    Entry("schedule", _("Schedule"), (Can.READ, Can.ADMINISTER), icon="schedule"),
    Entry("study", _("Study"), (Can.ADMINISTER,), icon="study"),
    Entry("extra_instruments", _("Instruments"), (Can.ADMINISTER,), icon="instruments"),
    Entry("sites", _("Sites"), (Can.ADMINISTER,), icon="site"),
    Entry("people", _("People"), (Can.ADMINISTER,), icon="people"),
    Entry("delegation", _("Delegation log"), (Can.VERIFY, Can.SIGN, Can.ADMINISTER), icon="delegation"),
    Entry("audit", _("Audit trail"), (Can.READ, Can.ADMINISTER), icon="audit"),
    Entry("system", _("System"), (Can.ADMINISTER,), icon="admin"),
)


def address(url_name):
    """The address of a page, or None where the installation has none of that name."""
    return _address(url_name, get_script_prefix())


@cache
def _address(url_name, prefix):
    """`address` below a prefix, looked up once."""
    try:
        return reverse(url_name)
    except NoReverseMatch:
        return None


def navigation(request, access):
    """The entries that the person may open, each with its address and whether it is the present one."""
    shown = []
    for entry in NAVIGATION:
        url = address(entry.url_name)
        if url and any(access.may(ability) for ability in entry.abilities):
            here = request.path == url if entry.url_name == "home" else request.path.startswith(url)
            count = entry.count(access) if entry.count else 0
            shown.append({"entry": entry, "url": url, "here": here, "count": count})
    return shown


def frame(request):
    """`synthetic`, the person's `access`, `navigation`, and the abilities by name for `{% if can.enter %}`."""
    access = getattr(request, "access", None)
    signed_in = access is not None and request.user.is_authenticated
    brand = branding.current()
    return {
        "synthetic": settings.SYNTHETIC,
        "second_factor": settings.SECOND_FACTOR,
        "mail": settings.MAIL,
        "brand": brand,
        "study_name": brand.name(get_language() or "en"),
        "access": access,
        "can": {ability.value: signed_in and access.may(ability) for ability in Can},
        "navigation": navigation(request, access) if signed_in else [],
        "identified_on": signed_in and identified.is_shown(request),
        "session_left": seconds_left(request.session) if signed_in else None,
        "session_idle": settings.SESSION_IDLE_SECONDS,
        "session_warning": settings.SESSION_WARNING_SECONDS,
    }
