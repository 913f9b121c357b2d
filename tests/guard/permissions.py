"""The permission table of the addresses: for every name in the resolver, who may open it and who may act there.

`test_crawl.py` walks the resolver and fails on an address that is not here, on an entry that is no address, and on any
answer that is not what the table says.
"""

from dataclasses import dataclass, field

ENTRY = frozenset({"coordinator", "investigator"})
OF_SITE = ENTRY | {"monitor"}
CENTRAL = frozenset({"data_manager", "statistician"})
READERS = OF_SITE | CENTRAL
ADMIN = frozenset({"admin"})
DATA_MANAGER = frozenset({"data_manager"})
SIGNED_IN = READERS | ADMIN | {"former"}  # a former coordinator, whose membership has ended
EVERYBODY = SIGNED_IN | {"anonymous"}
NOBODY = frozenset()

SIGN_IN = 302  # to the sign-in page


@dataclass(frozen=True)
class Rule:
    """Who may open an address (GET) and act there (POST), and what each gets.

    of_site    the address names a record: people of a site open their own site's, and others' do not exist (404)
    opened     status of GET for the readers; 405 where only POST is understood, None where any will do
    acted      statuses of POST for the writers, one of which must come
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
    bodies: tuple = ()
    arguments: dict = field(default_factory=dict)
    public: bool = False
    unsigned: int = SIGN_IN

    def reaches(self, who, place, whom):
        return who in whom and (place == "own" or not self.of_site or who not in OF_SITE)

    def expected(self, who, place, method):
        """The statuses of which one must come, and whether the request may store anything."""
        if who == "anonymous" and not self.public:
            return {self.unsigned}, False
        reads, writes = self.reaches(who, place, self.readers), self.reaches(who, place, self.writers)
        if method == "get" and self.opened is None:
            return {200, 302}, False
        if method == "get":
            # A method that is not understood may be refused before anybody is asked who they are.
            return {self.opened} if reads else {self.refused} | ({405} & {self.opened}), reads
        if writes:
            return set(self.acted), True
        if not self.writers:
            return {405}, False
        return {403 if reads and self.of_site else self.refused}, False


def page(readers, **more):
    """Opened by GET and nothing else."""
    return Rule(readers, **more)


def record(readers=READERS, writers=NOBODY, **more):
    """About one patient."""
    return Rule(readers, writers, of_site=True, refused=404, **more)


def either(readers, **more):
    """A page that answers POST like GET; nothing is stored."""
    return Rule(readers, readers, acted=(200,), **more)


def screen(**more):
    """An administrator's screen; everybody else is sent to sign in, and from there told that they may not."""
    return Rule(ADMIN, ADMIN, refused=302, **({"acted": (200,)} | more))


def screens(model, key, *, imports=True, adds=200, opened=200, changes=(200,), deletes=403):
    """The addresses that Django's admin has for one model. `key`: of the row that the addresses are about."""
    of_row = {"arguments": {"object_id": key, "id": key}}
    found = {
        "export": screen(),
        "changelist": screen(),
        "add": screen(opened=adds, acted=(adds,)),
        "history": screen(opened=302, acted=(302,), **of_row),  # the trail is the only history
        "delete": screen(opened=deletes, acted=(deletes,), **of_row),
        "change": screen(opened=opened, acted=changes, **of_row),
    }
    if imports:
        found |= {"import": screen(), "process_import": screen(opened=405)}
    app, name = model.rsplit("_", 1)
    return {f"admin:{model}_{action}": rule for action, rule in found.items()} | {
        f"admin/{app}/{name}/<path:object_id>/": screen(opened=302, acted=(302,), **of_row)
    }


def clinical_screens(model, key):
    """Screens that an administrator who is nothing else may not open."""
    found = screens(model, key, imports=False, adds=403, opened=403, changes=(403,), deletes=403)
    found.pop(f"admin:{model}_export")
    kept = {one: found[f"admin:{model}_{one}"].arguments for one in ("changelist", "history")}
    return found | {
        f"admin:{model}_{one}": screen(opened=403, acted=(403,), arguments=arguments) for one, arguments in kept.items()
    }


RULES = {
    # Anybody
    "login": Rule(SIGNED_IN | {"anonymous"}, EVERYBODY, opened=None, acted=(200, 302), public=True),
    "logout": Rule(EVERYBODY, SIGNED_IN, opened=405, acted=(302,)),
    "set_language": Rule(EVERYBODY, EVERYBODY, opened=405, acted=(302,), public=True),
    "home": page(SIGNED_IN),
    "value_set": page(SIGNED_IN, arguments={"code": "JP", "version": "1"}),
    "segment_group": page(SIGNED_IN),
    # Patients
    "patients": page(READERS),
    "enrol": Rule(ENTRY, ENTRY, acted=(422,)),
    "patient": record(),
    "history": record(),
    "patient_identifiers": record(ENTRY, ENTRY, acted=(302, 422)),
    "patient_baseline": record(writers=ENTRY, acted=(302, 409, 422)),
    "patient_surgery": record(writers=ENTRY, acted=(302, 409, 422)),
    "patient_follow_up": record(writers=ENTRY, acted=(302, 409, 422)),
    "assessment": record(writers=ENTRY, acted=(409, 422)),
    "adverse_event_new": record(writers=ENTRY, acted=(422,)),
    "adverse_event": record(writers=ENTRY, acted=(422,)),
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
    "import": Rule(DATA_MANAGER, DATA_MANAGER, acted=(422,), refused=404),
    "import_history": page(DATA_MANAGER, refused=404),
    "import_mappings": Rule(DATA_MANAGER, DATA_MANAGER, acted=(302,), refused=404),
    "import_report": Rule(DATA_MANAGER, DATA_MANAGER, acted=(302, 422), refused=404),
    "import_progress": page(DATA_MANAGER, refused=404),
    "import_choices": Rule(DATA_MANAGER, DATA_MANAGER, acted=(302, 422), refused=404),
    "import_columns": Rule(DATA_MANAGER, DATA_MANAGER, acted=(302, 422), refused=404),
    "import_values": Rule(DATA_MANAGER, DATA_MANAGER, opened=302, acted=(302,), refused=404),
    "import_rows": page(DATA_MANAGER, refused=404),
    "import_discard": Rule(DATA_MANAGER, DATA_MANAGER, opened=405, acted=(302,), refused=404),
    "import_undo": Rule(DATA_MANAGER, DATA_MANAGER, opened=302, acted=(302,), refused=404),
    # Comparison
    "comparison": page(CENTRAL, refused=404),
    "comparison_new": Rule(CENTRAL, CENTRAL, acted=(200, 302, 422), refused=404),
    "comparison_compare": page(CENTRAL, refused=404, opened=302),  # to the list, to choose two
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
    # FHIR
    "fhir:metadata": Rule(EVERYBODY, public=True),
    "fhir:questionnaires": page(SIGNED_IN, unsigned=401),
    "fhir:questionnaire": page(SIGNED_IN, unsigned=401, arguments={"code": "eq5d5l"}),
    "fhir:patients": Rule(READERS, ENTRY, acted=(415,), unsigned=401),
    "fhir:patient": record(unsigned=401),
    "fhir:responses": Rule(READERS, ENTRY, opened=400, acted=(415,), unsigned=401),  # of which patient?
    "fhir:response": record(unsigned=401),
    # The trail
    "audit": page(READERS | ADMIN),
    "audit_csv": Rule(ENTRY | CENTRAL | ADMIN, ENTRY | CENTRAL | ADMIN, opened=405, acted=(200,)),
    # People
    "people": either(ADMIN),
    "person_access": either(ADMIN),
    "enrolment": either(READERS | ADMIN),
    # Administration
    "admin:index": screen(),
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
    # One event of a site, which an administrator does not see.
    **screens(
        "study_sites_auditevent", "clinical_event_id", imports=False, adds=403, opened=302, changes=(403,), deletes=403
    ),
    **screens("registry_timepoint", "timepoint"),
    # Administering gives no clinical data: these are for an administrator who may also read records.
    **clinical_screens("registry_patient", "patient_id"),
    **clinical_screens("registry_assessment", "assessment_id"),
    **clinical_screens("registry_adverseevent", "event_id"),
}  # fmt: skip
