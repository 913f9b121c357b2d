"""Checks of the deployment: settings, proxies, keys, clock, mail, the folder that hosts share, room on disks."""

import shutil
import smtplib
import socket
import time
from pathlib import Path

from cryptography.fernet import Fernet
from django.conf import settings
from django.utils.translation import gettext as _

from registry.health import shared_folder
from registry.health.checkup.findings import FAILED, NOTE, OFF, OK, WARNING, Finding
from registry.models import Identity
from registry.services.files import shared_store
from registry.services.protocol import wording
from registry.services.records import identity

ASK_MAIL = 1.0  # seconds that a mail server may take to answer
SKEW = 2.0  # seconds between the clocks of this machine and of the database
LITTLE, TOO_LITTLE = 0.1, 0.03  # of a disk
LITTLE_BYTES, TOO_LITTLE_BYTES = 5 << 30, 1 << 30


def safe_settings(looking):
    faults = []
    if settings.DEBUG:
        faults.append(_("METASPINE_DEBUG is on: pages show tracebacks."))
    if not settings.TLS:
        faults.append(_("METASPINE_TLS is off: cookies travel without TLS."))
    if "*" in settings.ALLOWED_HOSTS:
        faults.append(_("METASPINE_ALLOWED_HOSTS accepts any name."))
    if len(settings.SECRET_KEY) < 50 or len(set(settings.SECRET_KEY)) < 5:
        faults.append(_("METASPINE_SECRET_KEY is shorter than 50 characters."))
    if settings.SECOND_FACTOR in ("none", "central"):
        faults.append(_("METASPINE_SECOND_FACTOR is looser than the default."))
    if faults:
        return Finding(NOTE if settings.SYNTHETIC else WARNING, faults[0], tuple(faults[1:]))
    return Finding(OK, _("TLS, host names, secret and second factor are as they should be."))


def proxies(looking):
    wanted = settings.ALLAUTH_TRUSTED_PROXY_COUNT
    if looking.request is None:
        return Finding(OK, _("METASPINE_PROXIES is %(n)s; the page in the browser compares.") % {"n": wanted})
    forwarded = [
        address for address in looking.request.headers.get("X-Forwarded-For", "").split(",") if address.strip()
    ]
    words = _("METASPINE_PROXIES is %(n)s, and this request came with %(seen)s addresses.")
    words %= {"n": wanted, "seen": len(forwarded)}
    if len(forwarded) < wanted:
        return Finding(FAILED, words + " " + _("All people count as one address: lower it."))
    if len(forwarded) > wanted:
        return Finding(WARNING, words + " " + _("Raise it if each of them is a proxy of yours."))
    return Finding(OK, words)


def keys(looking):
    for key in settings.FIELD_KEYS:
        Fernet(key)
    for pk, key in looking.rows(ENDS):
        identity.unwrapped_key(key, str(pk))
    n = len(settings.FIELD_KEYS)
    if n > 1:
        return Finding(NOTE, _("%(n)s keys: once rotate_keys is done, older ones are for backups alone.") % {"n": n})
    return Finding(OK, _("The key opens the oldest and the newest identifiers."))


ENDS = " UNION ALL ".join(  # the oldest and the newest numbers
    f"(SELECT patient_id, key FROM {Identity._meta.db_table} ORDER BY patient_id {order} LIMIT 5)"
    for order in ("DESC", "ASC")
)


def clock(looking):
    before = time.time()
    (there,) = looking.ask("SELECT extract(epoch FROM clock_timestamp())::float8")
    skew = max(before - there, there - time.time(), 0.0)  # an answer that takes long is no clock that is wrong
    words = _("This machine and the database differ by %(seconds)s s.") % {"seconds": f"{skew:.1f}"}
    return Finding(OK if skew < SKEW else FAILED, words)


def has_mail():
    return bool(settings.MAIL)


def mail(looking):
    if not settings.MAIL:
        return Finding(OFF, _("No mail server: administrators hand links over themselves."))
    where = f"{settings.EMAIL_HOST}:{settings.EMAIL_PORT}"
    server = smtplib.SMTP_SSL if settings.EMAIL_USE_SSL else smtplib.SMTP
    try:
        with server(settings.EMAIL_HOST, settings.EMAIL_PORT, timeout=ASK_MAIL) as connection:
            connection.noop()
    except (OSError, smtplib.SMTPException, socket.gaierror) as error:
        return Finding(FAILED, _("%(where)s does not answer: %(why)s") % {"where": where, "why": error})
    return Finding(OK, _("%(where)s answers.") % {"where": where})


def shared_files(looking):
    """What a worker wrote into the shared store is there for this process too, and may be added to."""
    state, folder = shared_folder.compared(looking.mark), shared_store.words()
    if state == shared_folder.SAME:
        return Finding(OK, _("Workers and this process see the same %(folder)s.") % {"folder": folder})
    if state == shared_folder.UNKNOWN:
        return Finding(NOTE, _("No worker has marked %(folder)s yet.") % {"folder": folder})
    if state == shared_folder.CLOSED:
        return Finding(FAILED, _("%(folder)s cannot be written.") % {"folder": folder})
    return Finding(FAILED, _("Workers write to another folder than %(folder)s here.") % {"folder": folder})


def licensed_wording(looking):
    """Questionnaires that patients' links leave out, for want of their owner's text."""
    if not (lacking := wording.nowhere()):
        return Finding(OK, _("What the protocol asks of patients has its wording, in one language at least."))
    words = _("Patients' links do not ask %(names)s: an administrator loads the text (Study, Licensed wording).")
    return Finding(WARNING, words % {"names": ", ".join(lacking)})


def disk(looking):
    folders = [settings.EXPORT_FOLDER, settings.SEAL_FOLDER, settings.BACKUP_FOLDER or None]
    states, lines = [OK], []
    for folder in dict.fromkeys(_existing(Path(address)) for address in folders if address):
        usage = shutil.disk_usage(folder)
        lines.append(f"{folder}: {usage.free / 1e9:.1f} / {usage.total / 1e9:.1f} GB")
        if usage.free < max(TOO_LITTLE_BYTES, 0) or usage.free < TOO_LITTLE * usage.total:
            states.append(FAILED)
        elif usage.free < LITTLE_BYTES or usage.free < LITTLE * usage.total:
            states.append(WARNING)
    state = FAILED if FAILED in states else WARNING if WARNING in states else OK
    return Finding(state, lines[0], tuple(lines[1:]))


def _existing(path):
    while not path.exists():
        path = path.parent
    return path
