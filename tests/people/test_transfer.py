"""Files of sites, people and memberships, in and out of the administration screens."""

import csv
import io

import pytest
import tablib
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from sites.models import Membership, Site, User
from sites.resources import CSV, MembershipResource, PersonResource, SiteResource


@pytest.fixture
def admin_client(client, ada):
    client.force_login(ada)
    return client


def upload(client, table, text):
    """Upload a CSV, look at the preview and confirm it; returns the preview."""
    file = SimpleUploadedFile("file.csv", text.encode())
    address = reverse(f"admin:study_sites_{table}_import")
    preview = client.post(address, {"import_file": file, "format": "0", "resource": "0"})
    form = preview.context.get("confirm_form")
    if form:
        client.post(reverse(f"admin:study_sites_{table}_process_import"), form.initial)
    return preview


def test_sites_go_out_and_come_back(admin_client, north, south):
    response = admin_client.post(reverse("admin:study_sites_site_export"), {"format": "0", "resource": "0"})
    rows = list(csv.DictReader(io.StringIO(response.content.decode())))
    assert [row["code"] for row in rows] == ["N01", "S01"]
    text = response.content.decode().replace("North Hospital", "North Medical Centre") + "E01,East,,,40,JP\r\n"
    upload(admin_client, "site", text)
    assert list(Site.objects.values_list("code", "name", "enrolment_target")) == [
        ("E01", "East", 40),
        ("N01", "North Medical Centre", None),
        ("S01", "South Hospital", None),
    ]


def test_a_file_with_a_wrong_row_stores_nothing(admin_client, north):
    text = "code,name,value_set\nE01,East,JP\nw1,West,JP\n"
    assert upload(admin_client, "site", text).context["result"].has_validation_errors()
    assert list(Site.objects.values_list("code", flat=True)) == ["N01"]


def test_the_preview_shows_the_change_without_inline_styles(admin_client, north):
    page = upload(admin_client, "site", "code,name,value_set\nN01,North Clinic,JP\n").content.decode()
    assert "<ins>Clinic</ins>" in page
    assert "style=" not in page


def test_people_come_by_address_without_a_password(admin_client, alice):
    upload(admin_client, "user", "email,name,language\nALICE@example.org,Alice Abe,ja\nnew@example.org,New,en\n")
    alice.refresh_from_db()
    new = User.objects.get(email="new@example.org")
    assert (alice.name, alice.language, alice.has_usable_password()) == ("Alice Abe", "ja", True)
    assert (new.name, new.has_usable_password()) == ("New", False)


def test_memberships_are_added_and_none_is_ended(admin_client, ada, alice, south):
    text = (
        "person,role,site,starts_on,ends_on\n"
        "alice@example.org,monitor,S01,2026-01-01,\n"
        "ada@example.org,admin,,2018-01-01,2018-01-02\n"
    )
    upload(admin_client, "membership", text)
    assert set(alice.memberships.values_list("role", "site__code")) == {("coordinator", "N01"), ("monitor", "S01")}
    assert ada.memberships.get().ends_on is None


def test_a_membership_that_breaks_a_rule_is_refused(admin_client, alice):
    text = "person,role,site,starts_on,ends_on\nalice@example.org,statistician,N01,2026-01-01,\n"
    assert upload(admin_client, "membership", text).context["result"].has_validation_errors()
    assert Membership.objects.filter(user=alice).count() == 1


@pytest.mark.parametrize("begins", ["=", "+", "-", "@"])
def test_no_cell_is_a_formula_and_the_value_comes_back(db, begins):
    name = f"{begins}1+1"
    dataset = tablib.Dataset([name], headers=["name"])
    written = CSV().export_data(dataset)
    assert written.splitlines()[1] == f"'{name}"
    assert CSV().create_dataset(written)[0] == (name,)


def test_no_file_holds_a_password(db):
    for resource in (SiteResource, PersonResource, MembershipResource):
        assert "password" not in resource().get_export_headers()


@pytest.mark.parametrize(
    ("table", "text", "said"),
    [
        ("site", "code,name,value_set\n\u041207,East,JP\n", "CYRILLIC CAPITAL LETTER VE"),
        ("site", "code,name,value_set\nE\u200b07,East,JP\n", "ZERO WIDTH SPACE"),
        ("site", "code,name,value_set\nE\u030107,East,JP\n", "U+00C9"),
        ("user", "email,name,language\nal\u0131ce@example.org,Alice,en\n", "DOTLESS I"),
        (
            "membership",
            "person,role,site,starts_on\nalice@example.org,monitor,N\u200b01,2026-01-01\n",
            "ZERO WIDTH SPACE",
        ),
        ("membership", "person,role,site,starts_on\n\u0430lice@example.org,monitor,N01,2026-01-01\n", "CYRILLIC SMALL"),
        ("membership", "person,role,site,starts_on\nalice@example.org,monitor,X09,2026-01-01\n", "no site “X09”"),
        ("membership", "person,role,site,starts_on\nnobody@example.org,monitor,N01,2026-01-01\n", "no person “nobody@"),
    ],
)
def test_a_wrong_character_is_named(admin_client, alice, table, text, said):
    page = upload(admin_client, table, text)
    assert page.context["result"].has_errors() and said in page.content.decode()
    assert (Site.objects.count(), Membership.objects.filter(user=alice).count()) == (1, 1)


def test_full_width_codes_and_addresses_are_taken(admin_client, alice):
    upload(admin_client, "site", "code,name,value_set\nＥ０７,East,JP\n")
    sent = "ａｌｉｃｅ＠example.org,monitor,Ｅ０７,2026-01-01"
    upload(admin_client, "membership", f"person,role,site,starts_on\n{sent}\n")
    assert set(alice.memberships.values_list("role", "site__code")) == {("coordinator", "N01"), ("monitor", "E07")}
