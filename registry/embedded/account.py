"""Who runs the servers: whoever calls, but never root, because PostgreSQL refuses root."""

import os
import pwd
import shutil
from dataclasses import dataclass
from pathlib import Path

from registry.embedded import CannotStart

# Bits of CapPrm in /proc/self/status (linux/capability.h).
DAC_OVERRIDE, DAC_READ_SEARCH, SETPCAP = 1, 2, 8


@dataclass(frozen=True)
class Account:
    """The operating system's account of the servers, and what to put before a command to run it as that account."""

    name: str
    uid: int
    gid: int
    prefix: tuple[str, ...] = ()

    def own(self, path):
        """Hand a file or folder that we just made to the account."""
        if self.prefix:
            os.chown(path, self.uid, self.gid)


def account_for(data):
    """The account whose servers keep their files in the folder `data`.

    Root hands over to the folder's owner, or to `nobody` where root owns it. Raises CannotStart.
    """
    if os.geteuid() != 0:
        me = entry(os.geteuid())
        return Account(me.pw_name, me.pw_uid, me.pw_gid)
    owner = entry(data.stat().st_uid or pwd.getpwnam("nobody").pw_uid)
    return Account(owner.pw_name, owner.pw_uid, owner.pw_gid, handover(owner.pw_uid, owner.pw_gid))


def entry(uid):
    try:
        return pwd.getpwuid(uid)
    except KeyError:
        raise CannotStart(f"PostgreSQL needs a user account with a name, and user {uid} has none.") from None


def handover(uid, gid):
    """A `setpriv` prefix that changes the user yet still finds its way through folders closed to others.

    The project or the data may lie beneath /root (mode 700). Opening such a folder to everybody is not ours to do, so
    the servers keep the one capability that lets them pass. Access checks by the real user (`access(2)`, which
    initdb uses) drop capabilities unless no_setuid_fixup is set.
    """
    setpriv = shutil.which("setpriv")
    if not setpriv:
        raise CannotStart("Started by root, which PostgreSQL refuses: start as another user, or install util-linux.")
    held = permitted_capabilities()
    options = [f"--reuid={uid}", f"--regid={gid}", "--clear-groups"]
    # Containers often withhold dac_read_search, the weaker of the two, from their root.
    passing = "dac_read_search" if held & 1 << DAC_READ_SEARCH else "dac_override" if held & 1 << DAC_OVERRIDE else None
    if passing:
        options += [f"--inh-caps=+{passing}", f"--ambient-caps=+{passing}"]
    if passing and held & 1 << SETPCAP:
        options.append("--securebits=+no_setuid_fixup")
    return (setpriv, *options, "--")


def permitted_capabilities():
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1], 16) for line in status.splitlines() if line.startswith("CapPrm:"))
