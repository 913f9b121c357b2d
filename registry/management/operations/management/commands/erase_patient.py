"""`erase_patient`: destroy a withdrawn patient's identifiers or whole record; `--register` lists what was erased."""

import csv

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from registry.models import Erasing, Erasure, Patient
from registry.services.records.cleaning import InvalidAnswers
from registry.services.records.storing import ReasonRequired
from registry.tasks import erase_patient
from sites.tenancy.scope import everything


class Command(BaseCommand):
    help = (
        "Destroys, for good, the identifiers or the whole record of a patient whose withdrawal of consent the site has "
        "recorded. With --register it only lists what was erased, as CSV: keep that beside the backups."
    )

    def add_arguments(self, parser):
        parser.add_argument("patient", nargs="?", metavar="NUMBER")
        parser.add_argument("--extent", choices=Erasure.Extent.values, help="what is erased")
        parser.add_argument("--confirm", default="", metavar="NUMBER", help="the patient's number once more")
        parser.add_argument("--reason", default="", help="why; it stays in the audit trail, so nothing that identifies")
        parser.add_argument("--register", action="store_true")

    def handle(self, *, patient, extent, confirm, reason, register, **options):
        with everything(reason=reason or "erase_patient"), transaction.atomic():
            if register:
                self._list()
                return
            known_patient = Patient.objects.filter(pk=patient).first()
            if known_patient is None:
                raise CommandError(f"There is no patient {patient}.", returncode=2)
            try:
                asked = erase_patient(access=None, patient=known_patient, extent=extent, typed=confirm, reason=reason)
            except ReasonRequired:
                raise CommandError("Give a --reason.", returncode=2) from None
            except InvalidAnswers as error:
                names = {"typed": "--confirm", "extent": "--extent"}
                reasons = [f"{names[name]}: {label.en}" for name, labels in error.errors.items() for label in labels]
                raise CommandError(" ".join(reasons), returncode=2) from None
        with everything(reason=reason or "erase_patient"), transaction.atomic():  # what failed stays on record
            self._tell(asked)

    def _tell(self, asked):
        done = Erasure.objects.filter(patient_id=asked.patient_id, extent=asked.extent).first()
        if done is None:
            left = Erasing.objects.get(pk=asked.pk)
            if left.error:
                raise CommandError(f"{left.patient_id}: {left.error['en']}")
            self.stdout.write(f"{left.patient_id}: somebody holds the record; a worker erases it when it is free.")
            return
        rows = ", ".join(f"{table.removeprefix('registry_')} {count}" for table, count in done.rows.items())
        self.stdout.write(f"{done.patient_id}: {done.get_extent_display()} erased ({rows}).")

    def _list(self):
        writer = csv.writer(self.stdout, lineterminator="\n")
        writer.writerow(["patient_id", "extent", "erased_at", "reason"])
        for erasure in Erasure.objects.order_by("erased_at", "pk"):
            writer.writerow(
                [erasure.patient_id, erasure.extent, erasure.erased_at.isoformat(timespec="seconds"), erasure.reason]
            )
