"""What somebody who may act at an address sends and is let through with: a valid body for every POST.

`permissions.py` says who may; here stands what with. A body is taken from the page that has the form, as a browser
sends it, and completed with what a person types. `test_crawl.py` fails on an address with writers that has neither an
act nor a reason why nobody can act there.
"""

import base64
import hashlib
import hmac
import json
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import uuid4

from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP
from allauth.usersessions.models import UserSession
from django.contrib.auth.tokens import default_token_generator
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone
from django.utils.http import int_to_base36

from registry.exports import jobs as exports
from registry.exports import presets
from registry.exports.choices import Choices
from registry.imports import jobs as imports
from registry.models import ComparisonRun, Erasing, Freezing, Import, Patient, Query, SuspectedPair
from registry.services.entry import merging, own_records, patient_links, patients
from registry.services.entry.assessments import save_assessment
from registry.services.follow_up import ends
from registry.services.operations import digests
from registry.services.protocol import publishing, setup, whole, wording
from registry.services.review import queries, signing
from registry.services.study import consents
from sites.models import Invitation, Site
from sites.people import tokens
from sites.people.invitations import invite
from sites.tenancy.access import Role, access_of
from sites.tenancy.scope import entered, everything
from tests.analysis.plans.test_plan_pages import CHOICES as PLAN
from tests.conftest import PASSWORD, TODAY
from tests.fhir.test_sent_again import PATIENT as PATIENT_RESOURCE
from tests.fhir.test_server import frankel as frankel_of
from tests.guard.permissions import ENTRY, OPERATIONS, SIGNED_IN
from tests.privacy.conftest import END
from tests.web.conftest import ASSESSMENT, BASELINE, SURGERY
from tests.web.patients.test_patients import ENROLMENT

SECRET = "JBSWY3DPEHPK3PXP"  # of the app that acts with a second factor set up
NEW_PASSWORD = "quiet river lamp"
READY = min(whole.come_along())  # a study that comes with the product


@dataclass(frozen=True)
class Act:
    """One act that is carried out.

    typed      what is laid over the form's own fields: a dict, or a function of (world's values, who, world); None
               takes a field away
    done       the status of the answer
    stores     whether rows come or go by it
    on         the page that has the form: a name, or a function of the values that gives its address; None for the
               address itself, "" for none
    arguments  names to values, or to functions of the values of the place; where the world's do not fit
    before     `before(world, place)` brings about what is acted on; returns more values
    people     who may, where these are fewer than the rule's writers: of somebody's own
    refused    what the others get then
    json       the type of the body, where it is no form
    query      of the page that has the form
    first      what is sent to the page whose answer has the form
    """

    typed: dict | Callable = field(default_factory=dict)
    done: int = 302
    stores: bool = True
    on: str | Callable | None = None
    arguments: dict = field(default_factory=dict)
    before: Callable | None = None
    people: frozenset | None = None
    refused: int = 404
    json: str = ""
    query: str = ""
    first: Callable | None = None


def code_now(*_):
    """What the authenticator app shows now (RFC 6238)."""
    digest = hmac.new(base64.b32decode(SECRET), struct.pack(">Q", int(time.time()) // 30), hashlib.sha1).digest()
    start = digest[-1] & 15
    return f"{(int.from_bytes(digest[start : start + 4], 'big') & 0x7FFFFFFF) % 1_000_000:06}"


# What is acted on, where the world does not have it


def _as(world, place, role):
    """(Access of somebody with the role at the place's site, their scope to be entered)."""
    access = access_of(world.actor(role, place))
    return access, entered(access.scope())


def withdrawn(world, place):
    access, scope = _as(world, place, "coordinator")
    with scope:
        patient = Patient.objects.get(pk=world.values[place]["patient_id"])
        ends.end_follow_up(access=access, patient=patient, raw=END, today=TODAY)


def finished(world, place):
    """The patient with complete forms, ready to be signed."""
    access, scope = _as(world, place, "coordinator")
    with scope:
        patient = Patient.objects.get(pk=world.values[place]["patient_id"])
        asked = {"access": access, "patient": patient, "today": TODAY, "reason": "corrected"}
        agreeing = {"tokuhashi_palsy": "1", "sins_pain": "1", "birth_date": world.secrets[place][0]}
        patients.save_form(form="baseline", raw=BASELINE | agreeing, complete=True, **asked)
        patients.save_form(form="surgery", raw=SURGERY, complete=True, **asked)
        row = patient.assessments.get(timepoint_id="preop")
        answers = {name: value for name, value in ASSESSMENT.items() if name != "version"}
        save_assessment(raw=answers, complete=True, timepoint="preop", version=row.version, **asked)


def answered(world, place):
    """The place's query with an answer."""
    access, scope = _as(world, place, "coordinator")
    with scope:
        queries.answer(access=access, query=Query.objects.get(pk=world.values[place]["query_id"]), text="It is.")


def signed(world, place):
    finished(world, place)
    access, scope = _as(world, place, "investigator")
    with scope:
        patient = Patient.objects.get(pk=world.values[place]["patient_id"])
        signing.sign(access=access, patient=patient, acknowledged=[world.values[place]["query_id"]])


def asking_again(world, place):
    """A version of the consent form that nobody has signed yet."""
    access, scope = _as(world, "own", "admin")
    with scope:
        about = {"consent": [{"code": "2.0", "label": {"en": "Of 2026"}, "again": True}]}
        setup.save_about(access=access, about=about, note="a new form")


def withdrawn_in_part(world, place):
    access, scope = _as(world, place, "coordinator")
    with scope:
        patient = Patient.objects.get(pk=world.values[place]["patient_id"])
        raw = {"withdrawn_part": "data_use", "withdrawn_on": TODAY.isoformat()}
        return {"withdrawal_id": consents.withdraw(access=access, patient=patient, raw=raw, today=TODAY).pk}


def linked(world, place):
    """Another link of the patient's, not answered yet."""
    access, scope = _as(world, place, "coordinator")
    with scope:
        patient = Patient.objects.get(pk=world.values[place]["patient_id"])
        asked = {"timepoint": "1m", "language": "en", "respondent": "self", "valid": "1d"}
        link, token = patient_links.create(access=access, patient=patient, **asked)
    return {"link_id": link.pk, "token": token}


def enrolled_twice(world, place):
    """Another record of the place's site, for a merge."""
    access, scope = _as(world, place, "coordinator")
    with scope:
        site = Site.objects.get(pk=world.values[place]["site_id"])
        raw = {"sex": "male", "birth_date": "1955-04-03", "consent_date": "2026-01-10"}
        twin = patients.enrol(access=access, site=site, raw=raw, consented=True, today=TODAY)
    return {"with": twin.pk}


def merged(world, place):
    number = enrolled_twice(world, place)["with"]
    access, scope = _as(world, "own", "data_manager")
    with scope:
        survivor, other = (Patient.objects.get(pk=pk) for pk in (world.values[place]["patient_id"], number))
        choices = dict.fromkeys(merging.compare(survivor, other).to_choose, "kept")
        done = merging.merge(access=access, remaining=survivor, merged=other, choices=choices, reason="one person")
    return {"merge_id": done.pk}


def suspected(world, place):
    first, second = sorted((world.values[at]["patient_id"], world.values[at]["site_id"]) for at in ("own", "other"))
    with everything():
        pair = SuspectedPair.objects.create(
            first=first[0], second=second[0], first_site_id=first[1], second_site_id=second[1]
        )
    return {"pair_id": pair.pk}


def closed(world, place):
    access, scope = _as(world, "own", "data_manager")
    with scope:
        queries.close(access=access, query=Query.objects.get(pk=world.values[place]["query_id"]))


def almost_answered(world, place):
    given = linked(world, place)
    with entered(patient_links.scope_of(given["token"])):
        link = patient_links.usable()
        for item in patient_links.ITEMS:
            patient_links.decline(link, item)
    return given | {"step": len(patient_links.items_of(link)) + 1}


def invited(world, place):
    with everything():
        invitation = Invitation(email="kana@example.org", role=Role.COORDINATOR, site_id=world.values["own"]["site_id"])
        token = invite(invitation, access=access_of(world.people["admin"]))
    return {"token": token, "invitation_id": invitation.pk}


def forgotten(world, place):
    user = world.people["coordinator"]
    return {"uidb36": int_to_base36(user.pk), "key": "set-password", "secret": default_token_generator.make_token(user)}


def digested(world, place):
    user = world.people["coordinator"]
    user.digest = True
    user.save(update_fields=["digest"])
    return {"token": digests.stop_token(user)}


def with_app(world, place):
    user = world.people["coordinator"]
    TOTP.activate(user, SECRET)
    RecoveryCodes.activate(user)


def with_key(world, place):
    key = Authenticator.objects.create(
        user=world.people["coordinator"], type=Authenticator.Type.WEBAUTHN, data={"name": "Key", "credential": {}}
    )
    return {"pk": key.pk}


def own_session(world, place):
    user = world.people["coordinator"]
    session = UserSession.objects.create(user=user, session_key="s" * 32, ip="10.0.0.1", user_agent="x")
    return {"session_id": session.pk}


def own_token(world, place):
    user = world.people["coordinator"]
    issued = tokens.issue(
        access=access_of(user), user=user, name="Ward", scopes=(), expires_at=timezone.now() + timedelta(days=1)
    )
    return {"token_id": issued.token.pk}


def own_export(world, place):
    access, scope = _as(world, "own", "coordinator")
    with scope:
        return {"export_id": exports.request(access=access, choices=Choices()).pk}


CHOSEN = {
    "format": "csv", "cohort": "all", "shape": "long", "content": ["items"], "values": "codes",
    "language": "en", "missing": "columns", "dates": "dates",
}  # fmt: skip


def own_preset(world, place):
    access, scope = _as(world, "own", "coordinator")
    with scope:
        return {"preset_id": presets.keep(access=access, name="Mine", asked={"format": "sav"}).pk}


def queued_run(world, place, status="queued"):
    with everything():
        run = ComparisonRun.objects.get(pk=world.values["own"]["run_id"])
        again = ComparisonRun.objects.create(
            status=status, plan=run.plan, cohort=run.cohort, requested_by=world.people["statistician"]
        )
    return {"run_id": again.pk}


def asked_erasing(status):
    def ask(world, place):
        asked = {
            "site_id": world.values[place]["site_id"],
            "patient_id": world.values[place]["patient_id"],
            "extent": "identifiers",
        }
        with everything():
            row = Erasing.objects.create(
                status=status, reason="letter", requested_by=world.people["data_manager"], **asked
            )
        return {"erasing_id": row.pk}

    return ask


def asked_snapshot(status):
    def ask(world, place):
        asked = Freezing(status=status, label=f"Asked {uuid4().hex}", requested_by=world.people["statistician"])
        with everything():
            asked.save()
        return {"snapshot_id": asked.pk}

    return ask


def another_import(text):
    def upload(world, place):
        access, scope = _as(world, "own", "data_manager")
        with scope:
            return {"import_id": imports.begin(access=access, files={"patients.csv": text}).pk}

    return upload


def drafted(world, place):
    """A draft of an own instrument that nothing is wrong with."""
    access, scope = _as(world, "own", "admin")
    with scope:
        publishing.keep_draft(access=access, document=OWN)
    return {"code": OWN["code"], "row": 1}


def published(world, place):
    drafted(world, place)
    access, scope = _as(world, "own", "admin")
    with scope:
        publishing.publish(access=access, code=OWN["code"], note="first")
    return {"code": OWN["code"], "form": OWN["code"]}


OWN = {
    "metaspine": "instrument",
    "format": 1,
    "code": "walk",
    "title": {"en": "Walk"},
    "record": "repeat",
    "items": [{"name": "walk_m", "label": {"en": "Metres"}, "kind": "whole", "minimum": 0, "maximum": 900}],
}


def own_record(world, place):
    values = published(world, place)
    access, scope = _as(world, place, "coordinator")
    with scope:
        patient = Patient.objects.get(pk=world.values[place]["patient_id"])
        stored = own_records.save_own_record(
            access=access, patient=patient, form=OWN["code"], raw={"walk_m": "40"}, complete=True, today=TODAY
        )
    return values | {"record_id": stored.pk}


def stored_import(world, place):
    """An import whose rows are stored, and may be taken back."""
    access, scope = _as(world, "own", "data_manager")
    with scope:
        upload = imports.begin(access=access, files={"events.csv": EVENTS})
        for act, more in ((Import.Act.CHECK, {}), (Import.Act.STORE, {"reason": "from the clinic"})):
            imports.request(upload, act, **more)
            imports.perform(upload.pk)
            upload.refresh_from_db()
    return {"import_id": upload.pk}


EVENTS = b"patient_id,kind,onset_date\nN01-0001,pneumonia,2026-03-14\n"
FOREIGN = b"Patient,Site,Geschlecht,Geburtstag,Zustimmung\nN01-0009,N01,m,1950-04-03,2026-01-10\n"
CODED = b"patient_id,site_code,sex,birth_date,consent_date\nN01-0009,N01,m,1950-04-03,2026-01-10\n"


FILED = {
    "site": b"code,name,name_ja,region,enrolment_target\nZ01,Zone,,,\n",
    "user": b"email,name,language\nkana@example.org,Kana,en\n",
    "membership": b"person,role,site,starts_on\nalice@example.org,monitor,S01,2026-01-01\n",
}


def filed(name):
    """What the screen of an import is sent with a file of sites, people or roles."""
    return {"format": "0", "resource": "0", "import_file": SimpleUploadedFile(f"{name}.csv", FILED[name])}


ACTS = {
    # Anybody
    **{
        name: Act(
            {"username": "alice@example.org", "password": PASSWORD}, people=frozenset({"anonymous"}), refused=302
        )
        for name in ("login", "account_login")
    },
    "set_language": Act({"language": "ja"}, on="", stores=False),
    "account_reset_password": Act({"email": "alice@example.org"}, on="", done=200, stores=False),
    "account_reset_password_from_key": Act(
        {"password1": NEW_PASSWORD, "password2": NEW_PASSWORD},
        on=lambda values: f"/password/new/{values['uidb36']}-{values['secret']}/",
        before=forgotten,
    ),
    "invitation": Act(
        {"name": "Kana", "language": "ja", "password1": NEW_PASSWORD, "password2": NEW_PASSWORD}, before=invited
    ),
    "digest_stop": Act(before=digested, done=200),
    "patient_link": Act({"language": "ja"}, before=linked, done=302),
    "patient_link_step": Act({}, on="", before=almost_answered),
    **{name: Act(on="", people=SIGNED_IN, refused=302) for name in ("logout", "account_logout")},
    # One's own account
    "session_stay": Act(on="", done=200, stores=False),
    "account_entry": Act({"entry": "steps"}, on="", stores=False),
    "account_digest": Act({"digest": "start"}, on="", stores=False),
    "account_reauthenticate": Act({"password": PASSWORD}, stores=False),
    "mfa_reauthenticate": Act(
        lambda *_: {"code": code_now()}, before=with_app, people=frozenset({"coordinator"}), refused=302, stores=False
    ),
    "account_change_password": Act({"oldpassword": PASSWORD, "password1": NEW_PASSWORD, "password2": NEW_PASSWORD}),
    "sign_out_everywhere": Act(on=""),
    "session_end": Act(on="", before=own_session, people=frozenset({"coordinator"})),
    "mfa_deactivate_totp": Act(before=with_app, people=frozenset({"coordinator"})),
    "mfa_generate_recovery_codes": Act(before=with_app, people=frozenset({"coordinator"}), refused=200),
    "mfa_edit_webauthn": Act({"name": "New"}, before=with_key, people=frozenset({"coordinator"}), stores=False),
    "mfa_remove_webauthn": Act(before=with_key, people=frozenset({"coordinator"})),
    "tokens": Act({"name": "Ward", "days": "30"}, done=201),
    "token_revoke": Act(on="", before=own_token, people=frozenset({"coordinator", "admin"})),
    # Patients
    "enrol": Act(ENROLMENT),
    "patient_identifiers": Act({"initials": "Z.Z."}),
    "follow_up_end": Act(END),
    "erase_patient": Act(
        lambda values, *_: {"extent": "everything", "typed": values["patient_id"], "reason": "letter of 3 May"},
        before=withdrawn,
    ),
    "erasing_cancel": Act(on="", before=asked_erasing("queued")),
    "erasing_again": Act(on="", before=asked_erasing("failed"), stores=False),
    "show_identifiers": Act({"on": "1"}, on=""),
    "transfer_patient": Act(
        lambda values, _who, world: {
            "to": next(at["site_id"] for at in world.values.values() if at["site_id"] != values["site_id"]),
            "reason": "moved house",
        }
    ),
    "merge_patients": Act(
        {"reason": "one person", "choice-baseline": "kept"},
        on=lambda values: f"/patients/{values['patient_id']}/merge/?with={values['with']}",
        before=enrolled_twice,
    ),
    "take_back_merge": Act({"reason": "two brothers"}, before=merged),
    "suspected_pair": Act({"decision": "two", "reason": "twins"}, before=suspected),
    "consent_new": Act({"agreed_version": "2.0", "agreed_language": "ja"}, before=asking_again),
    "consent_correct": Act({"agreed_taken_by": "Ivo", "reason": "another person"}),
    "consent_withdraw": Act({"withdrawn_part": "data_use"}),
    "withdrawal_correct": Act({"reason": "never said"}, before=withdrawn_in_part),
    "attachments": Act(
        lambda *_: {"kind": "report", "place": "baseline", "file": SimpleUploadedFile("ct.pdf", b"%PDF-1.4 x")}
    ),
    "attachment_remove": Act({"reason": "another patient's"}, stores=False),
    "screening_new": Act({"screened_on": "2026-03-12", "screen_outcome": "screened"}),
    "screening_entry": Act({"screen_outcome": "declined", "screen_reason": "burden"}),
    "mark_in_error": Act({"reason": "entered twice"}),
    "take_back_error": Act({"reason": "marked by mistake"}),
    "patient_baseline": Act({"sex": "female"}),
    "patient_surgery": Act({"blood_loss_ml": "300"}),
    "patient_follow_up": Act({"vital_status": "alive", "last_contact_date": "2026-03-01"}),
    "assessment": Act({"frankel": "D"}),
    "adverse_event_new": Act({"kind": "pneumonia", "onset_date": "2026-03-12"}),
    "adverse_event": Act({"detail": "seen again", "reason": "corrected"}),
    "own_record_new": Act({"walk_m": "30"}, before=published, people=ENTRY, refused=403),
    "own_record": Act({"walk_m": "30", "reason": "corrected"}, before=own_record, people=ENTRY, refused=403),
    "draft": Act(
        lambda values, who, world: {
            "person": getattr(world.people.get(who), "pk", ""), "version": "1", "frankel": "D", "field": "frankel"
        },
        on="", done=200,
    ),
    "patient_links": Act(),
    "patient_link_review": Act(),
    "patient_link_revoke": Act(on="", before=linked),
    # The study
    "schedule_new": Act({"effective_from": "2099-01-01", "note": "as approved", "day-2": "95"}),
    "study_about": Act({"name_en": "Spine", "note": "as approved"}),
    "licensed_wording": Act(
        lambda *_: {
            "questionnaire": "eq5d5l",
            "language": "en",
            "licence": "2026-1",
            "file": SimpleUploadedFile("wording.csv", wording.placeholder("en")),
        },
        on="",
    ),
    "patient_paper": Act({"form": "baseline", "kind": "blank", "language": "en"}, done=200, stores=False),
    "blank_paper": Act({"form": "baseline", "language": "en"}, done=200, stores=False),
    "study_load": Act({"ready": READY, "note": "as approved"}, on=""),
    "study_matrix": Act({"note": "as approved", "off@barthel": "1"}),
    "own_instrument_new": Act({"title_en": "Gait", "code": "gait", "record": "assessment"}, on=""),
    "own_instrument_upload": Act(
        lambda *_: {"file": SimpleUploadedFile("walk.json", json.dumps(OWN).encode()), "record": "repeat"},
        on="", done=200,
    ),
    "own_instrument": Act({"title_en": "Walking"}, before=drafted, stores=False),
    "own_item": Act(before=drafted, stores=False),
    "own_instrument_preview": Act({"walk_m": "7"}, before=drafted, done=200, stores=False),
    "own_instrument_publish": Act({"note": "as approved"}, before=drafted),
    "own_instrument_retire": Act({"note": "as approved"}, before=published),
    "own_instrument_discard": Act(on="", before=drafted),
    "extra_instrument": Act({"on": "1"}),
    # Review
    "queries_csv": Act(on="", done=200),
    "query_bulk": Act({"text": "Is it so?"}, query="?form=preop&field=assessment_date&has=value&value=2026-01-11"),
    "query": Act(
        lambda values, who, world: (
            {"step": "answer", "text": "It is."} if who in ("coordinator", "investigator") else {"step": "close"}
        )
    ),
    "query_new": Act({"text": "Is it so?"}),
    "verify_form": Act({"all": ""}, before=finished, arguments={"form": "baseline"}),
    "signatures": Act(
        lambda values, *_: {"confirm": "on", "password": PASSWORD, "acknowledged": values["query_id"]}, before=finished
    ),
    "sign_many": Act(
        lambda values, who, world: {
            "confirm": "on",
            "password": PASSWORD,
            "acknowledged": world.values["own"]["query_id"],
            "sign": world.values["own"]["patient_id"],
        },
        before=lambda world, place: finished(world, "own"),
    ),
    "enrolment_plan": Act({"first": "2026-01-01", "last": "2028-01-01", "note": "planned"}),
    "safety_csv": Act(on="", done=200),
    "safety_people": Act(lambda values, who, world: {"person": world.people["monitor"].pk, "note": "named"}),
    "sampling_plan": Act({"critical": "frankel", "note": "first plan"}),
    "visit_report": Act({}, done=200),
    "close_queries": Act(
        lambda values, who, world: {"close": world.values["own"]["query_id"]},
        before=lambda world, place: answered(world, "own"),
    ),
    "unlock": Act({"form": "preop", "reason": "corrected", "password": PASSWORD}, on="signatures", before=signed),
    # Files
    "export_download": Act({"what": "patients"}, on="", done=200),
    "export_start": Act(CHOSEN, on=""),
    "export_preset_keep": Act(CHOSEN | {"name": "Each month"}, on=""),
    "export_preset_remove": Act(
        lambda values, *_: {"remove": str(values["preset_id"])},
        on="",
        before=own_preset,
        people=frozenset({"coordinator"}),
    ),
    "export_cancel": Act(on="", before=own_export, people=frozenset({"coordinator"}), stores=False),
    "snapshots": Act({"label": "As of today"}),
    "snapshot_verify": Act(on="", stores=False),
    "snapshot_cancel": Act(on="", before=asked_snapshot("queued"), stores=False),
    "snapshot_again": Act(on="", before=asked_snapshot("cancelled"), stores=False),
    "import": Act(lambda *_: {"files": SimpleUploadedFile("events.csv", EVENTS)}),
    "import_mappings": Act({"remove": "0"}, on="", stores=False),
    "import_report": Act({"reason": "from the clinic"}, before=another_import(EVENTS)),
    "import_choices": Act(before=another_import(EVENTS), stores=False),
    "import_columns": Act(
        {"column-0": "patient_id", "column-1": "site_code", "column-2": "sex", "column-3": "birth_date",
         "column-4": "consent_date"},
        before=another_import(FOREIGN), stores=False,
    ),
    "import_values": Act(before=another_import(CODED), stores=False),
    "import_discard": Act(on=""),
    "import_undo": Act({"reason": "wrong file"}, before=stored_import),
    # Comparison
    "comparison_new": Act(),
    "comparison_plan_new": Act(PLAN | {"act": "lock"}, on=""),
    "comparison_plan_run": Act(on=""),
    "comparison_cancel": Act(on="", before=queued_run, stores=False),
    "comparison_again": Act(on=""),
    "cohort_new": Act({"name": "Men"}, query="?step=sex"),
    # People
    "invitation_new": Act(
        lambda values, *_: {"email": "kana@example.org", "role": "coordinator", "site": values["site_id"]}
    ),
    "invitation_renew": Act(on=""),
    "invitation_revoke": Act(on=""),
    "person_access": Act(on="", done=200, stores=False),
    "person_role": Act(
        lambda values, *_: {"role": "monitor", "site": values["site_id"], "starts_on": "2026-01-01"}, on=""
    ),
    "site_new": Act({"code": "Z02", "name": "Zone"}),
    "site_change": Act({"name": "North"}),
    "person_change": Act({"name": "Alicia"}),
    "person_sessions": Act(on=""),
    "person_factors": Act(on=""),
    "person_active": Act({"active": "0"}, on=""),
    "person_password": Act(on=""),
    "membership": Act({"ends_on": "2030-12-31"}),
    "enrolment": Act(on="", done=200, stores=False),
    "audit_csv": Act(on="", done=200),
    "system_retry": Act(
        lambda values, *_: {"kind": "comparison", "key": str(values["run_id"])},
        on="", before=lambda world, place: queued_run(world, place, "failed"),
    ),
    # Screens of administration
    "admin:logout": Act(on=""),
    "admin:password_change": Act(
        {"old_password": PASSWORD, "new_password1": NEW_PASSWORD, "new_password2": NEW_PASSWORD}
    ),
    "admin:auth_user_password_change": Act({"password1": NEW_PASSWORD, "password2": NEW_PASSWORD}),
    "admin:study_sites_site_add": Act({"code": "Z01", "name": "Zone"}),
    "admin:study_sites_site_change": Act({"name": "North"}),
    "admin:study_sites_user_add": Act(
        {"email": "kana@example.org", "name": "Kana", "password1": NEW_PASSWORD, "password2": NEW_PASSWORD}
    ),
    "admin:study_sites_user_change": Act({"name": "Alicia"}),
    "admin:study_sites_membership_add": Act(
        lambda values, *_: {"user": values["user_id"], "role": "monitor", "site": values["site_id"]}
    ),
    "admin:study_sites_membership_change": Act({"ends_on": "2030-12-31"}),
    "admin:registry_timepoint_change": Act({"label": "Before the operation"}),
    **{
        f"admin:study_sites_{model}_export": Act({"format": "0"}, done=200)
        for model in ("site", "user", "membership")
    },
    "admin:registry_timepoint_export": Act({"format": "0"}, done=200),
    **{
        f"admin:study_sites_{model}_import": Act(lambda *_, model=model: filed(model), done=200, stores=False)
        for model in FILED
    },
    **{
        f"admin:study_sites_{model}_process_import": Act(
            on=f"admin:study_sites_{model}_import", first=lambda *_, model=model: filed(model)
        )
        for model in FILED
    },
}  # fmt: skip


def programs():
    """Acts of the operations of the API, in a session, with the bodies that the table of operations has."""
    changed = {
        "query_reopen": {"before": closed, "done": 200},
        "comparison_cancel": {"before": queued_run, "stores": False},
        "exports": {"typed": {"format": "csv"}, "done": 202},
        "snapshot_cancel": {"before": asked_snapshot("queued"), "stores": False},
        "own_records": {
            "before": published,
            "done": 201,
            "typed": lambda values, *_: {"patient_id": values["patient_id"], "form": OWN["code"], "walk_m": 30},
        },
        "export_cancel": {"before": own_export, "people": frozenset({"coordinator"}), "stores": False},
        "export_preset_remove": {"before": own_preset, "people": frozenset({"coordinator"}), "done": 204},
        "import_decision": {
            "before": another_import(EVENTS),
            "people": frozenset({"data_manager"}),
            "done": 202,
            "stores": False,
        },
    }
    for name, operation in OPERATIONS.items():
        short, _, method = name.rpartition("_")
        if method == "post" and short != "imports":
            body, done, _other = operation.sent[-1] if operation.sent else (lambda _values: {}, operation.answered, 0)
            done = 202 if short.endswith("_cancel") else done
            known = {"typed": lambda values, *_, body=body: body(values), "done": done, "json": "application/json"}
            yield f"api:{short}", Act(**known | changed.get(short, {}))


FHIR = "application/fhir+json"


def _transaction(values, *_):
    entry = {"request": {"method": "POST", "url": "Patient"}, "resource": PATIENT_RESOURCE}
    return {"resourceType": "Bundle", "type": "transaction", "entry": [entry]}


ACTS |= dict(programs()) | {
    "api:imports": Act(lambda *_: {"file": SimpleUploadedFile("events.csv", EVENTS)}, on="", done=202),
    "fhir:patients": Act(lambda *_: PATIENT_RESOURCE, json=FHIR, done=201),
    **dict.fromkeys(
        ("fhir:transactions", "fhir_base"), Act(_transaction, json=FHIR, done=200, people=ENTRY, refused=403)
    ),
    "fhir:responses": Act(lambda values, *_: frankel_of(values["patient_id"], "6m"), json=FHIR, done=201),
}

# Why nobody can act at an address that takes POST.
NOBODY_ACTS = {
    "acknowledge_event": "one's own notice, which the system makes: tests/monitoring/test_safety.py",
    "mfa_authenticate": "a step of signing in: tests/account/test_second_factor.py",
    "mfa_reauthenticate_webauthn": "a security key must sign: tests/browser/test_signing_in.py",
    "mfa_add_webauthn": "a security key must sign: tests/browser/test_signing_in.py",
    "mfa_activate_totp": "the code is of a secret that the page makes: tests/account/test_second_factor.py",
    "mfa_download_recovery_codes": "POST is refused",
    "openid_connect_login": "there is no provider: tests/account/test_single_sign_on.py",
    "openid_connect_callback": "there is no provider: tests/account/test_single_sign_on.py",
    "api:nothing": "there is nothing",
    "fhir:nothing": "there is nothing",
    **{
        f"fhir:search_{kind}": "a search, which is no form of a page: tests/fhir/test_bundles.py"
        for kind in ("patient", "questionnaire", "questionnaireresponse", "observation")
    },
    "admin:index": "a list",
    "admin:app_list": "a list",
    **{
        f"admin:{address}_changelist": "a list without actions"
        for address in (
            "study_sites_site", "study_sites_user", "study_sites_membership", "registry_timepoint",
            "registry_scheduleversion",
        )
    },
}  # fmt: skip
