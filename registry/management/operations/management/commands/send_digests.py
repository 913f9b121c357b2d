"""`manage.py send_digests`: the daily e-mails now, whatever the hour; or only what they would say."""

import logging

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from registry.services.operations import digests

logger = logging.getLogger(__name__)


class Command(BaseCommand):
    help = "Send everybody who was not told today what waits for them. Exit code 1: some could not be sent."

    def add_arguments(self, parser):
        parser.add_argument("--dry-run", action="store_true", help="send nothing; print who would be told what")

    def handle(self, *, dry_run, **options):
        if not (dry_run or settings.MAIL):
            raise CommandError("No mail server: METASPINE_EMAIL_URL is not set. --dry-run sends nothing.", returncode=2)
        today = timezone.localdate()
        act = self.describe if dry_run else self.send
        failed = sum(not act(user, today) for user in digests.recipients(today))
        if failed:
            raise CommandError(f"{failed} could not be sent; the log says why. The worker tries again.")

    def describe(self, user, today):
        digest = digests.found_for(user, today)
        counts = ", ".join(f"{number} {name}" for name, number in digest.counts.items() if number)
        self.stdout.write(f"{user.email}: {counts or 'nothing, no e-mail'}")
        return True

    def send(self, user, today):
        try:
            delivered = digests.deliver(user.pk, today)
        except Exception:  # one person's e-mail must not hold up the others'
            logger.exception("the daily e-mail of person %s was not sent", user.pk)
            return False
        if delivered:
            self.stdout.write(f"{user.email}: sent")
        return True
