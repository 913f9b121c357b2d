"""A small registry with something behind every address: two sites alike, their people, and what concerns all sites."""

from contextlib import contextmanager

from django.db import transaction

from registry.analysis.design import cohorts, plans
from registry.analysis.running import runner
from registry.imports import jobs as imports
from registry.models import (
    ComparisonRun,
    Consent,
    ConsentWithdrawal,
    SavedCohort,
    SavedPlan,
    ScheduleVersion,
)
from registry.services.attachments import files
from registry.services.entry import entered_in_error, patient_links, patients
from registry.services.entry.assessments import save_assessment
from registry.services.files import snapshots
from registry.services.review import queries
from registry.services.review.soft_checks import Form
from registry.services.study import consents, screening
from sites.models import AuditEvent, Invitation, Membership
from sites.people.invitations import invite
from sites.tenancy.access import Role, access_of
from sites.tenancy.scope import entered, everything
from tests.conftest import TODAY, person
from tests.guard.crawl import World

NOWHERE = 999_999


@contextmanager
def acting(user):
    """In a transaction under a person's own scope."""
    access = access_of(user)
    with entered(access.scope()), transaction.atomic():
        yield access


def populated(north, south, *, alice, charlie, ivo, mona, bob, dana, ada):
    """The `World` of two sites with their coordinators Alice and Charlie, and of people for every other role."""
    nina = person("Nina", Role.COORDINATOR, north)
    Membership.objects.filter(user=nina).update(ends_on=TODAY.replace(year=2019))
    world = World(
        {
            "coordinator": alice,
            "investigator": ivo,
            "monitor": mona,
            "data_manager": dana,
            "statistician": bob,
            "admin": ada,
            "former": nina,
            "anonymous": None,
        },
        others={
            "coordinator": charlie,
            "investigator": person("Ines", Role.INVESTIGATOR, south),
            "monitor": person("Moira", Role.MONITOR, south),
        },
    )
    _fill_site(world, "own", alice, north, dana, born="1951-02-23", number="HN-4410077", initials="Q.N.")
    _fill_site(world, "other", charlie, south, dana, born="1947-11-29", number="HN-7731905", initials="Q.S.")
    common = _of_all_sites(dana, bob) | {"invitation_id": _invited(south, ada).pk}
    for place in ("own", "other"):
        events = AuditEvent.objects.filter(site_id=world.values[place]["site_id"])
        with everything(), transaction.atomic():
            world.values[place] |= common | {"clinical_event_id": events.latest("pk").pk}
    nothing = dict.fromkeys(("event_id", "entry_id", "query_id", "link_id"), NOWHERE)
    world.values["ghost"] = world.values["other"] | nothing
    world.values["ghost"] |= {
        "patient_id": "S01-0999",
        "response_id": f"event-{NOWHERE}.adverse-event.S01-0999",
        "site_code": "X99",
    }
    return world


def _fill_site(world, place, user, site, dana, *, born, number, initials):
    with acting(user) as access:
        patient = patients.enrol(
            access=access,
            site=site,
            raw={"sex": "male", "birth_date": born, "consent_date": "2026-01-10"},
            consented=True,
            hospital_number=number,
            initials=initials,
            today=TODAY,
        )
        values = _forms(access, patient, initials) | _papers(access, patient, number, initials)
        link, token = patient_links.create(
            access=access, patient=patient, timepoint="preop", language="en", respondent="self", valid="1d"
        )
    _answer(token)
    with acting(dana) as access:
        about = Form("assessment", timepoint="preop")
        query = queries.raise_query(access=access, patient=patient, form=about, text="Is this the day?")
    year, month, day = (int(part) for part in born.split("-"))
    named = {2: "Feb", 11: "Nov"}[month]
    world.secrets[place] = (born, f"{day} {named} {year}", f"{year}年{month}月{day}日", number, initials)
    world.records[place] = (patient.pk,)
    world.values[place] = values | {
        "patient_id": patient.pk,
        "timepoint": "preop",
        "query_id": query.pk,
        "link_id": link.pk,
        "response_id": f"event-{values['event_id']}.adverse-event.{patient.pk}",
        "site_id": site.pk,
        "site_code": site.code,
        "token_id": NOWHERE,
        "user_id": user.pk,
        "membership_id": user.memberships.get().pk,
    }


def _forms(access, patient, initials):
    """An assessment, an adverse event and one that was entered in error; their keys by the arguments' names."""
    raw = {"assessment_date": "2026-01-11"}
    saved = save_assessment(access=access, patient=patient, timepoint="preop", raw=raw, today=TODAY)
    raw = {"kind": "csf_leak", "onset_date": "2026-03-11", "detail": f"told by {initials}-witness"}
    event = patients.save_adverse_event(access=access, patient=patient, raw=raw, today=TODAY)
    raw = {"kind": "pneumonia", "onset_date": "2026-03-12"}
    wrong = patients.save_adverse_event(access=access, patient=patient, raw=raw, today=TODAY)
    entry = entered_in_error.mark(access=access, row=wrong, version=None, reason="another patient's")
    return {"assessment_id": saved.pk, "event_id": event.pk, "entry_id": entry.pk}


def _papers(access, patient, number, initials):
    """A line of the screening log, a consent, a withdrawal that was corrected and a file; their keys."""
    raw = {"screened_on": "2026-03-11", "screen_outcome": "screened"}
    line = screening.add(access=access, site=patient.site, raw=raw, today=TODAY)
    about = {"site": patient.site, "patient": patient}
    signed = Consent.objects.create(
        **about, agreed_version="1.0", agreed_on=TODAY, agreed_language="ja", agreed_taken_by="Alice"
    )
    withdrawal = ConsentWithdrawal.objects.create(**about, withdrawn_part="contact", withdrawn_on=TODAY)
    consents.correct_withdrawal(access=access, row=withdrawal, reason="another patient")
    content = b"%PDF-1.4 " + number.encode()
    scan = files.attach(access=access, patient=patient, name=f"{initials}.pdf", content=content, kind="consent")
    return {
        "screening_id": line.pk,
        "consent_id": signed.pk,
        "withdrawal_id": withdrawal.pk,
        "attachment_id": scan.pk,
    }


def _answer(token):
    """The patient declines every question of a link and sends it."""
    with entered(patient_links.scope_of(token)), transaction.atomic():
        link = patient_links.usable()
        for item in patient_links.ITEMS:
            patient_links.decline(link, item)
        patient_links.send(link)


def _of_all_sites(dana, bob):
    """An import, a comparison, a snapshot, a cohort and a plan; their keys by the arguments' names."""
    with acting(dana) as access:
        imported = imports.begin(access=access, files={"patients.csv": b"patient_id,site_code\nN01-0001,N01\n"})
        imported.status = "checked"
        imported.counts = {"files": {"patients": {"new": 1, "changed": 0, "unchanged": 0}}, "errors": 0, "warnings": 0}
        imported.save(update_fields=["status", "counts"])
    with everything(), transaction.atomic():
        run = ComparisonRun.objects.create(
            status="done",
            plan=plans.SEGMENT_COMPARISON.to_json(),
            cohort=cohorts.SEGI2024.to_json(),
            result=runner.compare(plans.SEGMENT_COMPARISON, cohorts.SEGI2024),
            requested_by=bob,
        )
        snapshot = snapshots.freeze(access=None, label="Crawled")
        saved = SavedCohort.objects.create(
            name="Lung", version=1, steps=[{"step": "primary_tumour", "values": ["lung"]}], created_by=bob
        )
        plan = SavedPlan.objects.create(
            name="Crawled", version=1, plan=plans.SEGMENT_COMPARISON.to_json(), cohort=cohorts.ALL.to_json()
        )
        return {
            "import_id": imported.pk,
            "run_id": run.pk,
            "cohort_id": saved.pk,
            "plan_id": plan.pk,
            "version_id": ScheduleVersion.objects.get().pk,
            "snapshot_id": snapshot.pk,
        }


def _invited(site, ada):
    invitation = Invitation(email="soon@example.org", role=Role.COORDINATOR, site=site)
    with everything(), transaction.atomic():
        invite(invitation, access=access_of(ada))
    return invitation
