"""`bin/test-image`: builds the image, then runs the registry from it in every way that compose.yaml offers.

Started in the wrong order with all confinement of compose.yaml: migrate, enrol, save, compare, export, FHIR, back up,
restore into an empty volume, upgrade of a registry of each earlier release. Each step says how long it took. Exit
status 1: a step did not do what it must; 4: this machine runs no containers.
"""

import argparse
import base64
import io
import json
import lzma
import os
import secrets
import subprocess
import sys
import time
import zipfile
from contextlib import contextmanager
from pathlib import Path

from registry import __version__
from tests.docker.exercise import compose, engine, faults
from tests.docker.exercise.engine import ALONE, STORE, Containers, Failed, Impossible, podman, until
from tests.docker.exercise.visitor import DOMAIN, Visitor

RELEASE = "trixie"  # Debian's, as in the Dockerfile's own base
HERE = Path(__file__).parent
IMAGE = "localhost/metaspine:test"
STAND_IN = "localhost/metaspine-test-services:latest"
HUB_SECONDS = 25
ASSESSMENT = {"assessment_date": "2026-01-11", "frankel": "C", "ecog_ps": 2, "pain_vas_mm": 40, "eq_vas": 60}


def main(arguments):
    parser = argparse.ArgumentParser(prog="bin/test-image", description=__doc__.splitlines()[0])
    parser.add_argument("--base", help="the image to build on; else the Dockerfile's, or a Debian root made here")
    parser.add_argument("--faults", action="store_true", help="instead kill, fill up and double parts under load")
    options = parser.parse_args(arguments)
    try:
        if ALONE in os.environ:
            subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
            exercise(options.faults)
            return 0
        STORE.mkdir(mode=0o700, parents=True, exist_ok=True)
        engine.prepare_cgroups()
        build(options.base)
        return engine.alone(arguments)
    except Impossible as reason:
        print(f"The image is not tested here: {reason}", file=sys.stderr)
        return 4
    except Failed as failure:
        print(f"FAILED: {failure}", file=sys.stderr)
        return 1


@contextmanager
def step(name):
    began = time.monotonic()
    yield
    print(f"{time.monotonic() - began:6.1f} s  {name}", flush=True)


# Images


def build(base):
    with step("base"):
        base = base or official_base() or debian_root()
        engine.try_out(base)
    with step(f"image, on {base}"):
        engine.build(
            IMAGE, "docker/Dockerfile", ".", ignore="docker/Dockerfile.dockerignore", base=base, version=__version__
        )
    with step("services"):
        engine.build(STAND_IN, HERE / "Services.Dockerfile", HERE, base=base)
    podman("image", "prune", "--force")


def official_base():
    """The base that the Dockerfile names, where a hub can be reached; else None."""
    lines = Path("docker/Dockerfile").read_text().splitlines()
    name = "docker.io/library/" + next(line.removeprefix("ARG BASE=") for line in lines if line.startswith("ARG BASE="))
    try:
        return name if podman("pull", "--quiet", name, check=False, timeout=HUB_SECONDS).returncode == 0 else None
    except subprocess.TimeoutExpired:
        return None


def debian_root():
    """A minimal Debian with Python, as an image; made once."""
    name = f"localhost/debian-python:{RELEASE}"
    if engine.exists(name):
        return name
    root = STORE / "root"
    subprocess.run(["rm", "-rf", root], check=True)
    command = ["debootstrap", "--variant=minbase", "--include=python3,python3-venv,ca-certificates", RELEASE, root]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise Impossible(f"debootstrap: {done.stdout.strip()[-1000:]}")
    packed = subprocess.Popen(
        ["tar", "-C", root, "--exclude=./var/cache/apt/archives/*.deb", "-c", "."], stdout=subprocess.PIPE
    )
    podman("import", "-", name, stdin=packed.stdout)
    subprocess.run(["rm", "-rf", root], check=True)
    return name


# The registry


def variables():
    names = ("POSTGRES_PASSWORD", "METASPINE_OWNER_PASSWORD", "METASPINE_APP_PASSWORD", "METASPINE_REDIS_PASSWORD")
    return (
        dict.fromkeys(names)
        | {name: secrets.token_hex(16) for name in names}
        | {
            "METASPINE_DOMAIN": DOMAIN,
            "METASPINE_SECRET_KEY": secrets.token_urlsafe(50),
            "METASPINE_FIELD_KEYS": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
            "METASPINE_SYNTHETIC": "1",
            "METASPINE_SECOND_FACTOR": "none",
            "METASPINE_PROXIES": "2",  # the visitor is one himself
            "METASPINE_TRUSTED_PROXIES": "127.0.0.1/32",
            "POSTGRES_SHARED_BUFFERS": "128MB",
        }
    )


def exercise(with_faults):
    services = compose.services(variables())
    ours = services["web"]["image"]
    images = {service["image"]: IMAGE if service["image"] == ours else STAND_IN for service in services.values()}
    if with_faults:
        faults.small_disk(services)
    with Containers(services, images) as containers:
        try:
            check_labels()
            with step("started in the wrong order, and ready"):
                start_backwards(containers)
            with step("synthetic registry loaded, outcomes computed"):
                containers.inside("web", "python", "manage.py", "load_demo")
                containers.inside("web", "python", "manage.py", "demo_ready", "--wait", "120")
            (faulty if with_faults else whole)(containers)
        except Failed:
            for name in services:
                print(f"--- {name}\n{containers.log(name)[-3000:]}", file=sys.stderr)
            raise


def whole(containers):
    used(containers)
    patients = backed_up_and_restored(containers)
    upgraded(containers)
    print(f"The image of {__version__} works; {patients} patients came back from the backup.")


def faulty(containers):
    with step("the check-up from the command line"):
        faults.well(containers)
    faults.tried(containers, password_inside(containers))
    print("After all of it the check-up finds nothing wrong.")


def check_labels():
    config = json.loads(podman("inspect", "--format", "{{json .Config}}", IMAGE).stdout)
    if (version := config["Labels"]["org.opencontainers.image.version"]) != __version__:
        raise Failed(f"the image says it is {version}, the product {__version__}")
    if config["User"] != "10001":
        raise Failed(f"the image runs as {config['User']}")


def start_backwards(containers):
    """Everything before what it needs: services wait by themselves, whatever the launcher knows of conditions."""
    for name in ("proxy", "beat", "jobs", "worker", "web", "migrate"):
        containers.start(name)
    time.sleep(2)
    for name in ("web", "worker", "jobs", "beat", "migrate"):
        if not containers.state(name)[0]:
            raise Failed(f"{name} gave up instead of waiting")
    containers.start("broker")
    containers.start("db")
    until(lambda: not containers.state("migrate")[0], "migrate's end", 120)
    if status := containers.state("migrate")[1]:
        raise Failed(f"migrate ended with {status}")
    for name in ("web", "worker", "jobs", "beat"):
        until(lambda name=name: healthy(containers, name), f"health of {name}")


def healthy(containers, name):
    """Whether the healthcheck of compose.yaml, or else the image's, is content."""
    check = containers.services[name].get("healthcheck", {}).get("test", ["CMD", "bash", "docker/healthy", "web"])
    command = ["sh", "-c", check[1]] if check[0] == "CMD-SHELL" else check[1:]
    return containers.inside(name, *command, check=False).returncode == 0


def signed_in(containers, who):
    return Visitor(f"{who}@demo.example", password_inside(containers))


def password_inside(containers):
    """The password of the demonstration's people."""
    return containers.inside("web", "python", "manage.py", "shell", "-v", "0", "-c", PASSWORD).stdout.strip()


PASSWORD = "from registry.management.demo.demonstration import password; print(password())"


def used(containers):
    coordinator, statistician = signed_in(containers, "coordinator"), signed_in(containers, "statistician")
    with step("enrolled and saved, by program and by form"):
        patient = enrolled(coordinator)
        coordinator.send("/api/v1/assessments", ASSESSMENT | {"patient_id": patient, "timepoint": "preop"}, 201)
        coordinator.post(f"/patients/{patient}/assessments/1m/", ASSESSMENT | {"assessment_date": "2026-02-11"})
        if coordinator.read(f"/api/v1/assessments/{patient}/1m")["eq_vas"] != 60:
            raise Failed("what the form saved is not what the program reads")
    with step("compared, with Word and HTML files"):
        run = done(statistician, statistician.send("/api/v1/comparisons", {}, 202), "/api/v1/comparisons")
        if __version__ not in json.dumps(statistician.read(f"/api/v1/comparisons/{run}/result")):
            raise Failed("the result does not say which version computed it")
        for kind, begins in (("docx", b"PK"), ("html", b"<!"), ("bundle", b"PK")):
            if not statistician.get(f"/comparison/{run}/{kind}/").lstrip().startswith(begins):
                raise Failed(f"the {kind} file of the comparison is none")
    with step("exported as CSV and for SPSS"):
        for kind in ("csv", "sav"):
            export = done(statistician, statistician.send("/api/v1/exports", {"format": kind}, 202), "/api/v1/exports")
            with zipfile.ZipFile(io.BytesIO(statistician.get(f"/api/v1/exports/{export}/file"))) as package:
                if package.testzip() or not any(name.endswith(f".{kind}") for name in package.namelist()):
                    raise Failed(f"the package holds {package.namelist()}")
    with step("the check-up counts two proxies, and finds nothing wrong"):
        examined(signed_in(containers, "admin").get("/system/").decode())
    with step("FHIR"):
        if coordinator.read("/api/fhir/R4/metadata")["software"]["version"] != __version__:
            raise Failed("the capability statement tells another version")
        if coordinator.read(f"/api/fhir/R4/Patient/{patient}")["resourceType"] != "Patient":
            raise Failed("no Patient by FHIR")


def examined(page):
    if "METASPINE_PROXIES is 2, and this request came with 2 addresses." not in page:
        raise Failed(f"proxies: {page[page.index('check-proxies') :][:400]}")
    if "note-error" in page:
        raise Failed(f"the check-up: {page[page.index('check-versions') :][:6000]}")


def enrolled(coordinator):
    body = {"site_code": "S01", "sex": "female", "birth_date": "1960-01-02", "consent_date": "2026-01-10"}
    return coordinator.send("/api/v1/patients", body | {"consented": True}, 201)["patient_id"]


def done(person, asked, address):
    """Wait until a job is done; returns its id."""
    key = next(asked[name] for name in ("run_id", "export_id", "id") if name in asked)

    def ended():
        status = person.read(f"{address}/{key}")["status"]
        if status in ("failed", "cancelled"):
            raise Failed(f"{address}/{key} is {status}")
        return status == "done"

    until(ended, f"{address}/{key}")
    return key


COUNT = (
    "from sites.tenancy.scope import everything; from django.db import transaction\n"
    "from registry.models import Patient\n"
    "with everything(), transaction.atomic(): print(Patient.objects.count())"
)


def patients(containers):
    return int(containers.run_once("web", "python", "manage.py", "shell", "-v", "0", "-c", COUNT))


def backed_up_and_restored(containers):
    file = "/srv/backups/test.backup"
    with step("backed up"):
        before = patients(containers)
        containers.run_once("operator", "python", "manage.py", "backup", file)
    with step("backed up by the schedule, and restored as a drill"):
        said = containers.run_once("backup", "python", "manage.py", "keep_backups", "--once", both=True)
        if "backup metaspine-" not in said or "drill metaspine-" not in said:
            raise Failed(f"the service for backups says: {said[-1000:]}")
    with step("restored into an empty volume"):
        empty_database(containers)
        containers.run_once("operator", "python", "manage.py", "restore", file)
        containers.run_once("operator", "python", "manage.py", "migrate", "--noinput")
        if (after := patients(containers)) != before:
            raise Failed(f"{before} patients before the backup, {after} after it was restored")
        signed_in(containers, "coordinator").get("/patients/")
    return after


def empty_database(containers):
    containers.stop("db")
    containers.forget("database")
    containers.start("db")
    until(lambda: healthy(containers, "db"), "the empty database")


def upgraded(containers):
    """Registries of earlier releases, as SQL that the superuser restores, are migrated and then read."""
    for folder in sorted(Path("tests/releases").glob("*/registry.sql.xz")):
        with step(f"upgraded from {folder.parent.name}"):
            empty_database(containers)
            superuser = containers.services["db"]["environment"]["POSTGRES_PASSWORD"]
            restore = ["env", f"PGPASSWORD={superuser}", "psql", "-qX", "-v", "ON_ERROR_STOP=1"]
            restore += ["-h", "127.0.0.1", "-U", "postgres", "metaspine"]
            containers.inside("db", *restore, input=lzma.decompress(folder.read_bytes()).decode())
            keys = json.loads((folder.parent / "keys.json").read_text())
            containers.run_once("operator", "python", "manage.py", "migrate", "--noinput", environment=keys)
            if not patients(containers):
                raise Failed("no patient is left")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
