"""`verify_signatures`: compute every signature's hash again; exit status 1 where signed data changed."""

import sys

from django.core.management.base import BaseCommand
from django.db import transaction

from registry.services.review import signing
from sites.audit import alerts
from sites.moments import day_of
from sites.tenancy.scope import everything

WHY = {
    "data": "",
    "key": "NOT MADE WITH THIS DEPLOYMENT'S KEY",
    "trail": "THE AUDIT TRAIL TELLS OF NO SUCH SIGNATURE",
}


class Command(BaseCommand):
    help = "Computes every signature's hash again and names those that do not hold (exit status 1)."

    def handle(self, *args, **options):
        counts = dict.fromkeys((signing.VALID, signing.UNLOCKED, signing.BROKEN), 0)
        unkeyed = 0
        with everything(reason="verify_signatures", in_error=True), transaction.atomic():
            for signature in signing.verify_all():
                counts[signature.status] += 1
                unkeyed += not signature.keyed
                if signature.status == signing.BROKEN:
                    what = WHY[signature.fault] or (
                        f"unlocked since: {', '.join(signature.open)}" if signature.open else "CHANGED WHILE LOCKED"
                    )
                    self.stderr.write(
                        self.style.ERROR(
                            f"signature {signature.signature.pk} of {signature.signature.patient_id}, signed "
                            f"{day_of(signature.signature.signed_at)}, is broken; {what}"
                        )
                    )
        self.stdout.write(
            f"{sum(counts.values())} signatures: {counts[signing.VALID]} hold, {counts[signing.UNLOCKED]} hold and "
            f"have unlocked forms, {counts[signing.BROKEN]} are broken."
        )
        if unkeyed:
            self.stdout.write(
                f"{unkeyed} of them are of release 0.1.0, which did not bind signatures to the deployment's key: they "
                "are compared with the data and with what the audit trail says of their making."
            )
        if counts[signing.BROKEN]:
            alerts.verification_failed("signatures", counts[signing.BROKEN])
            sys.exit(1)
