"""The checks of an installation, in the order in which an operator looks. A new one is one line here."""

from django.utils.translation import gettext_lazy as _

from registry.health.checkup import database, deployment, work
from registry.health.checkup.findings import Check
from sites.database import replica

CHECKS = (
    Check("database", _("Database"), database.answers, database=False),
    Check("versions", _("Versions"), database.versions),
    Check("migrations", _("Migrations"), database.migrations),
    Check("guards", _("Guards of the database"), database.guards),
    Check("roles", _("Role of the application"), database.roles),
    Check("settings", _("Settings"), deployment.safe_settings, database=False),
    Check("keys", _("Keys"), deployment.keys),
    Check("clock", _("Clock"), deployment.clock),
    Check("connections", _("Connections to the database"), database.connections),
    Check("time_limits", _("Time limits of the database"), database.time_limits),
    Check("pooler", _("Pooler of connections"), database.pooler),
    Check("replica", _("Read replica"), database.read_replica, elsewhere=replica.exists),
    Check("proxies", _("Proxies"), deployment.proxies, database=False),
    Check("mail", _("Mail server"), deployment.mail, database=False, elsewhere=deployment.has_mail),
    Check("shared_files", _("Files that hosts share"), deployment.shared_files, elsewhere=lambda: True),
    Check("wording", _("Licensed wording"), deployment.licensed_wording),
    Check("disk", _("Room on disks"), deployment.disk, database=False),
    Check("workers", _("Workers and beat"), work.workers),
    Check("queues", _("Queues"), work.queues),
    Check("tasks", _("Recurring tasks"), work.tasks),
    Check("jobs", _("Failed jobs"), work.jobs),
    Check("backups", _("Backups"), work.backups),
    Check("seals", _("Seals of the audit trail"), work.seals),
)
