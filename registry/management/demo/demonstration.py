"""The demonstration registry: who can sign in, with which password, and whether this database is one."""

import json
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.core.management.base import CommandError
from django.utils.crypto import salted_hmac

from registry.analysis.design import cohorts, plans
from registry.analysis.reports import published_study
from registry.demo.studies import make
from sites.models import Site, User
from sites.tenancy.access import Role

PLANS = Path(plans.__file__).parent / "study_plans"
STATISTICIAN = "statistician@demo.example"  # who asks for the comparison
MONITOR = "monitor@demo.example"
ADMINISTRATOR = "admin@demo.example"  # who publishes a study's protocol
RECENT_AT = "S01"  # the site where something is to be done today
QUESTION = "Is this ECOG the one in the patient's file? (A synthetic query of the demonstration.)"
TARGETS = (10, 20, 40)  # patients a site: the least of these that its enrolment does not exceed


@dataclass(frozen=True)
class Login:
    """Someone of the demonstration: one membership for each of `sites`, or one central membership where empty."""

    email: str
    name: str
    role: Role
    sites: tuple[str, ...] = ()


LOGINS = (
    Login("coordinator@demo.example", "Chika Coordinator", Role.COORDINATOR, (RECENT_AT,)),
    Login("investigator@demo.example", "Ichiro Investigator", Role.INVESTIGATOR, (RECENT_AT,)),
    Login(MONITOR, "Mio Monitor", Role.MONITOR, (RECENT_AT, "S02")),
    Login("data.manager@demo.example", "Daiki Data-Manager", Role.DATA_MANAGER),
    Login(STATISTICIAN, "Satomi Statistician", Role.STATISTICIAN),
    Login(ADMINISTRATOR, "Akira Administrator", Role.ADMIN),
    Login("coordinator.s02@demo.example", "Saki Coordinator", Role.COORDINATOR, ("S02",)),
)


def password():
    """The one password of the demonstration. It follows from the installation's secret: no two have the same."""
    digits = salted_hmac("metaspine.demonstration", "password", algorithm="sha256").hexdigest()
    return f"demo-{digits[:4]}-{digits[4:8]}-{digits[8:12]}"


def is_loaded():
    """Whether this registry holds the demonstration."""
    return User.objects.filter(email=LOGINS[0].email).exists()


def question(study):
    """(Plan, Cohort) of the comparison that the demonstration of a study ("" for Segi 2025) asks for.

    After its protocol was published: a plan names what the registry collects.
    """
    if not study:
        return plans.SEGMENT_COMPARISON, cohorts.SEGI2024
    return plans.from_json(json.loads((PLANS / f"{study}.json").read_text(encoding="utf-8"))), cohorts.ALL


def require_study(wanted):
    """Refuse, with exit code 2, to take another study's registry for the wanted one ("" for Segi 2025)."""
    if (loaded := published_study.of_registry()) != wanted:
        names = {"": "of Segi 2025"} | {name: f"of {name}" for name in make.MAKERS}
        raise CommandError(
            f"This registry is the demonstration {names[loaded]}, not {names[wanted]}: choose another folder, "
            "METASPINE_DATA=/path/to/folder.",
            returncode=2,
        )


def require_synthetic():
    """Refuse, with exit code 2, to touch a registry that is not set up for synthetic patients alone."""
    if not settings.SYNTHETIC:
        raise CommandError(
            "This is no demonstration: METASPINE_SYNTHETIC is not 1. Synthetic and real patients never mix.",
            returncode=2,
        )


def require_empty():
    """Refuse, with exit code 2, a registry that has sites but is not the demonstration."""
    if Site.objects.exists():
        raise CommandError(
            "This registry has sites already and is not the demonstration: nothing was loaded.", returncode=2
        )
