"""Where the services live: a data folder that stays, and a short folder for their sockets that comes and goes."""

import os
import re
import shutil
import stat
import subprocess
import tempfile
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from registry.embedded import PROJECT, CannotStart
from registry.embedded.account import Account, account_for

# A socket's path may hold about 100 bytes, and PostgreSQL and the broker quote theirs differently:
# so the sockets never lie in the data folder, whose path is the operator's choice.
SHORT_AND_PLAIN = re.compile(r"/[A-Za-z0-9._/-]{1,60}")


@dataclass(frozen=True)
class Place:
    data: Path
    account: Account

    @property
    def cluster(self):
        return self.data / "postgres"

    @property
    def broker(self):
        return self.data / "broker"

    @property
    def sockets(self):
        """The folder of the sockets in use, or None."""
        try:
            folder = Path((self.data / "sockets").read_text())
            status = folder.lstat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        ours = (
            stat.S_ISDIR(status.st_mode) and stat.S_IMODE(status.st_mode) == 0o700 and status.st_uid == self.account.uid
        )
        return folder if ours else None

    def make_sockets(self):
        """A new private folder for sockets under the folder for temporary files; its name is kept in `data/sockets`."""
        bases = [base for base in (tempfile.gettempdir(), "/tmp", "/var/tmp") if SHORT_AND_PLAIN.fullmatch(base)]  # noqa: S108
        base = next((base for base in bases if os.access(base, os.W_OK)), None)
        if base is None:
            raise CannotStart("No folder for sockets: set TMPDIR to a writable folder with a short, plain path.")
        folder = tempfile.mkdtemp(prefix="metaspine-", dir=base)
        self.account.own(folder)
        (self.data / "sockets").write_text(folder)

    def remove_sockets(self):
        if self.sockets:
            shutil.rmtree(self.sockets, ignore_errors=True)
        (self.data / "sockets").unlink(missing_ok=True)

    def run(self, *command, **options):
        """Run a command as the servers' account, out of reach of the terminal's Ctrl-C; returns CompletedProcess."""
        # PGHOST and its like, set for another database, would lead our programs there.
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
        command = [*self.account.prefix, *map(str, command)]
        return subprocess.run(
            command, env=environment, start_new_session=True, text=True, check=False, **({"cwd": "/"} | options)
        )


def place_for(data):
    """Make the data folder where it is missing and say who runs its servers. Raises CannotStart."""
    data = Path(data).absolute()
    try:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        (data / "start.lock").touch()
    except OSError as error:
        raise CannotStart(
            f"Cannot write to {data} ({error.strerror}): choose another folder, METASPINE_DATA=/path/to/folder."
        ) from None
    place = Place(data, account_for(data))
    for folder in (place.cluster, place.broker):
        if folder.exists() and folder.stat().st_uid != place.account.uid:
            raise CannotStart(
                f"{folder} belongs to another user: start as that user, or choose another folder, "
                "METASPINE_DATA=/path/to/folder."
            )
    return place


def default_data():
    """METASPINE_DATA, or `var` in the project."""
    return Path(os.environ.get("METASPINE_DATA") or PROJECT / "var")


def package_folder(name):
    """Where an installed package lies, without importing it (one of ours does much on import)."""
    spec = find_spec(name)
    if spec is None:
        raise CannotStart(f"The package {name} is missing: pip install --require-hashes -r requirements-embedded.txt.")
    return Path(spec.origin).parent
