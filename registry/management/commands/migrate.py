"""`migrate`, as the owner role. Afterwards `registry.guards` puts in place what guards the tables."""

from contextlib import contextmanager, nullcontext

from django.core.management.base import CommandError
from django.core.management.commands import migrate
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

from registry.guards import applying
from registry.health.waiting import MIGRATING
from sites.database.migrating import constraints_in_place


class Command(migrate.Command):
    help = migrate.Command.help + " Runs as the owner role, and puts the guards of the database in place."

    def add_arguments(self, parser):
        super().add_arguments(parser)
        parser.add_argument(
            "--accept-schema",
            action="store_true",
            help="take columns and constraints as they are, though no migration made them so: somebody has looked",
        )

    def handle(self, *args, accept_schema=False, **options):
        if options["database"] == DEFAULT_DB_ALIAS:
            options["database"] = "owner"
        refuse_half_a_baseline(connections[options["database"]])
        if not accept_schema:
            try:
                applying.refuse_altered_schema(options["database"])
            except applying.SchemaAltered as error:
                raise CommandError(str(error)) from None
        # To a migration that is named the way may lead backwards.
        with (
            alone(connections[options["database"]]),
            nullcontext() if options["migration_name"] else constraints_in_place(),
        ):
            super().handle(*args, **options)


@contextmanager
def alone(connection):
    """One `migrate` at a time; whoever waits for the tables (`registry.health.waiting`) sees that it is not done."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [MIGRATING])
    try:
        yield
    finally:
        connection.close()  # the lock is the session's


def refuse_half_a_baseline(connection):
    """A baseline stands for the whole chain of migrations before it: a database in the middle of one has no way on."""
    applied = set(MigrationRecorder(connection).applied_migrations())
    for (app, name), migration in MigrationLoader(None).replacements.items():
        done = [replace for replace in migration.replaces if replace in applied]
        if done and len(done) < len(migration.replaces) and (app, name) not in applied:
            raise CommandError(
                f"This database stands at {done[-1][0]} {done[-1][1]}, in the middle of a chain of migrations that "
                f"{app} {name} replaces as a whole: it was made between releases. Run `migrate` of release 0.1.0 on it "
                "first, then this one (docs/operations.md, “Upgrading”). Nothing was changed."
            )
