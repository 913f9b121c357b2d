"""People, sites, roles and the audit trail, as release 0.1.0 had them.

Frozen: released migrations never change, and import nothing that could (tests/releases/migrations.json holds their
hashes). Policies, triggers and functions are not here: `registry/guards` has them, and `migrate` puts them in place.
"""

import django.contrib.postgres.indexes
import django.db.models.deletion
import django.db.models.functions.datetime
import django.db.models.functions.text
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

# Seals over the audit trail (`sites/sealing.py`): the application reads and never writes them.
SEALS = """
CREATE TABLE study_sites_auditseal (
    number bigint PRIMARY KEY,
    made_at timestamptz NOT NULL,
    ids int8multirange NOT NULL,   -- of the events in this seal
    events integer NOT NULL,
    first_at timestamptz NOT NULL, -- of those events
    last_at timestamptz NOT NULL,
    last_id bigint NOT NULL,       -- the greatest id in this or an earlier seal
    settled_id bigint NOT NULL,    -- every event up to this id is in this or an earlier seal
    snapshot text NOT NULL,        -- pg_snapshot: the transactions that had ended before the events were read
    ceiling bigint NOT NULL,       -- transactions from here on began after they were read
    content bytea NOT NULL,        -- sha256 over the events' hashes, by id
    previous bytea NOT NULL,       -- the hash of the seal before
    hash bytea NOT NULL,
    signature bytea
);
-- Page by page through one site's trail.
CREATE INDEX audit_by_site ON study_sites_auditevent (site_id, id);
"""


class Migration(migrations.Migration):
    replaces = [
        ("study_sites", "0001_initial"),
        ("study_sites", "0002_audit_trail"),
        ("study_sites", "0003_seal_audit"),
        ("study_sites", "0004_invitations"),
        ("study_sites", "0006_api_tokens"),
        ("study_sites", "0007_faster_loading"),
        ("study_sites", "0010_digests"),
    ]

    initial = True

    dependencies = [
        ("auth", "0012_alter_user_first_name_max_length"),
    ]

    operations = [
        migrations.CreateModel(
            name="AuditEvent",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), verbose_name="when")),
                ("site_id", models.BigIntegerField(null=True)),
                ("table_name", models.CharField(max_length=63, verbose_name="table")),
                ("row_id", models.CharField(max_length=64, verbose_name="row")),
                ("action", models.CharField(max_length=32, verbose_name="what happened")),
                ("user_id", models.BigIntegerField(null=True)),
                ("request_id", models.CharField(blank=True, max_length=32, verbose_name="request")),
                ("reason", models.TextField(blank=True, verbose_name="reason")),
                ("transaction_id", models.BigIntegerField(verbose_name="transaction")),
                ("old", models.JSONField(null=True, verbose_name="before")),
                ("new", models.JSONField(null=True, verbose_name="after")),
            ],
            options={
                "verbose_name": "audit event",
                "verbose_name_plural": "audit events",
                "indexes": [
                    models.Index(fields=["site_id", "table_name", "row_id", "id"], name="audit_by_row"),
                    django.contrib.postgres.indexes.BrinIndex(autosummarize=True, fields=["at"], name="audit_by_time"),
                ],
                "constraints": [],
            },
        ),
        migrations.CreateModel(
            name="Site",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "code",
                    models.CharField(
                        help_text="Short and stable, e.g. S07. Starts every patient number.",
                        max_length=8,
                        unique=True,
                        verbose_name="code",
                    ),
                ),
                ("name", models.CharField(max_length=200, verbose_name="name")),
                ("name_ja", models.CharField(blank=True, max_length=200, verbose_name="Japanese name")),
                ("region", models.CharField(blank=True, max_length=60, verbose_name="region")),
                (
                    "enrolment_target",
                    models.PositiveIntegerField(blank=True, null=True, verbose_name="enrolment target"),
                ),
                (
                    "value_set",
                    models.CharField(
                        default="JP",
                        help_text="Used for the HSUV shown at this site; a comparison names its own.",
                        max_length=8,
                        verbose_name="EQ-5D-5L value set",
                    ),
                ),
            ],
            options={
                "verbose_name": "site",
                "verbose_name_plural": "sites",
                "ordering": ["code"],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("code__regex", "^[A-Z][A-Z0-9]{0,7}$")), name="site_code_shape"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "value_set__in",
                                [
                                    "AE",
                                    "AU",
                                    "BE",
                                    "CA",
                                    "CN",
                                    "DE",
                                    "DK",
                                    "EG",
                                    "ENG",
                                    "ES",
                                    "ET",
                                    "FR",
                                    "GH",
                                    "HK",
                                    "HU",
                                    "ID",
                                    "IE",
                                    "IN",
                                    "IR",
                                    "IT",
                                    "JP",
                                    "JP_DCE",
                                    "KR",
                                    "MA",
                                    "MX",
                                    "MY",
                                    "NL",
                                    "NO",
                                    "NZ",
                                    "PE",
                                    "PE_DCE",
                                    "PH",
                                    "PL",
                                    "PT",
                                    "RO",
                                    "SA",
                                    "SE_2020",
                                    "SE_2022",
                                    "SG",
                                    "SI",
                                    "TH",
                                    "TT",
                                    "TW",
                                    "UG",
                                    "UK",
                                    "US",
                                    "UY",
                                    "VN",
                                    "WEPP",
                                ],
                            )
                        ),
                        name="site_value_set_known",
                    ),
                ],
                "indexes": [],
            },
        ),
        migrations.CreateModel(
            name="User",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("password", models.CharField(max_length=128, verbose_name="password")),
                ("last_login", models.DateTimeField(blank=True, null=True, verbose_name="last login")),
                (
                    "is_superuser",
                    models.BooleanField(
                        default=False,
                        help_text="Designates that this user has all permissions without explicitly assigning them.",
                        verbose_name="superuser status",
                    ),
                ),
                ("email", models.EmailField(max_length=254, unique=True, verbose_name="e-mail address")),
                ("name", models.CharField(max_length=120, verbose_name="name")),
                (
                    "language",
                    models.CharField(
                        choices=[("en", "English"), ("ja", "日本語")],
                        default="en",
                        max_length=2,
                        verbose_name="language",
                    ),
                ),
                ("is_staff", models.BooleanField(default=False, verbose_name="may open the admin screens")),
                ("is_active", models.BooleanField(default=True, verbose_name="active")),
                ("date_joined", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                (
                    "groups",
                    models.ManyToManyField(
                        blank=True,
                        help_text="The groups this user belongs to. A user will get all permissions granted to each of their groups.",
                        related_name="user_set",
                        related_query_name="user",
                        to="auth.group",
                        verbose_name="groups",
                    ),
                ),
                (
                    "user_permissions",
                    models.ManyToManyField(
                        blank=True,
                        help_text="Specific permissions for this user.",
                        related_name="user_set",
                        related_query_name="user",
                        to="auth.permission",
                        verbose_name="user permissions",
                    ),
                ),
                ("sign_in_epoch", models.PositiveIntegerField(default=0, editable=False)),
                (
                    "digest",
                    models.BooleanField(
                        default=True,
                        help_text="What waits for the person, in numbers; never on an empty day.",
                        verbose_name="daily e-mail",
                    ),
                ),
            ],
            options={
                "verbose_name": "person",
                "verbose_name_plural": "people",
                "indexes": [],
                "constraints": [
                    models.UniqueConstraint(
                        django.db.models.functions.text.Lower("email"), name="user_email_any_case_unique"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="ApiAnswer",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("key", models.CharField(max_length=255)),
                ("fingerprint", models.CharField(max_length=64)),
                ("status", models.PositiveSmallIntegerField()),
                ("location", models.CharField(blank=True, max_length=500)),
                ("etag", models.CharField(blank=True, max_length=80)),
                ("body", models.TextField()),
                ("answered_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
            ],
            options={
                "verbose_name": "kept answer",
                "verbose_name_plural": "kept answers",
                "indexes": [models.Index(fields=["answered_at"], name="api_answer_by_time")],
                "constraints": [models.UniqueConstraint(fields=("user", "key"), name="api_answer_once")],
            },
        ),
        migrations.CreateModel(
            name="ApiToken",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=80, verbose_name="name")),
                ("start", models.CharField(max_length=12, verbose_name="begins with")),
                ("digest", models.CharField(max_length=64, unique=True)),
                ("scopes", models.JSONField(verbose_name="scopes")),
                ("site_ids", models.JSONField(blank=True, null=True, verbose_name="sites")),
                (
                    "created_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), verbose_name="issued"),
                ),
                ("expires_at", models.DateTimeField(verbose_name="expires")),
                ("last_used_at", models.DateTimeField(null=True, verbose_name="last used")),
                ("revoked_at", models.DateTimeField(null=True, verbose_name="revoked")),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="api_tokens",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="person",
                    ),
                ),
            ],
            options={
                "verbose_name": "API token",
                "verbose_name_plural": "API tokens",
                "ordering": ["-created_at", "-pk"],
                "indexes": [],
                "constraints": [],
            },
        ),
        migrations.CreateModel(
            name="Digest",
            fields=[
                (
                    "user",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="+",
                        serialize=False,
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("last_on", models.DateField(null=True)),
            ],
            options={
                "verbose_name": "daily e-mail",
                "verbose_name_plural": "daily e-mails",
                "indexes": [],
                "constraints": [],
            },
        ),
        migrations.CreateModel(
            name="Invitation",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("email", models.EmailField(max_length=254, verbose_name="e-mail address")),
                ("name", models.CharField(blank=True, max_length=120, verbose_name="name")),
                (
                    "language",
                    models.CharField(
                        choices=[("en", "English"), ("ja", "日本語")],
                        default="en",
                        max_length=2,
                        verbose_name="language",
                    ),
                ),
                (
                    "role",
                    models.CharField(
                        choices=[
                            ("coordinator", "Site coordinator"),
                            ("investigator", "Investigator"),
                            ("monitor", "Monitor"),
                            ("data_manager", "Data manager"),
                            ("statistician", "Statistician"),
                            ("admin", "Administrator"),
                        ],
                        max_length=12,
                        verbose_name="role",
                    ),
                ),
                ("starts_on", models.DateField(default=django.utils.timezone.localdate, verbose_name="from")),
                ("ends_on", models.DateField(blank=True, null=True, verbose_name="until")),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("expires_at", models.DateTimeField()),
                ("token_hash", models.CharField(max_length=64, unique=True)),
                ("accepted_at", models.DateTimeField(null=True)),
                ("revoked_at", models.DateTimeField(null=True)),
                (
                    "accepted_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "invited_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="invited by",
                    ),
                ),
                (
                    "site",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="study_sites.site",
                        verbose_name="site",
                    ),
                ),
            ],
            options={
                "verbose_name": "invitation",
                "verbose_name_plural": "invitations",
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("role__in", ["admin", "data_manager", "statistician"]), ("site", None)),
                            models.Q(
                                ("site__isnull", False),
                                models.Q(("role__in", ["admin", "data_manager", "statistician"]), _negated=True),
                            ),
                            _connector="OR",
                        ),
                        name="invitation_site_fits_role",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "role__in",
                                ["coordinator", "investigator", "monitor", "data_manager", "statistician", "admin"],
                            )
                        ),
                        name="invitation_role_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("ends_on", None), ("ends_on__gte", models.F("starts_on")), _connector="OR"),
                        name="invitation_ends_after_start",
                    ),
                    models.UniqueConstraint(
                        django.db.models.functions.text.Lower("email"),
                        condition=models.Q(("accepted_at", None), ("revoked_at", None)),
                        name="invitation_one_open",
                    ),
                ],
                "indexes": [],
            },
        ),
        migrations.CreateModel(
            name="Membership",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "role",
                    models.CharField(
                        choices=[
                            ("coordinator", "Site coordinator"),
                            ("investigator", "Investigator"),
                            ("monitor", "Monitor"),
                            ("data_manager", "Data manager"),
                            ("statistician", "Statistician"),
                            ("admin", "Administrator"),
                        ],
                        max_length=12,
                        verbose_name="role",
                    ),
                ),
                ("starts_on", models.DateField(default=django.utils.timezone.localdate, verbose_name="from")),
                ("ends_on", models.DateField(blank=True, null=True, verbose_name="until")),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="memberships",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="person",
                    ),
                ),
                (
                    "site",
                    models.ForeignKey(
                        blank=True,
                        help_text="Empty for central roles: data manager, statistician, administrator.",
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="memberships",
                        to="study_sites.site",
                        verbose_name="site",
                    ),
                ),
            ],
            options={
                "verbose_name": "membership",
                "verbose_name_plural": "memberships",
                "indexes": [],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("role__in", ["admin", "data_manager", "statistician"]), ("site", None)),
                            models.Q(
                                ("site__isnull", False),
                                models.Q(("role__in", ["admin", "data_manager", "statistician"]), _negated=True),
                            ),
                            _connector="OR",
                        ),
                        name="membership_site_fits_role",
                        violation_error_message="A central role has no site; every other role needs one.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "role__in",
                                ["coordinator", "investigator", "monitor", "data_manager", "statistician", "admin"],
                            )
                        ),
                        name="membership_role_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("ends_on", None), ("ends_on__gte", models.F("starts_on")), _connector="OR"),
                        name="membership_ends_after_start",
                    ),
                    models.UniqueConstraint(
                        fields=("user", "role", "site", "starts_on"), name="membership_once", nulls_distinct=False
                    ),
                ],
            },
        ),
        migrations.RunSQL(SEALS, migrations.RunSQL.noop),
    ]
