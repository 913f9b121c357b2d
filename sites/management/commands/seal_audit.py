"""`seal_audit`: seal what is new in the audit trail now, instead of at the worker's next turn."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from sites import audit
from sites.audit import sealing
from sites.tenancy.scope import Scope, entered


class Command(BaseCommand):
    help = "Seals the audit events that are committed and in no seal yet."

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument(
            "--accept-loss",
            metavar="REASON",
            help="go on though the database lacks seals that are kept outside: after an older backup was restored",
        )

    def handle(self, *args: Any, accept_loss: Any = None, **options: Any) -> None:
        try:
            if accept_loss is not None:
                self.accept(accept_loss)
            seals = sealing.seal()
        except (sealing.HistoryLost, ValueError) as error:
            raise CommandError(str(error)) from None
        except OSError as error:
            raise CommandError(f"Nothing was sealed: {error.filename}: {error.strerror}.") from None
        for seal in seals:
            self.stdout.write(f"Seal {seal.number}: {seal.count} events, {seal.hash.hex()}")
        if not seals:
            self.stdout.write("Nothing new to seal.")

    def accept(self, reason: Any) -> None:
        number, given_up = sealing.accept_loss(reason)
        with entered(Scope(administers=True, reason=reason)):
            audit.record("seals_lost", table=sealing.SEALS, row_id=number, detail={"seals": len(given_up)})
        self.stdout.write(f"{len(given_up)} seals after seal {number} are given up; the journal says so for ever.")
