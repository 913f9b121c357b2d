"""Files that come and go: a virus scanner that is asked first, and how many downloads a person has in an hour."""

import socket
import struct
import threading

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from registry.exports import jobs
from registry.exports.choices import Choices
from registry.models import Import
from sites.models import AuditEvent
from tests.api.conftest import Program, issued

EICAR = b"X5O!P%@AP[4\\PZX54(P^)7CC)7}$" + b"EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"


class Clamd(threading.Thread):
    """A scanner that speaks INSTREAM: it finds the test file everybody finds, or does what a broken one does."""

    def __init__(self):
        super().__init__(daemon=True)
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.address = f"tcp://127.0.0.1:{self.listening.getsockname()[1]}"
        self.seen, self.answer = [], None
        self.start()

    def run(self):
        while True:
            try:
                client, _ = self.listening.accept()
            except OSError:
                return
            with client, client.makefile("rb") as stream:
                assert stream.read(10) == b"zINSTREAM\0"
                content = b""
                while length := struct.unpack("!I", stream.read(4))[0]:
                    content += stream.read(length)
                self.seen.append(content)
                verdict = b"stream: Eicar-Signature FOUND\0" if EICAR in content else b"stream: OK\0"
                client.sendall(verdict if self.answer is None else self.answer)


@pytest.fixture
def clamd(settings):
    scanner = Clamd()
    settings.CLAMD = scanner.address
    yield scanner
    scanner.listening.close()


def send(client, content, address="/import/"):
    return client.post(address, {"files": [SimpleUploadedFile("patients.csv", content)]})


def test_a_clean_file_comes_in_and_was_seen_whole(client, dana, clamd):
    client.force_login(dana)
    content = b"patient_id,site_code\n" + b"N01-0001,N01\n" * 200_000
    assert send(client, content).status_code == 302
    assert clamd.seen == [content]
    assert Import.objects.get().files[0]["size"] == len(content)  # and is still whole for who reads it


def test_what_the_scanner_finds_is_refused_by_name_and_nothing_is_kept(client, dana, clamd):
    client.force_login(dana)
    answer = send(client, b"patient_id\n" + EICAR)
    assert answer.status_code == 422
    assert "“patients.csv” was refused: the virus scanner found Eicar-Signature in it." in answer.content.decode()
    assert not Import.objects.exists()


@pytest.mark.parametrize(
    "broken", [b"", b"stream: INSTREAM size limit exceeded. ERROR\0", b"nothing\0", b"stream: \0", b"\xff\0"]
)
def test_what_could_not_be_scanned_is_refused(client, dana, clamd, broken):
    client.force_login(dana)
    clamd.answer = broken
    answer = send(client, b"patient_id\n")
    assert (answer.status_code, Import.objects.exists()) == (422, False)
    assert "could not be scanned" in answer.content.decode()


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:1", "unix:///nowhere/clamd.sock", "http://127.0.0.1/", "x"])
def test_without_an_answer_nothing_comes_in(client, dana, settings, address):
    settings.CLAMD = address
    client.force_login(dana)
    answer = send(client, b"patient_id\n")
    assert (answer.status_code, Import.objects.exists()) == (422, False)


def test_every_page_that_takes_a_file_asks_the_scanner(client, ada, clamd):
    client.force_login(ada)
    for model in ("study_sites/site", "study_sites/membership"):
        upload = {"import_file": SimpleUploadedFile("sites.csv", EICAR), "format": "0", "resource": ""}
        assert client.post(f"/admin/{model}/import/", upload).status_code == 422
    assert len(clamd.seen) == 2


def test_a_person_has_so_many_downloads_an_hour_and_the_next_is_on_record_once(client, alice, ivo, settings, as_system):
    settings.DOWNLOADS_PER_HOUR = 2
    settings.ACCOUNT_RATE_LIMITS = settings.ACCOUNT_RATE_LIMITS | {"download": "2/h/user"}
    client.force_login(alice)
    statuses = [client.post("/queries/csv/").status_code for _ in range(4)]
    assert statuses == [200, 200, 429, 429]
    stopped = client.post("/audit/csv/")
    assert stopped.status_code == 429 and "2 files an hour" in stopped.content.decode()
    assert "Content-Disposition" not in stopped
    assert client.get("/queries/").status_code == 200
    with as_system():
        (event,) = AuditEvent.objects.filter(action="downloads_limited")
        assert (event.user_id, event.row_id) == (alice.pk, str(alice.pk))
    client.force_login(ivo)  # counted by person
    assert client.post("/queries/csv/").status_code == 200
    settings.DOWNLOADS_PER_HOUR = 0
    client.force_login(alice)
    assert client.post("/queries/csv/").status_code == 200


def test_files_by_the_api_count_as_well(alice, settings, as_person, tmp_path):
    settings.EXPORT_FOLDER, settings.DOWNLOADS_PER_HOUR = tmp_path, 2
    settings.ACCOUNT_RATE_LIMITS = settings.ACCOUNT_RATE_LIMITS | {"download": "2/h/user"}
    with as_person(alice) as access:
        export = jobs.request(access=access, choices=Choices())
        assert jobs.perform(export.pk, reporting=False)
    program = Program(issued(alice))
    answers = [program.get(f"exports/{export.pk}/file") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    refused = answers[-1]
    assert (refused["Content-Type"], refused["Retry-After"]) == ("application/problem+json", "3600")
    assert program.get("me").status_code == 200
