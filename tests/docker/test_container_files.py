"""The container files agree with each other and with the settings. (bin/test-image builds and runs it.)"""

import re

import pytest
import yaml
from django.conf import settings

from registry.embedded import PROJECT
from registry.embedded.postgres import ROLES

DOCKER = PROJECT / "docker"
EXAMPLE = (DOCKER / ".env.example").read_text()
COMPOSE_TEXT = (DOCKER / "compose.yaml").read_text()
COMPOSE = yaml.safe_load(COMPOSE_TEXT)
EXPLAINED = re.findall(r"^#?([A-Z][A-Z0-9_]+)=", EXAMPLE, re.MULTILINE)
REQUIRED = re.findall(r"^([A-Z][A-Z0-9_]+)=", EXAMPLE, re.MULTILINE)
APPLICATION = ("web", "worker", "jobs", "beat", "migrate", "backup", "operator")


def test_every_setting_the_application_reads_is_explained():
    source = (PROJECT / "registry/settings.py").read_text()
    read = set(re.findall(r"""\b(?:env|flag|listed)\(\s*["']([A-Z_]+)["']""", source))
    assert {"DATABASE_URL", "METASPINE_SECRET_KEY"} <= read
    assert read - set(EXPLAINED) == set()


def test_every_variable_of_compose_is_explained_once():
    used = set(re.findall(r"(?<!\$)\$\{([A-Z_]+)", COMPOSE_TEXT))
    assert used - set(EXPLAINED) == set()
    assert len(EXPLAINED) == len(set(EXPLAINED))


def test_what_is_required_has_no_default_anywhere():
    demanded = set(re.findall(r"\$\{([A-Z_]+):\?\}", COMPOSE_TEXT))
    assert demanded == set(REQUIRED)
    assert not re.search(rf"\$\{{({'|'.join(REQUIRED)}):?-", COMPOSE_TEXT)
    assert re.findall(r"^[A-Z_]+=(.*)$", EXAMPLE, re.MULTILINE) == [""] * len(REQUIRED)


def test_only_what_needs_it_gets_the_owners_address():
    holders = [name for name in APPLICATION if "OWNER_DATABASE_URL" in COMPOSE["services"][name]["environment"]]
    assert holders == ["migrate", "backup", "operator"]
    for name in APPLICATION:
        environment = COMPOSE["services"][name]["environment"]
        assert "metaspine_app:" in environment["DATABASE_URL"]
        assert "POSTGRES_PASSWORD" not in environment


def test_only_the_proxy_can_be_reached_from_outside():
    services = COMPOSE["services"]
    assert [name for name, service in services.items() if "ports" in service] == ["proxy"]
    assert [name for name, service in services.items() if "outside" in service["networks"]] == ["proxy"]
    assert COMPOSE["networks"]["inside"]["internal"] is True


def test_only_web_and_worker_reach_the_provider_and_the_mail_server():
    reach = [name for name, service in COMPOSE["services"].items() if set(service["networks"]) - {"inside", "outside"}]
    assert reach == ["web", "worker"]


def test_files_that_compose_mounts_are_here():
    mounts = [volume.split(":")[0] for service in COMPOSE["services"].values() for volume in service.get("volumes", [])]
    files = [DOCKER / path for path in mounts if path.startswith(".")]
    assert ROLES in [path.resolve() for path in files]
    assert all(path.is_file() for path in files)


@pytest.mark.parametrize("name", APPLICATION)
def test_the_applications_containers_are_confined(name):
    service = COMPOSE["services"][name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]


def test_the_image_installs_locked_packages_and_does_not_run_as_root():
    lines = (DOCKER / "Dockerfile").read_text().splitlines()
    assert any("--require-hashes" in line for line in lines)
    assert [line for line in lines if line.startswith("USER ")] == ["USER 10001"]


def test_the_image_can_back_up_the_server_that_compose_runs():
    """pg_dump refuses a server newer than itself."""
    server = re.fullmatch(r"postgres:(\d+)-trixie", COMPOSE["services"]["db"]["image"])[1]
    assert f"postgresql-client-{server} " in (DOCKER / "Dockerfile").read_text()


def test_every_queue_has_a_worker_and_saving_has_its_own():
    taken = [
        service["command"][service["command"].index("--queues") + 1]
        for service in COMPOSE["services"].values()
        if "--queues" in service.get("command", ())
    ]
    assert taken == ["urgent", "jobs,figures"] == [settings.URGENT, ",".join(settings.QUEUES[1:])]


def test_what_the_image_holds_runs_without_the_embedded_services():
    """`registry/embedded` is not in the image, and nothing that is there imports it."""
    assert "registry/embedded" in (DOCKER / "Dockerfile.dockerignore").read_text().splitlines()
    source = (path for folder in ("registry", "sites") for path in (PROJECT / folder).rglob("*.py"))
    importing = re.compile(r"^\s*(from|import) registry\.embedded|from registry import .*embedded", re.MULTILINE)
    outside = [path for path in source if PROJECT / "registry/embedded" not in path.parents]
    assert [path for path in outside if importing.search(path.read_text())] == []
