"""`manage.py export_data FILE.zip`: the registry, a cohort or a snapshot in any format, with codebook and manifest."""

from pathlib import Path

from django.core.management.base import BaseCommand, CommandError

from registry.analysis.design import saved_cohorts
from registry.analysis.design.cohorts import COHORTS, UnknownStep
from registry.exports import choices as asked
from registry.exports.choices import CONTENT, LISTS, OFFERED, InvalidChoices
from registry.exports.data.selecting import ExportFailed, selected
from registry.exports.package import write_package
from registry.management.emptiness import tell_if_empty
from registry.models import ExportPreset, SavedCohort, Snapshot
from sites import audit
from sites.database.copying import one_moment
from sites.models import Site
from sites.tenancy.scope import current, everything


class Command(BaseCommand):
    help = "Export the registry, de-identified, as one zip archive with codebook and manifest."

    def add_arguments(self, parser):
        parser.add_argument("file", metavar="FILE.zip", type=Path)
        parser.add_argument("--preset", metavar="NAME", help="choices that are kept for everybody; others go before")
        for name, offered in OFFERED.items():
            usual = f"as usual: {getattr(asked.Choices, name)}"
            parser.add_argument(f"--{name}", choices=[choice.code for choice in offered], help=usual)
        parser.add_argument("--content", nargs="+", choices=[choice.code for choice in CONTENT])
        parser.add_argument("--value-sets", nargs="+", metavar="CODE")
        parser.add_argument("--timepoints", nargs="+", metavar="CODE", help="only these visits")
        parser.add_argument("--instruments", nargs="+", metavar="CODE", help="only columns of these")
        parser.add_argument("--cohort", help=f"{', '.join(COHORTS)}, or the name of a saved cohort")
        parser.add_argument("--snapshot", metavar="LABEL", help="the label of a snapshot")
        parser.add_argument("--by-site", action="store_const", const=True, help="a folder of files for each site")
        parser.add_argument("--site", nargs="+", metavar="CODE", help="only these sites")

    def handle(self, *, file, site, **options):
        with everything(reason="export_data"), one_moment():
            tell_if_empty(self.stderr)
            try:
                choices = self._choices(options)
                sites = self._sites(site)
                with selected(choices, sites) as chosen:
                    manifest = self._written(file, chosen)
            except (InvalidChoices, UnknownStep, ExportFailed) as error:
                raise CommandError(str(error), returncode=1) from None
            except OSError as error:
                raise CommandError(f"{error.filename}: {error.strerror}", returncode=2) from None
            detail = {"format": choices.format, "rows": manifest["rows"], "identified": False}
            audit.record_for_sites("export", sites, detail=detail)
        patients = manifest["patients"]
        self.stdout.write(f"{file}: {patients['exported']} of {patients['enrolled']} patients")
        for name, count in manifest["rows"].items():
            self.stdout.write(f"  {name}: {count} rows, {len(manifest['columns'][name])} columns")

    def _choices(self, options):
        names = (*OFFERED, *LISTS, "by_site", "cohort")
        given = self._preset(options["preset"])
        given |= {name: options[name] for name in names if options.get(name) is not None}
        if "cohort" in given and given["cohort"] not in COHORTS:
            given["cohort"] = self._cohort(given["cohort"])
        if options["snapshot"]:
            snapshot = Snapshot.objects.filter(label=options["snapshot"]).first()
            if snapshot is None:
                raise CommandError(f"there is no snapshot “{options['snapshot']}”", returncode=1)
            given["snapshot"] = str(snapshot.pk)
        return asked.from_json(given)

    def _preset(self, name):
        if not name:
            return {}
        preset = ExportPreset.objects.filter(name=name, shared=True).first()
        if preset is None:
            raise CommandError(f"nobody shares choices called “{name}”", returncode=1)
        return dict(preset.choices)

    def _cohort(self, given):
        """A saved cohort as JSON, by its name or (of a preset) its number."""
        named = {"pk": given} if isinstance(given, int) else {"name": given}
        saved = SavedCohort.objects.filter(**named).order_by("-version").first()
        if saved is None:
            raise CommandError(f"there is no cohort “{given}”", returncode=1)
        return saved_cohorts.cohort_of(saved).to_json()

    def _sites(self, codes):
        if not codes:
            return current().read
        site_ids = dict(Site.objects.filter(code__in=codes).values_list("code", "pk"))
        if unknown := [code for code in codes if code not in site_ids]:
            raise CommandError(f"there is no site {', '.join(unknown)}", returncode=1)
        return tuple(site_ids.values())

    def _written(self, file, chosen):
        partial = file.with_name(f".{file.name}.part")
        try:
            manifest = write_package(partial, chosen, "manage.py export_data")
            partial.replace(file)
        finally:
            partial.unlink(missing_ok=True)
        return manifest
