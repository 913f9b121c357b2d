"""Plans under a name that people give, in versions, some of them locked: statistical analysis plans.

A run of a locked version follows it where its plan and cohort are the version's; whether the plan came first is told by
the snapshot it reads, which must be younger than the lock.
"""

import json

from django.db import connection, transaction

from registry.analysis.design import cohorts, plans
from registry.analysis.design.errors import refusal
from registry.models import SavedPlan, Snapshot
from sites.tenancy.access import Can

LONGEST_NAME = SavedPlan._meta.get_field("name").max_length


def save(*, access, name, plan, cohort, note="", locked=False):
    """The SavedPlan of a Plan and a Cohort: a new version where the name exists, and the latest one if nothing changed.

    locked  a statistical analysis plan from now on: nobody can change it, and runs say whether they follow it
    Raises PermissionDenied, and ValueError for a name that is empty, too long, or that of a declared plan.
    """
    access.require(Can.COMPARE)
    name = " ".join(name.split())
    if not 0 < len(name) <= LONGEST_NAME:
        raise refusal("a name has 1 to {n} characters", "名前は1～{n}文字で付けてください", n=LONGEST_NAME)
    if name.lower() in plans.LABELS:
        raise refusal(
            "“{name}” is a plan of the registry itself", "「{name}」は登録システムに組み込みの計画名です", name=name
        )
    with transaction.atomic():
        with connection.cursor() as cursor:  # two who save one name at the same time get two versions
            cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"plan {name}"])
        latest = SavedPlan.objects.filter(name=name).order_by("-version").first()
        version = latest.version + 1 if latest else 1
        if latest and _same(latest, plan, cohort) and latest.note == note and latest.locked >= locked:
            return latest
        newest = Snapshot.objects.order_by("-created_at").first() if locked else None
        return SavedPlan.objects.create(
            name=name,
            version=version,
            plan=document_of(plan, name, version),
            cohort=cohort.to_json(),
            note=note,
            locked=locked,
            last_snapshot=newest.label if newest else "",
            created_by_id=access.user_id,
        )


def document_of(plan, name, version):
    """The JSON of a plan under the name and version that it is kept as."""
    return plan.to_json() | {"name": name, "version": str(version)}


def plan_of(saved):
    """The Plan that the analysis takes. Refused if the registry no longer collects what it names."""
    return plans.from_json(saved.plan)


def cohort_of(saved):
    return cohorts.from_json(saved.cohort)


def named(name):
    """The SavedPlan of a name, or of “name:version”; None where there is none. Locked or not, the newest version."""
    base, _colon, version = name.rpartition(":")
    if base and version.isdecimal():
        return SavedPlan.objects.filter(name=base, version=int(version)).first()
    return SavedPlan.objects.filter(name=name).order_by("-version").first()


def standing(plan, cohort, snapshot=None):
    """Whether a run follows a locked plan: a dict for `method.locked_plan`; None where no locked plan has its name.

    follows  whether plan and cohort are those of the locked version
    before   whether the data were frozen after the plan was locked; None for the registry as it is
    """
    locked = SavedPlan.objects.filter(name=plan.name, locked=True).select_related("created_by")
    saved = locked.filter(version=int(plan.version)).first() if plan.version.isdecimal() else None
    version = saved or locked.order_by("-version").first()
    if version is None:
        return None
    return {
        "name": version.name,
        "version": version.version,
        "locked_at": version.created_at.isoformat(timespec="seconds"),
        "locked_by": str(version.created_by or ""),
        "last_snapshot": version.last_snapshot,
        "follows": saved is not None and _same(saved, plan, cohort),
        "before": None if snapshot is None else bool(snapshot.created_at > version.created_at),
    }


def _same(saved, plan, cohort):
    """Whether a version is of this plan and cohort, whatever they are called and whatever was noted."""
    apart = ("name", "version", "note")
    parts = {name: part for name, part in saved.plan.items() if name not in apart}
    asked = {name: part for name, part in plan.to_json().items() if name not in apart}
    steps = saved.cohort["steps"] == cohort.to_json()["steps"]
    return steps and json.dumps(parts, sort_keys=True) == json.dumps(asked, sort_keys=True)
