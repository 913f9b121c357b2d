"""Cohorts under a name that people give: saved once, in versions, and read back as the analysis' own Cohort."""

from django.db import connection, transaction

from registry.analysis.design import cohorts
from registry.analysis.design.errors import refusal
from registry.models import SavedCohort
from sites.database.longest import longest
from sites.tenancy.access import Can

LONGEST_NAME = longest(SavedCohort, "name")


def save(*, access, name, steps, note=""):
    """The SavedCohort of these Steps: a new version where the name exists, and the latest one if nothing has changed.

    Raises PermissionDenied, and ValueError for a name that is empty, too long, or that of a declared cohort.
    """
    access.require(Can.COMPARE)
    name = " ".join(name.split())
    if not 0 < len(name) <= LONGEST_NAME:
        raise refusal("a name has 1 to {n} characters", "名前は1～{n}文字で付けてください", n=LONGEST_NAME)
    if name.lower() in cohorts.COHORTS:
        raise refusal(
            "“{name}” is a cohort of the registry itself",
            "「{name}」は登録システムに組み込みのコホート名です",
            name=name,
        )
    declared = [{"step": step.code, **step.parameters} for step in steps]
    with transaction.atomic():
        with connection.cursor() as cursor:  # two who save one name at the same time get two versions
            cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"cohort {name}"])
        latest = SavedCohort.objects.filter(name=name).order_by("-version").first()
        if latest and (latest.steps, latest.note) == (declared, note):
            return latest
        return SavedCohort.objects.create(
            name=name,
            version=latest.version + 1 if latest else 1,
            steps=declared,
            note=note,
            created_by_id=access.user_id,
        )


def cohort_of(saved):
    """The Cohort that the analysis takes. UnknownStep if a step of it is no longer declared."""
    return cohorts.from_json({"name": saved.name, "version": str(saved.version), "steps": saved.steps})


def saved_as(cohort):
    """The SavedCohort that a Cohort was read from; None for a declared one, or one that differs from what was saved."""
    if cohort.name in cohorts.COHORTS or not cohort.version.isdecimal():
        return None
    return SavedCohort.objects.filter(name=cohort.name, version=int(cohort.version)).first()
