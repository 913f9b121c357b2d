"""What guards each table: policies and triggers, of the live declarations where they name a form's columns."""

from registry.guards.policies import (
    ADJUDICATE,
    ADMINISTERS,
    DISCUSS,
    HOLDER,
    IDENTIFY,
    PERSON,
    QUERY,
    READ,
    REVIEW,
    SIGN,
    WRITE,
    by_site,
    forced,
    hides_arms,
    hides_errors,
    hides_what_tells_arms,
    never_deleted,
    of_the_registry,
    own_rows,
    policy,
)
from registry.guards.triggers import audited, record, trigger
from registry.instruments import catalogue
from registry.instruments.keys import ASSESSMENT_DATE
from registry.instruments.patient_forms import FINISHED_FORMS, STATE_COLUMNS
from registry.models.columns import stored_items
from registry.models.records.clinical import ADVERSE_EVENT_ITEMS, Identity

STAMPS = ("version", "updated_at", "updated_by_id")
IDENTIFIERS = tuple(Identity.MARKS)
MARKS = (*Identity.MARKS.values(), "marked_with")


def _of(row, columns):
    return ", ".join(f"{row}.{column}" for column in columns)


def _with_extras(form, *items):
    return (*items, *stored_items(catalogue.EXTRAS.get(form, ())))


PLATFORM = [
    *audited("study_sites_site", site=""),
    *audited("study_sites_user", site="", without=("last_login", "*password")),
    *audited("study_sites_membership", site=""),
    # When a token was last used is no change of it.
    *audited("study_sites_apitoken", site="", without=("last_used_at", "*digest", "*owner_state")),
    # An invitation is for administrators to see; accepting one reads it in the system's scope, by its token. The site
    # in the row is what is offered; the event belongs to the platform, as those of memberships do.
    forced("study_sites_invitation"),
    policy("study_sites_invitation", "administrators", using=ADMINISTERS, check=ADMINISTERS),
    *audited("study_sites_invitation", site="", without=("token_hash",)),
    # Answers may hold clinical values: they exist for the person who was answered, and for the job that forgets them.
    forced("study_sites_apianswer"),
    policy("study_sites_apianswer", "own", using=f"user_id = {PERSON}", check=f"user_id = {PERSON}"),
    policy("study_sites_apianswer", "forget", "DELETE", using=ADMINISTERS),
    policy(
        "study_sites_apianswer",
        "find_to_forget",
        "SELECT",
        using=f"{ADMINISTERS} AND answered_at < now() - interval '1 day'",
    ),
]

TRAIL = [
    forced("study_sites_auditevent"),
    policy("study_sites_auditevent", "read_in_scope", "SELECT", using=f"site_id = {READ}"),
    policy("study_sites_auditevent", "read_platform", "SELECT", using=f"site_id IS NULL AND {ADMINISTERS}"),
    # The trail's functions insert as the owner; the application's role has no right to insert at all.
    policy("study_sites_auditevent", "append", "INSERT", check="true"),
    # Functions that seal and verify run as the owner, and backups are made by it.
    policy("study_sites_auditevent", "owner_reads", "SELECT", using="true", role="CURRENT_USER"),
    # The trail tells of each seal: so the loss of the newest one shows.
    *audited(
        "study_sites_auditseal",
        key="number",
        site="",
        without=(
            "made_at",
            "ids",
            "first_at",
            "last_at",
            "last_id",
            "settled_id",
            "snapshot",
            "ceiling",
            "content",
            "previous",
            "signature",
        ),
    ),
]

RECORDS = [
    *by_site("registry_patient", update=REVIEW),
    *by_site("registry_assessment", update=REVIEW),
    *by_site("registry_adverseevent", update=REVIEW),
    *by_site("registry_identity", read=IDENTIFY),
    *by_site("registry_followupend"),
    *by_site("registry_utility"),
    *by_site("registry_change"),
    *own_rows("registry_draft", owner="person_id"),
    *record(
        "registry_patient",
        tuple(STATE_COLUMNS.values()),
        **{
            column: _with_extras(code, *stored_items(FINISHED_FORMS[code].instruments))
            for code, column in STATE_COLUMNS.items()
        },
    ),
    *record(
        "registry_assessment",
        ("state",),
        state=_with_extras("assessment", ASSESSMENT_DATE, *stored_items(catalogue.ASSESSMENT)),
    ),
    *record("registry_adverseevent", ("state",), state=_with_extras("adverse_event", *ADVERSE_EVENT_ITEMS)),
    trigger("registry_patient", "site_enrols", "AFTER INSERT", "site_enrols", rows=False, among="NEW TABLE AS added"),
    trigger(
        "registry_patient",
        "site_enrolled",
        "AFTER UPDATE",
        "site_enrols",
        having="OLD.consent_date IS DISTINCT FROM NEW.consent_date",
    ),
    trigger("registry_followupend", "record_stored", "BEFORE INSERT OR UPDATE", "stamp_row"),
    trigger(
        "registry_identity",
        "keep_birth_date",
        "BEFORE UPDATE",
        "keep_birth_date",
        having="OLD.birth_date IS DISTINCT FROM NEW.birth_date",
    ),
    # Whatever changes an identifier without its mark (an import that is taken back) leaves none that is wrong.
    trigger(
        "registry_identity",
        "forget_marks",
        "BEFORE UPDATE",
        "forget_marks",
        having=f"({_of('OLD', IDENTIFIERS)}) IS DISTINCT FROM ({_of('NEW', IDENTIFIERS)}) "
        f"AND ({_of('OLD', MARKS)}) IS NOT DISTINCT FROM ({_of('NEW', MARKS)})",
    ),
    trigger(
        "registry_assessment",
        "forget_outcomes",
        "AFTER DELETE",
        "forget_outcomes",
        rows=False,
        among="OLD TABLE AS removed",
    ),
    *audited("registry_patient", key="patient_id", without=STAMPS),
    *audited("registry_assessment", without=STAMPS),
    *audited("registry_adverseevent", without=STAMPS),
    *audited("registry_identity", key="patient_id", without=("*key", *MARKS)),
    *audited("registry_followupend", key="patient_id", without=STAMPS),
]

ERASURE = [
    # Only the system's own scope adds a row: the service that erases enters it after it has asked who may.
    *never_deleted("registry_erasure", insert=f"site_id = {WRITE} AND {ADMINISTERS}"),
    *audited("registry_erasure"),
    # What is asked for and not done yet: written by the same scope alone.
    *by_site("registry_erasing", write=f"{WRITE} AND {ADMINISTERS}"),
    *audited("registry_erasing", without=("started_at", "heartbeat_at", "attempts", "cancel_requested")),
    *(
        trigger(
            table, "refuse_erased", "AFTER INSERT", "refuse_erased", *extents, rows=False, among="NEW TABLE AS added"
        )
        for table, extents in (
            ("registry_patient", ("everything",)),
            ("registry_identity", ("identifiers", "everything")),
        )
    ),
]

SCHEDULE = [
    *audited("registry_timepoint", key="code", site=""),
    *audited("registry_scheduleversion", site=""),
    *audited("registry_scheduledvisit", site=""),
    *audited("registry_instrumentswitch", key="code", site=""),
    trigger("registry_scheduleversion", "keep_schedule", "BEFORE UPDATE OR DELETE", "keep_schedule"),
    trigger("registry_scheduledvisit", "keep_schedule", "BEFORE UPDATE OR DELETE", "keep_schedule"),
    trigger("registry_timepoint", "keep_timepoint", "BEFORE DELETE", "keep_timepoint"),
    trigger(
        "registry_timepoint",
        "keep_code",
        "BEFORE UPDATE",
        "keep_timepoint",
        having="OLD.code IS DISTINCT FROM NEW.code",
    ),
    trigger(
        "registry_assessment",
        "timepoint_known",
        "AFTER INSERT",
        "timepoint_known",
        rows=False,
        among="NEW TABLE AS added",
    ),
    trigger(
        "registry_assessment",
        "timepoint_still_known",
        "AFTER UPDATE",
        "timepoint_known",
        having="OLD.timepoint_id IS DISTINCT FROM NEW.timepoint_id",
    ),
]

REVIEWS = [
    *never_deleted(
        "registry_query",
        insert=f"site_id = {QUERY} OR rule IS NOT NULL AND site_id = {WRITE}",
        update=f"site_id = {DISCUSS}",
    ),
    *never_deleted("registry_querymessage", insert=f"site_id = {DISCUSS}"),
    *never_deleted("registry_signature", insert=f"site_id = {SIGN}"),
    trigger("registry_query", "query_stored", "BEFORE INSERT OR UPDATE", "query_stored"),
    trigger("registry_querymessage", "message_stored", "BEFORE INSERT", "message_stored"),
    trigger("registry_signature", "signature_stored", "BEFORE INSERT", "signature_stored"),
    trigger("registry_signature", "signature_recorded", "AFTER INSERT", "signature_recorded"),
    hides_arms("registry_query", "field", "seen::text"),
    *audited("registry_query", without=("changed_at",)),
    *audited("registry_querymessage"),
    *audited("registry_signature"),
]

LINKS = [
    *never_deleted(
        "registry_patientlink",
        insert=f"site_id = {WRITE}",
        update=f"site_id = {WRITE} OR token_hash = {HOLDER}",
        read=f"{WRITE} OR token_hash = {HOLDER}",
    ),
    trigger("registry_patientlink", "patient_link_kept", "BEFORE UPDATE", "patient_link_kept"),
    trigger("registry_patientlink", "patient_link_works", "BEFORE UPDATE", "patient_link_works"),
    trigger(
        "registry_patientlink",
        "patient_link_answered",
        "BEFORE UPDATE",
        "patient_link_answered",
        having="NEW.answers IS DISTINCT FROM OLD.answers",
    ),
    *audited("registry_patientlink", without=("token_hash",)),
]

ANALYSIS = [
    *of_the_registry("registry_savedcohort"),
    hides_arms("registry_savedcohort", "steps::text"),
    hides_what_tells_arms("registry_savedcohort", "steps::text"),
    *of_the_registry("registry_savedplan"),
    hides_arms("registry_savedplan", "plan::text", "cohort::text"),
    hides_what_tells_arms("registry_savedplan", "plan::text", "cohort::text"),
    *of_the_registry("registry_comparisonrun"),
    hides_arms("registry_comparisonrun", "plan::text", "cohort::text"),
    hides_what_tells_arms("registry_comparisonrun", "plan::text", "cohort::text"),
    *audited("registry_savedcohort", site=""),
    trigger("registry_savedcohort", "keep_cohort", "BEFORE UPDATE OR DELETE", "keep_cohort"),
    *audited("registry_savedplan", site=""),
    trigger("registry_savedplan", "keep_plan", "BEFORE UPDATE OR DELETE", "keep_plan"),
    trigger("registry_comparisonrun", "keep_result", "BEFORE UPDATE", "keep_result"),
    trigger(
        "registry_comparisonrun",
        "keep_frozen",
        "BEFORE UPDATE OF frozen_id",
        "keep_snapshot",
        having="OLD.status = 'done' AND OLD.frozen_id IS DISTINCT FROM NEW.frozen_id",
    ),
    # The parts are copies of rows whose own changes are in the trail; that one was made is recorded as an act.
    *by_site("registry_snapshotpart"),
    *audited("registry_snapshot", site=""),
    trigger("registry_snapshot", "keep_snapshot", "BEFORE UPDATE OR DELETE", "keep_snapshot"),
    trigger("registry_snapshotpart", "keep_snapshot_part", "BEFORE UPDATE OR DELETE", "keep_snapshot"),
]

IMPORTS = [
    # What was uploaded and found stays out of the trail: it holds clinical values; the rows' own events tell.
    *audited(
        "registry_import",
        site="",
        without=(
            *("key", "mapping", "choices", "seen", "act", "trail_from", "trail_to"),
            *("started_at", "heartbeat_at", "attempts", "cancel_requested", "progress", "stage"),
        ),
    ),
    *audited("registry_importmapping", site=""),
    *audited("registry_exportpreset", site=""),
]

PROTOCOL = [
    *by_site("registry_ownrecord", update=REVIEW),
    *record("registry_ownrecord", ("state",), state=()),
    *audited("registry_ownrecord", without=STAMPS),
    trigger("registry_ownrecord", "own_record_fits", "AFTER INSERT OR UPDATE", "own_record_fits"),
    # The documents are long, and what was published never changes: that it was is what the trail tells.
    *audited("registry_protocolversion", site="", without=("document", "asked")),
    *audited("registry_owninstrument", site="", without=("document", "changed_at")),
    *audited("registry_owncolumn", key="name", site=""),
    *audited("registry_studylogo", site="", without=("content",)),
    # The wording belongs to others, and the trail goes into files: it tells that it was loaded, and by which licence.
    *audited("registry_licensedwording", site="", without=("*document",)),
    trigger("registry_licensedwording", "keep_wording", "BEFORE UPDATE OR DELETE", "keep_protocol"),
    trigger("registry_protocolversion", "keep_protocol", "BEFORE UPDATE OR DELETE", "keep_protocol"),
    trigger(
        "registry_owninstrument", "keep_protocol", "BEFORE UPDATE OR DELETE", "keep_protocol", having="NOT OLD.is_draft"
    ),
    *(
        trigger(
            table,
            f"{form}_as_asked",
            "AFTER INSERT OR UPDATE",
            "complete_as_asked",
            form,
            state,
            asked_by,
            having=f"NEW.{state} <> 'draft' AND NEW.{asked_by} IS NOT NULL",
        )
        for table, form, state, asked_by in (
            *(
                ("registry_patient", code, form.state_column, form.asked_by_column)
                for code, form in FINISHED_FORMS.items()
            ),
            ("registry_assessment", "assessment", "state", "asked_by"),
            ("registry_ownrecord", "repeat", "state", "asked_by"),
        )
    ),
]

# What a mark on a record takes with it: tables of a patient's with the same mark.
MARKED = (
    "registry_patient",
    "registry_assessment",
    "registry_adverseevent",
    "registry_ownrecord",
    "registry_followupend",
    "registry_query",
    "registry_patientlink",
    "registry_consent",
    "registry_consentwithdrawal",
    "registry_attachment",
)

ERRORS = [
    *never_deleted("registry_enteredinerror", insert=f"site_id = {WRITE}", update=f"site_id = {WRITE}"),
    *audited("registry_enteredinerror"),
    trigger("registry_enteredinerror", "keep_error", "BEFORE UPDATE", "keep_error"),
    *(hides_errors(table) for table in MARKED),
    *(
        trigger(
            table,
            "error_spreads",
            "AFTER UPDATE",
            "error_spreads",
            *(MARKED[1:] if table == "registry_patient" else ()),
            having="OLD.in_error IS DISTINCT FROM NEW.in_error",
        )
        for table in ("registry_patient", "registry_assessment", "registry_adverseevent", "registry_ownrecord")
    ),
]

OF_BOTH = f"first_site_id = {ADJUDICATE} AND second_site_id = {ADJUDICATE}"
# Both sites read of a transfer; only the owner's function writes it, in the system's own scope.
MOVES = [
    *never_deleted("registry_transfer", insert=ADMINISTERS, read=f"{READ} OR to_site_id = {READ}"),
    # Of a patient who moved twice, the function that tells when forms were first stored looks at the first move too.
    policy("registry_transfer", "owner_reads", "SELECT", using="true", role="CURRENT_USER"),
    *audited("registry_transfer"),
    *never_deleted(
        "registry_merge", insert=f"site_id = {WRITE} AND {ADMINISTERS}", update=f"site_id = {WRITE} AND {ADMINISTERS}"
    ),
    *audited("registry_merge", without=("copied", "before")),
    # A question to the centre: whoever decides about the records of both sites, and nobody at either of them.
    forced("registry_suspectedpair"),
    policy("registry_suspectedpair", "centre", using=OF_BOTH, check=OF_BOTH),
    trigger("registry_merge", "keep_merge", "BEFORE UPDATE", "keep_merge"),
]

# Made and sent by the system, for people whom the study names; each takes note of their own.
SAFETY = [
    *never_deleted(
        "registry_safetynotice",
        insert=f"site_id = {WRITE} AND {ADMINISTERS}",
        update=f"site_id = {WRITE} AND {ADMINISTERS} OR site_id = {READ} AND person_id = {PERSON}",
    ),
    *audited("registry_safetynotice", without=("tries", "tried_at")),
]

PARTICIPATION = [
    # Numbers of a log are never given twice, and what was wrong says so: no line goes.
    *never_deleted("registry_screeningentry", insert=f"site_id = {WRITE}", update=f"site_id = {WRITE}"),
    trigger("registry_screeningentry", "record_stored", "BEFORE INSERT OR UPDATE", "stamp_row"),
    trigger("registry_screeningentry", "screening_at_site", "BEFORE INSERT OR UPDATE", "screening_at_site"),
    *audited("registry_screeningentry", without=STAMPS),
    *never_deleted("registry_consent", insert=f"site_id = {WRITE}", update=f"site_id = {WRITE}"),
    trigger("registry_consent", "record_stored", "BEFORE INSERT OR UPDATE", "stamp_row"),
    *audited("registry_consent", without=STAMPS),
    *never_deleted("registry_consentwithdrawal", insert=f"site_id = {WRITE}", update=f"site_id = {WRITE}"),
    trigger("registry_consentwithdrawal", "keep_withdrawal", "BEFORE UPDATE", "keep_withdrawal"),
    *audited("registry_consentwithdrawal"),
    trigger("registry_patientlink", "contact_allowed", "BEFORE INSERT", "contact_allowed"),
    # Files may show who somebody is: they are there for whoever may read identifiers, and go with them.
    *never_deleted("registry_attachment", read=IDENTIFY, insert=f"site_id = {WRITE}", update=f"site_id = {WRITE}"),
    policy("registry_attachment", "erase", "DELETE", using=f"site_id = {WRITE} AND {ADMINISTERS}"),
    trigger("registry_attachment", "keep_attachment", "BEFORE UPDATE", "keep_attachment"),
    trigger(
        "registry_attachment",
        "refuse_erased",
        "AFTER INSERT",
        "refuse_erased",
        "identifiers",
        "everything",
        rows=False,
        among="NEW TABLE AS added",
    ),
    *audited("registry_attachment", without=("*name", "content")),
]

EVERYTHING = [
    *PLATFORM,
    *TRAIL,
    *RECORDS,
    *ERASURE,
    *SCHEDULE,
    *REVIEWS,
    *LINKS,
    *ANALYSIS,
    *IMPORTS,
    *PROTOCOL,
    *ERRORS,
    *MOVES,
    *SAFETY,
    *PARTICIPATION,
]
