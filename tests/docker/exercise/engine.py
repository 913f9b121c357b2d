"""podman, with what it needs in virtual machines and containers that are themselves confined.

Images lie in a store of their own under /var/tmp, so that the next run builds only what changed. Services run in one
network namespace without a way out (`alone`), where the names of compose.yaml mean this machine: nothing collides with
ports in use.
"""

import os
import resource
import subprocess
import sys
import time
from pathlib import Path

STORE = Path("/var/tmp/metaspine-test-image")  # noqa: S108 - root's own
PODMAN = ["podman", "--root", str(STORE / "store"), "--runroot", str(STORE / "run"), "--log-level", "error"]
PREFIX = "metaspine-test-"
ALONE = "METASPINE_TEST_ALONE"


class Failed(Exception):
    """A step did not do what it must; the text says what was seen."""


class Impossible(Exception):
    """This machine runs no containers as we need them; the text says what it said."""


def prepare_cgroups():
    """Hide the first version of cgroups where both are mounted: crun refuses the mixture. Our mounts are our own."""
    if Path("/sys/fs/cgroup/unified").exists():
        subprocess.run(["mount", "-t", "cgroup2", "none", "/sys/fs/cgroup"], check=True)


def limits():
    """No limit above what this process has itself, which only a privileged one may give."""
    files = min(20_000, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
    return ["--ulimit", f"nofile={files}:{files}", "--ulimit", "nproc=4096:4096"]


def alone(arguments):
    """Run this program once more, with nobody to reach and nobody who reaches it; returns its exit status."""
    STORE.mkdir(mode=0o700, exist_ok=True)
    command = ["unshare", "--net", "--", sys.executable, "-m", "tests.docker.exercise", *arguments]
    return subprocess.run(command, env=os.environ | {ALONE: "1"}).returncode


def podman(*arguments, check=True, **more):
    done = subprocess.run([*PODMAN, *map(str, arguments)], capture_output=True, text=True, **more)
    if check and done.returncode:
        raise Failed(f"podman {arguments[0]} …: {(done.stderr or done.stdout).strip()[-2000:]}")
    return done


def exists(image):
    return podman("image", "exists", image, check=False).returncode == 0


def build(name, file, context, ignore=None, **arguments):
    """Build an image; certificates and pip's settings of this machine are there too, for the package registries."""
    command = ["build", "--network=host", "--isolation=chroot", "--format=docker", "--layers", "-t", name, "-f", file]
    command += ["--ignorefile", ignore] if ignore else []
    for key, value in arguments.items():
        command += ["--build-arg", f"{key.upper()}={value}"]
    for path in ("/etc/ssl/certs/ca-certificates.crt", "/etc/pip.conf"):
        command += ["--volume", f"{path}:{path}:ro"] if Path(path).exists() else []
    podman(*command, context)


def try_out(image):
    """Run nothing in a confined container. Raises Impossible where this machine does not let us."""
    confined = ["--network=host", "--cgroups=disabled", "--no-healthcheck", "--read-only", "--cap-drop=ALL", *limits()]
    done = podman("run", "--rm", *confined, image, "true", check=False)
    if done.returncode:
        raise Impossible(f"podman run: {(done.stderr or done.stdout).strip()[-500:]}")


class Containers:
    """Services of compose.yaml as containers, by name; all are gone at the end.

    services     as compose.yaml has them, with its variables filled in
    images       {image in compose.yaml: image that stands for it}
    """

    def __init__(self, services, images):
        self.services, self.images = services, images
        self.running, self.volumes = set(), set()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        podman("rm", "--force", "--time", "5", *sorted(self.running), check=False) if self.running else None
        podman("volume", "rm", "--force", *sorted(self.volumes), check=False) if self.volumes else None

    def start(self, name, environment=None, called=None):
        """Start a service as compose.yaml has it, without waiting for anything; once more under another name."""
        container = PREFIX + (called or name)
        self.running.add(container)
        podman("run", "--detach", "--name", container, *self.options(name, environment), *self.command(name))

    def kill(self, name):
        """As by a power cut: no signal that could be heard."""
        podman("kill", "--signal", "KILL", PREFIX + name)

    def resume(self, name):
        """Start a container that ended, as it was; nothing where it runs."""
        podman("start", PREFIX + name)

    def run_once(self, name, *command, environment=None, both=False):
        """Run a command in a fresh container of a service to its end; returns what it printed, `both` with its log."""
        done = podman("run", "--rm", *self.options(name, environment), *command)
        return done.stdout + done.stderr if both else done.stdout

    def inside(self, name, *command, check=True, **more):
        """Run a command in a running service."""
        return podman("exec", "--interactive", PREFIX + name, *command, check=check, **more)

    def stop(self, name, seconds=30):
        podman("rm", "--force", "--time", seconds, PREFIX + name)
        self.running.discard(PREFIX + name)

    def forget(self, *volumes):
        podman("volume", "rm", "--force", *(PREFIX + volume for volume in volumes))

    def state(self, name):
        """(whether it runs, its exit status)"""
        output = podman("inspect", "--format", "{{.State.Running}} {{.State.ExitCode}}", PREFIX + name).stdout.split()
        return output[0] == "true", int(output[1])

    def log(self, name):
        done = podman("logs", PREFIX + name, check=False)
        return done.stdout + done.stderr

    def options(self, name, environment=None):
        service = self.services[name]
        options = ["--network=host", "--cgroups=disabled", "--no-healthcheck", *limits()]
        options += [f"--add-host={service}:127.0.0.1" for service in self.services]
        options += ["--read-only", "--read-only-tmpfs=false"] if service.get("read_only") else []
        options += [f"--tmpfs={mount}" for mount in service.get("tmpfs", ())]
        options += [f"--cap-drop={capability}" for capability in service.get("cap_drop", ())]
        options += [f"--security-opt={option.replace(':true', '')}" for option in service.get("security_opt", ())]
        options += [f"--shm-size={service['shm_size']}"] if "shm_size" in service else []
        for key, value in (service.get("environment", {}) | (environment or {})).items():
            options += ["--env", f"{key}={value}"]
        for volume in service.get("volumes", ()):
            options += ["--volume", self._volume(volume)]
        return [*options, self.images.get(service["image"], service["image"])]

    def _volume(self, volume):
        source, target, *mode = volume.split(":")
        if source.startswith(("/", ".")):
            source = str((Path("docker") / source).resolve())
            Path(source).mkdir(exist_ok=True) if source.endswith("certificates") else None
        else:
            source = PREFIX + source
            self.volumes.add(source)
        return ":".join([source, target, *mode])

    def command(self, name):
        command = self.services[name].get("command", [])
        return command.split() if isinstance(command, str) else command


def until(condition, what, seconds=90):
    """Wait for a condition; raises Failed, with what it last saw."""
    deadline = time.monotonic() + seconds
    while not (seen := condition()):
        if time.monotonic() > deadline:
            raise Failed(f"{what} did not happen in {seconds} s")
        time.sleep(0.3)
    return seen
