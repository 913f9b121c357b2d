"""`rotate_keys`: encrypt with the first of METASPINE_FIELD_KEYS what an older one did; `--check` only counts it."""

from cryptography.fernet import InvalidToken
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from registry.services.operations import field_keys
from registry.services.records.identity import UnreadableIdentity
from sites.tenancy.scope import everything

KEEP = (
    "Nothing in the database needs the other keys. Keep them in METASPINE_FIELD_KEYS for as long as backups and seals "
    "of the audit trail from their time are to be read."
)


class Command(BaseCommand):
    help = (
        "Encrypts with the first of METASPINE_FIELD_KEYS the keys of patients and imports and the second factors that "
        "an older one encrypts. May be interrupted and called again, while people work."
    )

    def add_arguments(self, parser):
        parser.add_argument("--check", action="store_true", help="only count; exit status 1 if anything is left")

    def handle(self, *, check, **options):
        with everything(reason="key rotation"):
            try:
                counted = self._left() if check else field_keys.rotate()
                left = counted if check else self._left()
            except (UnreadableIdentity, InvalidToken) as error:
                message = str(error) or "a second factor cannot be decrypted"
                raise CommandError(f"{message}: put the key that is missing back into METASPINE_FIELD_KEYS.") from None
        for name, count in vars(counted).items():
            self.stdout.write(f"{name.replace('_', ' ')}: {count}")
        if left.total:
            raise CommandError("Older keys are still needed: run rotate_keys.", returncode=1)
        self.stdout.write(KEEP)

    def _left(self):
        with transaction.atomic():
            return field_keys.outdated()
