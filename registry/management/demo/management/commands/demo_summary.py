"""`manage.py demo_summary`: where the demonstration is, how to sign in, and Table 6 beside the study's."""

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from registry.analysis.design import cohorts, plans
from registry.analysis.presentation.numbers import ABSENT, p_value
from registry.analysis.reports import published_study
from registry.demo.segi2025 import table6
from registry.instruments import variables
from registry.instruments.timepoints import timepoint
from registry.management.demo import demonstration
from registry.models import ComparisonRun, Patient
from sites.models import Site, User
from sites.tenancy.access import PERMISSIONS, Can
from sites.tenancy.scope import everything

NUMBER = 34  # the widest cell of a study's numbers that stays on one line
PAIR_TITLES = ("cervical–thoracic", "thoracic–TL/L/S", "cervical–TL/L/S")
DIFFERS = "≠"


class Command(BaseCommand):
    help = "Print the demonstration's address and logins, and the study's Table 6 beside what was computed here."

    def add_arguments(self, parser):
        parser.add_argument("--url", metavar="ADDRESS", help="where the pages are, to be printed first")

    def handle(self, *, url, **options):
        demonstration.require_synthetic()
        if not demonstration.is_loaded():
            raise CommandError("The demonstration is not loaded: manage.py load_demo does it.", returncode=2)
        if url:
            self.stdout.write(url)
        study = published_study.of_registry()
        summary = beside(study) if study else comparison()
        self.stdout.write("\n".join([*contents(), "", *logins(), "", *summary]))


def contents():
    with transaction.atomic(), everything():
        return [f"{Patient.objects.count()} synthetic patients at {Site.objects.count()} sites."]


def logins():
    there = set(User.objects.values_list("email", flat=True))
    people = [person for person in demonstration.LOGINS if person.email in there]
    rows = [(person.role.replace("_", " "), person.email, place(person)) for person in people]
    widths = [max(len(row[i]) for row in rows) for i in range(3)]
    lines = ["  " + "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)) for row in rows]
    return [f"Sign in with the password {demonstration.password()} as", *(line.rstrip() for line in lines)]


def place(login):
    if Can.READ not in PERMISSIONS[login.role]:
        return "sites and people, no patients"
    return ", ".join(login.sites) or "all sites"


def comparison():
    """Of the newest run of the study's own plan and cohort: others, which somebody tried out, have other numbers."""
    done = ComparisonRun.objects.filter(status=ComparisonRun.Status.DONE, cohort__name=cohorts.SEGI2024.name)
    run = done.filter(plan=plans.SEGMENT_COMPARISON.to_json()).order_by("-requested_at").first()
    if run is None:
        return ["The segment comparison has not been computed yet: manage.py demo_ready --wait waits for it."]
    return table(table6.lines(run.result["between_groups"], p_value))


def table(lines):
    """Text: for each row and pair the study's P and ours."""
    labels = [label(line) for line in lines]
    width = max(len(label) for label in labels)
    cell = 20
    text = ["P between groups, Table 6: as the study prints it | as computed here"]
    text.append((" " * width + "".join("  " + title.ljust(cell) for title in PAIR_TITLES)).rstrip())
    for line, name in zip(lines, labels, strict=True):
        cells = zip(line.study, line.ours, line.differing, strict=True)
        text.append((name.ljust(width) + "".join("  " + shown(*column).ljust(cell) for column in cells)).rstrip())
        if line.reason:
            text.append(f"  {DIFFERS} {line.reason}")
    return [*text, verdict(lines)]


def label(line):
    variable = variables.get(line.variable).label.en
    if line.timepoint == "delta":
        return f"{variable}, change"
    return f"{variable}, {timepoint(line.timepoint).label.en.lower()}"


def shown(study, ours, differs):
    return f"{study or ABSENT:>6} | {ours:>6}" + (f" {DIFFERS}" if differs else "")


def verdict(lines):
    compared = sum(study is not None for line in lines for study in line.study)
    differing = sum(sum(line.differing) for line in lines)
    if not differing:
        return f"All {compared} P-values print as in the study."
    return f"{compared - differing} of {compared} P-values print as in the study; {DIFFERS} marks the others."


def beside(study):
    """Text: each number that the paper prints and this registry can compute, beside ours."""
    with transaction.atomic(), everything():
        lines = published_study.lines(study)
    names = [group["code"] for group in published_study.document(study)["groups"]]
    text = [
        published_study.document(study)["paper"],
        f"{' and '.join(names)}: as the paper prints it | as computed here",
    ]
    where = ""
    for line in lines:
        if line.where != where:
            where = line.where
            text += ["", where]
        text += as_text(line)
    agreeing, compared = published_study.agreement(lines)
    text += [
        "",
        f"{agreeing} of {compared} numbers print as in the paper; {DIFFERS} marks the others, with the reason.",
    ]
    return text


def as_text(line):
    """The lines of text of one Line: groups and P on one where they fit."""
    groups = [
        f"{theirs} | {ours}" + (f" {DIFFERS}" if differs else "")
        for theirs, ours, differs in zip(line.printed, line.ours, line.differing, strict=False)
    ]
    if line.p_printed:
        test = f" {line.test.en}" if line.test else ""
        groups.append(
            f"P{test} {line.p_printed} | {line.p_ours or ABSENT}" + (f" {DIFFERS}" if line.differing[-1] else "")
        )
    text = [f"  {line.label.en} (n = {' and '.join(map(str, line.n))})"]
    if all(len(group) <= NUMBER for group in groups):
        text.append("    " + "   ".join(group.ljust(NUMBER) for group in groups).rstrip())
    else:
        text += [f"    {group}" for group in groups]
    if line.reason:
        text.append(f"    {DIFFERS} {line.reason.en}")
    if line.note:
        text.append(f"    {line.note.en}")
    return text
