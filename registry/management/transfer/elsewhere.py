"""Commands of django-import-export that would go around the checks: they say what to call instead."""

from django.core.management.base import BaseCommand, CommandError


class Elsewhere(BaseCommand):
    """A command that does nothing but say what does the same by the rules of every import and export."""

    instead = ""

    def add_arguments(self, parser):
        parser.add_argument("anything", nargs="*", help="is not looked at")

    def run_from_argv(self, argv):
        super().run_from_argv(argv[:2])

    def handle(self, **options):
        raise CommandError(
            "Nothing was done: this command of django-import-export knows neither the checks of files nor who may see "
            f"what. Call {self.instead}. The tables of the administration have files in and out on their screens."
        )
