"""The container files agree with each other and with the settings. (bin/test-image builds and runs it.)"""

import os
import re
import shutil
import subprocess
import sys

import pytest
import yaml
from django.conf import settings

from registry import __version__
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


# Every module of the program, with the image's files as the only ones and its packages as the only ones.
LOADED = """
import importlib, importlib.machinery, importlib.metadata, pkgutil, sys

locked = set(sys.argv[1].split())
brought = importlib.metadata.packages_distributions()
canonical = lambda name: name.lower().replace("_", "-").replace(".", "-")
lacking = {top for top, by in brought.items() if not locked & {canonical(name) for name in by}}

class Image(importlib.machinery.PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name.partition(".")[0] in lacking else super().find_spec(name, path, target)

sys.meta_path[sys.meta_path.index(importlib.machinery.PathFinder)] = Image
import django
django.setup()
for package in ("registry", "sites"):
    for module in pkgutil.walk_packages(importlib.import_module(package).__path__, f"{package}."):
        if module.name != "registry.wsgi":  # which looks at the database, and serves
            importlib.import_module(module.name)
from registry import __version__
print(__version__, "registry.embedded" in sys.modules, "psutil" in sys.modules)
"""


def files_of_the_image():
    """The project's files that `COPY . .` takes, as Dockerfile.dockerignore has it."""
    command = ["git", "ls-files"]
    files = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True).stdout.splitlines()
    taken, left_out = [], []
    for line in (DOCKER / "Dockerfile.dockerignore").read_text().split():
        (taken if line.startswith("!") else left_out).append(line.lstrip("!") + "/")
    inside = [path for path in files if f"{path}/".startswith(tuple(taken))]
    return [path for path in inside if not path.startswith(tuple(left_out))]


def test_what_the_image_holds_loads_with_its_packages_alone(tmp_path):
    """Without `registry/embedded`, the tests, and what only they and a demonstration need (psutil, once)."""
    for path in files_of_the_image():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(PROJECT / path, tmp_path / path)
    locked = re.findall(r"^([a-z0-9-]+)(?:\[[a-z,]+\])?==", (PROJECT / "requirements.txt").read_text(), re.MULTILINE)
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [sys.executable, "-c", LOADED, " ".join(locked)]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120)
    assert done.stderr[-300:] == ""  # the end names the module that is not there
    assert done.stdout.split() == [__version__, "False", "False"]
