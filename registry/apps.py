from importlib import import_module

from django.apps import AppConfig
from django.conf import settings
from django.db.models.signals import post_migrate
from django.utils.translation import gettext_lazy as _


class RegistryConfig(AppConfig):
    name = "registry"
    verbose_name = _("Schedule")  # what the administration screens have of it

    def ready(self):
        from registry.analysis.design import sections
        from registry.guards import checks  # noqa: F401  registers them
        from registry.instruments import base, catalogue, timepoints
        from registry.services import current_protocol as current
        from registry.services.follow_up import schedule
        from sites.languages import look_up
        from sites.people import sign_ins
        from sites.tenancy import access

        base.provide_catalogues(look_up)
        catalogue.provide(current.current)
        access.provide_blinding(current.blind_roles, current.telling_names)
        if settings.SENTRY_DSN:
            from registry.health import error_hook  # the library is for who wants it

            error_hook.install()
        timepoints.provide(lambda: schedule.plans().timepoints)
        sign_ins.provide_notices(lambda *notice: import_module("registry.web.account.adapters").notify(*notice))
        sections.provide(lambda: import_module("registry.analysis.sections").SECTIONS)

        post_migrate.connect(put_guards_in_place, sender=self)


def put_guards_in_place(using, verbosity=0, **kwargs):
    """After `migrate` has brought every table up to date, and not in between."""
    from django.db import connections
    from django.db.migrations.executor import MigrationExecutor

    from registry.guards import applying, checking

    executor = MigrationExecutor(connections[using])
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        return
    differences = applying.apply(using)
    if differences and verbosity:
        print(f"  Put the guards of the database in place: {checking.listed(differences)}.")
