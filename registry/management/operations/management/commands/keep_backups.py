"""`keep_backups`: backups by the schedule, old ones removed, and a restore drill now and then; the service `backup`."""

import logging
import threading
import time

from django.core.management.base import BaseCommand, CommandError
from django.db import Error, connections
from django.utils import timezone

from registry.health import heartbeats
from registry.services.operations import backup_keeping
from registry.services.operations.backups import BackupError

log = logging.getLogger(__name__)

LOOK = 60  # seconds between two looks at the clock
LIFE = 30  # seconds between two signs of life


class Command(BaseCommand):
    help = "Makes backups by the schedule, removes old ones, and restores the newest now and then as a drill."

    def add_arguments(self, parser):
        parser.add_argument("--once", action="store_true", dest="single", help="do what is due now, then end")

    def handle(self, *, single, **options):
        try:
            backup_keeping.folder()
        except BackupError as error:
            raise CommandError(str(error)) from error
        if single:
            self._do_what_is_due()
            return
        threading.Thread(target=_show_life, daemon=True).start()
        while True:
            try:
                self._do_what_is_due()
            except Error as error:
                log.warning("the database does not answer: %s", str(error).strip().splitlines()[0])
            connections.close_all()
            time.sleep(LOOK)

    def _do_what_is_due(self):
        now = timezone.now()
        if backup_keeping.backup_is_due(now):
            _tell(backup_keeping.make(now))
        if backup_keeping.drill_is_due(now):
            _tell(backup_keeping.drill(now))


def _show_life():
    while True:
        heartbeats.touch("backup")
        time.sleep(LIFE)


def _tell(record):
    if record.error:
        log.critical("%s failed: %s", record.kind, record.error)
    else:
        log.info(
            "%s %s: %d rows, %d seals, %d identities, %d bytes in %.1f s",
            record.kind, record.file, record.rows, record.seals, record.identities, record.size, record.seconds,
        )  # fmt: skip
