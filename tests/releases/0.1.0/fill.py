"""What filled the registry of release 0.1.0: synthetic patients of four sites, and every kind of row that there is.

Run with that release's own code (its commit, not this one), `manage.py shell < fill.py`, in an empty registry with
METASPINE_SYNTHETIC=1 and the keys of `keys.json`. It is kept to say what is in the dump; later code need not run it.
"""

import base64
import datetime as dt
import tempfile
from dataclasses import replace
from pathlib import Path

from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.db import transaction
from django.utils import timezone
from registry.services.assessments import save_assessment
from registry.services.findings import Form
from registry.services.sweeping import sweep
from sites.access import Role, access_of
from sites.scope import Scope, entered, everything

from registry.analysis import cohorts, plans, runs, saved_cohorts
from registry.demo import make_cohort, write_cohort
from registry.exports import choices
from registry.exports import jobs as exports
from registry.imports import import_files
from registry.imports import jobs as imports
from registry.models import Assessment, Patient, PatientLink, Query, Timepoint
from registry.services import (
    drafts,
    erasure,
    extras,
    follow_up,
    forms,
    patient_links,
    patients,
    queries,
    schedule,
    signing,
    snapshots,
    verification,
)
from sites import audit, invitations, sealing, tokens
from sites.models import ApiAnswer, Digest, Invitation, Membership, Site, User

SITES = ("S01", "S02", "S03", "S04")
PASSWORD = "synthetic people only 0.1.0"
TODAY = timezone.localdate()
ASSESSMENT = {
    "frankel": "D", "ecog_ps": "2", "pain_vas_mm": "40", "barthel_feeding": "10", "barthel_bathing": "0",
    "barthel_grooming": "5", "barthel_dressing": "5", "barthel_bowels": "10", "barthel_bladder": "10",
    "barthel_toilet": "5", "barthel_transfer": "10", "barthel_mobility": "10", "barthel_stairs": "0",
    "eq5d_mobility": "2", "eq5d_self_care": "1", "eq5d_usual_activities": "2", "eq5d_pain_discomfort": "3",
    "eq5d_anxiety_depression": "2", "eq_vas": "60",
}  # fmt: skip
BASELINE = {
    "sex": "female", "primary_tumour": "lung", "lesion_levels": ["T5", "T6"], "tokuhashi_general_condition": "1",
    "tokuhashi_extraspinal_bone": "2", "tokuhashi_vertebral": "1", "tokuhashi_organs": "2", "tokuhashi_primary": "0",
    "tokuhashi_palsy": "1", "sins_location": "1", "sins_pain": "1", "sins_bone_lesion": "2", "sins_alignment": "0",
    "sins_collapse": "2", "sins_posterolateral": "1",
}  # fmt: skip
SURGERY = {"procedure": "psf", "operative_time_min": "180", "blood_loss_ml": "300"}


def load_sites_and_patients():
    cohort = make_cohort()
    chosen = [patient for patient in cohort.patients if patient["site_code"] in SITES]
    ids = {patient["patient_id"] for patient in chosen}
    cohort = replace(
        cohort,
        sites=tuple(site for site in cohort.sites if site.code in SITES),
        patients=tuple(chosen),
        assessments=tuple(assessment for assessment in cohort.assessments if assessment["patient_id"] in ids),
        adverse_events=tuple(event for event in cohort.adverse_events if event["patient_id"] in ids),
    )
    Site.objects.bulk_create(
        Site(code=site.code, name=site.name, name_ja=site.name_ja, region=site.region, enrolment_target=20)
        for site in cohort.sites
    )
    with tempfile.TemporaryDirectory() as folder:
        write_cohort(cohort, Path(folder))
        report = import_files(Path(folder), reason="synthetic patients of a test")
    assert report.stored, report.errors.shown[:3]


def load_people():
    people = {}
    for name, role, sites in (
        ("Chika", Role.COORDINATOR, ("S01",)), ("Saki", Role.COORDINATOR, ("S02",)),
        ("Ichiro", Role.INVESTIGATOR, ("S01", "S02")), ("Mio", Role.MONITOR, ("S01", "S02", "S03")),
        ("Daiki", Role.DATA_MANAGER, ()), ("Satomi", Role.STATISTICIAN, ()), ("Akira", Role.ADMIN, ()),
    ):  # fmt: skip
        user = User.objects.create_user(f"{name.lower()}@synthetic.example", PASSWORD, name=f"{name} (synthetic)")
        user.is_staff = user.is_superuser = role == Role.ADMIN
        user.save()
        for site in Site.objects.filter(code__in=sites) if sites else [None]:
            Membership.objects.create(user=user, role=role, site=site, starts_on=dt.date(2018, 1, 1))
        people[name] = user
    left = User.objects.create_user("gone@synthetic.example", PASSWORD, name="Left (synthetic)", is_active=False)
    Membership.objects.create(
        user=left, role=Role.COORDINATOR, site=Site.objects.get(code="S03"), starts_on=dt.date(2018, 1, 1),
        ends_on=dt.date(2020, 1, 1),
    )  # fmt: skip
    return people


class Acting:
    """`with acting("Chika") as access:` does what that person does, in a transaction."""

    def __init__(self, people):
        self.people = people

    def __call__(self, name):
        return self._entered(access_of(self.people[name]))

    @staticmethod
    def _entered(access):
        from contextlib import contextmanager

        @contextmanager
        def act():
            with transaction.atomic(), entered(access.scope()):
                yield access

        return act()


def new_patient(acting, name, site, days, *, finished=True):
    """Enrolled by a coordinator: operated `days` ago, with baseline, surgery and a preoperative assessment."""
    operated = TODAY - dt.timedelta(days=days)
    consented = operated - dt.timedelta(days=5)
    with acting(name) as access:
        raw = {"sex": "female", "birth_date": "1951-02-03", "consent_date": str(consented)}
        row = patients.enrol(
            access=access, site=Site.objects.get(code=site), raw=raw, consented=True, hospital_number="H-12345",
            initials="AB", today=TODAY,
        )  # fmt: skip
        asked = {"access": access, "patient": row, "today": TODAY, "complete": finished, "reason": "synthetic"}
        baseline = BASELINE | raw
        if not finished:
            del baseline["sins_pain"]
        patients.save_form(form="baseline", raw=baseline, **asked)
        patients.save_form(form="surgery", raw=SURGERY | {"surgery_date": str(operated)}, **asked)
        save_assessment(
            timepoint="preop", raw=ASSESSMENT | {"assessment_date": str(operated - dt.timedelta(days=2))}, **asked
        )
        return Patient.objects.get(pk=row.pk)


def form_of(patient, code="preop"):
    with everything():
        known = {timepoint.pk for timepoint in Timepoint.objects.all()}
        return forms.form_row(Patient.objects.get(pk=patient.pk), Form.of(code, known))


def live_forms(acting):
    """Forms in every state of their life: drafts, complete, corrected, verified, signed, unlocked."""
    made = {}
    made["drafts"] = new_patient(acting, "Chika", "S01", 40, finished=False)
    for name in ("signed", "verified", "unlocked", "corrected", "withdrawn", "erased", "links", "extras"):
        made[name] = new_patient(acting, "Chika", "S01", 100)
    made["other"] = new_patient(acting, "Saki", "S02", 60)
    with acting("Mio") as access:
        for name in ("verified", "unlocked", "signed"):
            found = form_of(made[name])
            verification.verify(access=access, found=found, columns=found.comparable)
    with acting("Ichiro") as access:
        for name in ("signed", "unlocked"):
            signing.sign(access=access, patient=made[name])
        signing.unlock(access=access, patient=made["unlocked"], codes=["preop"], reason="a typing error (synthetic)")
        signing.sign(access=access, patient=made["other"], language="ja")
    with acting("Chika") as access:
        row = Assessment.objects.get(patient_id=made["corrected"].pk, timepoint_id="preop")
        raw = ASSESSMENT | {"assessment_date": str(row.assessment_date), "eq_vas": "71", "pain_vas_mm": ""}
        save_assessment(
            access=access, patient=made["corrected"], timepoint="preop", raw=raw, missing={"pain_vas_mm": "refused"},
            complete=True, version=row.version, reason="read again (synthetic)", today=TODAY,
        )  # fmt: skip
        event = patients.save_adverse_event(
            access=access, patient=made["corrected"], raw={"kind": "pneumonia", "onset_date": str(TODAY)}, today=TODAY
        )
        patients.save_adverse_event(
            access=access, patient=made["corrected"], event=event, reason="another day (synthetic)", today=TODAY,
            raw={"kind": "pneumonia", "onset_date": str(TODAY - dt.timedelta(days=2)), "version": str(event.version)},
        )  # fmt: skip
        drafts.keep(
            access=access, patient=made["drafts"], form="1m", typed={"eq_vas": ["6"], "frankel": ["D"]}, version=None
        )
        drafts.keep(access=access, patient=made["corrected"], form="3m", typed={"eq_vas": ["33"]}, version=None)
        drafts.discard(access, made["corrected"], "3m")
    return made


def queries_of(acting, made):
    with acting("Mio") as access:
        asked = [
            queries.raise_query(
                access=access,
                patient=made["corrected"],
                form=Form("assessment", timepoint="preop"),
                field=field,
                text=f"Is this right? (synthetic, {field})",
            )
            for field in ("eq_vas", "ecog_ps", "frankel")
        ]
    with acting("Chika") as access:
        for one in asked[:2]:
            queries.answer(access=access, query=one, text="Yes, as in the file. (synthetic)")
    with acting("Mio") as access:
        queries.close(access=access, query=Query.objects.get(pk=asked[0].pk))
        queries.reopen(access=access, query=Query.objects.get(pk=asked[1].pk), text="Which file? (synthetic)")
    with acting("Daiki") as access:
        queries.raise_query(
            access=access, patient=made["signed"], form=Form("baseline"), field="sex", text="Once more? (synthetic)"
        )


def follow_up_and_extras(acting, made):
    for code in ("kps", "ais", "respondent", "cobb"):
        with acting("Akira") as access:
            extras.switch(access=access, code=code, on=True)
    with acting("Akira") as access:
        extras.switch(access=access, code="cobb", on=False)
    with acting("Chika") as access:
        row = Assessment.objects.get(patient_id=made["extras"].pk, timepoint_id="preop")
        save_assessment(
            access=access, patient=made["extras"], timepoint="preop", complete=True, version=row.version, today=TODAY,
            raw=ASSESSMENT
            | {"assessment_date": str(row.assessment_date), "kps": "70", "ais": "D", "respondent": "proxy"},
            reason="extras (synthetic)",
        )  # fmt: skip
        asked = {"access": access, "today": TODAY}
        wish = {"end_kind": "withdrawn", "end_date": str(TODAY), "end_reason": "privacy"}
        follow_up.end_follow_up(patient=made["withdrawn"], raw=wish | {"end_data_use": "keep"}, **asked)
        follow_up.end_follow_up(patient=made["erased"], raw=wish | {"end_data_use": "stop"}, **asked)
    with acting("Ichiro") as access:
        signing.sign(access=access, patient=Patient.objects.get(pk=made["extras"].pk))


def links_of(acting, made):
    tokens_of = {}
    with acting("Chika") as access:
        for timepoint in ("1m", "3m", "6m"):
            link, token = patient_links.create(
                access=access, patient=made["links"], timepoint=timepoint, language="ja", respondent="self", valid="7d"
            )  # fmt: skip
            tokens_of[timepoint] = link, token
        patient_links.revoke(access=access, link=tokens_of["6m"][0])
    with transaction.atomic(), entered(patient_links.scope_of(tokens_of["1m"][1])):
        link = patient_links.usable()
        for item in patient_links.ITEMS:
            patient_links.decline(link, item)
        patient_links.send(link)
    with acting("Chika") as access:
        patient_links.accept(access=access, link=PatientLink.objects.get(pk=tokens_of["1m"][0].pk))


def accounts(acting, people):
    for name in ("Daiki", "Akira", "Satomi"):
        TOTP.activate(people[name], base64.b32encode(name.ljust(20, "0").encode()).decode())
        RecoveryCodes.activate(people[name])
    for name in ("Chika", "Satomi"):
        with acting(name) as access:
            issued = tokens.issue(
                access=access, user=people[name], name=f"synthetic script of {name}", scopes=["read"],
                expires_at=timezone.now() + dt.timedelta(days=300),
            )  # fmt: skip
    with acting("Satomi") as access:
        tokens.revoke(access=access, token=issued.token)
        ApiAnswer.objects.create(user=people["Satomi"], key="once", fingerprint="0" * 64, status=201, body="{}")
    with acting("Akira") as access:
        for address, site in (("new@synthetic.example", "S04"), ("late@synthetic.example", "S03")):
            invitation = Invitation(email=address, role=Role.COORDINATOR, site=Site.objects.get(code=site))
            token = invitations.invite(invitation, access=access)
        invitations.revoke(Invitation.objects.get(email="new@synthetic.example"), access=access)
    invitations.accept(token, name="Late (synthetic)", language="ja", password=PASSWORD)
    Digest.objects.create(user=people["Chika"], last_on=TODAY)
    audit.record("sign_in", table="study_sites_user", row_id=people["Chika"].pk)


def central(acting, made):
    with acting("Akira") as access:
        days = [
            {"code": one.code, "label": one.label.en, "label_ja": one.label.ja, "day": str(one.day),
             "before": str(one.before), "after": str(one.after + (one.code == "24m"))}
            for one in schedule.plans.now().on(TODAY)
        ]  # fmt: skip
        schedule.publish(
            access=access, effective_from=str(TODAY + dt.timedelta(days=30)), visits=days, note="wider (synthetic)",
            today=TODAY,
        )  # fmt: skip
    with acting("Daiki") as access:
        Patient.objects.filter(patient_id=made["corrected"].pk).update(segment_adjudicated="thoracic")
        erasure.erase(
            access=access, patient=made["erased"], extent="everything", typed=made["erased"].pk, reason="synthetic wish"
        )
    sweep()
    call_command("compute_utilities")
    call_command("compute_changes")
    with acting("Daiki") as access:
        snapshot = snapshots.freeze(access=access, label="frozen by 0.1.0", note="synthetic")
    with acting("Satomi") as access:
        saved = saved_cohorts.save(access=access, name="women", steps=cohorts.SEGI2024.steps[:2], note="synthetic")
        run = runs.request(access=access, plan=plans.SEGMENT_COMPARISON, cohort=cohorts.SEGI2024)
        other = runs.request(
            access=access, plan=plans.SEGMENT_COMPARISON, cohort=saved_cohorts.cohort_of(saved), frozen=snapshot
        )
        wanted = [exports.request(access=access, choices=choices.Choices(format=one)) for one in ("csv", "odm")]
    for one in (run, other):
        runs.perform(one.pk)
    for one in wanted:
        exports.perform(one.pk)
    with acting("Daiki") as access:
        for number in range(3):
            row = f"{made['links'].pk},{TODAY},other,,synthetic {number}"
            text = f"patient_id,onset_date,kind,clavien_dindo,detail\n{row}\n"
            if number == 1:
                text = text.replace("other", "nothing")  # refused by the dry run, and never decided about
            files = {"adverse_events.csv": SimpleUploadedFile("adverse_events.csv", text.encode())}
            one = imports.begin(access=access, files=files)
            imports.request(one, "check")
            waiting.append(one.pk)


waiting = []
with transaction.atomic(), entered(Scope(reason="synthetic registry of a release")):
    load_sites_and_patients()
with transaction.atomic():
    PEOPLE = load_people()
acting = Acting(PEOPLE)
sealing.seal()
made = live_forms(acting)
queries_of(acting, made)
follow_up_and_extras(acting, made)
links_of(acting, made)
accounts(acting, PEOPLE)
sealing.seal()
central(acting, made)
for number, pk in enumerate(waiting):
    imports.perform(pk)
    if number == 0:  # stored; then a second one with the same rows, and the first undone
        imports.request(imports.Import.objects.get(pk=pk), "store", reason="synthetic")
        imports.perform(pk)
        done = imports.Import.objects.get(pk=pk)
        assert done.status == "done", (done.status, imports.report_of(done))
        with acting("Daiki") as access:
            undo = imports.new_undo(access=access, done=done)
            imports.request(undo, "undo", reason="synthetic")
        imports.perform(undo.pk)
        assert imports.Import.objects.get(pk=undo.pk).status == "done"
sealing.seal()
audit.record("sign_out", table="study_sites_user", row_id=1)  # an event that no seal has yet
print({name: one.pk for name, one in made.items()})
