"""What every page's frame shows."""

from dataclasses import dataclass

from django.conf import settings
from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext_lazy as _

from sites.access import Can


@dataclass(frozen=True)
class Entry:
    """A line of the left navigation: the name of its address, and which ability opens it."""

    url_name: str
    label: str
    abilities: tuple[Can, ...] = tuple(Can)
    icon: str = ""


NAVIGATION = (
    Entry("home", _("Overview"), icon="home"),
    Entry("patients", _("Patients"), (Can.READ,), icon="patients"),
    Entry("comparison", _("Comparison"), (Can.COMPARE,), icon="comparison"),
    Entry("cohorts", _("Cohorts"), (Can.COMPARE,), icon="cohorts"),
    Entry("export", _("Export"), (Can.EXPORT,), icon="export"),
    Entry("snapshots", _("Snapshots"), (Can.FREEZE, Can.COMPARE), icon="snapshot"),
    Entry("import", _("Import"), (Can.IMPORT,), icon="import"),
    Entry("enrolment", _("Enrolment"), (Can.READ, Can.ADMINISTER), icon="enrolment"),
    Entry("people", _("People"), (Can.ADMINISTER,), icon="people"),
    Entry("audit", _("Audit trail"), (Can.READ, Can.ADMINISTER), icon="audit"),
    Entry("admin:index", _("Administration"), (Can.ADMINISTER,), icon="admin"),
)


def address(url_name):
    """The address of a page, or None where the installation has none of that name."""
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
            shown.append({"entry": entry, "url": url, "here": here})
    return shown


def frame(request):
    """`synthetic`, the person's `access`, `navigation`, and the abilities by name for `{% if can.enter %}`."""
    access = getattr(request, "access", None)
    signed_in = access is not None and request.user.is_authenticated
    return {
        "synthetic": settings.SYNTHETIC,
        "access": access,
        "can": {ability.value: signed_in and access.may(ability) for ability in Can},
        "navigation": navigation(request, access) if signed_in else [],
    }
