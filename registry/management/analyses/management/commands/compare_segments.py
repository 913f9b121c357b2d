"""`manage.py compare_segments`: the segment comparison of everything in the registry, to a file or the terminal."""

from contextlib import contextmanager
from errno import EISDIR
from os import strerror
from pathlib import Path

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from registry.analysis.design import cohorts, plans
from registry.analysis.documents import files
from registry.analysis.results.result import Result
from registry.analysis.running import runner
from registry.instruments import value_sets
from registry.management.emptiness import tell_if_empty
from registry.models import Snapshot
from sites.tenancy.scope import everything


def add_question(parser):
    """The options that say what is compared in whom."""
    plan = plans.SEGMENT_COMPARISON
    parser.add_argument(
        "--cohort", default=cohorts.SEGI2024.name, metavar="NAME", help=f"one of {', '.join(cohorts.COHORTS)}"
    )
    parser.add_argument(
        "--value-set",
        nargs="+",
        default=list(plan.value_sets),
        metavar="CODE",
        help=f"EQ-5D-5L value set, further ones as sensitivity analyses; of {len(value_sets.ALL)}, e.g. JP UK",
    )
    parser.add_argument("--baseline", default=plan.baseline, metavar="TIMEPOINT")
    parser.add_argument("--followup", nargs="+", default=list(plan.followups), metavar="TIMEPOINT")


def question(cohort, value_set, baseline, followup):
    """The Plan and the Cohort that these options name. ValueError says what does not fit."""
    plan = plans.segment_comparison(value_sets=tuple(value_set), baseline=baseline, followups=tuple(followup))
    return plan, cohorts.get(cohort)


@contextmanager
def whole_file(output):
    """A binary file that is opened before anything is computed, and appears only when it is whole.

    A pipe or a device, such as /dev/stdout, is written to as it is.
    """
    path = Path(output)
    try:
        if path.is_dir():
            raise IsADirectoryError(EISDIR, strerror(EISDIR))
        part = path.with_name(f".{path.name}.part")
        replaceable = path.is_file() or not path.exists()
        file = (part if replaceable else path).open("wb")
    except OSError as error:
        raise CommandError(f"cannot write {output}: {error.strerror}", returncode=2) from error
    try:
        with file:
            yield file
        if replaceable:
            part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _frozen(label):
    """The Snapshot of this label, None of none. CommandError if there is no such snapshot."""
    if label is None:
        return None
    snapshot = Snapshot.objects.filter(label=label).first()
    if snapshot is None:
        labels = ", ".join(Snapshot.objects.values_list("label", flat=True)) or "none has been frozen"
        raise CommandError(f"there is no snapshot “{label}”; there are: {labels}", returncode=2)
    return snapshot


class Command(BaseCommand):
    requires_system_checks = []  # they import every page, which takes as long as reading a snapshot
    help = "Compare outcomes between cervical, thoracic and TL/L/S lesions, as the segment study did."

    def add_arguments(self, parser):
        add_question(parser)
        self.add_output(parser)

    def add_output(self, parser):
        """The options that say of which data, and where to."""
        parser.add_argument("--snapshot", metavar="LABEL", help="a frozen state, instead of the registry as it is")
        parser.add_argument("--format", default="json", metavar="FORMAT", help=f"one of {', '.join(files.FORMATS)}")
        parser.add_argument("--output", metavar="FILE", help="instead of the terminal")
        parser.add_argument(
            "--language", default="en", choices=list(dict(settings.LANGUAGES)), help="of html, docx and xlsx"
        )

    def handle(self, *, snapshot, format, output, language, **options):
        try:
            with everything(reason=self.reason):
                plan, cohort = self.asked(**options)
            render = files.renderer(format)
        except ValueError as error:
            raise CommandError(str(error), returncode=2) from error
        with self._opened(output, format) as write:
            with everything(reason=self.reason):
                tell_if_empty(self.stderr)
                result = runner.compare(plan, cohort, snapshot=_frozen(snapshot))
            write(render(Result.from_json(result), language))

    reason = "compare_segments"

    def asked(self, *, cohort, value_set, baseline, followup, **options):
        """The Plan and the Cohort. ValueError says what does not fit."""
        return question(cohort, value_set, baseline, followup)

    @contextmanager
    def _opened(self, output, format):
        """`write(bytes)`, to a file or the terminal."""
        if output is None:
            if format in files.BINARY and self.stdout.isatty():
                raise CommandError(f"a {format} file is not for the terminal: name it with --output", returncode=2)
            yield self._print
            return
        with whole_file(output) as file:
            yield file.write

    def _print(self, content):
        if hasattr(self.stdout, "buffer"):  # the terminal or a pipe: bytes as they are
            self.stdout.buffer.write(content)
            self.stdout.buffer.flush()
        else:
            self.stdout.write(content.decode(), ending="")
