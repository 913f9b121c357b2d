"""The administration screens: who opens them, what they change, what they refuse."""

import datetime as dt
import io
import re

import pytest
from django.contrib import admin
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from django.utils import timezone
from openpyxl import load_workbook

from registry.instruments import value_sets
from registry.models import AdverseEvent, Assessment, Identity, Patient, ScheduleVersion, Timepoint
from registry.services.entry.patients import save_adverse_event
from sites.models import AuditEvent, Membership, Site, User
from sites.tenancy.access import Role, access_of
from tests.conftest import PASSWORD, person

DAY = dt.timedelta(days=1)


@pytest.fixture(autouse=True)
def _days():
    """As the test begins: the day may have changed since the file was loaded."""
    global YESTERDAY, TODAY, TOMORROW
    TODAY = timezone.localdate()
    YESTERDAY, TOMORROW = TODAY - DAY, TODAY + DAY


PAGES = [
    "index",
    "study_sites_site_changelist",
    "study_sites_site_add",
    "study_sites_site_export",
    "study_sites_site_import",
    "study_sites_user_changelist",
    "study_sites_user_add",
    "study_sites_membership_changelist",
    "registry_timepoint_changelist",
]


@pytest.fixture
def admin_client(client, ada):
    client.force_login(ada)
    return client


def trail(table, row_id):
    """What administrators read of the trail on one row: (action, user id) in order."""
    return list(
        AuditEvent.objects.filter(table_name=table, row_id=str(row_id)).order_by("pk").values_list("action", "user_id")
    )


def inline(rows, *, prefix="memberships"):
    """The posted management form and rows of an inline."""
    initial = sum("id" in row for row in rows)
    posted = {
        f"{prefix}-TOTAL_FORMS": len(rows),
        f"{prefix}-INITIAL_FORMS": initial,
        f"{prefix}-MIN_NUM_FORMS": 0,
        f"{prefix}-MAX_NUM_FORMS": 1000,
    }
    return posted | {f"{prefix}-{i}-{name}": value for i, row in enumerate(rows) for name, value in row.items()}


def person_post(user, memberships, **changes):
    fields = {"email": user.email, "name": user.name, "language": user.language, "is_active": "on"} | changes
    return {name: value for name, value in fields.items() if value is not None} | inline(memberships)


def row_of(membership, **changes):
    return {"id": membership.pk, "user": membership.user_id, "ends_on": membership.ends_on or ""} | changes


@pytest.mark.parametrize("page", PAGES)
def test_an_administrator_opens_every_screen(admin_client, page):
    assert admin_client.get(reverse(f"admin:{page}")).status_code == 200


# What the Content Security Policy would block: inline styles, scripts and handlers.
BLOCKED = re.compile(r"<style|\sstyle=|<script(?![^>]*\ssrc=)|\son[a-z]+=", re.IGNORECASE)


@pytest.mark.parametrize("page", PAGES)
def test_no_screen_needs_what_the_policy_blocks(admin_client, page):
    assert BLOCKED.findall(admin_client.get(reverse(f"admin:{page}")).content.decode()) == []


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("reader", ["alice", "bob", "dana", "mona"])
def test_nobody_else_opens_one(client, request, page, reader):
    client.force_login(request.getfixturevalue(reader))
    assert client.get(reverse(f"admin:{page}"), follow=True).status_code == 403


def test_who_is_not_signed_in_signs_in_on_the_products_page(client, db):
    response = client.get(reverse("admin:index"), follow=True)
    assert response.redirect_chain[-1] == (f"{reverse('login')}?next={reverse('admin:index')}", 302)


def test_being_staff_or_superuser_opens_nothing(client, db):
    client.force_login(User.objects.create_superuser("root@example.org", PASSWORD, name="Root"))
    assert client.get(reverse("admin:index"), follow=True).status_code == 403


def test_a_membership_alone_opens_everything(client, db):
    client.force_login(person("Plain", Role.ADMIN))
    page = client.get(reverse("admin:index"))
    listed = {model["object_name"] for app in page.context["app_list"] for model in app["models"]}
    assert listed == {"Site", "User", "Membership", "AuditEvent", "Timepoint", "ScheduleVersion"}


def test_an_ended_membership_opens_nothing(client, ada):
    Membership.objects.filter(user=ada).update(ends_on=YESTERDAY)
    client.force_login(ada)
    assert client.get(reverse("admin:index"), follow=True).status_code == 403


CLINICAL = [Patient, Assessment, AdverseEvent]


@pytest.mark.parametrize("model", CLINICAL)
def test_clinical_tables_have_no_screen_for_an_administrator_alone(admin_client, model):
    address = f"admin:registry_{model._meta.model_name}"
    assert admin_client.get(reverse(f"{address}_changelist")).status_code == 403
    assert model._meta.verbose_name_plural.capitalize() not in admin_client.get(reverse("admin:index")).content.decode()


def test_who_also_reads_records_looks_at_them_and_changes_nothing(admin_client, ada, enrolled, alice, as_person):
    Membership.objects.create(user=ada, role=Role.DATA_MANAGER, starts_on=YESTERDAY)
    patient = enrolled(alice)
    with as_person(alice) as access:
        raw = {"kind": "pneumonia", "onset_date": "2026-02-02", "detail": "seen by Dr Yamada"}
        event = save_adverse_event(access=access, patient=patient, raw=raw)
    for model in CLINICAL:
        address = f"admin:registry_{model._meta.model_name}"
        assert admin_client.get(reverse(f"{address}_changelist") + "?q=N01").status_code == 200
        assert admin_client.get(reverse(f"{address}_add")).status_code == 403
    for model, key in ((Patient, patient.pk), (AdverseEvent, event.pk)):
        address = reverse(f"admin:registry_{model._meta.model_name}_change", args=[key])
        page = admin_client.get(address).content.decode()
        assert patient.pk in page
        assert ("1955" in page, "Yamada" in page, 'name="_save"' in page) == (False, False, False)
        assert admin_client.post(address, {"sex": "female"}).status_code == 403
    history = admin_client.get(reverse("admin:registry_patient_history", args=[patient.pk]))
    assert history.headers["Location"] == reverse("history", args=[patient.pk])
    assert not admin.site.is_registered(Identity)


def test_a_list_leaves_as_a_workbook_and_comes_back(admin_client, north, ada, as_person):
    Site.objects.filter(pk=north.pk).update(name="=1+1")
    sent = admin_client.post(reverse("admin:study_sites_site_export"), {"format": "1", "resource": "0"})
    sheet = load_workbook(io.BytesIO(sent.content)).active
    assert [cell.value for cell in sheet[2]][:2] == ["N01", "'=1+1"]
    sheet["B2"], sheet["E2"] = "North again", 40
    changed = io.BytesIO()
    sheet.parent.save(changed)
    upload = SimpleUploadedFile("sites.xlsx", changed.getvalue())
    preview = admin_client.post(
        reverse("admin:study_sites_site_import"), {"import_file": upload, "format": "1", "resource": "0"}
    )
    confirmed = preview.context["confirm_form"].initial
    admin_client.post(reverse("admin:study_sites_site_process_import"), confirmed)
    north.refresh_from_db()
    assert (north.name, north.enrolment_target) == ("North again", 40)
    with as_person(ada):
        assert AuditEvent.objects.get(action="admin_export").new == {"rows": 1}


def test_a_site_is_added_and_on_record(admin_client, ada, as_person):
    posted = {"code": "N02", "name": "Second", "value_set": "JP"} | inline([])
    assert admin_client.post(reverse("admin:study_sites_site_add"), posted).status_code == 302
    site = Site.objects.get(code="N02")
    with as_person(ada):
        assert trail("study_sites_site", site.pk) == [("insert", ada.pk)]


def test_the_code_of_a_site_in_use_stays(admin_client, ada, enrolled, alice, as_system):
    enrolled(alice)
    site = Site.objects.get(code="N01")
    member = site.memberships.get()
    posted = {"code": "X01", "name": "Renamed", "value_set": "JP"} | inline([row_of(member, site=site.pk)])
    address = reverse("admin:study_sites_site_change", args=[site.pk])
    assert admin_client.post(address, posted).status_code == 302
    site.refresh_from_db()
    assert (site.code, site.name) == ("N01", "Renamed")


def test_the_code_of_an_unused_site_can_be_put_right(admin_client, north):
    address = reverse("admin:study_sites_site_change", args=[north.pk])
    posted = {"code": "N09", "name": "North", "value_set": "JP"} | inline([])
    assert admin_client.post(address, posted).status_code == 302
    north.refresh_from_db()
    assert north.code == "N09"


@pytest.mark.parametrize(("used", "status"), [(False, 302), (True, 403)])
def test_only_a_site_that_nothing_refers_to_is_deleted(admin_client, north, enrolled, request, used, status):
    if used:
        alice = request.getfixturevalue("alice")
        enrolled(alice)
        Membership.objects.filter(site=north).delete()  # an administrator's own scope shows no reason to keep it
    response = admin_client.post(reverse("admin:study_sites_site_delete", args=[north.pk]), {"post": "yes"})
    assert (response.status_code, Site.objects.filter(pk=north.pk).exists()) == (status, used)


def test_a_person_is_created_by_address_and_signs_in(admin_client, client, ada):
    posted = {"email": "New@Example.org", "name": "New", "language": "ja", "usable_password": "true"}
    posted |= {"password1": PASSWORD, "password2": PASSWORD}
    assert admin_client.post(reverse("admin:study_sites_user_add"), posted).status_code == 302
    new = User.objects.get(email="new@example.org")
    assert (new.name, new.language, new.is_staff, new.check_password(PASSWORD)) == ("New", "ja", False, True)
    client.logout()
    assert client.login(username="new@example.org", password=PASSWORD)


def test_a_person_may_be_created_without_a_password(admin_client):
    posted = {"email": "new@example.org", "name": "New", "language": "en", "usable_password": "false"}
    assert admin_client.post(reverse("admin:study_sites_user_add"), posted).status_code == 302
    assert not User.objects.get(email="new@example.org").has_usable_password()


def test_one_address_is_one_person_whatever_its_case(admin_client, alice):
    posted = {"email": "ALICE@example.org", "name": "Twin", "language": "en", "usable_password": "false"}
    response = admin_client.post(reverse("admin:study_sites_user_add"), posted)
    assert response.status_code == 200
    assert "email" in response.context["adminform"].form.errors


def test_a_password_is_set_by_the_administrator(admin_client, alice):
    address = reverse("admin:auth_user_password_change", args=[alice.pk])
    new = "another horse battery"
    posted = {"usable_password": "true", "password1": new, "password2": new, "set-password": "1"}
    assert admin_client.post(address, posted).status_code == 302
    alice.refresh_from_db()
    assert alice.check_password(new)


def test_a_role_is_given_on_the_persons_page_and_on_record(admin_client, ada, alice, south, as_person):
    old = alice.memberships.get()
    new = {"user": alice.pk, "role": "monitor", "site": south.pk, "starts_on": TODAY, "ends_on": ""}
    address = reverse("admin:study_sites_user_change", args=[alice.pk])
    assert admin_client.post(address, person_post(alice, [row_of(old), new])).status_code == 302
    assert access_of(alice).sites_for("verify") == (south.pk,)
    with as_person(ada):
        assert trail("study_sites_membership", alice.memberships.get(role="monitor").pk) == [("insert", ada.pk)]


@pytest.mark.parametrize(("role", "with_site"), [("statistician", True), ("coordinator", False)])
def test_central_roles_have_no_site_and_others_need_one(admin_client, alice, south, role, with_site):
    new = {"user": alice.pk, "role": role, "site": south.pk if with_site else "", "starts_on": TODAY, "ends_on": ""}
    address = reverse("admin:study_sites_user_change", args=[alice.pk])
    response = admin_client.post(address, person_post(alice, [new]))
    assert response.status_code == 200
    assert response.content.decode().count("A central role has no site; every other role needs one.") == 1
    assert alice.memberships.count() == 1


def test_what_a_membership_gave_is_history_and_only_its_end_changes(admin_client, alice, south):
    old = alice.memberships.get()
    address = reverse("admin:study_sites_user_change", args=[alice.pk])
    posted = person_post(alice, [row_of(old, role="investigator", site=south.pk, ends_on=YESTERDAY)])
    assert admin_client.post(address, posted).status_code == 302
    old.refresh_from_db()
    assert (old.role, old.site.code, old.ends_on) == ("coordinator", "N01", YESTERDAY)
    assert access_of(alice).grants == ()


@pytest.mark.parametrize(("days", "deleted"), [(1, True), (0, False), (-1, False)])
def test_only_a_membership_that_has_not_begun_is_deleted(admin_client, alice, south, days, deleted):
    starts_on = TODAY + days * DAY
    membership = Membership.objects.create(user=alice, role="monitor", site=south, starts_on=starts_on)
    admin_client.post(reverse("admin:study_sites_membership_delete", args=[membership.pk]), {"post": "yes"})
    assert Membership.objects.filter(pk=membership.pk).exists() is not deleted


@pytest.mark.parametrize(("another", "status"), [(True, 302), (False, 200)])
@pytest.mark.parametrize("page", ["user", "membership"])
def test_the_last_administrator_stays(admin_client, ada, page, another, status):
    if another:
        person("Second", Role.ADMIN)
    mine = ada.memberships.get()
    if page == "user":
        address, posted = reverse("admin:study_sites_user_change", args=[ada.pk]), person_post(ada, [row_of(mine)])
        posted["memberships-0-ends_on"] = TOMORROW
    else:
        address = reverse("admin:study_sites_membership_change", args=[mine.pk])
        posted = {"ends_on": TOMORROW}
    response = admin_client.post(address, posted)
    assert response.status_code == status
    assert ("This is the last administrator" in response.content.decode()) is not another
    mine.refresh_from_db()
    assert mine.ends_on == (TOMORROW if another else None)


@pytest.mark.parametrize(("another", "active"), [(True, False), (False, True)])
def test_the_last_administrator_stays_active(admin_client, ada, another, active):
    if another:
        person("Second", Role.ADMIN)
    address = reverse("admin:study_sites_user_change", args=[ada.pk])
    admin_client.post(address, person_post(ada, [row_of(ada.memberships.get())], is_active=None))
    ada.refresh_from_db()
    assert ada.is_active is active


def test_somebody_inactive_does_not_count_as_another_administrator(admin_client, ada):
    person("Gone", Role.ADMIN, is_active=False)
    mine = ada.memberships.get()
    admin_client.post(reverse("admin:study_sites_membership_change", args=[mine.pk]), {"ends_on": TOMORROW})
    mine.refresh_from_db()
    assert mine.ends_on is None


def test_the_name_of_a_visit_changes_and_is_on_record(admin_client, ada, as_person):
    address = reverse("admin:registry_timepoint_change", args=["3m"])
    assert admin_client.post(address, {"code": "x", "label": "Quarter", "label_ja": "3か月"}).status_code == 302
    assert Timepoint.objects.get(pk="3m").label == "Quarter"
    with as_person(ada):
        assert trail("registry_timepoint", "3m")[-1] == ("update", ada.pk)
    assert admin_client.post(reverse("admin:registry_timepoint_delete", args=["3m"]), {"post": "y"}).status_code == 403


def test_the_schedules_history_is_read_here_and_written_on_its_own_page(admin_client):
    version = ScheduleVersion.objects.get()
    page = admin_client.get(reverse("admin:registry_scheduleversion_change", args=[version.pk]))
    assert page.status_code == 200
    assert "24m" in page.content.decode() or "24 months" in page.content.decode()
    assert admin_client.get(reverse("admin:registry_scheduleversion_add")).url == reverse("schedule_new")


def test_the_trail_has_one_page_that_says_it_in_words(admin_client, north, enrolled, alice):
    enrolled(alice)
    address = reverse("admin:study_sites_auditevent_changelist")
    assert admin_client.get(address, {"action": "insert"}).url == reverse("audit") + "?action=insert"
    assert admin_client.get(reverse("admin:study_sites_auditevent_add")).status_code == 403
    page = admin_client.get(address, follow=True).content.decode()
    for word in ("study_sites_", "registry_patient", "{", "sign_in"):
        assert word not in re.sub(r"<[^>]*>", "", page)


def test_the_history_of_a_row_is_its_audit_trail(admin_client, ada, north):
    admin_client.post(
        reverse("admin:study_sites_site_change", args=[north.pk]),
        {"code": "N01", "name": "Renamed", "value_set": "JP"} | inline([]),
    )
    page = admin_client.get(reverse("admin:study_sites_site_history", args=[north.pk]), follow=True)
    assert [row["event"].action for row in page.context["rows"]] == ["update", "insert"]


def test_lists_cost_the_same_however_many_people(admin_client, north, django_assert_max_num_queries):
    for number in range(30):
        person(f"P{number}", Role.COORDINATOR, north)
    for page in ("user", "site", "membership"):
        with django_assert_max_num_queries(16):
            assert admin_client.get(reverse(f"admin:study_sites_{page}_changelist")).status_code == 200


def test_value_sets_are_listed_searched_and_told_with_their_coefficients(admin_client, north):
    page = admin_client.get(reverse("admin_value_sets"))
    assert len(page.context["rows"]) == len(value_sets.ALL)
    rows = admin_client.get(reverse("admin_value_sets"), {"q": "japan"}).context["rows"]
    assert {row["set"].code for row in rows} == {"JP", "JP_DCE"}
    assert sum(row["sites"] for row in page.context["rows"]) == Site.objects.count()
    table = admin_client.get(reverse("admin_value_sets"), {"q": "JP_DCE", "format": "csv"}).content.decode()
    assert table.count("\n") == 1 + len(value_sets.get("JP_DCE").terms)
    detail = admin_client.get(reverse("admin_value_set", args=["JP"])).content.decode()
    assert str(value_sets.get("JP").terms["MO5"]) in detail
    assert north.code in detail
    assert admin_client.get(reverse("admin_value_set", args=["XX"])).status_code == 404
    assert reverse("admin_value_sets") in admin_client.get(reverse("admin:index")).content.decode()


@pytest.mark.parametrize("path", ["membership/add/", "membership/", "user/", "site/add/", "site/"])
def test_lists_to_choose_from_begin_with_a_word(admin_client, path):
    page = admin_client.get(f"/admin/study_sites/{path}", follow=True).content.decode()
    assert "<select" in page or "/add/" not in path
    assert "---------" not in page
