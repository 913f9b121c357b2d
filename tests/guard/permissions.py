"""The permission table of the addresses: for every name in the resolver, who may open it and who may act there.

`test_crawl.py` walks the resolver and fails on an address that is not here, on an entry that is no address, and on any
answer that is not what the table says.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

ENTRY = frozenset({"coordinator", "investigator"})
OF_SITE = ENTRY | {"monitor"}
ASKING = frozenset({"monitor", "data_manager"})
CENTRAL = frozenset({"data_manager", "statistician"})
READERS = OF_SITE | CENTRAL
DISCUSSING = ENTRY | ASKING
EXPORTING = ENTRY | CENTRAL
ADMIN = frozenset({"admin"})
DATA_MANAGER = frozenset({"data_manager"})
IMPORTING = ENTRY | DATA_MANAGER
SIGNED_IN = READERS | ADMIN | {"former"}  # a former coordinator, whose membership has ended
EVERYBODY = SIGNED_IN | {"anonymous"}
NOBODY = frozenset()

NO_UUID = "00000000-0000-4000-8000-000000000000"  # an export is the person's own: nobody sees another's
NO_EXPORT = {"export_id": NO_UUID}
NO_IMPORT = {"import_id": NO_UUID}
SIGN_IN = 302  # to the sign-in page


@dataclass(frozen=True)
class Rule:
    """Who may open an address (GET) and act there (POST), and what each gets.

    of_site    the address names a record: people of a site open their own site's, and others' do not exist (404)
    opened     status of GET for the readers; 405 where only POST is understood, None where any will do
    acted      statuses of POST for the writers, one of which must come
    elsewhere  status for those who may, of a record of another site; as `refused` where that is not said
    refused    status for everybody else who is signed in; 404 does not even say that there is such a page
    bodies     what is posted, beside nothing at all
    arguments  values of the address's arguments where the world's do not fit
    public     whether it answers people who are not signed in
    unsigned   status for people who are not signed in, where it is not public
    """

    readers: frozenset
    writers: frozenset = NOBODY
    of_site: bool = False
    opened: int = 200
    acted: tuple = ()
    refused: int = 403
    elsewhere: int | None = None
    bodies: tuple = ()
    arguments: dict = field(default_factory=dict)
    public: bool = False
    unsigned: int = SIGN_IN
    replacers: frozenset = NOBODY  # who may PUT there, which asks for a version (428)

    def reaches(self, who, place, whom):
        return who in whom and (place == "own" or not self.of_site or who not in OF_SITE)

    def refuses(self, who, place, method):
        """The statuses of which one must come for a method that is neither GET nor POST."""
        if not self.replacers or method != "put":
            return {405} | ({404} & {self.opened}) | ({self.unsigned} if who == "anonymous" else set())
        if who == "anonymous":
            return {401}
        reaches = self.reaches(who, place, self.replacers)
        return {428} if reaches else {403} if self.reaches(who, place, self.readers) else {404}

    def expected(self, who, place, method):
        """The statuses of which one must come, and whether the request may store anything."""
        if who == "anonymous" and not self.public:
            return {self.unsigned}, False
        refused = self.refused
        if self.elsewhere is not None and self.of_site and place == "other" and who in OF_SITE & self.readers:
            refused = self.elsewhere
        reads, writes = self.reaches(who, place, self.readers), self.reaches(who, place, self.writers)
        if method == "get" and self.opened is None:
            return {200, 302}, False
        if method == "get":
            # A method that is not understood may be refused before anybody is asked who they are.
            return {self.opened} if reads else {refused} | ({405} & {self.opened}), reads
        if writes:
            return set(self.acted), True
        if not self.writers:
            return {405}, False
        return {403 if reads and self.of_site else refused}, False


def page(readers, **more):
    """Opened by GET and nothing else."""
    return Rule(readers, **more)


def record(readers=READERS, writers=NOBODY, **more):
    """About one patient."""
    return Rule(readers, writers, of_site=True, refused=404, **more)


def either(readers, **more):
    """A page that answers POST like GET; nothing is stored."""
    return Rule(readers, readers, acted=(200,), **more)


def missing(**more):
    """Not there, for anybody: what the address names does not exist."""
    return Rule(EVERYBODY, EVERYBODY, opened=404, acted=(404,), public=True, **more)


def screen(**more):
    """An administrator's screen; everybody else is sent to sign in, and from there told that they may not."""
    return Rule(ADMIN, ADMIN, refused=302, **({"acted": (200,)} | more))


def screens(model, key, *, imports=True, adds=200, opened=200, changes=(200,), deletes=403):
    """The addresses that Django's admin has for one model. `key`: of the row that the addresses are about."""
    of_row = {"arguments": {"object_id": key, "id": key}}
    screens_of_model = {
        "export": screen(),
        "changelist": screen(),
        "add": screen(opened=adds, acted=(adds,)),
        "history": screen(opened=302, acted=(302,), **of_row),  # the trail is the only history
        "delete": screen(opened=deletes, acted=(deletes,), **of_row),
        "change": screen(opened=opened, acted=changes, **of_row),
    }
    if imports:
        screens_of_model |= {"import": screen(), "process_import": screen(opened=405)}
    app, name = model.rsplit("_", 1)
    return {f"admin:{model}_{action}": rule for action, rule in screens_of_model.items()} | {
        f"admin/{app}/{name}/<path:object_id>/": screen(opened=302, acted=(302,), **of_row)
    }


# Operations of the API


@dataclass(frozen=True)
class Operation:
    """Who may carry out one operation of the API, with a token of every scope.

    people     whom it answers; everybody else who is signed in gets `refused`, people who are not 401
    of_site    the address names a record: to a site's people those of other sites do not exist (404)
    answered   status of the answer
    sent       bodies: a function of the world's values, the status for one's own site and for another site; a pair
               where that differs between a site's people and the central ones
    scope      what a token needs; with a token that can only read it is 403
    """

    people: frozenset
    of_site: bool = False
    answered: int = 200
    refused: int = 403
    sent: tuple[tuple[Callable, int, int], ...] = ()
    scope: str = "read"
    arguments: dict = field(default_factory=dict)

    def bodies(self, place, who):
        """(body or None, status for those who may)."""
        if not self.sent:
            return [(None, self.answered)]
        report = [(body, own if place == "own" else other) for body, own, other in self.sent]
        return [(body, status[who in CENTRAL] if isinstance(status, tuple) else status) for body, status in report]


def changes(people, *sent):
    """A change of a record. Nobody changes one of another site: it does not exist."""
    return Operation(people, of_site=True, scope="write", sent=tuple((body, status, 404) for body, status in sent))


def step(people, *sent):
    """A step of a query: of one's own sites, every site for the central roles."""
    sent = tuple((body, status, status) for body, status in sent)
    return Operation(people, of_site=True, scope="write", sent=sent)


def nothing(values):
    return {}


def _mistake(_values):
    return {"reason": "entered twice"}


def _enrolment(values):
    born = {"sex": "male", "birth_date": "1955-04-03", "consent_date": "2026-01-10"}
    return born | {"site_code": values["site_code"], "consented": True, "another_person": True}


def _assessment(values):
    return {"patient_id": values["patient_id"], "timepoint": "6m", "assessment_date": "2026-03-12"}


def _event(values):
    return {"patient_id": values["patient_id"], "kind": "pneumonia", "onset_date": "2026-03-12"}


def _batch(values):
    here = f"assessments/{values['patient_id']}/preop"
    change = {"method": "PATCH", "path": here, "if_match": "*", "body": {"ecog_ps": 1}}
    return {"requests": [{"method": "POST", "path": "assessments", "body": _assessment(values)}, change]}


def _discarding(values):
    return {"decision": "discard"}


def _preset(values):
    return {"name": "Each year", "choices": {"format": "sav"}}


def _cohort(values):
    return {"name": "Men", "steps": [{"step": "sex", "values": ["male"]}]}


def _question(values):
    return {"patient_id": values["patient_id"], "form": "baseline", "text": "Is it so?"}


def _label(values):
    return {"label": "Frozen by a program"}


def _no_format(values):
    return {"format": "doc"}


OPERATIONS = {
    "root_get": Operation(SIGNED_IN),
    "schema_get": Operation(SIGNED_IN),
    "me_get": Operation(SIGNED_IN),
    "sites_get": Operation(SIGNED_IN),
    "site_get": Operation(READERS, of_site=True, refused=404),
    "schedule_get": Operation(SIGNED_IN),
    "instruments_get": Operation(SIGNED_IN),
    "instrument_get": Operation(SIGNED_IN, arguments={"code": "eq5d5l"}),
    "value_sets_get": Operation(SIGNED_IN),
    "value_set_get": Operation(SIGNED_IN, arguments={"code": "JP"}),
    "patients_get": Operation(READERS),
    "patients_post": Operation(ENTRY, scope="write", sent=((nothing, 422, 422), (_enrolment, 201, 422))),
    "patient_get": Operation(READERS, of_site=True),
    "patient_baseline_patch": changes(ENTRY, (nothing, 200), (lambda _values: {"sex": "female"}, 200)),
    "patient_surgery_patch": changes(ENTRY, (nothing, 200), (lambda _values: {"blood_loss_ml": 7}, 200)),
    "patient_follow_up_patch": changes(ENTRY, (nothing, 200), (lambda _values: {"vital_status": "alive"}, 200)),
    "patient_identifiers_get": Operation(ENTRY, of_site=True, scope="identify"),
    "patient_identifiers_patch": changes(ENTRY, (nothing, 204), (lambda _values: {"initials": "ZZ"}, 204)),
    "assessments_get": Operation(READERS),
    "assessments_post": Operation(ENTRY, scope="write", sent=((nothing, 422, 422), (_assessment, 201, 422))),
    "assessment_get": Operation(READERS, of_site=True),
    "assessment_patch": changes(ENTRY, (nothing, 200), (lambda _values: {"ecog_ps": 2}, 200)),
    "assessment_outcomes_get": Operation(READERS, of_site=True),
    "follow_up_ends_get": Operation(READERS),
    "adverse_events_get": Operation(READERS),
    "adverse_events_post": Operation(ENTRY, scope="write", sent=((nothing, 422, 422), (_event, 201, 422))),
    "adverse_event_get": Operation(READERS, of_site=True),
    "adverse_event_patch": changes(
        ENTRY, (nothing, 422), (lambda _values: {"clavien_dindo": "II", "reason": "graded"}, 200)
    ),
    "screening_get": Operation(READERS),
    "consents_get": Operation(READERS),
    "consent_withdrawals_get": Operation(READERS),
    "own_records_get": Operation(READERS),
    "own_records_post": Operation(ENTRY, scope="write", sent=((nothing, 422, 422),)),
    "own_record_get": Operation(READERS, answered=404, arguments={"record_id": 999_999}),
    "own_record_patch": Operation(ENTRY, scope="write", arguments={"record_id": 999_999}, sent=((nothing, 404, 404),)),
    "batch_post": Operation(ENTRY, scope="write", sent=((nothing, 422, 422), (_batch, 200, 200))),
    "patient_in_error_post": Operation(
        ENTRY, of_site=True, scope="write", sent=((nothing, 422, 404), (_mistake, 200, 404))
    ),
    "assessment_in_error_post": Operation(
        ENTRY, of_site=True, scope="write", sent=((nothing, 422, 404), (_mistake, 200, 404))
    ),
    "adverse_event_in_error_post": Operation(
        ENTRY, of_site=True, scope="write", sent=((nothing, 422, 404), (_mistake, 200, 404))
    ),
    "entries_in_error_get": Operation(READERS),
    "entry_take_back_post": Operation(
        ENTRY, of_site=True, scope="write", sent=((nothing, 422, 404), (_mistake, 200, 404))
    ),
    "queries_get": Operation(DISCUSSING),
    "queries_post": Operation(ASKING, scope="write", sent=((nothing, 422, 422), (_question, 201, (422, 201)))),
    "query_get": Operation(DISCUSSING, of_site=True),
    "query_answer_post": step(ENTRY, (nothing, 422), (lambda _values: {"text": "It is."}, 200)),
    "query_reopen_post": step(ASKING, (nothing, 422), (lambda _values: {"text": "Is it?"}, 409)),
    "query_close_post": step(ASKING, (nothing, 200)),
    "exports_get": Operation(EXPORTING, scope="export"),
    "exports_post": Operation(EXPORTING, scope="export", sent=((nothing, 202, 202), (_no_format, 422, 422))),
    "export_presets_get": Operation(EXPORTING, scope="export"),
    "export_presets_post": Operation(EXPORTING, scope="export", sent=((nothing, 422, 422), (_preset, 201, 201))),
    "export_preset_remove_post": Operation(EXPORTING, answered=404, scope="export", arguments={"preset_id": 0}),
    "export_get": Operation(EXPORTING, answered=404, scope="export", arguments=NO_EXPORT),
    "export_cancel_post": Operation(EXPORTING, answered=404, scope="export", arguments=NO_EXPORT),
    "export_file_get": Operation(EXPORTING, answered=404, scope="export", arguments=NO_EXPORT),
    "data_get": Operation(EXPORTING, scope="export"),
    "table_get": Operation(EXPORTING, scope="export", arguments={"table": "assessments"}),
    "codebook_get": Operation(SIGNED_IN),
    "imports_get": Operation(IMPORTING, scope="write"),
    "imports_post": Operation(IMPORTING, scope="write", sent=((nothing, 415, 415),)),  # files are no JSON
    "import_get": Operation(IMPORTING, answered=404, scope="write", arguments=NO_IMPORT),
    "import_findings_get": Operation(IMPORTING, answered=404, scope="write", arguments=NO_IMPORT),
    "import_findings_workbook_get": Operation(IMPORTING, answered=404, scope="write", arguments=NO_IMPORT),
    "import_decision_post": Operation(
        IMPORTING, scope="write", arguments=NO_IMPORT, sent=((nothing, 404, 404), (_discarding, 404, 404))
    ),
    "snapshots_get": Operation(CENTRAL),
    "snapshots_post": Operation(CENTRAL, scope="write", sent=((nothing, 422, 422), (_label, 201, 201))),
    "snapshot_get": Operation(CENTRAL),
    "snapshot_cancel_post": Operation(CENTRAL, answered=404, scope="write"),
    "snapshot_differences_get": Operation(CENTRAL),
    "cohorts_get": Operation(CENTRAL),
    "cohorts_post": Operation(CENTRAL, scope="write", sent=((nothing, 422, 422), (_cohort, 201, 201))),
    "declared_cohorts_get": Operation(CENTRAL),
    "cohort_get": Operation(CENTRAL),
    "cohort_flow_get": Operation(CENTRAL),
    "plans_get": Operation(CENTRAL),
    "plan_get": Operation(CENTRAL),
    "comparisons_get": Operation(CENTRAL),
    "comparisons_post": Operation(CENTRAL, scope="write", sent=((nothing, 202, 202),)),
    "comparison_get": Operation(CENTRAL),
    "comparison_cancel_post": Operation(CENTRAL, answered=202, scope="write"),
    "comparison_result_get": Operation(CENTRAL),
}


def _of_the_api():
    """Rules of the API's addresses: GET in a session, and POST of a form, which no operation takes."""
    rules = {}
    for name in {operation.rpartition("_")[0] for operation in OPERATIONS}:
        reading, writing = (OPERATIONS.get(f"{name}_{method}") for method in ("get", "post"))
        either = reading or writing or OPERATIONS[f"{name}_patch"]
        # In a session an administrator reads every site's description; no token administers.
        more = ADMIN if name == "site" else NOBODY
        rules[f"api:{name}"] = Rule(
            reading.people | more if reading else SIGNED_IN,
            writing.people if writing else NOBODY,
            # A form is refused for its type before anybody looks for the record that it is about.
            of_site=either.of_site and (reading is not None or writing is None),
            opened=reading.answered if reading else 405,
            # Files of an import come as a form; this one has none.
            acted=(422,) if name == "imports" else (415,) if writing and writing.sent else (415, 202),
            refused=either.refused,
            elsewhere=404,
            arguments=either.arguments,
            unsigned=401,
        )
    return rules


def clinical_screens(model, key):
    """Screens that an administrator who is nothing else may not open."""
    rules = screens(model, key, imports=False, adds=403, opened=403, changes=(403,), deletes=403)
    rules.pop(f"admin:{model}_export")
    rules[f"admin:{model}_import"] = screen(opened=403, acted=(403,))
    rules[f"admin:{model}_process_import"] = screen(opened=405, acted=(403,))
    arguments_of = {view: rules[f"admin:{model}_{view}"].arguments for view in ("changelist", "history")}
    return rules | {
        f"admin:{model}_{view}": screen(opened=403, acted=(403,), arguments=arguments)
        for view, arguments in arguments_of.items()
    }


RULES = {
    # Anybody
    "login": Rule(SIGNED_IN | {"anonymous"}, EVERYBODY, opened=None, acted=(200, 302), public=True),
    "account_login": Rule(SIGNED_IN | {"anonymous"}, EVERYBODY, opened=None, acted=(200, 302), public=True),
    "mfa_authenticate": Rule(EVERYBODY, EVERYBODY, opened=302, acted=(302,), public=True),  # nobody is half signed in
    "account_inactive": Rule(EVERYBODY, public=True),
    "logout": Rule(EVERYBODY, EVERYBODY, opened=405, acted=(302,), public=True),
    "account_logout": Rule(EVERYBODY, EVERYBODY, opened=405, acted=(302,), public=True),
    "openid_connect_login": missing(),  # there is no provider
    "openid_connect_callback": missing(),
    "socialaccount_login_error": Rule(EVERYBODY, opened=401, public=True),
    "socialaccount_login_cancelled": Rule(EVERYBODY, public=True),
    "account_reset_password": either(EVERYBODY, public=True),
    "account_reset_password_done": Rule(EVERYBODY, public=True),
    "account_reset_password_from_key": missing(arguments={"uidb36": "1", "key": "x-y"}),
    "account_reset_password_from_key_done": Rule(EVERYBODY, public=True),
    "invitation": missing(arguments={"token": "nothing"}),
    "digest_stop": missing(arguments={"token": "nothing"}),
    "session": Rule(EVERYBODY, public=True),
    "patient_link": missing(arguments={"token": "nothing"}),
    "patient_link_step": missing(arguments={"token": "nothing", "step": 1}),
    "patient_link_thanks": Rule(EVERYBODY, public=True, arguments={"language": "ja"}),
    # One's own account
    "session_stay": Rule(SIGNED_IN, SIGNED_IN, opened=405, acted=(200,)),
    "session_back": page(SIGNED_IN),
    "account": page(SIGNED_IN),
    "account_entry": Rule(SIGNED_IN, SIGNED_IN, opened=405, acted=(302,)),
    "account_digest": Rule(SIGNED_IN, SIGNED_IN, opened=405, acted=(302,)),
    "account_reauthenticate": either(SIGNED_IN),
    "mfa_reauthenticate": Rule(SIGNED_IN, SIGNED_IN, opened=302, acted=(302,)),
    "mfa_reauthenticate_webauthn": Rule(SIGNED_IN, SIGNED_IN, opened=302, acted=(302,)),
    "account_change_password": either(SIGNED_IN),
    "sign_out_everywhere": Rule(SIGNED_IN, SIGNED_IN, opened=405, acted=(302,)),
    "session_end": Rule(SIGNED_IN, SIGNED_IN, opened=405, acted=(404,), arguments={"session_id": 999_999}),
    "mfa_index": page(SIGNED_IN),
    "mfa_activate_totp": either(SIGNED_IN),
    "mfa_deactivate_totp": Rule(SIGNED_IN, SIGNED_IN, opened=404, acted=(404,)),
    "mfa_view_recovery_codes": page(SIGNED_IN, opened=404),
    "mfa_generate_recovery_codes": either(SIGNED_IN),
    "mfa_download_recovery_codes": Rule(SIGNED_IN, SIGNED_IN, opened=404, acted=(404,)),
    "mfa_list_webauthn": page(SIGNED_IN),
    "mfa_add_webauthn": either(SIGNED_IN),
    "mfa_edit_webauthn": Rule(SIGNED_IN, SIGNED_IN, opened=404, acted=(404,), arguments={"pk": 999_999}),
    "mfa_remove_webauthn": Rule(SIGNED_IN, SIGNED_IN, opened=404, acted=(404,), arguments={"pk": 999_999}),
    "set_language": Rule(EVERYBODY, EVERYBODY, opened=405, acted=(302,), public=True),
    "home": page(SIGNED_IN),
    "next_visit": page(ENTRY, opened=302),
    "value_set": page(SIGNED_IN, arguments={"code": "JP", "version": "1"}),
    "segment_group": page(SIGNED_IN),
    # Patients
    "patients": page(READERS),
    "grid": page(READERS),
    "schedule": page(READERS | ADMIN),
    "extra_instruments": page(READERS | ADMIN),
    "extra_instrument": Rule(ADMIN, ADMIN, acted=(302,), arguments={"code": "kps"}),
    "schedule_new": Rule(ADMIN, ADMIN, acted=(422,)),
    # The study's protocol: own instruments that there are not
    "study": page(ADMIN),
    "system": page(ADMIN),
    "system_retry": Rule(ADMIN, ADMIN, opened=405, acted=(404,)),
    "study_about": Rule(ADMIN, ADMIN, acted=(422,)),
    "study_matrix": Rule(ADMIN, ADMIN, acted=(422,)),
    "brand_style": Rule(EVERYBODY, public=True),
    "brand_logo": Rule(EVERYBODY, opened=404, public=True),
    "licensed_wording": Rule(ADMIN, ADMIN, acted=(422, 404)),
    "wording_template": page(ADMIN, arguments={"code": "eq5d5l"}),
    "study_load": Rule(ADMIN, ADMIN, acted=(422,)),
    "study_file": page(ADMIN),
    "study_protocol": page(READERS | ADMIN),
    "study_versions": page(READERS | ADMIN),
    "own_instruments": page(ADMIN),
    "own_instrument_new": Rule(ADMIN, ADMIN, opened=405, acted=(302,)),
    "own_instrument_upload": Rule(ADMIN, ADMIN, opened=302, acted=(302,)),
    **{
        name: Rule(ADMIN, ADMIN, opened=opened, acted=(404,), arguments={"code": "nothing", "row": 0, "form": "fhir"})
        for name, opened in (
            ("own_instrument", 404),
            ("own_item", 404),
            ("own_instrument_preview", 404),
            ("own_instrument_publish", 404),
            ("own_instrument_retire", 404),
        )
    },
    "own_instrument_discard": Rule(ADMIN, ADMIN, opened=405, acted=(302,), arguments={"code": "nothing"}),
    "own_instrument_file": page(ADMIN, opened=404, arguments={"code": "nothing", "form": "fhir"}),
    "own_record_new": record(writers=READERS, opened=404, acted=(404,), arguments={"form": "nothing"}),
    "own_record": record(
        writers=READERS, opened=404, acted=(404,), arguments={"form": "nothing", "record_id": 999_999}
    ),
    "enrol": Rule(ENTRY, ENTRY, acted=(422,)),
    "patient": record(),
    "history": record(),
    "patient_paper": record(writers=READERS, acted=(422,)),
    "blank_paper": Rule(READERS, READERS, acted=(422,)),
    "follow_up_end": record(writers=ENTRY, acted=(422,)),
    "erase_patient": record(DATA_MANAGER, DATA_MANAGER, acted=(409,), bodies=({"extent": "everything", "typed": ""},)),
    "show_identifiers": Rule(ENTRY, ENTRY, opened=405, acted=(302,), refused=404),
    "identification_log": page(ENTRY, refused=404),
    "erasures": page(DATA_MANAGER, refused=404),
    "erasing_cancel": Rule(
        DATA_MANAGER, DATA_MANAGER, opened=405, acted=(404,), refused=404, arguments={"erasing_id": NO_UUID}
    ),
    "erasing_again": Rule(
        DATA_MANAGER, DATA_MANAGER, opened=405, acted=(404,), refused=404, arguments={"erasing_id": NO_UUID}
    ),
    "transfer_patient": record(DATA_MANAGER, DATA_MANAGER, acted=(409,)),
    "merge_patients": record(DATA_MANAGER, DATA_MANAGER, acted=(200,)),
    "suspected_pairs": page(DATA_MANAGER),
    "suspected_pair": Rule(DATA_MANAGER, DATA_MANAGER, opened=404, acted=(404,), arguments={"pair_id": 0}),
    "take_back_merge": Rule(DATA_MANAGER, DATA_MANAGER, opened=404, acted=(404,), arguments={"merge_id": 0}),
    "screening": page(READERS),
    "screening_csv": page(EXPORTING),
    "screening_new": Rule(ENTRY, ENTRY, acted=(422,)),
    "screening_entry": record(writers=ENTRY, acted=(409,)),
    "consent": record(),
    "consent_new": record(ENTRY, ENTRY, acted=(422,)),
    "consent_correct": record(ENTRY, ENTRY, acted=(409, 422)),
    "consent_withdraw": record(ENTRY, ENTRY, acted=(422,)),
    "withdrawal_correct": record(ENTRY, ENTRY, acted=(422,)),
    "attachments": record(ENTRY, ENTRY, acted=(422,)),
    "attachment": record(ENTRY),
    "attachment_remove": record(ENTRY, ENTRY, acted=(422,)),
    "mark_in_error": record(ENTRY, ENTRY, acted=(409,), arguments={"record": "preop"}),
    "entered_in_error": page(READERS),
    "take_back_error": record(ENTRY, ENTRY, acted=(422,)),
    "patient_identifiers": record(ENTRY, ENTRY, acted=(302, 422)),
    "patient_baseline": record(writers=ENTRY, acted=(302, 409, 422)),
    "patient_surgery": record(writers=ENTRY, acted=(302, 409, 422)),
    "patient_follow_up": record(writers=ENTRY, acted=(302, 409, 422)),
    "assessment": record(writers=ENTRY, acted=(409, 422)),
    "draft": record(
        READERS, ENTRY, opened=405, acted=(302, 409), arguments={"form": "preop"}, bodies=({"discard": ""},)
    ),
    "patient_links": record(ENTRY, ENTRY, acted=(422,)),
    "patient_link_review": record(ENTRY, ENTRY, acted=(302, 409, 422), bodies=({"refuse": ""},)),
    "patient_link_revoke": record(ENTRY, ENTRY, opened=405, acted=(302,)),
    "adverse_event_new": record(writers=ENTRY, acted=(422,)),
    "adverse_event": record(writers=ENTRY, acted=(409,)),
    # Queries: who enters or raises them takes part; a statistician does not
    "queries": page(OF_SITE | {"data_manager"}),
    "queries_csv": Rule(OF_SITE | {"data_manager"}, OF_SITE | {"data_manager"}, opened=405, acted=(200,)),
    "query_bulk": Rule(ASKING, ASKING, acted=(422,)),
    "query": record(
        OF_SITE | {"data_manager"}, OF_SITE | {"data_manager"}, acted=(302, 403, 409, 422),
        bodies=({"step": "answer", "text": "=1+1"}, {"step": "close"}, {"step": "nothing"}),
    ),
    "query_new": record(ASKING, ASKING, acted=(302, 422), bodies=({"text": "Is it so?"},)),
    # Verification and signatures
    "to_verify": page(frozenset({"monitor"})),
    "verify_form": record(
        frozenset({"monitor"}), frozenset({"monitor"}), acted=(302, 409), arguments={"form": "preop"},
        bodies=({"all": ""}, {"column": "frankel"}),
    ),
    "scorecard": page(ENTRY, refused=404),
    "scorecard_pdf": page(ENTRY, opened=302, refused=404),  # nothing is counted
    "quality": page(READERS),
    "quality_rows": page(READERS, opened=404),
    "enrolment_plan": Rule(ADMIN, ADMIN, acted=(422,)),
    "safety": page(READERS),
    "safety_csv": Rule(READERS, READERS, opened=405, acted=(200,)),
    "safety_people": Rule(ADMIN, ADMIN, acted=(422,)),
    "acknowledge_event": Rule(
        READERS, READERS, opened=405, acted=(404,), refused=404, arguments={"notice_id": 999_999}
    ),
    "verify_next": page(frozenset({"monitor"}), opened=302),
    "verified_share": page(frozenset({"monitor", "data_manager"}), refused=404),
    "sampling_plan": Rule(READERS | ADMIN, ADMIN, acted=(422,)),
    "visit_report": Rule(frozenset({"monitor"}), frozenset({"monitor"}), acted=(200,), refused=404),
    "close_queries": Rule(ASKING, ASKING, acted=(422,)),
    "to_sign": page(frozenset({"investigator"}), refused=404),
    "sign_many": Rule(frozenset({"investigator"}), frozenset({"investigator"}), refused=404, acted=(422,)),
    "signatures": record(
        writers=frozenset({"investigator"}), acted=(422,), bodies=({"confirm": "", "password": "no"},)
    ),
    "unlock": record(READERS, frozenset({"investigator"}), opened=405, acted=(422,)),
    # Files
    "export": page(ENTRY | CENTRAL, refused=404),
    "export_download": Rule(
        ENTRY | CENTRAL,
        ENTRY | CENTRAL,
        opened=405,
        acted=(200, 404),  # 404: of what, or of identifiers that are not theirs
        refused=404,
        bodies=({"what": "zip"}, {"what": "patients"}, {"what": "patients", "identified": "on"}),
    ),
    "export_preset_keep": Rule(ENTRY | CENTRAL, ENTRY | CENTRAL, opened=405, acted=(422,), refused=404),
    "export_preset_remove": Rule(ENTRY | CENTRAL, ENTRY | CENTRAL, opened=405, acted=(404,), refused=404),
    "export_start": Rule(ENTRY | CENTRAL, ENTRY | CENTRAL, opened=405, acted=(422,), refused=404),
    "export_detail": page(ENTRY | CENTRAL, refused=404, opened=404, arguments={"export_id": NO_UUID}),
    "export_progress": page(ENTRY | CENTRAL, refused=404, opened=404, arguments={"export_id": NO_UUID}),
    "export_file": page(ENTRY | CENTRAL, refused=404, opened=404, arguments={"export_id": NO_UUID}),
    "export_cancel": Rule(
        ENTRY | CENTRAL, ENTRY | CENTRAL, opened=405, acted=(404,), refused=404, arguments={"export_id": NO_UUID}
    ),
    # Snapshots: of all sites at once
    "snapshots": Rule(CENTRAL, CENTRAL, acted=(422,), refused=404),
    "snapshot": page(CENTRAL, refused=404),
    "snapshot_progress": page(CENTRAL, refused=404, opened=404),
    "snapshot_cancel": Rule(CENTRAL, CENTRAL, opened=405, acted=(404,), refused=404),
    "snapshot_again": Rule(CENTRAL, CENTRAL, opened=405, acted=(404,), refused=404),
    "snapshot_compare": page(CENTRAL, refused=404),
    "snapshot_verify": Rule(CENTRAL, CENTRAL, opened=405, acted=(302,), refused=404),
    # The crawled import is a data manager's own; those of a site's people have tests of their own.
    "import": Rule(IMPORTING, IMPORTING, acted=(422,), refused=404),
    "import_history": page(IMPORTING, refused=404),
    "import_mappings": Rule(IMPORTING, IMPORTING, acted=(302,), refused=404),
    "import_report": Rule(DATA_MANAGER, DATA_MANAGER, acted=(302, 422), refused=404),
    "import_progress": page(DATA_MANAGER, refused=404),
    "import_choices": Rule(DATA_MANAGER, DATA_MANAGER, acted=(302, 422), refused=404),
    "import_columns": Rule(DATA_MANAGER, DATA_MANAGER, acted=(302, 422), refused=404),
    "import_values": Rule(DATA_MANAGER, DATA_MANAGER, opened=302, acted=(302,), refused=404),
    "import_rows": page(DATA_MANAGER, refused=404),
    "import_findings": page(DATA_MANAGER, refused=404, opened=404),  # the crawled import has none
    "import_findings_workbook": page(DATA_MANAGER, refused=404, opened=404),
    "import_discard": Rule(DATA_MANAGER, DATA_MANAGER, opened=405, acted=(302,), refused=404),
    "import_undo": Rule(DATA_MANAGER, DATA_MANAGER, opened=302, acted=(302,), refused=404),
    # Comparison
    "comparison": page(CENTRAL, refused=404),
    "comparison_new": Rule(CENTRAL, CENTRAL, acted=(200, 302, 422), refused=404),
    "comparison_compare": page(CENTRAL, refused=404, opened=302),  # to the list, to choose two
    "comparison_published": page(CENTRAL, refused=404, opened=404),  # of a published study's registry alone
    "comparison_plans": page(CENTRAL, refused=404),
    "comparison_plan_new": Rule(CENTRAL, CENTRAL, acted=(200, 302, 422), refused=404),
    "comparison_plan_lists": page(CENTRAL, refused=404),
    "comparison_plan": page(CENTRAL, refused=404),
    "comparison_plan_run": Rule(CENTRAL, CENTRAL, opened=405, acted=(302,), refused=404),
    "comparison_run": page(CENTRAL, refused=404),
    "comparison_progress": page(CENTRAL, refused=404),
    "comparison_cancel": Rule(CENTRAL, CENTRAL, opened=405, acted=(302,), refused=404),
    "comparison_again": Rule(CENTRAL, CENTRAL, opened=405, acted=(302,), refused=404),
    "comparison_figure": page(CENTRAL, refused=404, arguments={"code": "eq5d-answers", "format": "csv"}),
    "comparison_eq5d_table": page(CENTRAL, refused=404, arguments={"code": "levels"}),
    "comparison_download": page(CENTRAL, refused=404, arguments={"format": "json"}),
    # Cohorts
    "cohorts": page(CENTRAL, refused=404),
    "cohort_new": Rule(CENTRAL, CENTRAL, acted=(422,), refused=404),
    "cohort": page(CENTRAL, refused=404),
    "cohort_patients": page(CENTRAL, refused=404),
    # API tokens
    "tokens": Rule(SIGNED_IN - {"former"}, SIGNED_IN - {"former"}, acted=(422,)),
    "tokens_everybody": page(ADMIN),
    "token_revoke": Rule(SIGNED_IN, SIGNED_IN, opened=405, acted=(404,)),  # somebody else's, or none
    # The API
    **_of_the_api(),
    "api_base": _of_the_api()["api:root"],
    "api:docs": page(SIGNED_IN),
    "api:nothing": Rule(EVERYBODY, EVERYBODY, opened=404, acted=(404,), public=True, arguments={"rest": "nowhere"}),
    # FHIR
    "fhir:metadata": Rule(EVERYBODY, public=True),
    "fhir:questionnaires": page(SIGNED_IN, unsigned=401),
    "fhir:questionnaire": page(SIGNED_IN, unsigned=401, arguments={"code": "eq5d5l"}),
    "fhir:patients": Rule(READERS, ENTRY, acted=(415,), unsigned=401),
    "fhir:patient": record(unsigned=401),
    "fhir:responses": Rule(READERS, ENTRY, opened=400, acted=(415,), unsigned=401),  # of which patient?
    "fhir:response": record(unsigned=401, replacers=ENTRY),
    "fhir:observations": Rule(READERS, opened=400, unsigned=401),  # of which patient?
    "fhir:observation": record(
        opened=404, unsigned=401, arguments={"observation_id": "barthel-total.24m.N01-0001"}
    ),
    "fhir:everything": record(unsigned=401),
    # Each entry of a Bundle goes by the rule of its own address.
    "fhir:transactions": Rule(NOBODY, SIGNED_IN, opened=405, acted=(415,), unsigned=401),
    "fhir_base": Rule(NOBODY, SIGNED_IN, opened=405, acted=(415,), unsigned=401),
    **{
        f"fhir:search_{kind}": Rule(NOBODY, SIGNED_IN, opened=405, acted=(415,), unsigned=401)
        for kind in ("patient", "questionnaire", "questionnaireresponse", "observation")
    },
    "fhir:nothing": Rule(EVERYBODY, EVERYBODY, opened=404, acted=(404,), public=True, arguments={"rest": "nowhere"}),
    # The trail
    "audit": page(READERS | ADMIN),
    "audit_csv": Rule(ENTRY | CENTRAL | ADMIN, ENTRY | CENTRAL | ADMIN, opened=405, acted=(200,)),
    # People
    "people": page(ADMIN),
    "person": page(ADMIN),
    "sites": page(ADMIN),
    "site": page(ADMIN),
    "site_new": Rule(ADMIN, ADMIN, acted=(422,)),
    "site_change": Rule(ADMIN, ADMIN, acted=(422,)),
    "person_change": Rule(ADMIN, ADMIN, acted=(422,)),
    "person_role": Rule(ADMIN, ADMIN, opened=405, acted=(422,)),
    "membership": Rule(ADMIN, ADMIN, acted=(302, 422)),
    "person_sessions": Rule(ADMIN, ADMIN, opened=405, acted=(302,)),
    "person_factors": Rule(ADMIN, ADMIN, opened=405, acted=(302,)),
    "person_active": Rule(ADMIN, ADMIN, opened=405, acted=(302,)),
    "person_password": Rule(ADMIN, ADMIN, opened=405, acted=(302,)),
    "invitations": page(ADMIN),
    "invitation_new": Rule(ADMIN, ADMIN, acted=(422,)),
    "invitation_renew": Rule(ADMIN, ADMIN, opened=405, acted=(302,)),
    "invitation_revoke": Rule(ADMIN, ADMIN, opened=405, acted=(302,)),
    "delegation": page(ADMIN | {"investigator", "monitor"}),
    "delegation_csv": page(ADMIN | {"investigator", "monitor"}),
    "person_access": either(ADMIN),
    "enrolment": either(READERS | ADMIN),
    # Administration
    "admin:index": screen(),
    "admin_value_sets": page(ADMIN, refused=302),
    "admin_value_set": page(ADMIN, refused=302, arguments={"code": "JP"}),
    "admin:login": Rule(SIGNED_IN, SIGNED_IN, opened=403, acted=(403,)),  # there is one sign-in page
    "admin:logout": screen(opened=405, acted=(302,)),
    "admin:password_change": screen(),
    "admin:password_change_done": screen(acted=(405,)),
    "admin:autocomplete": screen(opened=403, acted=(405,)),
    "admin:jsi18n": screen(acted=(405,)),
    "admin:view_on_site": screen(opened=404, acted=(404,), arguments={"content_type_id": 1, "object_id": "1"}),
    "admin:app_list": screen(arguments={"app_label": "study_sites"}),
    "admin/(?P<url>.*)$": screen(opened=404, acted=(404,)),
    **screens("study_sites_site", "site_id"),
    **screens("study_sites_user", "user_id"),
    "admin:auth_user_password_change": screen(arguments={"id": "user_id"}),
    **screens("study_sites_membership", "membership_id", changes=(200, 302)),
    # The trail has a page of its own, where these lead.
    **{
        name: rule
        for name, rule in screens(
            "study_sites_auditevent", "clinical_event_id", imports=False, adds=403, opened=302, changes=(302,)
        ).items()
        if not name.endswith("_export")
    },
    "admin:study_sites_auditevent_changelist": screen(opened=302, acted=(302,)),
    **screens("registry_timepoint", "timepoint", imports=False, adds=403, deletes=403),
    # The history of the schedule: another version is published on its own page.
    **{
        name: rule
        for name, rule in screens(
            "registry_scheduleversion", "version_id", imports=False, adds=302, changes=(403,), deletes=403
        ).items()
        if not name.endswith("_export")
    },
    # Administering gives no clinical data: these are for an administrator who may also read records.
    **clinical_screens("registry_patient", "patient_id"),
    **clinical_screens("registry_assessment", "assessment_id"),
    **clinical_screens("registry_adverseevent", "event_id"),
    **clinical_screens("registry_followupend", "patient_id"),
}  # fmt: skip
