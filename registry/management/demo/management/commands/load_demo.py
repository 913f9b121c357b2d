"""`manage.py load_demo`: the demonstration registry, all or nothing; loaded already, it changes nothing."""

from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

from django.conf import settings
from django.contrib.auth.hashers import check_password, make_password
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.utils import timezone

from registry import tasks
from registry.demo import make_cohort, write_cohort
from registry.demo.recent import ASKED_ABOUT, with_recent_patients
from registry.demo.studies import make
from registry.imports import import_files
from registry.management.demo import demonstration
from registry.models import ComparisonRun, LicensedWording, Patient
from registry.services.protocol import whole, wording
from registry.services.review import queries
from registry.services.review.soft_checks import Form
from sites.models import Membership, Site, User
from sites.tenancy.access import access_of
from sites.tenancy.scope import Scope, entered

REASON = "demonstration loaded"
PLACEHOLDER = "synthetic: no licence, no wording of EuroQol's"


class Command(BaseCommand):
    help = "Load synthetic patients and one login for each role into an empty registry with METASPINE_SYNTHETIC=1."

    def add_arguments(self, parser):
        parser.add_argument("--study", choices=sorted(make.MAKERS), default="", help="instead of Segi 2025")

    def handle(self, *, study, **options):
        demonstration.require_synthetic()
        with transaction.atomic(), entered(Scope(reason=REASON)):
            if demonstration.is_loaded():
                demonstration.require_study(study)
            else:
                demonstration.require_empty()
                self.load_study(study) if study else self.load()
            load_placeholders()
            self.renew_passwords()
            self.start_computing(study)

    def load(self):
        self.stdout.write("Making the synthetic patients ...")
        cohort, recent = with_recent_patients(make_cohort(), timezone.localdate(), demonstration.RECENT_AT)
        enrolled = Counter(patient["site_code"] for patient in cohort.patients)
        Site.objects.bulk_create(
            Site(
                code=site.code,
                name=site.name,
                name_ja=site.name_ja,
                region=site.region,
                enrolment_target=next((n for n in demonstration.TARGETS if n >= enrolled[site.code]), None),
            )
            for site in cohort.sites
        )
        self._import(cohort)
        for login in demonstration.LOGINS:
            create(login)
        ask_about(recent[ASKED_ABOUT])

    def load_study(self, study):
        """The study's protocol, published by the administrator, then its patients, through the import's guards."""
        self.stdout.write(f"Making the synthetic patients of {study} ...")
        cohort = make.make_study(study)
        Site.objects.bulk_create(
            Site(code=site.code, name=site.name, name_ja=site.name_ja, region=site.region) for site in cohort.sites
        )
        for login in demonstration.LOGINS:
            if not login.sites or demonstration.RECENT_AT in login.sites:
                create(login)
        access = access_of(User.objects.get(email=demonstration.ADMINISTRATOR))
        document = whole.come_along()[study]
        ethics = [{"code": site.code, "label": {"en": "synthetic", "ja": "架空"}} for site in cohort.sites]
        document["study"] |= {"ethics": ethics}
        with entered(access.scope()):
            whole.load(access=access, document=document, note=REASON)
        self._import(cohort)

    def _import(self, cohort):
        with TemporaryDirectory() as folder:
            write_cohort(cohort, Path(folder))
            report = import_files(Path(folder), reason=REASON)
        if not report.stored:
            first = report.errors.shown[0]
            raise CommandError(
                f"The synthetic patients were refused: {first.file} row {first.row}, {first.column}: {first.reason}"
            )
        self.stdout.write(", ".join(f"{counts.new} {name}" for name, counts in report.counts.items()) + " loaded.")

    def renew_passwords(self):
        """The password that the summary prints opens every login, whatever was tried out before."""
        password = demonstration.password()
        people = User.objects.filter(email__in=[person.email for person in demonstration.LOGINS])
        known = people.order_by().values_list("password", flat=True).distinct()
        # One hash for all of them, because to check or make one takes long by design.
        if len(known) != 1 or not check_password(password, known[0]):
            people.update(password=make_password(password))

    def start_computing(self, study=""):
        transaction.on_commit(tasks.start_all_outcomes, robust=True)  # without a broker, the hourly tasks do it
        transaction.on_commit(tasks.start_scorecards, robust=True)
        wanted = ComparisonRun.objects.exclude(status__in=[ComparisonRun.Status.FAILED, ComparisonRun.Status.CANCELLED])
        if not wanted.exists():
            access = access_of(User.objects.get(email=demonstration.STATISTICIAN))
            plan, cohort = demonstration.question(study)
            tasks.start_comparison(access=access, plan=plan, cohort=cohort)


def load_placeholders():
    """Texts in the place of EQ-5D-5L's licensed wording, each of which says that it is none; once a registry."""
    code = wording.EQ.code
    for language, _name in settings.LANGUAGES:
        if not LicensedWording.objects.filter(questionnaire=code, language=language).exists():
            content = wording.placeholder(language)
            wording.load(
                access=None, code=code, language=language, content=content, licence=PLACEHOLDER, is_placeholder=True
            )


def ask_about(patient_id):
    """One query of the monitor, for the coordinator to answer."""
    access = access_of(User.objects.get(email=demonstration.MONITOR))
    with entered(access.scope()):
        patient = Patient.objects.get(pk=patient_id)
        form = Form("assessment", timepoint="1m")
        queries.raise_query(access=access, patient=patient, form=form, field="ecog_ps", text=demonstration.QUESTION)


def create(login):
    user = User.objects.create_user(login.email, name=login.name)
    sites = Site.objects.filter(code__in=login.sites) if login.sites else [None]
    for site in sites:
        Membership.objects.create(user=user, role=login.role, site=site)
