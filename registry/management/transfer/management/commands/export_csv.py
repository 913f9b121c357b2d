"""`manage.py export_csv DIR`: the registry's own files (`wire.FILES`), as `import_csv` reads them."""

from pathlib import Path

from django.core.management.base import BaseCommand, CommandError

from registry.exports.data.tables import Selection
from registry.exports.folder import write_folder
from registry.management.emptiness import tell_if_empty
from sites import audit
from sites.database.copying import one_moment
from sites.tenancy.scope import current, everything


class Command(BaseCommand):
    help = "Export the registry as CSV files that import_csv reads back. Dates of birth are included unless asked."

    def add_arguments(self, parser):
        parser.add_argument("folder", metavar="DIR", type=Path)
        parser.add_argument(
            "--de-identified",
            action="store_true",
            help="age_at_surgery instead of the date of birth, and no free text; such a file cannot be imported",
        )

    def handle(self, *, folder, de_identified, **options):
        with everything(reason="export_csv"), one_moment():
            tell_if_empty(self.stderr)
            selection = Selection(current().read, identified=not de_identified)
            try:
                rows = write_folder(folder, selection)
            except OSError as error:
                raise CommandError(f"{error.filename}: {error.strerror}", returncode=2) from None
            audit.record_for_sites("export", selection.sites, detail={"rows": rows, "identified": selection.identified})
        for name, count in rows.items():
            self.stdout.write(f"{folder / name}.csv: {count} rows")
