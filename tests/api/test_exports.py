"""Exports by program: the choices of the page, one's own alone, files in parts; and the snapshots they can name."""

import io
import zipfile
from datetime import timedelta

import pytest
from django.utils import timezone

from registry.analysis.running import freezing
from registry.exports import jobs, presets
from registry.models import ComparisonRun, Export, Snapshot
from sites.models import AuditEvent, Membership
from sites.tenancy.access import access_of
from sites.tenancy.scope import everything

pytestmark = pytest.mark.usefixtures("folder")


@pytest.fixture
def patients(alice, charlie, enrolled):
    return enrolled(alice).pk, enrolled(charlie).pk


def written(asking, **choices):
    """What the API shows of an export once the worker is done with it."""
    answer = asking.post("exports", choices)
    assert (answer.status_code, answer.json()["status"]) == (202, "queued"), answer.content
    assert jobs.perform(answer.json()["id"], reporting=False)
    return asking.get(answer["Location"]).json()


def body(answer):
    return b"".join(answer.streaming_content)


def rows(content, name="data/patients.csv"):
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return [line.split(",")[0] for line in archive.read(name).decode().splitlines()[1:]]


def test_an_export_holds_the_sites_of_whoever_asked(patients, program, alice, charlie, bob):
    for user, expected in ((alice, [patients[0]]), (charlie, [patients[1]]), (bob, list(patients))):
        export = written(program(user), format="csv")
        assert (export["status"], export["progress"], export["choices"]["format"]) == ("done", 1, "csv")
        answer = program(user).get(export["file"])
        content = body(answer)
        assert rows(content) == expected
        assert (export["size"], export["sha256"]) == (len(content), answer["ETag"].strip('"'))
        assert export["manifest"]["patients"]["exported"] == len(expected)


def test_a_download_that_broke_off_goes_on(patients, program, alice):
    asking = program(alice)
    file = written(asking)["file"]
    first = asking.get(file)
    whole = body(first)
    rest = asking.get(file, range="bytes=100-", if_range=first["ETag"])
    assert (rest.status_code, rest["Content-Range"]) == (206, f"bytes 100-{len(whole) - 1}/{len(whole)}")
    assert whole[:100] + body(rest) == whole
    assert body(asking.get(file, range="bytes=100-", if_range='"another"')) == whole
    beyond = asking.get(file, range=f"bytes={len(whole)}-")
    assert (beyond.status_code, beyond["Content-Range"]) == (416, f"bytes */{len(whole)}")
    assert beyond["Content-Type"] == "application/problem+json"
    assert asking.get(file, range=f"bytes={'9' * 5000}-").status_code == 200  # no range at all
    with everything():
        assert AuditEvent.objects.filter(action="export_downloaded").count() == 1


def test_an_export_is_its_persons_own_and_only_while_they_may(patients, program, alice, ivo):
    export = written(program(alice))
    address = f"exports/{export['id']}"
    assert [item["id"] for item in program(alice).get("exports").json()["items"]] == [export["id"]]
    assert program(ivo).get("exports").json()["items"] == []
    for path in (address, f"{address}/file"):
        assert program(ivo).get(path).status_code == 404
        assert program(alice, "read", "write").get(path).status_code == 403  # the token may not export
        assert program(alice, "export").get(path).status_code == 200
    assert program(ivo).post(f"{address}/cancel", {}).status_code == 404
    token = program(alice)
    Membership.objects.filter(user=alice).update(ends_on=timezone.localdate() - timedelta(days=1))
    assert token.get(address).status_code == 403


def test_an_export_under_way_has_no_file_and_can_be_cancelled(patients, program, alice):
    asking = program(alice)
    answer = asking.post("exports", {}, idempotency_key="one")
    assert asking.post("exports", {}, idempotency_key="one").json() == answer.json()
    address = f"exports/{answer.json()['id']}"
    assert (answer.json()["progress"], answer.json()["file"]) == (0, None)
    assert asking.get(f"{address}/file").status_code == 409
    cancelled = asking.post(f"{address}/cancel", {})
    assert (cancelled.status_code, cancelled.json()["status"]) == (202, "cancelled")
    assert not jobs.perform(answer.json()["id"], reporting=False)
    assert [item["status"] for item in asking.get("exports?status=cancelled").json()["items"]] == ["cancelled"]
    assert asking.get("exports?status=done").json()["items"] == []


def test_the_file_goes_when_its_time_is_over(patients, program, alice):
    asking = program(alice)
    export = written(asking)
    assert asking.get(export["file"]).status_code == 200
    Export.objects.filter(pk=export["id"]).update(expires_at=timezone.now())
    assert jobs.expire() == 1
    shown = asking.get(f"exports/{export['id']}").json()
    assert (shown["status"], shown["file"], asking.get(export["file"]).status_code) == ("expired", None, 409)


@pytest.mark.parametrize(
    ("choices", "field"),
    [
        ({"format": "doc"}, "format"),
        ({"format": 3}, "format"),
        ({"format": "parquet", "missing": "tagged"}, "missing"),
        ({"content": "items"}, "content"),
        ({"content": []}, "content"),
        ({"value_sets": ["XX"]}, "value_sets"),
        ({"by_site": "yes"}, "by_site"),
        ({"cohort": "nobody"}, "cohort"),
        ({"cohort": {"steps": []}}, "cohort"),
        ({"snapshot": "yesterday"}, "snapshot"),
        ({"timepoints": ["yesterday"]}, "timepoints"),
        ({"instruments": ["mood"]}, "instruments"),
        ({"preset": "mine"}, "preset"),
        ({"preset": 3}, "preset"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_choice_that_cannot_be_had_is_named(patients, program, alice, choices, field):
    answer = program(alice).post("exports", choices)
    assert (answer.status_code, set(answer.json()["errors"])) == (422, {field}), answer.content
    assert not Export.objects.exists()


def test_kept_choices_are_taken_by_their_name(patients, program, alice, charlie):
    for user, name, asked, shared in (
        (alice, "monthly", {"format": "sav"}, False),
        (charlie, "monthly", {"format": "dta", "timepoints": ["preop"]}, True),
        (charlie, "own", {"format": "dta"}, False),
    ):
        presets.keep(access=access_of(user), name=name, asked=asked, shared=shared)
    listed = program(alice).get("export-presets").json()["items"]
    assert [(preset["name"], preset["made_by"], preset["shared"]) for preset in listed] == [
        ("monthly", "Alice", False),
        ("monthly", "Charlie", True),
    ]
    made = program(alice).post("exports", {"preset": "monthly", "shape": "wide"}).json()["choices"]
    assert (made["format"], made["shape"], made["timepoints"]) == ("sav", "wide", [])
    assert program(alice).post("exports", {"preset": "own"}).status_code == 422
    with pytest.raises(presets.NameTaken):
        presets.keep(access=access_of(alice), name="monthly", asked={}, shared=True)


def test_choices_are_kept_used_and_removed_by_program(patients, program, alice, bob, charlie):
    preset = {"name": "Each  month", "shared": True, "choices": {"shape": "wide", "format": "csv", "language": "en"}}
    made = program(alice).post("export-presets", preset)
    assert (made.status_code, made.json()["name"], made.json()["choices"]) == (201, "Each month", {"shape": "wide"})
    again = program(alice).post("export-presets", preset | {"choices": {"format": "sav"}}).json()
    assert (again["id"], again["choices"]) == (made.json()["id"], {"format": "sav"})
    assert written(program(charlie), preset="Each month")["choices"]["format"] == "sav"
    for wrong, field in (
        ({"name": ""}, "name"), ({"name": "x" * 81}, "name"), ({"shared": "on"}, "shared"), ({"by": 1}, "by"),
        ({"choices": []}, "choices"), ({"choices": {"format": "doc"}}, "choices.format"),
        ({"choices": {"preset": "x"}}, "choices.preset"),
    ):  # fmt: skip
        refused = program(alice).post("export-presets", preset | wrong)
        assert (refused.status_code, [*refused.json()["errors"]]) == (422, [field])
    assert program(charlie).post("export-presets", preset).status_code == 422  # the name is Alice's
    remove = f"export-presets/{made.json()['id']}/remove"
    assert [program(user).post(remove, {}).status_code for user in (charlie, bob, alice)] == [404, 204, 404]


def test_a_saved_cohort_is_for_those_who_compare(patients, program, alice, bob):
    steps = [{"step": "sex", "values": ["female"]}]
    saved = program(bob).post("cohorts", {"name": "Women", "steps": steps}).json()["id"]
    assert program(alice).post("exports", {"cohort": saved}).status_code == 422
    export = written(program(bob), cohort=saved)
    assert export["manifest"]["patients"]["exported"] == 0


# Snapshots


def test_what_is_frozen_is_listed_read_exported_compared_and_never_deleted(
    patients, program, alice, bob, dana, enrolled, monkeypatch
):
    asking = program(bob)
    made = asking.post("snapshots", {"label": "Board", "note": "For the board"})
    frozen = made.json()
    assert (made.status_code, frozen["rows"]["patients"], frozen["created_by"]) == (201, 2, "Bob")
    address = f"snapshots/{frozen['id']}"
    assert program(dana).get(address).json() == frozen
    assert asking.get(address, if_none_match=made["ETag"]).status_code == 304
    assert [item["label"] for item in asking.get("snapshots").json()["items"]] == ["Board"]
    assert asking.post("snapshots", {"label": "Board"}).json()["errors"].keys() == {"label"}
    assert asking.ask("delete", address).status_code == 405

    # A large registry is frozen by a worker: the address leads to the snapshot once it is there.
    with monkeypatch.context() as patched:
        patched.setattr(freezing, "is_small", lambda: False)
        queued = [asking.post("snapshots", {"label": label}) for label in ("Stopped", "Large")]
        assert asking.post("snapshots", {"label": "Large"}).json()["errors"].keys() == {"label"}
    ids = [answer.json()["id"] for answer in queued]
    assert [(answer.status_code, answer["Location"].rpartition("/")[2]) for answer in queued] == [
        (202, pk) for pk in ids
    ]
    assert asking.post(f"snapshots/{ids[0]}/cancel", {}).json()["status"] == "cancelled"
    report = asking.get(f"snapshots/{ids[1]}").json()
    assert (report["status"], report["created_at"], report["created_by"], report["hash"]) == ("queued", None, "Bob", "")
    assert asking.get(f"snapshots/{ids[1]}/differences").status_code == 404
    assert [freezing.perform(pk, reporting=False) for pk in ids] == [False, True]
    report = asking.get(f"snapshots/{ids[1]}").json()
    assert (report["status"], report["progress"], report["hash"], report["rows"]) == (
        "done",
        1,
        frozen["hash"],
        frozen["rows"],
    )
    assert asking.post(f"snapshots/{ids[1]}/cancel", {}).json()["status"] == "done"

    added = enrolled(alice).pk
    since = asking.get(f"{address}/differences").json()
    assert (since["before"], since["after"]) == (frozen["id"], "now")
    report = {table["table"]: (table["added"], table["removed"], table["changed"]) for table in since["tables"]}
    assert report == {"patients": (1, 0, 0)} | dict.fromkeys(("assessments", "events", "ends"), (0, 0, 0))
    assert asking.get(f"{address}/differences?after={frozen['id']}").json()["tables"][0]["added"] == 0
    refused = asking.get(f"{address}/differences?after=tomorrow")
    assert (refused.status_code, set(refused.json()["errors"])) == (400, {"after"})

    now, then = written(asking), written(asking, snapshot=frozen["id"])
    assert rows(body(asking.get(now["file"]))) == sorted([*patients, added])
    assert rows(body(asking.get(then["file"]))) == list(patients)


def test_a_cell_that_changed_is_told_with_both_values(patients, program, alice, bob):
    entering, asking = program(alice), program(bob)
    here = f"patients/{patients[0]}"
    frozen = asking.post("snapshots", {"label": "Before"}).json()["id"]
    assert entering.change(f"{here}/baseline", {"primary_tumour": "lung"}, read=here).status_code == 200
    changed = asking.get(f"snapshots/{frozen}/differences").json()["tables"][0]
    assert changed["columns"]["primary_tumour"] == {"added": 1, "changed": 0, "removed": 0}
    cell = {"key": [patients[0]], "column": "primary_tumour", "before": None, "after": "lung"}
    assert cell in changed["cells"]


def test_snapshots_are_for_those_who_read_all_sites(patients, program, alice, mona, bob, north):
    frozen = program(bob).post("snapshots", {"label": "Board"}).json()["id"]
    for user in (alice, mona):
        for path in ("snapshots", f"snapshots/{frozen}", f"snapshots/{frozen}/differences"):
            assert program(user).get(path).status_code == 403
        assert program(user).post("snapshots", {"label": "Mine"}).status_code == 403
    assert program(bob, "read").get(f"snapshots/{frozen}").status_code == 200
    assert program(bob, "read").post("snapshots", {"label": "Mine"}).status_code == 403
    assert program(bob, site_ids=[north.pk]).get("snapshots").status_code == 403
    assert program(alice).post("exports", {"snapshot": frozen}).json()["errors"].keys() == {"snapshot"}
    assert Snapshot.objects.count() == 1


def test_a_comparison_can_name_a_snapshot(patients, program, bob):
    asking = program(bob)
    frozen = asking.post("snapshots", {"label": "Board"}).json()["id"]
    run = asking.post("comparisons", {"cohort": "all", "frozen": frozen})
    assert (run.status_code, run.json()["frozen"]) == (202, frozen)
    assert str(ComparisonRun.objects.get(pk=run.json()["id"]).frozen_id) == frozen
    assert asking.post("comparisons", {"cohort": "all"}).json()["frozen"] is None
    for given in ("now", patients[0], 7, {"id": frozen}):
        assert asking.post("comparisons", {"frozen": given}).json()["errors"].keys() == {"frozen"}
