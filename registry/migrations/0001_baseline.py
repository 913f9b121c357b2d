"""The registry's tables, as release 0.1.0 had them.

Frozen: released migrations never change, and import nothing that could (tests/releases/migrations.json holds their
hashes). Policies, triggers and functions are not here: `registry/guards` has them, and `migrate` puts them in place.
"""

import uuid

import django.db.models.deletion
import django.db.models.expressions
import django.db.models.functions.comparison
import django.db.models.functions.datetime
import django.db.models.lookups
from django.conf import settings
from django.db import migrations, models

RECORDS = ("registry_patient", "registry_assessment", "registry_adverseevent")
# Reasons for missing values: jsonpath is beyond what Django's constraints can say.
KNOWN_REASONS = """
ALTER TABLE {0} ADD CONSTRAINT {0}_reasons_known CHECK (jsonb_typeof(missing) = 'object'
    AND NOT jsonb_path_exists(missing, '$.* ? (!(@ == "not_applicable" || @ == "not_done" || @ == "unknown" || @ == "refused" || @ == "too_ill" || @ == "dead"))'));
"""
# A child's site is its patient's: a composite key instead of Django's, moved along if the patient moves. Rows that
# nobody may delete go with the patient by the key itself, which sees what policies hide.
SAME_SITE = """
ALTER TABLE {0} ADD CONSTRAINT {0}_same_site FOREIGN KEY (site_id, patient_id)
    REFERENCES registry_patient (site_id, patient_id) ON UPDATE CASCADE {1} DEFERRABLE INITIALLY DEFERRED;
"""
CHILDREN = ("registry_assessment", "registry_adverseevent", "registry_identity", "registry_followupend")
GO_ALONG = ("registry_query", "registry_signature", "registry_draft", "registry_patientlink")
OTHERS = """
ALTER TABLE registry_querymessage ADD CONSTRAINT registry_querymessage_same_site FOREIGN KEY (site_id, query_id)
    REFERENCES registry_query (site_id, id) ON UPDATE CASCADE ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED;
-- What was saved lately, in a few kilobytes: rows are nearly in the order of their time.
CREATE INDEX assessment_by_time ON registry_assessment USING brin (updated_at);
-- Parts of snapshots are kept as they come: they are compressed already, or packed to be read fast.
ALTER TABLE registry_snapshotpart ALTER data SET STORAGE EXTERNAL;
"""
# The schedule of the protocol: in force for everybody operated until another version is published.
SCHEDULE = """
INSERT INTO registry_timepoint (code, label, label_ja, position) VALUES
    ('preop', 'Before surgery', '術前', 0),
    ('1m', '1 month', '術後1か月', 30),
    ('3m', '3 months', '術後3か月', 91),
    ('6m', '6 months', '術後6か月', 183),
    ('12m', '12 months', '術後12か月', 365),
    ('24m', '24 months', '術後24か月', 730);
INSERT INTO registry_scheduleversion (effective_from, note) VALUES ('1900-01-01', '');
INSERT INTO registry_scheduledvisit (version_id, timepoint_id, target_day, days_before, days_after)
SELECT v.id, t.code, t.target_day, t.days_before, t.days_after FROM registry_scheduleversion AS v, (VALUES
    ('preop', 0, 30, 0),
    ('1m', 30, 14, 14),
    ('3m', 91, 21, 21),
    ('6m', 183, 30, 30),
    ('12m', 365, 45, 45),
    ('24m', 730, 60, 60)) AS t (code, target_day, days_before, days_after);
SET CONSTRAINTS ALL IMMEDIATE; -- or PostgreSQL would alter no table while checks of these rows are pending
SET CONSTRAINTS ALL DEFERRED;
"""


class Migration(migrations.Migration):
    replaces = [
        ("registry", "0001_initial"),
        ("registry", "0002_relations"),
        ("registry", "0003_guards"),
        ("registry", "0004_saved_cohorts"),
        ("registry", "0005_queries_and_signatures"),
        ("registry", "0006_schedule"),
        ("registry", "0007_exports_and_snapshots"),
        ("registry", "0008_imports"),
        ("registry", "0009_faster_loading"),
        ("registry", "0010_erasure"),
        ("registry", "0011_drafts"),
        ("registry", "0012_patient_links"),
        ("registry", "0013_extra_instruments"),
        ("registry", "0014_packed"),
        ("registry", "0015_respondent"),
        ("registry", "0016_links_end"),
        ("registry", "0017_answers_by_link"),
    ]

    initial = True

    dependencies = [
        ("study_sites", "0001_baseline"),
    ]

    operations = [
        migrations.CreateModel(
            name="Change",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "assessment_id", "value_set", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("site_id", models.BigIntegerField()),
                ("assessment_id", models.BigIntegerField()),
                ("value_set", models.CharField(max_length=8)),
                ("delta_pain_vas_mm", models.SmallIntegerField(null=True)),
                ("delta_barthel_total", models.SmallIntegerField(null=True)),
                ("delta_hsuv", models.FloatField(null=True)),
                ("delta_eq_vas", models.SmallIntegerField(null=True)),
            ],
            options={
                "verbose_name": "change from baseline",
                "verbose_name_plural": "changes from baseline",
                "indexes": [],
                "constraints": [],
            },
        ),
        migrations.CreateModel(
            name="Erasure",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("patient_id", models.CharField(db_collation="C", max_length=40, verbose_name="patient ID")),
                (
                    "extent",
                    models.CharField(
                        choices=[("identifiers", "Direct identifiers only"), ("everything", "The whole record")],
                        max_length=11,
                        verbose_name="what was erased",
                    ),
                ),
                ("reason", models.CharField(max_length=300, verbose_name="reason")),
                ("rows", models.JSONField(default=dict, verbose_name="rows")),
                (
                    "erased_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), verbose_name="erased"),
                ),
                (
                    "erased_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="erased by",
                    ),
                ),
                (
                    "site",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        to="study_sites.site",
                        verbose_name="site",
                    ),
                ),
            ],
            options={
                "verbose_name": "erasure",
                "verbose_name_plural": "erasures",
                "ordering": ["-erased_at", "-pk"],
                "constraints": [
                    models.UniqueConstraint(fields=("patient_id", "extent"), name="erasure_once"),
                    models.CheckConstraint(
                        condition=models.Q(("extent__in", ["identifiers", "everything"])), name="erasure_extent_known"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("reason", ""), _negated=True), name="erasure_has_reason"
                    ),
                ],
                "indexes": [],
            },
        ),
        migrations.CreateModel(
            name="Export",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("queued", "Queued"),
                            ("running", "Running"),
                            ("done", "Ready"),
                            ("failed", "Failed"),
                            ("cancelled", "Cancelled"),
                            ("expired", "Expired"),
                        ],
                        default="queued",
                        max_length=9,
                    ),
                ),
                ("choices", models.JSONField()),
                ("site_ids", models.JSONField()),
                ("requested_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("started_at", models.DateTimeField(null=True)),
                ("heartbeat_at", models.DateTimeField(null=True)),
                ("finished_at", models.DateTimeField(null=True)),
                ("expires_at", models.DateTimeField(null=True)),
                ("attempts", models.PositiveSmallIntegerField(default=0)),
                ("rows_expected", models.BigIntegerField(default=0)),
                ("rows_written", models.BigIntegerField(default=0)),
                ("cancel_requested", models.BooleanField(default=False)),
                ("error", models.JSONField(null=True)),
                ("filename", models.CharField(blank=True, max_length=120)),
                ("size", models.BigIntegerField(null=True)),
                ("sha256", models.CharField(blank=True, max_length=64)),
                ("manifest", models.JSONField(null=True)),
                (
                    "requested_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
            ],
            options={
                "verbose_name": "export",
                "verbose_name_plural": "exports",
                "ordering": ["-requested_at"],
                "indexes": [],
                "constraints": [],
            },
        ),
        migrations.CreateModel(
            name="Import",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("open", "Waiting for choices"),
                            ("queued", "Queued"),
                            ("running", "Running"),
                            ("checked", "Checked, not stored"),
                            ("done", "Stored"),
                            ("failed", "Failed"),
                            ("discarded", "Discarded"),
                        ],
                        default="open",
                        max_length=9,
                    ),
                ),
                (
                    "act",
                    models.CharField(
                        choices=[("check", "Check"), ("store", "Store"), ("undo", "Undo")],
                        default="check",
                        max_length=5,
                    ),
                ),
                ("requested_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("touched_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("finished_at", models.DateTimeField(null=True)),
                ("attempts", models.PositiveSmallIntegerField(default=0)),
                ("key", models.BinaryField()),
                ("files", models.JSONField(default=list)),
                ("choices", models.JSONField(default=list)),
                ("mapping", models.JSONField(null=True)),
                ("mapping_name", models.CharField(blank=True, max_length=80)),
                ("counts", models.JSONField(default=dict)),
                ("seen", models.CharField(blank=True, max_length=64)),
                ("update", models.BooleanField(default=False)),
                ("reason", models.CharField(blank=True, max_length=200)),
                ("error", models.TextField(blank=True)),
                ("transaction_id", models.BigIntegerField(null=True)),
                ("trail_from", models.BigIntegerField(null=True)),
                ("trail_to", models.BigIntegerField(null=True)),
                (
                    "requested_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
                (
                    "undoes",
                    models.OneToOneField(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="undone_by",
                        to="registry.import",
                    ),
                ),
            ],
            options={
                "verbose_name": "import",
                "verbose_name_plural": "imports",
                "ordering": ["-requested_at"],
                "indexes": [],
                "constraints": [],
            },
        ),
        migrations.CreateModel(
            name="ImportMapping",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=80, unique=True, verbose_name="name")),
                ("mapping", models.JSONField()),
                ("updated_at", models.DateTimeField(auto_now=True)),
                (
                    "created_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
            ],
            options={
                "verbose_name": "import mapping",
                "verbose_name_plural": "import mappings",
                "ordering": ["name"],
                "indexes": [],
                "constraints": [],
            },
        ),
        migrations.CreateModel(
            name="ImportPart",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=40)),
                ("position", models.PositiveIntegerField()),
                ("content", models.BinaryField()),
                (
                    "belongs_to",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="parts", to="registry.import"
                    ),
                ),
            ],
            options={
                "verbose_name": "part of an import",
                "verbose_name_plural": "parts of imports",
                "constraints": [
                    models.UniqueConstraint(fields=("belongs_to", "name", "position"), name="import_part_once")
                ],
                "indexes": [],
            },
        ),
        migrations.CreateModel(
            name="InstrumentSwitch",
            fields=[
                ("code", models.CharField(max_length=20, primary_key=True, serialize=False, verbose_name="instrument")),
                ("on", models.BooleanField(verbose_name="switched on")),
            ],
            options={
                "verbose_name": "extra instrument",
                "verbose_name_plural": "extra instruments",
                "ordering": ["code"],
                "indexes": [],
                "constraints": [],
            },
        ),
        migrations.CreateModel(
            name="Patient",
            fields=[
                (
                    "missing",
                    models.JSONField(
                        db_default=models.Value({}, models.JSONField()),
                        default=dict,
                        verbose_name="reasons for missing values",
                    ),
                ),
                ("version", models.IntegerField(db_default=1, default=1, editable=False)),
                ("updated_at", models.DateTimeField(editable=False, null=True)),
                ("updated_by_id", models.BigIntegerField(editable=False, null=True)),
                (
                    "patient_id",
                    models.CharField(
                        db_collation="C", max_length=40, primary_key=True, serialize=False, verbose_name="patient ID"
                    ),
                ),
                ("sex", models.CharField(blank=True, max_length=6, null=True)),
                ("consent_date", models.DateField(blank=True, null=True)),
                ("primary_tumour", models.CharField(blank=True, max_length=13, null=True)),
                ("lesion_levels", models.IntegerField(blank=True, null=True)),
                ("procedure", models.CharField(blank=True, max_length=13, null=True)),
                ("surgery_date", models.DateField(blank=True, null=True)),
                ("operative_time_min", models.SmallIntegerField(blank=True, null=True)),
                ("blood_loss_ml", models.IntegerField(blank=True, null=True)),
                ("tokuhashi_general_condition", models.SmallIntegerField(blank=True, null=True)),
                ("tokuhashi_extraspinal_bone", models.SmallIntegerField(blank=True, null=True)),
                ("tokuhashi_vertebral", models.SmallIntegerField(blank=True, null=True)),
                ("tokuhashi_organs", models.SmallIntegerField(blank=True, null=True)),
                ("tokuhashi_primary", models.SmallIntegerField(blank=True, null=True)),
                ("tokuhashi_palsy", models.SmallIntegerField(blank=True, null=True)),
                ("sins_location", models.SmallIntegerField(blank=True, null=True)),
                ("sins_pain", models.SmallIntegerField(blank=True, null=True)),
                ("sins_bone_lesion", models.SmallIntegerField(blank=True, null=True)),
                ("sins_alignment", models.SmallIntegerField(blank=True, null=True)),
                ("sins_collapse", models.SmallIntegerField(blank=True, null=True)),
                ("sins_posterolateral", models.SmallIntegerField(blank=True, null=True)),
                ("last_contact_date", models.DateField(blank=True, null=True)),
                ("vital_status", models.CharField(blank=True, max_length=5, null=True)),
                ("death_date", models.DateField(blank=True, null=True)),
                (
                    "tokuhashi_total",
                    models.GeneratedField(
                        db_persist=True,
                        expression=django.db.models.expressions.CombinedExpression(
                            django.db.models.expressions.CombinedExpression(
                                django.db.models.expressions.CombinedExpression(
                                    django.db.models.expressions.CombinedExpression(
                                        django.db.models.expressions.CombinedExpression(
                                            models.F("tokuhashi_general_condition"),
                                            "+",
                                            models.F("tokuhashi_extraspinal_bone"),
                                        ),
                                        "+",
                                        models.F("tokuhashi_vertebral"),
                                    ),
                                    "+",
                                    models.F("tokuhashi_organs"),
                                ),
                                "+",
                                models.F("tokuhashi_primary"),
                            ),
                            "+",
                            models.F("tokuhashi_palsy"),
                        ),
                        output_field=models.SmallIntegerField(null=True),
                    ),
                ),
                (
                    "tokuhashi_prognosis",
                    models.GeneratedField(
                        db_persist=True,
                        expression=models.Case(
                            models.When(
                                django.db.models.lookups.LessThanOrEqual(
                                    django.db.models.expressions.CombinedExpression(
                                        django.db.models.expressions.CombinedExpression(
                                            django.db.models.expressions.CombinedExpression(
                                                django.db.models.expressions.CombinedExpression(
                                                    django.db.models.expressions.CombinedExpression(
                                                        models.F("tokuhashi_general_condition"),
                                                        "+",
                                                        models.F("tokuhashi_extraspinal_bone"),
                                                    ),
                                                    "+",
                                                    models.F("tokuhashi_vertebral"),
                                                ),
                                                "+",
                                                models.F("tokuhashi_organs"),
                                            ),
                                            "+",
                                            models.F("tokuhashi_primary"),
                                        ),
                                        "+",
                                        models.F("tokuhashi_palsy"),
                                    ),
                                    8,
                                ),
                                then=models.Value("under_6_months"),
                            ),
                            models.When(
                                django.db.models.lookups.LessThanOrEqual(
                                    django.db.models.expressions.CombinedExpression(
                                        django.db.models.expressions.CombinedExpression(
                                            django.db.models.expressions.CombinedExpression(
                                                django.db.models.expressions.CombinedExpression(
                                                    django.db.models.expressions.CombinedExpression(
                                                        models.F("tokuhashi_general_condition"),
                                                        "+",
                                                        models.F("tokuhashi_extraspinal_bone"),
                                                    ),
                                                    "+",
                                                    models.F("tokuhashi_vertebral"),
                                                ),
                                                "+",
                                                models.F("tokuhashi_organs"),
                                            ),
                                            "+",
                                            models.F("tokuhashi_primary"),
                                        ),
                                        "+",
                                        models.F("tokuhashi_palsy"),
                                    ),
                                    11,
                                ),
                                then=models.Value("at_least_6_months"),
                            ),
                            models.When(
                                django.db.models.lookups.LessThanOrEqual(
                                    django.db.models.expressions.CombinedExpression(
                                        django.db.models.expressions.CombinedExpression(
                                            django.db.models.expressions.CombinedExpression(
                                                django.db.models.expressions.CombinedExpression(
                                                    django.db.models.expressions.CombinedExpression(
                                                        models.F("tokuhashi_general_condition"),
                                                        "+",
                                                        models.F("tokuhashi_extraspinal_bone"),
                                                    ),
                                                    "+",
                                                    models.F("tokuhashi_vertebral"),
                                                ),
                                                "+",
                                                models.F("tokuhashi_organs"),
                                            ),
                                            "+",
                                            models.F("tokuhashi_primary"),
                                        ),
                                        "+",
                                        models.F("tokuhashi_palsy"),
                                    ),
                                    15,
                                ),
                                then=models.Value("at_least_1_year"),
                            ),
                            default=models.Value(None),
                        ),
                        output_field=models.CharField(max_length=17, null=True),
                    ),
                ),
                (
                    "sins_total",
                    models.GeneratedField(
                        db_persist=True,
                        expression=django.db.models.expressions.CombinedExpression(
                            django.db.models.expressions.CombinedExpression(
                                django.db.models.expressions.CombinedExpression(
                                    django.db.models.expressions.CombinedExpression(
                                        django.db.models.expressions.CombinedExpression(
                                            models.F("sins_location"), "+", models.F("sins_pain")
                                        ),
                                        "+",
                                        models.F("sins_bone_lesion"),
                                    ),
                                    "+",
                                    models.F("sins_alignment"),
                                ),
                                "+",
                                models.F("sins_collapse"),
                            ),
                            "+",
                            models.F("sins_posterolateral"),
                        ),
                        output_field=models.SmallIntegerField(null=True),
                    ),
                ),
                (
                    "sins_class",
                    models.GeneratedField(
                        db_persist=True,
                        expression=models.Case(
                            models.When(
                                django.db.models.lookups.LessThanOrEqual(
                                    django.db.models.expressions.CombinedExpression(
                                        django.db.models.expressions.CombinedExpression(
                                            django.db.models.expressions.CombinedExpression(
                                                django.db.models.expressions.CombinedExpression(
                                                    django.db.models.expressions.CombinedExpression(
                                                        models.F("sins_location"), "+", models.F("sins_pain")
                                                    ),
                                                    "+",
                                                    models.F("sins_bone_lesion"),
                                                ),
                                                "+",
                                                models.F("sins_alignment"),
                                            ),
                                            "+",
                                            models.F("sins_collapse"),
                                        ),
                                        "+",
                                        models.F("sins_posterolateral"),
                                    ),
                                    6,
                                ),
                                then=models.Value("stable"),
                            ),
                            models.When(
                                django.db.models.lookups.LessThanOrEqual(
                                    django.db.models.expressions.CombinedExpression(
                                        django.db.models.expressions.CombinedExpression(
                                            django.db.models.expressions.CombinedExpression(
                                                django.db.models.expressions.CombinedExpression(
                                                    django.db.models.expressions.CombinedExpression(
                                                        models.F("sins_location"), "+", models.F("sins_pain")
                                                    ),
                                                    "+",
                                                    models.F("sins_bone_lesion"),
                                                ),
                                                "+",
                                                models.F("sins_alignment"),
                                            ),
                                            "+",
                                            models.F("sins_collapse"),
                                        ),
                                        "+",
                                        models.F("sins_posterolateral"),
                                    ),
                                    12,
                                ),
                                then=models.Value("potentially_unstable"),
                            ),
                            models.When(
                                django.db.models.lookups.LessThanOrEqual(
                                    django.db.models.expressions.CombinedExpression(
                                        django.db.models.expressions.CombinedExpression(
                                            django.db.models.expressions.CombinedExpression(
                                                django.db.models.expressions.CombinedExpression(
                                                    django.db.models.expressions.CombinedExpression(
                                                        models.F("sins_location"), "+", models.F("sins_pain")
                                                    ),
                                                    "+",
                                                    models.F("sins_bone_lesion"),
                                                ),
                                                "+",
                                                models.F("sins_alignment"),
                                            ),
                                            "+",
                                            models.F("sins_collapse"),
                                        ),
                                        "+",
                                        models.F("sins_posterolateral"),
                                    ),
                                    18,
                                ),
                                then=models.Value("unstable"),
                            ),
                            default=models.Value(None),
                        ),
                        output_field=models.CharField(max_length=20, null=True),
                    ),
                ),
                (
                    "segment_group",
                    models.GeneratedField(
                        db_persist=True,
                        expression=models.Case(
                            models.When(lesion_levels__isnull=True, then=models.Value("unknown")),
                            models.When(
                                models.Q(
                                    django.db.models.lookups.In(
                                        django.db.models.expressions.CombinedExpression(
                                            django.db.models.functions.comparison.Cast(
                                                models.F("lesion_levels"), models.IntegerField()
                                            ),
                                            "/",
                                            django.db.models.functions.comparison.NullIf(
                                                django.db.models.expressions.CombinedExpression(
                                                    django.db.models.functions.comparison.Cast(
                                                        models.F("lesion_levels"), models.IntegerField()
                                                    ),
                                                    "&",
                                                    django.db.models.expressions.CombinedExpression(
                                                        models.Value(0, models.IntegerField()),
                                                        "-",
                                                        django.db.models.functions.comparison.Cast(
                                                            models.F("lesion_levels"), models.IntegerField()
                                                        ),
                                                    ),
                                                ),
                                                models.Value(0, models.IntegerField()),
                                            ),
                                        ),
                                        [1, 3, 7],
                                    ),
                                    _negated=True,
                                ),
                                then=models.Value("multisegment"),
                            ),
                            models.When(
                                django.db.models.lookups.GreaterThan(
                                    django.db.models.expressions.CombinedExpression(
                                        django.db.models.functions.comparison.Cast(
                                            models.F("lesion_levels"), models.IntegerField()
                                        ),
                                        "&",
                                        models.Value(127),
                                    ),
                                    0,
                                ),
                                then=models.Value("cervical"),
                            ),
                            models.When(
                                django.db.models.lookups.GreaterThan(
                                    django.db.models.expressions.CombinedExpression(
                                        django.db.models.functions.comparison.Cast(
                                            models.F("lesion_levels"), models.IntegerField()
                                        ),
                                        "&",
                                        models.Value(33423360),
                                    ),
                                    0,
                                ),
                                then=models.Value("tls"),
                            ),
                            default=models.Value("thoracic"),
                        ),
                        output_field=models.CharField(max_length=12),
                        verbose_name="segment group",
                    ),
                ),
                (
                    "segment_adjudicated",
                    models.CharField(blank=True, max_length=12, null=True, verbose_name="adjudicated segment group"),
                ),
                ("age_at_surgery", models.SmallIntegerField(editable=False, null=True, verbose_name="age at surgery")),
                (
                    "baseline_state",
                    models.CharField(
                        choices=[
                            ("draft", "Draft"),
                            ("complete", "Complete"),
                            ("verified", "Verified"),
                            ("locked", "Signed"),
                        ],
                        db_default="draft",
                        default="draft",
                        max_length=8,
                        verbose_name="baseline",
                    ),
                ),
                (
                    "surgery_state",
                    models.CharField(
                        choices=[
                            ("draft", "Draft"),
                            ("complete", "Complete"),
                            ("verified", "Verified"),
                            ("locked", "Signed"),
                        ],
                        db_default="draft",
                        default="draft",
                        max_length=8,
                        verbose_name="surgery",
                    ),
                ),
                (
                    "site",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        to="study_sites.site",
                        verbose_name="site",
                    ),
                ),
                (
                    "verified",
                    models.JSONField(
                        db_default=models.Value({}, models.JSONField()),
                        default=dict,
                        editable=False,
                        verbose_name="verified against source",
                    ),
                ),
                ("albumin_g_dl", models.DecimalField(blank=True, decimal_places=1, max_digits=2, null=True)),
                ("bilirubin_mg_dl", models.DecimalField(blank=True, decimal_places=1, max_digits=3, null=True)),
                ("calcium_mg_dl", models.DecimalField(blank=True, decimal_places=1, max_digits=3, null=True)),
                ("cci_aids", models.SmallIntegerField(blank=True, null=True)),
                ("cci_cerebrovascular", models.SmallIntegerField(blank=True, null=True)),
                ("cci_connective", models.SmallIntegerField(blank=True, null=True)),
                ("cci_dementia", models.SmallIntegerField(blank=True, null=True)),
                ("cci_diabetes", models.SmallIntegerField(blank=True, null=True)),
                ("cci_heart_failure", models.SmallIntegerField(blank=True, null=True)),
                ("cci_hemiplegia", models.SmallIntegerField(blank=True, null=True)),
                ("cci_infarct", models.SmallIntegerField(blank=True, null=True)),
                ("cci_leukaemia", models.SmallIntegerField(blank=True, null=True)),
                ("cci_liver", models.SmallIntegerField(blank=True, null=True)),
                ("cci_lymphoma", models.SmallIntegerField(blank=True, null=True)),
                ("cci_pulmonary", models.SmallIntegerField(blank=True, null=True)),
                ("cci_renal", models.SmallIntegerField(blank=True, null=True)),
                ("cci_tumour", models.SmallIntegerField(blank=True, null=True)),
                ("cci_ulcer", models.SmallIntegerField(blank=True, null=True)),
                ("cci_vascular", models.SmallIntegerField(blank=True, null=True)),
                ("crp_mg_dl", models.DecimalField(blank=True, decimal_places=2, max_digits=4, null=True)),
                ("hormone_dependent", models.SmallIntegerField(blank=True, null=True)),
                ("katagiri_growth", models.SmallIntegerField(blank=True, null=True)),
                ("ldh_iu_l", models.SmallIntegerField(blank=True, null=True)),
                ("local_recurrence", models.CharField(blank=True, max_length=7, null=True)),
                ("local_recurrence_date", models.DateField(blank=True, null=True)),
                ("platelets_1000_ul", models.SmallIntegerField(blank=True, null=True)),
                ("previous_chemotherapy", models.SmallIntegerField(blank=True, null=True)),
                ("primary_detail", models.CharField(blank=True, max_length=19, null=True)),
                ("rt_after", models.CharField(blank=True, max_length=12, null=True)),
                ("rt_after_date", models.DateField(blank=True, null=True)),
                ("rt_after_dose_gy", models.DecimalField(blank=True, decimal_places=1, max_digits=4, null=True)),
                ("rt_after_fractions", models.SmallIntegerField(blank=True, null=True)),
                ("rt_before", models.CharField(blank=True, max_length=12, null=True)),
                ("rt_before_date", models.DateField(blank=True, null=True)),
                ("rt_before_dose_gy", models.DecimalField(blank=True, decimal_places=1, max_digits=4, null=True)),
                ("rt_before_fractions", models.SmallIntegerField(blank=True, null=True)),
                ("skeletal_metastases", models.SmallIntegerField(blank=True, null=True)),
                ("targeted_drug", models.SmallIntegerField(blank=True, null=True)),
                ("tomita_growth", models.SmallIntegerField(blank=True, null=True)),
                ("visceral_spread", models.SmallIntegerField(blank=True, null=True)),
                ("visceral_treatability", models.SmallIntegerField(blank=True, null=True)),
                ("walks_independently", models.SmallIntegerField(blank=True, null=True)),
                (
                    "cci_full",
                    models.GeneratedField(
                        db_persist=True,
                        expression=django.db.models.expressions.CombinedExpression(
                            django.db.models.expressions.CombinedExpression(
                                django.db.models.expressions.CombinedExpression(
                                    django.db.models.expressions.CombinedExpression(
                                        django.db.models.expressions.CombinedExpression(
                                            django.db.models.expressions.CombinedExpression(
                                                django.db.models.expressions.CombinedExpression(
                                                    django.db.models.expressions.CombinedExpression(
                                                        django.db.models.expressions.CombinedExpression(
                                                            django.db.models.expressions.CombinedExpression(
                                                                django.db.models.expressions.CombinedExpression(
                                                                    django.db.models.expressions.CombinedExpression(
                                                                        django.db.models.expressions.CombinedExpression(
                                                                            django.db.models.expressions.CombinedExpression(
                                                                                django.db.models.expressions.CombinedExpression(
                                                                                    models.F("cci_infarct"),
                                                                                    "+",
                                                                                    models.F("cci_heart_failure"),
                                                                                ),
                                                                                "+",
                                                                                models.F("cci_vascular"),
                                                                            ),
                                                                            "+",
                                                                            models.F("cci_cerebrovascular"),
                                                                        ),
                                                                        "+",
                                                                        models.F("cci_dementia"),
                                                                    ),
                                                                    "+",
                                                                    models.F("cci_pulmonary"),
                                                                ),
                                                                "+",
                                                                models.F("cci_connective"),
                                                            ),
                                                            "+",
                                                            models.F("cci_ulcer"),
                                                        ),
                                                        "+",
                                                        models.F("cci_liver"),
                                                    ),
                                                    "+",
                                                    models.F("cci_diabetes"),
                                                ),
                                                "+",
                                                models.F("cci_hemiplegia"),
                                            ),
                                            "+",
                                            models.F("cci_renal"),
                                        ),
                                        "+",
                                        models.F("cci_aids"),
                                    ),
                                    "+",
                                    models.F("cci_tumour"),
                                ),
                                "+",
                                models.F("cci_leukaemia"),
                            ),
                            "+",
                            models.F("cci_lymphoma"),
                        ),
                        output_field=models.SmallIntegerField(null=True),
                    ),
                ),
                (
                    "cci_without_cancer",
                    models.GeneratedField(
                        db_persist=True,
                        expression=django.db.models.expressions.CombinedExpression(
                            django.db.models.expressions.CombinedExpression(
                                django.db.models.expressions.CombinedExpression(
                                    django.db.models.expressions.CombinedExpression(
                                        django.db.models.expressions.CombinedExpression(
                                            django.db.models.expressions.CombinedExpression(
                                                django.db.models.expressions.CombinedExpression(
                                                    django.db.models.expressions.CombinedExpression(
                                                        django.db.models.expressions.CombinedExpression(
                                                            django.db.models.expressions.CombinedExpression(
                                                                django.db.models.expressions.CombinedExpression(
                                                                    django.db.models.expressions.CombinedExpression(
                                                                        models.F("cci_infarct"),
                                                                        "+",
                                                                        models.F("cci_heart_failure"),
                                                                    ),
                                                                    "+",
                                                                    models.F("cci_vascular"),
                                                                ),
                                                                "+",
                                                                models.F("cci_cerebrovascular"),
                                                            ),
                                                            "+",
                                                            models.F("cci_dementia"),
                                                        ),
                                                        "+",
                                                        models.F("cci_pulmonary"),
                                                    ),
                                                    "+",
                                                    models.F("cci_connective"),
                                                ),
                                                "+",
                                                models.F("cci_ulcer"),
                                            ),
                                            "+",
                                            models.F("cci_liver"),
                                        ),
                                        "+",
                                        models.F("cci_diabetes"),
                                    ),
                                    "+",
                                    models.F("cci_hemiplegia"),
                                ),
                                "+",
                                models.F("cci_renal"),
                            ),
                            "+",
                            models.F("cci_aids"),
                        ),
                        output_field=models.SmallIntegerField(null=True),
                    ),
                ),
            ],
            options={
                "verbose_name": "patient",
                "verbose_name_plural": "patients",
                "ordering": ["patient_id"],
                "indexes": [models.Index(fields=["site", "surgery_date"], name="patient_by_surgery")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("patient_id__regex", "^[A-Za-z0-9][A-Za-z0-9_.-]{0,39}$")),
                        name="patient_id_shape",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("age_at_surgery__range", (0, 130))), name="patient_age_accepted"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("segment_adjudicated__in", ["cervical", "thoracic", "tls", "multisegment", "unknown"])
                        ),
                        name="patient_segment_adjudicated_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("baseline_state__in", ["draft", "complete", "verified", "locked"])),
                        name="patient_baseline_state_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("surgery_state__in", ["draft", "complete", "verified", "locked"])),
                        name="patient_surgery_state_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("sex__in", ["male", "female"])), name="patient_sex_accepted"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("consent_date__gte", "1900-01-01")), name="patient_consent_date_accepted"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "primary_tumour__in",
                                [
                                    "lung",
                                    "digestive",
                                    "renal",
                                    "breast",
                                    "prostate",
                                    "hematological",
                                    "thyroid",
                                    "unknown",
                                    "other",
                                ],
                            )
                        ),
                        name="patient_primary_tumour_accepted",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("lesion_levels__gte", 1), ("lesion_levels__lt", 33554432)),
                        name="patient_lesion_levels_accepted",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("procedure__in", ["psf", "pps", "decompression", "anterior", "bkp", "tes"])
                        ),
                        name="patient_procedure_accepted",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("surgery_date__gte", "1900-01-01")), name="patient_surgery_date_accepted"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("operative_time_min__gte", 1), ("operative_time_min__lte", 2880)),
                        name="patient_operative_time_min_accepted",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("blood_loss_ml__gte", 0), ("blood_loss_ml__lte", 50000)),
                        name="patient_blood_loss_ml_accepted",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("tokuhashi_general_condition__in", [0, 1, 2])),
                        name="patient_tokuhashi_general_condition_accepted",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("tokuhashi_extraspinal_bone__in", [0, 1, 2])),
                        name="patient_tokuhashi_extraspinal_bone_accepted",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("tokuhashi_vertebral__in", [0, 1, 2])),
                        name="patient_tokuhashi_vertebral_accepted",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("tokuhashi_organs__in", [0, 1, 2])),
                        name="patient_tokuhashi_organs_accepted",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("tokuhashi_primary__in", [0, 1, 2, 3, 4, 5])),
                        name="patient_tokuhashi_primary_accepted",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("tokuhashi_palsy__in", [0, 1, 2])), name="patient_tokuhashi_palsy_accepted"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("sins_location__in", [0, 1, 2, 3])), name="patient_sins_location_accepted"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("sins_pain__in", [0, 1, 3])), name="patient_sins_pain_accepted"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("sins_bone_lesion__in", [0, 1, 2])),
                        name="patient_sins_bone_lesion_accepted",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("sins_alignment__in", [0, 2, 4])), name="patient_sins_alignment_accepted"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("sins_collapse__in", [0, 1, 2, 3])), name="patient_sins_collapse_accepted"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("sins_posterolateral__in", [0, 1, 3])),
                        name="patient_sins_posterolateral_accepted",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("last_contact_date__gte", "1900-01-01")),
                        name="patient_last_contact_date_accepted",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("vital_status__in", ["alive", "dead"])),
                        name="patient_vital_status_accepted",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("death_date__gte", "1900-01-01")), name="patient_death_date_accepted"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("surgery_date__gte", models.F("consent_date"))),
                        name="patient_consent_not_after_surgery",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("last_contact_date__gte", models.F("surgery_date"))),
                        name="patient_surgery_not_after_last_contact",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("death_date__gte", models.F("surgery_date"))),
                        name="patient_surgery_not_after_death",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("death_date__gte", models.F("consent_date"))),
                        name="patient_consent_not_after_death",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("death_date__gte", models.F("last_contact_date"))),
                        name="patient_last_contact_not_after_death",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("death_date__isnull", True),
                            models.Q(("vital_status", "dead"), ("vital_status__isnull", False)),
                            _connector="OR",
                        ),
                        name="patient_death_date_only_with_dead",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("sex__isnull", True),
                                models.Q(("missing__has_key", "sex"), _negated=True),
                                _connector="OR",
                            ),
                            models.Q(
                                ("consent_date__isnull", True),
                                models.Q(("missing__has_key", "consent_date"), _negated=True),
                                _connector="OR",
                            ),
                            models.Q(
                                ("primary_tumour__isnull", True),
                                models.Q(("missing__has_key", "primary_tumour"), _negated=True),
                                _connector="OR",
                            ),
                            models.Q(
                                ("lesion_levels__isnull", True),
                                models.Q(("missing__has_key", "lesion_levels"), _negated=True),
                                _connector="OR",
                            ),
                            models.Q(
                                ("procedure__isnull", True),
                                models.Q(("missing__has_key", "procedure"), _negated=True),
                                _connector="OR",
                            ),
                            models.Q(
                                ("surgery_date__isnull", True),
                                models.Q(("missing__has_key", "surgery_date"), _negated=True),
                                _connector="OR",
                            ),
                            models.Q(
                                ("operative_time_min__isnull", True),
                                models.Q(("missing__has_key", "operative_time_min"), _negated=True),
                                _connector="OR",
                            ),
                            models.Q(
                                ("blood_loss_ml__isnull", True),
                                models.Q(("missing__has_key", "blood_loss_ml"), _negated=True),
                                _connector="OR",
                            ),
                            models.Q(
                                ("tokuhashi_general_condition__isnull", True),
                                models.Q(("missing__has_key", "tokuhashi_general_condition"), _negated=True),
                                _connector="OR",
                            ),
                            models.Q(
                                ("tokuhashi_extraspinal_bone__isnull", True),
                                models.Q(("missing__has_key", "tokuhashi_extraspinal_bone"), _negated=True),
                                _connector="OR",
                            ),
                            models.Q(
                                ("tokuhashi_vertebral__isnull", True),
                                models.Q(("missing__has_key", "tokuhashi_vertebral"), _negated=True),
                                _connector="OR",
                            ),
                            models.Q(
                                ("tokuhashi_organs__isnull", True),
                                models.Q(("missing__has_key", "tokuhashi_organs"), _negated=True),
                                _connector="OR",
                            ),
                            models.Q(
                                ("tokuhashi_primary__isnull", True),
                                models.Q(("missing__has_key", "tokuhashi_primary"), _negated=True),
                                _connector="OR",
                            ),
                            models.Q(
                                ("tokuhashi_palsy__isnull", True),
                                models.Q(("missing__has_key", "tokuhashi_palsy"), _negated=True),
                                _connector="OR",
                            ),
                            models.Q(
                                ("sins_location__isnull", True),
                                models.Q(("missing__has_key", "sins_location"), _negated=True),
                                _connector="OR",
                            ),
                            models.Q(
                                ("sins_pain__isnull", True),
                                models.Q(("missing__has_key", "sins_pain"), _negated=True),
                                _connector="OR",
                            ),
                            models.Q(
                                ("sins_bone_lesion__isnull", True),
                                models.Q(("missing__has_key", "sins_bone_lesion"), _negated=True),
                                _connector="OR",
                            ),
                            models.Q(
                                ("sins_alignment__isnull", True),
                                models.Q(("missing__has_key", "sins_alignment"), _negated=True),
                                _connector="OR",
                            ),
                            models.Q(
                                ("sins_collapse__isnull", True),
                                models.Q(("missing__has_key", "sins_collapse"), _negated=True),
                                _connector="OR",
                            ),
                            models.Q(
                                ("sins_posterolateral__isnull", True),
                                models.Q(("missing__has_key", "sins_posterolateral"), _negated=True),
                                _connector="OR",
                            ),
                            models.Q(
                                ("last_contact_date__isnull", True),
                                models.Q(("missing__has_key", "last_contact_date"), _negated=True),
                                _connector="OR",
                            ),
                            models.Q(
                                ("vital_status__isnull", True),
                                models.Q(("missing__has_key", "vital_status"), _negated=True),
                                _connector="OR",
                            ),
                            models.Q(
                                ("death_date__isnull", True),
                                models.Q(("missing__has_key", "death_date"), _negated=True),
                                _connector="OR",
                            ),
                        ),
                        name="patient_value_or_reason",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("baseline_state", "draft"),
                            models.Q(
                                models.Q(("sex__isnull", False), ("missing__has_key", "sex"), _connector="OR"),
                                models.Q(
                                    ("consent_date__isnull", False),
                                    ("missing__has_key", "consent_date"),
                                    _connector="OR",
                                ),
                                models.Q(
                                    ("primary_tumour__isnull", False),
                                    ("missing__has_key", "primary_tumour"),
                                    _connector="OR",
                                ),
                                models.Q(
                                    ("lesion_levels__isnull", False),
                                    ("missing__has_key", "lesion_levels"),
                                    _connector="OR",
                                ),
                                models.Q(
                                    ("tokuhashi_general_condition__isnull", False),
                                    ("missing__has_key", "tokuhashi_general_condition"),
                                    _connector="OR",
                                ),
                                models.Q(
                                    ("tokuhashi_extraspinal_bone__isnull", False),
                                    ("missing__has_key", "tokuhashi_extraspinal_bone"),
                                    _connector="OR",
                                ),
                                models.Q(
                                    ("tokuhashi_vertebral__isnull", False),
                                    ("missing__has_key", "tokuhashi_vertebral"),
                                    _connector="OR",
                                ),
                                models.Q(
                                    ("tokuhashi_organs__isnull", False),
                                    ("missing__has_key", "tokuhashi_organs"),
                                    _connector="OR",
                                ),
                                models.Q(
                                    ("tokuhashi_primary__isnull", False),
                                    ("missing__has_key", "tokuhashi_primary"),
                                    _connector="OR",
                                ),
                                models.Q(
                                    ("tokuhashi_palsy__isnull", False),
                                    ("missing__has_key", "tokuhashi_palsy"),
                                    _connector="OR",
                                ),
                                models.Q(
                                    ("sins_location__isnull", False),
                                    ("missing__has_key", "sins_location"),
                                    _connector="OR",
                                ),
                                models.Q(
                                    ("sins_pain__isnull", False), ("missing__has_key", "sins_pain"), _connector="OR"
                                ),
                                models.Q(
                                    ("sins_bone_lesion__isnull", False),
                                    ("missing__has_key", "sins_bone_lesion"),
                                    _connector="OR",
                                ),
                                models.Q(
                                    ("sins_alignment__isnull", False),
                                    ("missing__has_key", "sins_alignment"),
                                    _connector="OR",
                                ),
                                models.Q(
                                    ("sins_collapse__isnull", False),
                                    ("missing__has_key", "sins_collapse"),
                                    _connector="OR",
                                ),
                                models.Q(
                                    ("sins_posterolateral__isnull", False),
                                    ("missing__has_key", "sins_posterolateral"),
                                    _connector="OR",
                                ),
                            ),
                            _connector="OR",
                        ),
                        name="patient_baseline_complete",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("surgery_state", "draft"),
                            models.Q(
                                models.Q(
                                    ("procedure__isnull", False), ("missing__has_key", "procedure"), _connector="OR"
                                ),
                                models.Q(
                                    ("surgery_date__isnull", False),
                                    ("missing__has_key", "surgery_date"),
                                    _connector="OR",
                                ),
                                models.Q(
                                    ("operative_time_min__isnull", False),
                                    ("missing__has_key", "operative_time_min"),
                                    _connector="OR",
                                ),
                                models.Q(
                                    ("blood_loss_ml__isnull", False),
                                    ("missing__has_key", "blood_loss_ml"),
                                    _connector="OR",
                                ),
                            ),
                            _connector="OR",
                        ),
                        name="patient_surgery_complete",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("cci_infarct__in", [0, 1])), name="patient_cci_infarct_accepted"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("cci_heart_failure__in", [0, 1])), name="patient_cci_heart_failure_accepted"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("cci_vascular__in", [0, 1])), name="patient_cci_vascular_accepted"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("cci_cerebrovascular__in", [0, 1])),
                        name="patient_cci_cerebrovascular_accepted",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("cci_dementia__in", [0, 1])), name="patient_cci_dementia_accepted"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("cci_pulmonary__in", [0, 1])), name="patient_cci_pulmonary_accepted"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("cci_connective__in", [0, 1])), name="patient_cci_connective_accepted"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("cci_ulcer__in", [0, 1])), name="patient_cci_ulcer_accepted"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("cci_liver__in", [0, 1, 3])), name="patient_cci_liver_accepted"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("cci_diabetes__in", [0, 1, 2])), name="patient_cci_diabetes_accepted"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("cci_hemiplegia__in", [0, 2])), name="patient_cci_hemiplegia_accepted"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("cci_renal__in", [0, 2])), name="patient_cci_renal_accepted"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("cci_aids__in", [0, 6])), name="patient_cci_aids_accepted"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("cci_tumour__in", [0, 2, 6])), name="patient_cci_tumour_accepted"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("cci_leukaemia__in", [0, 2])), name="patient_cci_leukaemia_accepted"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("cci_lymphoma__in", [0, 2])), name="patient_cci_lymphoma_accepted"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "primary_detail__in",
                                [
                                    "lung",
                                    "stomach",
                                    "oesophagus_pancreas",
                                    "liver",
                                    "gallbladder",
                                    "colon",
                                    "rectum",
                                    "kidney",
                                    "breast",
                                    "prostate",
                                    "thyroid",
                                    "myeloma_lymphoma",
                                    "uterus",
                                    "bladder",
                                    "melanoma",
                                    "sarcoma",
                                    "neuroendocrine",
                                    "unknown",
                                    "other",
                                ],
                            )
                        ),
                        name="patient_primary_detail_accepted",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("tomita_growth__in", [1, 2, 4])), name="patient_tomita_growth_accepted"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("visceral_treatability__in", [0, 2, 4])),
                        name="patient_visceral_treatability_accepted",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("visceral_spread__in", [0, 1, 2])), name="patient_visceral_spread_accepted"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("skeletal_metastases__in", [1, 2])),
                        name="patient_skeletal_metastases_accepted",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("hormone_dependent__in", [0, 1])), name="patient_hormone_dependent_accepted"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("targeted_drug__in", [0, 1])), name="patient_targeted_drug_accepted"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("katagiri_growth__in", [0, 2, 3])), name="patient_katagiri_growth_accepted"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("previous_chemotherapy__in", [0, 1])),
                        name="patient_previous_chemotherapy_accepted",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("walks_independently__in", [0, 1])),
                        name="patient_walks_independently_accepted",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("albumin_g_dl__gte", 0), ("albumin_g_dl__lte", 8)),
                        name="patient_albumin_g_dl_accepted",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("crp_mg_dl__gte", 0), ("crp_mg_dl__lte", 60)),
                        name="patient_crp_mg_dl_accepted",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("ldh_iu_l__gte", 1), ("ldh_iu_l__lte", 30000)),
                        name="patient_ldh_iu_l_accepted",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("platelets_1000_ul__gte", 1), ("platelets_1000_ul__lte", 3000)),
                        name="patient_platelets_1000_ul_accepted",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("calcium_mg_dl__gte", 1), ("calcium_mg_dl__lte", 25)),
                        name="patient_calcium_mg_dl_accepted",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("bilirubin_mg_dl__gte", 0), ("bilirubin_mg_dl__lte", 60)),
                        name="patient_bilirubin_mg_dl_accepted",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("local_recurrence__in", ["absent", "present"])),
                        name="patient_local_recurrence_accepted",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("local_recurrence_date__gte", "1900-01-01")),
                        name="patient_local_recurrence_date_accepted",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("rt_before__in", ["none", "conventional", "stereotactic"])),
                        name="patient_rt_before_accepted",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("rt_before_date__gte", "1900-01-01")),
                        name="patient_rt_before_date_accepted",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("rt_before_dose_gy__gte", 0), ("rt_before_dose_gy__lte", 150)),
                        name="patient_rt_before_dose_gy_accepted",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("rt_before_fractions__gte", 1), ("rt_before_fractions__lte", 60)),
                        name="patient_rt_before_fractions_accepted",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("rt_after__in", ["none", "conventional", "stereotactic"])),
                        name="patient_rt_after_accepted",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("rt_after_date__gte", "1900-01-01")), name="patient_rt_after_date_accepted"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("rt_after_dose_gy__gte", 0), ("rt_after_dose_gy__lte", 150)),
                        name="patient_rt_after_dose_gy_accepted",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("rt_after_fractions__gte", 1), ("rt_after_fractions__lte", 60)),
                        name="patient_rt_after_fractions_accepted",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("local_recurrence_date__isnull", True),
                            models.Q(("local_recurrence", "present"), ("local_recurrence__isnull", False)),
                            _connector="OR",
                        ),
                        name="patient_recurrence_date_only_with_recurrence",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("local_recurrence_date__gte", models.F("surgery_date"))),
                        name="patient_surgery_not_after_recurrence",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("death_date__gte", models.F("local_recurrence_date"))),
                        name="patient_recurrence_not_after_death",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("surgery_date__gte", models.F("rt_before_date"))),
                        name="patient_radiotherapy_before_surgery",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("rt_after_date__gte", models.F("surgery_date"))),
                        name="patient_radiotherapy_after_surgery",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("cci_infarct__isnull", True),
                                models.Q(("missing__has_key", "cci_infarct"), _negated=True),
                                _connector="OR",
                            ),
                            models.Q(
                                ("cci_heart_failure__isnull", True),
                                models.Q(("missing__has_key", "cci_heart_failure"), _negated=True),
                                _connector="OR",
                            ),
                            models.Q(
                                ("cci_vascular__isnull", True),
                                models.Q(("missing__has_key", "cci_vascular"), _negated=True),
                                _connector="OR",
                            ),
                            models.Q(
                                ("cci_cerebrovascular__isnull", True),
                                models.Q(("missing__has_key", "cci_cerebrovascular"), _negated=True),
                                _connector="OR",
                            ),
                            models.Q(
                                ("cci_dementia__isnull", True),
                                models.Q(("missing__has_key", "cci_dementia"), _negated=True),
                                _connector="OR",
                            ),
                            models.Q(
                                ("cci_pulmonary__isnull", True),
                                models.Q(("missing__has_key", "cci_pulmonary"), _negated=True),
                                _connector="OR",
                            ),
                            models.Q(
                                ("cci_connective__isnull", True),
                                models.Q(("missing__has_key", "cci_connective"), _negated=True),
                                _connector="OR",
                            ),
                            models.Q(
                                ("cci_ulcer__isnull", True),
                                models.Q(("missing__has_key", "cci_ulcer"), _negated=True),
                                _connector="OR",
                            ),
                            models.Q(
                                ("cci_liver__isnull", True),
                                models.Q(("missing__has_key", "cci_liver"), _negated=True),
                                _connector="OR",
                            ),
                            models.Q(
                                ("cci_diabetes__isnull", True),
                                models.Q(("missing__has_key", "cci_diabetes"), _negated=True),
                                _connector="OR",
                            ),
                            models.Q(
                                ("cci_hemiplegia__isnull", True),
                                models.Q(("missing__has_key", "cci_hemiplegia"), _negated=True),
                                _connector="OR",
                            ),
                            models.Q(
                                ("cci_renal__isnull", True),
                                models.Q(("missing__has_key", "cci_renal"), _negated=True),
                                _connector="OR",
                            ),
                            models.Q(
                                ("cci_aids__isnull", True),
                                models.Q(("missing__has_key", "cci_aids"), _negated=True),
                                _connector="OR",
                            ),
                            models.Q(
                                ("cci_tumour__isnull", True),
                                models.Q(("missing__has_key", "cci_tumour"), _negated=True),
                                _connector="OR",
                            ),
                            models.Q(
                                ("cci_leukaemia__isnull", True),
                                models.Q(("missing__has_key", "cci_leukaemia"), _negated=True),
                                _connector="OR",
                            ),
                            models.Q(
                                ("cci_lymphoma__isnull", True),
                                models.Q(("missing__has_key", "cci_lymphoma"), _negated=True),
                                _connector="OR",
                            ),
                            models.Q(
                                ("primary_detail__isnull", True),
                                models.Q(("missing__has_key", "primary_detail"), _negated=True),
                                _connector="OR",
                            ),
                            models.Q(
                                ("tomita_growth__isnull", True),
                                models.Q(("missing__has_key", "tomita_growth"), _negated=True),
                                _connector="OR",
                            ),
                            models.Q(
                                ("visceral_treatability__isnull", True),
                                models.Q(("missing__has_key", "visceral_treatability"), _negated=True),
                                _connector="OR",
                            ),
                            models.Q(
                                ("visceral_spread__isnull", True),
                                models.Q(("missing__has_key", "visceral_spread"), _negated=True),
                                _connector="OR",
                            ),
                            models.Q(
                                ("skeletal_metastases__isnull", True),
                                models.Q(("missing__has_key", "skeletal_metastases"), _negated=True),
                                _connector="OR",
                            ),
                            models.Q(
                                ("hormone_dependent__isnull", True),
                                models.Q(("missing__has_key", "hormone_dependent"), _negated=True),
                                _connector="OR",
                            ),
                            models.Q(
                                ("targeted_drug__isnull", True),
                                models.Q(("missing__has_key", "targeted_drug"), _negated=True),
                                _connector="OR",
                            ),
                            models.Q(
                                ("katagiri_growth__isnull", True),
                                models.Q(("missing__has_key", "katagiri_growth"), _negated=True),
                                _connector="OR",
                            ),
                            models.Q(
                                ("previous_chemotherapy__isnull", True),
                                models.Q(("missing__has_key", "previous_chemotherapy"), _negated=True),
                                _connector="OR",
                            ),
                            models.Q(
                                ("walks_independently__isnull", True),
                                models.Q(("missing__has_key", "walks_independently"), _negated=True),
                                _connector="OR",
                            ),
                            models.Q(
                                ("albumin_g_dl__isnull", True),
                                models.Q(("missing__has_key", "albumin_g_dl"), _negated=True),
                                _connector="OR",
                            ),
                            models.Q(
                                ("crp_mg_dl__isnull", True),
                                models.Q(("missing__has_key", "crp_mg_dl"), _negated=True),
                                _connector="OR",
                            ),
                            models.Q(
                                ("ldh_iu_l__isnull", True),
                                models.Q(("missing__has_key", "ldh_iu_l"), _negated=True),
                                _connector="OR",
                            ),
                            models.Q(
                                ("platelets_1000_ul__isnull", True),
                                models.Q(("missing__has_key", "platelets_1000_ul"), _negated=True),
                                _connector="OR",
                            ),
                            models.Q(
                                ("calcium_mg_dl__isnull", True),
                                models.Q(("missing__has_key", "calcium_mg_dl"), _negated=True),
                                _connector="OR",
                            ),
                            models.Q(
                                ("bilirubin_mg_dl__isnull", True),
                                models.Q(("missing__has_key", "bilirubin_mg_dl"), _negated=True),
                                _connector="OR",
                            ),
                            models.Q(
                                ("local_recurrence__isnull", True),
                                models.Q(("missing__has_key", "local_recurrence"), _negated=True),
                                _connector="OR",
                            ),
                            models.Q(
                                ("local_recurrence_date__isnull", True),
                                models.Q(("missing__has_key", "local_recurrence_date"), _negated=True),
                                _connector="OR",
                            ),
                            models.Q(
                                ("rt_before__isnull", True),
                                models.Q(("missing__has_key", "rt_before"), _negated=True),
                                _connector="OR",
                            ),
                            models.Q(
                                ("rt_before_date__isnull", True),
                                models.Q(("missing__has_key", "rt_before_date"), _negated=True),
                                _connector="OR",
                            ),
                            models.Q(
                                ("rt_before_dose_gy__isnull", True),
                                models.Q(("missing__has_key", "rt_before_dose_gy"), _negated=True),
                                _connector="OR",
                            ),
                            models.Q(
                                ("rt_before_fractions__isnull", True),
                                models.Q(("missing__has_key", "rt_before_fractions"), _negated=True),
                                _connector="OR",
                            ),
                            models.Q(
                                ("rt_after__isnull", True),
                                models.Q(("missing__has_key", "rt_after"), _negated=True),
                                _connector="OR",
                            ),
                            models.Q(
                                ("rt_after_date__isnull", True),
                                models.Q(("missing__has_key", "rt_after_date"), _negated=True),
                                _connector="OR",
                            ),
                            models.Q(
                                ("rt_after_dose_gy__isnull", True),
                                models.Q(("missing__has_key", "rt_after_dose_gy"), _negated=True),
                                _connector="OR",
                            ),
                            models.Q(
                                ("rt_after_fractions__isnull", True),
                                models.Q(("missing__has_key", "rt_after_fractions"), _negated=True),
                                _connector="OR",
                            ),
                        ),
                        name="patient_extra_or_reason",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="PatientLink",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("timepoint", models.CharField(max_length=16, verbose_name="timepoint")),
                ("token_hash", models.CharField(max_length=64, unique=True)),
                (
                    "language",
                    models.CharField(
                        choices=[("en", "English"), ("ja", "Japanese")], max_length=5, verbose_name="language"
                    ),
                ),
                (
                    "respondent",
                    models.CharField(
                        choices=[
                            ("self", "the patient"),
                            ("proxy", "somebody else for the patient"),
                            ("interviewer", "the patient, asked by an interviewer"),
                        ],
                        default="self",
                        max_length=11,
                        verbose_name="who answers",
                    ),
                ),
                ("answers", models.JSONField(default=dict, verbose_name="answers")),
                ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("expires_at", models.DateTimeField()),
                ("opened_at", models.DateTimeField(null=True)),
                ("submitted_at", models.DateTimeField(null=True)),
                ("revoked_at", models.DateTimeField(null=True)),
                ("settled_at", models.DateTimeField(null=True)),
                ("refusal", models.CharField(blank=True, max_length=300, verbose_name="reason")),
                (
                    "created_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
                (
                    "patient",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="patient_links",
                        to="registry.patient",
                    ),
                ),
                (
                    "settled_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "site",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        to="study_sites.site",
                        verbose_name="site",
                    ),
                ),
            ],
            options={
                "verbose_name": "patient link",
                "verbose_name_plural": "patient links",
                "ordering": ["-pk"],
                "indexes": [models.Index(fields=["site", "patient", "timepoint"], name="patient_link_of_form")],
                "constraints": [],
            },
        ),
        migrations.CreateModel(
            name="SavedCohort",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=80)),
                ("version", models.PositiveIntegerField()),
                ("steps", models.JSONField()),
                ("note", models.TextField(blank=True)),
                ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                (
                    "created_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
            ],
            options={
                "verbose_name": "saved cohort",
                "verbose_name_plural": "saved cohorts",
                "ordering": ["name", "-version"],
                "constraints": [models.UniqueConstraint(fields=("name", "version"), name="saved_cohort_version_once")],
                "indexes": [],
            },
        ),
        migrations.CreateModel(
            name="ScheduleVersion",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("effective_from", models.DateField(verbose_name="for patients operated from")),
                ("note", models.CharField(blank=True, max_length=300, verbose_name="why")),
                (
                    "created_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), verbose_name="published"
                    ),
                ),
                (
                    "created_by",
                    models.ForeignKey(
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="published by",
                    ),
                ),
            ],
            options={
                "verbose_name": "version of the schedule",
                "verbose_name_plural": "versions of the schedule",
                "ordering": ["effective_from", "pk"],
                "indexes": [],
                "constraints": [],
            },
        ),
        migrations.CreateModel(
            name="Signature",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("signed_at", models.DateTimeField(verbose_name="signed")),
                ("name", models.CharField(max_length=120, verbose_name="name")),
                ("meaning", models.TextField(verbose_name="meaning")),
                ("forms", models.JSONField(verbose_name="forms")),
                ("acknowledged", models.JSONField(default=list, verbose_name="acknowledged queries")),
                ("sha256", models.CharField(max_length=64, verbose_name="SHA-256")),
                (
                    "patient",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="signatures",
                        to="registry.patient",
                    ),
                ),
                (
                    "signed_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="signed by",
                    ),
                ),
                (
                    "site",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        to="study_sites.site",
                        verbose_name="site",
                    ),
                ),
            ],
            options={
                "verbose_name": "signature",
                "verbose_name_plural": "signatures",
                "ordering": ["-signed_at", "-pk"],
                "indexes": [models.Index(fields=["site", "patient"], name="signature_by_patient")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("sha256__regex", "^[0-9a-f]{64}$")), name="signature_hash_shape"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Snapshot",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("label", models.CharField(max_length=80, unique=True, verbose_name="label")),
                ("note", models.TextField(blank=True, verbose_name="note")),
                ("hash", models.CharField(max_length=80)),
                ("rows", models.JSONField()),
                ("columns", models.JSONField()),
                ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                (
                    "created_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "verbose_name": "snapshot",
                "verbose_name_plural": "snapshots",
                "ordering": ["-created_at"],
                "indexes": [],
                "constraints": [],
            },
        ),
        migrations.CreateModel(
            name="SnapshotPart",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("table", models.CharField(max_length=20)),
                ("position", models.PositiveIntegerField()),
                ("hash", models.CharField(max_length=64)),
                ("data", models.BinaryField()),
                (
                    "site",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        to="study_sites.site",
                        verbose_name="site",
                    ),
                ),
                (
                    "snapshot",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="parts", to="registry.snapshot"
                    ),
                ),
            ],
            options={
                "verbose_name": "part of a snapshot",
                "verbose_name_plural": "parts of snapshots",
                "ordering": ["snapshot", "table", "site", "position"],
                "constraints": [
                    models.UniqueConstraint(fields=("snapshot", "table", "site", "position"), name="snapshot_part_once")
                ],
                "indexes": [],
            },
        ),
        migrations.CreateModel(
            name="Timepoint",
            fields=[
                ("code", models.CharField(max_length=8, primary_key=True, serialize=False, verbose_name="code")),
                ("label", models.CharField(max_length=40, verbose_name="label")),
                ("label_ja", models.CharField(max_length=40, verbose_name="Japanese label")),
                ("position", models.SmallIntegerField(verbose_name="position")),
            ],
            options={
                "verbose_name": "timepoint",
                "verbose_name_plural": "timepoints",
                "ordering": ["position", "code"],
                "indexes": [],
                "constraints": [],
            },
        ),
        migrations.CreateModel(
            name="Utility",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "assessment_id", "value_set", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("site_id", models.BigIntegerField()),
                ("assessment_id", models.BigIntegerField()),
                ("value_set", models.CharField(max_length=8)),
                ("eq5d_state", models.IntegerField()),
                ("hsuv", models.FloatField()),
            ],
            options={
                "verbose_name": "utility",
                "verbose_name_plural": "utilities",
                "indexes": [],
                "constraints": [],
            },
        ),
        migrations.CreateModel(
            name="AdverseEvent",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "missing",
                    models.JSONField(
                        db_default=models.Value({}, models.JSONField()),
                        default=dict,
                        verbose_name="reasons for missing values",
                    ),
                ),
                ("version", models.IntegerField(db_default=1, default=1, editable=False)),
                ("updated_at", models.DateTimeField(editable=False, null=True)),
                ("updated_by_id", models.BigIntegerField(editable=False, null=True)),
                ("kind", models.CharField(blank=True, max_length=29, null=True)),
                ("onset_date", models.DateField(blank=True, null=True)),
                ("clavien_dindo", models.CharField(blank=True, max_length=4, null=True)),
                ("detail", models.CharField(blank=True, max_length=500, null=True)),
                (
                    "site",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        to="study_sites.site",
                        verbose_name="site",
                    ),
                ),
                (
                    "patient",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="adverse_events",
                        to="registry.patient",
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("draft", "Draft"),
                            ("complete", "Complete"),
                            ("verified", "Verified"),
                            ("locked", "Signed"),
                        ],
                        db_default="complete",
                        default="complete",
                        max_length=8,
                        verbose_name="state",
                    ),
                ),
                (
                    "verified",
                    models.JSONField(
                        db_default=models.Value({}, models.JSONField()),
                        default=dict,
                        editable=False,
                        verbose_name="verified against source",
                    ),
                ),
            ],
            options={
                "verbose_name": "adverse event",
                "verbose_name_plural": "adverse events",
                "ordering": ["patient", "onset_date", "kind"],
                "indexes": [models.Index(fields=["site", "patient"], name="adverse_event_by_site")],
                "constraints": [
                    models.UniqueConstraint(fields=("patient", "kind", "onset_date"), name="adverse_event_once"),
                    models.CheckConstraint(
                        condition=models.Q(("kind__isnull", False), ("onset_date__isnull", False)),
                        name="adverse_event_named",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "kind__in",
                                [
                                    "surgical_site_infection",
                                    "wound_problem",
                                    "neurological_deterioration",
                                    "hematoma",
                                    "csf_leak",
                                    "cement_leakage",
                                    "hardware_failure",
                                    "deep_vein_thrombosis",
                                    "intermuscular_vein_thrombosis",
                                    "pulmonary_embolism",
                                    "pneumonia",
                                    "stress_ulcer",
                                    "adjacent_fracture",
                                    "radiation_fracture",
                                    "massive_bleeding",
                                    "other",
                                ],
                            )
                        ),
                        name="adverse_event_kind_accepted",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("onset_date__gte", "1900-01-01")), name="adverse_event_onset_date_accepted"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("clavien_dindo__in", ["I", "II", "IIIa", "IIIb", "IVa", "IVb", "V"])),
                        name="adverse_event_clavien_dindo_accepted",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("state__in", ["complete", "verified", "locked"])),
                        name="adverse_event_state_known",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Assessment",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "missing",
                    models.JSONField(
                        db_default=models.Value({}, models.JSONField()),
                        default=dict,
                        verbose_name="reasons for missing values",
                    ),
                ),
                ("version", models.IntegerField(db_default=1, default=1, editable=False)),
                ("updated_at", models.DateTimeField(editable=False, null=True)),
                ("updated_by_id", models.BigIntegerField(editable=False, null=True)),
                ("assessment_date", models.DateField(blank=True, null=True, verbose_name="date of assessment")),
                ("frankel", models.CharField(blank=True, max_length=1, null=True)),
                ("ecog_ps", models.SmallIntegerField(blank=True, null=True)),
                ("pain_vas_mm", models.SmallIntegerField(blank=True, null=True)),
                ("barthel_feeding", models.SmallIntegerField(blank=True, null=True)),
                ("barthel_bathing", models.SmallIntegerField(blank=True, null=True)),
                ("barthel_grooming", models.SmallIntegerField(blank=True, null=True)),
                ("barthel_dressing", models.SmallIntegerField(blank=True, null=True)),
                ("barthel_bowels", models.SmallIntegerField(blank=True, null=True)),
                ("barthel_bladder", models.SmallIntegerField(blank=True, null=True)),
                ("barthel_toilet", models.SmallIntegerField(blank=True, null=True)),
                ("barthel_transfer", models.SmallIntegerField(blank=True, null=True)),
                ("barthel_mobility", models.SmallIntegerField(blank=True, null=True)),
                ("barthel_stairs", models.SmallIntegerField(blank=True, null=True)),
                ("eq5d_mobility", models.SmallIntegerField(blank=True, null=True)),
                ("eq5d_self_care", models.SmallIntegerField(blank=True, null=True)),
                ("eq5d_usual_activities", models.SmallIntegerField(blank=True, null=True)),
                ("eq5d_pain_discomfort", models.SmallIntegerField(blank=True, null=True)),
                ("eq5d_anxiety_depression", models.SmallIntegerField(blank=True, null=True)),
                ("eq_vas", models.SmallIntegerField(blank=True, null=True)),
                (
                    "barthel_total",
                    models.GeneratedField(
                        db_persist=True,
                        expression=django.db.models.expressions.CombinedExpression(
                            django.db.models.expressions.CombinedExpression(
                                django.db.models.expressions.CombinedExpression(
                                    django.db.models.expressions.CombinedExpression(
                                        django.db.models.expressions.CombinedExpression(
                                            django.db.models.expressions.CombinedExpression(
                                                django.db.models.expressions.CombinedExpression(
                                                    django.db.models.expressions.CombinedExpression(
                                                        django.db.models.expressions.CombinedExpression(
                                                            models.F("barthel_feeding"),
                                                            "+",
                                                            models.F("barthel_bathing"),
                                                        ),
                                                        "+",
                                                        models.F("barthel_grooming"),
                                                    ),
                                                    "+",
                                                    models.F("barthel_dressing"),
                                                ),
                                                "+",
                                                models.F("barthel_bowels"),
                                            ),
                                            "+",
                                            models.F("barthel_bladder"),
                                        ),
                                        "+",
                                        models.F("barthel_toilet"),
                                    ),
                                    "+",
                                    models.F("barthel_transfer"),
                                ),
                                "+",
                                models.F("barthel_mobility"),
                            ),
                            "+",
                            models.F("barthel_stairs"),
                        ),
                        output_field=models.SmallIntegerField(null=True),
                    ),
                ),
                (
                    "eq5d_state",
                    models.GeneratedField(
                        db_persist=True,
                        expression=django.db.models.expressions.CombinedExpression(
                            django.db.models.expressions.CombinedExpression(
                                django.db.models.expressions.CombinedExpression(
                                    django.db.models.expressions.CombinedExpression(
                                        django.db.models.expressions.CombinedExpression(
                                            django.db.models.functions.comparison.Cast(
                                                models.F("eq5d_mobility"), models.IntegerField()
                                            ),
                                            "*",
                                            models.Value(10000),
                                        ),
                                        "+",
                                        django.db.models.expressions.CombinedExpression(
                                            django.db.models.functions.comparison.Cast(
                                                models.F("eq5d_self_care"), models.IntegerField()
                                            ),
                                            "*",
                                            models.Value(1000),
                                        ),
                                    ),
                                    "+",
                                    django.db.models.expressions.CombinedExpression(
                                        django.db.models.functions.comparison.Cast(
                                            models.F("eq5d_usual_activities"), models.IntegerField()
                                        ),
                                        "*",
                                        models.Value(100),
                                    ),
                                ),
                                "+",
                                django.db.models.expressions.CombinedExpression(
                                    django.db.models.functions.comparison.Cast(
                                        models.F("eq5d_pain_discomfort"), models.IntegerField()
                                    ),
                                    "*",
                                    models.Value(10),
                                ),
                            ),
                            "+",
                            django.db.models.expressions.CombinedExpression(
                                django.db.models.functions.comparison.Cast(
                                    models.F("eq5d_anxiety_depression"), models.IntegerField()
                                ),
                                "*",
                                models.Value(1),
                            ),
                        ),
                        output_field=models.IntegerField(null=True),
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("draft", "Draft"),
                            ("complete", "Complete"),
                            ("verified", "Verified"),
                            ("locked", "Signed"),
                        ],
                        db_default="draft",
                        default="draft",
                        max_length=8,
                        verbose_name="state",
                    ),
                ),
                (
                    "site",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        to="study_sites.site",
                        verbose_name="site",
                    ),
                ),
                (
                    "patient",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="assessments",
                        to="registry.patient",
                    ),
                ),
                (
                    "timepoint",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="assessments",
                        to="registry.timepoint",
                    ),
                ),
                (
                    "verified",
                    models.JSONField(
                        db_default=models.Value({}, models.JSONField()),
                        default=dict,
                        editable=False,
                        verbose_name="verified against source",
                    ),
                ),
                ("ais", models.CharField(blank=True, max_length=1, null=True)),
                ("cobb_deg", models.DecimalField(blank=True, decimal_places=1, max_digits=4, null=True)),
                ("cobb_lower", models.CharField(blank=True, max_length=3, null=True)),
                ("cobb_modality", models.CharField(blank=True, max_length=4, null=True)),
                ("cobb_posture", models.CharField(blank=True, max_length=8, null=True)),
                ("cobb_upper", models.CharField(blank=True, max_length=3, null=True)),
                ("escc", models.CharField(blank=True, max_length=2, null=True)),
                ("kps", models.SmallIntegerField(blank=True, null=True)),
                ("sosg_direction", models.CharField(blank=True, max_length=13, null=True)),
                ("sosg_mental", models.DecimalField(blank=True, decimal_places=1, max_digits=4, null=True)),
                ("sosg_neurological", models.DecimalField(blank=True, decimal_places=1, max_digits=4, null=True)),
                ("sosg_pain", models.DecimalField(blank=True, decimal_places=1, max_digits=4, null=True)),
                ("sosg_physical", models.DecimalField(blank=True, decimal_places=1, max_digits=4, null=True)),
                ("sosg_social", models.DecimalField(blank=True, decimal_places=1, max_digits=4, null=True)),
                ("sosg_total", models.DecimalField(blank=True, decimal_places=1, max_digits=4, null=True)),
                ("sosg_version", models.CharField(blank=True, max_length=2, null=True)),
                ("respondent", models.CharField(blank=True, max_length=11, null=True)),
            ],
            options={
                "verbose_name": "assessment",
                "verbose_name_plural": "assessments",
                "ordering": ["patient", "timepoint__position"],
                "indexes": [models.Index(fields=["site", "patient"], name="assessment_by_site")],
                "constraints": [
                    models.UniqueConstraint(fields=("patient", "timepoint"), name="assessment_once_a_timepoint"),
                    models.CheckConstraint(
                        condition=models.Q(("assessment_date__gte", "1900-01-01")), name="assessment_date_accepted"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("state__in", ["draft", "complete", "verified", "locked"])),
                        name="assessment_state_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("frankel__in", ["A", "B", "C", "D", "E"])),
                        name="assessment_frankel_accepted",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("ecog_ps__in", [0, 1, 2, 3, 4, 5])), name="assessment_ecog_ps_accepted"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("pain_vas_mm__gte", 0), ("pain_vas_mm__lte", 100)),
                        name="assessment_pain_vas_mm_accepted",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("barthel_feeding__in", [0, 5, 10])),
                        name="assessment_barthel_feeding_accepted",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("barthel_bathing__in", [0, 5])), name="assessment_barthel_bathing_accepted"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("barthel_grooming__in", [0, 5])),
                        name="assessment_barthel_grooming_accepted",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("barthel_dressing__in", [0, 5, 10])),
                        name="assessment_barthel_dressing_accepted",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("barthel_bowels__in", [0, 5, 10])),
                        name="assessment_barthel_bowels_accepted",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("barthel_bladder__in", [0, 5, 10])),
                        name="assessment_barthel_bladder_accepted",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("barthel_toilet__in", [0, 5, 10])),
                        name="assessment_barthel_toilet_accepted",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("barthel_transfer__in", [0, 5, 10, 15])),
                        name="assessment_barthel_transfer_accepted",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("barthel_mobility__in", [0, 5, 10, 15])),
                        name="assessment_barthel_mobility_accepted",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("barthel_stairs__in", [0, 5, 10])),
                        name="assessment_barthel_stairs_accepted",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("eq5d_mobility__in", [1, 2, 3, 4, 5])),
                        name="assessment_eq5d_mobility_accepted",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("eq5d_self_care__in", [1, 2, 3, 4, 5])),
                        name="assessment_eq5d_self_care_accepted",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("eq5d_usual_activities__in", [1, 2, 3, 4, 5])),
                        name="assessment_eq5d_usual_activities_accepted",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("eq5d_pain_discomfort__in", [1, 2, 3, 4, 5])),
                        name="assessment_eq5d_pain_discomfort_accepted",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("eq5d_anxiety_depression__in", [1, 2, 3, 4, 5])),
                        name="assessment_eq5d_anxiety_depression_accepted",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("eq_vas__gte", 0), ("eq_vas__lte", 100)), name="assessment_eq_vas_accepted"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("frankel__isnull", True),
                                models.Q(("missing__has_key", "frankel"), _negated=True),
                                _connector="OR",
                            ),
                            models.Q(
                                ("ecog_ps__isnull", True),
                                models.Q(("missing__has_key", "ecog_ps"), _negated=True),
                                _connector="OR",
                            ),
                            models.Q(
                                ("pain_vas_mm__isnull", True),
                                models.Q(("missing__has_key", "pain_vas_mm"), _negated=True),
                                _connector="OR",
                            ),
                            models.Q(
                                ("barthel_feeding__isnull", True),
                                models.Q(("missing__has_key", "barthel_feeding"), _negated=True),
                                _connector="OR",
                            ),
                            models.Q(
                                ("barthel_bathing__isnull", True),
                                models.Q(("missing__has_key", "barthel_bathing"), _negated=True),
                                _connector="OR",
                            ),
                            models.Q(
                                ("barthel_grooming__isnull", True),
                                models.Q(("missing__has_key", "barthel_grooming"), _negated=True),
                                _connector="OR",
                            ),
                            models.Q(
                                ("barthel_dressing__isnull", True),
                                models.Q(("missing__has_key", "barthel_dressing"), _negated=True),
                                _connector="OR",
                            ),
                            models.Q(
                                ("barthel_bowels__isnull", True),
                                models.Q(("missing__has_key", "barthel_bowels"), _negated=True),
                                _connector="OR",
                            ),
                            models.Q(
                                ("barthel_bladder__isnull", True),
                                models.Q(("missing__has_key", "barthel_bladder"), _negated=True),
                                _connector="OR",
                            ),
                            models.Q(
                                ("barthel_toilet__isnull", True),
                                models.Q(("missing__has_key", "barthel_toilet"), _negated=True),
                                _connector="OR",
                            ),
                            models.Q(
                                ("barthel_transfer__isnull", True),
                                models.Q(("missing__has_key", "barthel_transfer"), _negated=True),
                                _connector="OR",
                            ),
                            models.Q(
                                ("barthel_mobility__isnull", True),
                                models.Q(("missing__has_key", "barthel_mobility"), _negated=True),
                                _connector="OR",
                            ),
                            models.Q(
                                ("barthel_stairs__isnull", True),
                                models.Q(("missing__has_key", "barthel_stairs"), _negated=True),
                                _connector="OR",
                            ),
                            models.Q(
                                ("eq5d_mobility__isnull", True),
                                models.Q(("missing__has_key", "eq5d_mobility"), _negated=True),
                                _connector="OR",
                            ),
                            models.Q(
                                ("eq5d_self_care__isnull", True),
                                models.Q(("missing__has_key", "eq5d_self_care"), _negated=True),
                                _connector="OR",
                            ),
                            models.Q(
                                ("eq5d_usual_activities__isnull", True),
                                models.Q(("missing__has_key", "eq5d_usual_activities"), _negated=True),
                                _connector="OR",
                            ),
                            models.Q(
                                ("eq5d_pain_discomfort__isnull", True),
                                models.Q(("missing__has_key", "eq5d_pain_discomfort"), _negated=True),
                                _connector="OR",
                            ),
                            models.Q(
                                ("eq5d_anxiety_depression__isnull", True),
                                models.Q(("missing__has_key", "eq5d_anxiety_depression"), _negated=True),
                                _connector="OR",
                            ),
                            models.Q(
                                ("eq_vas__isnull", True),
                                models.Q(("missing__has_key", "eq_vas"), _negated=True),
                                _connector="OR",
                            ),
                        ),
                        name="assessment_value_or_reason",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("state", "draft"),
                            models.Q(
                                models.Q(("frankel__isnull", False), ("missing__has_key", "frankel"), _connector="OR"),
                                models.Q(("ecog_ps__isnull", False), ("missing__has_key", "ecog_ps"), _connector="OR"),
                                models.Q(
                                    ("pain_vas_mm__isnull", False), ("missing__has_key", "pain_vas_mm"), _connector="OR"
                                ),
                                models.Q(
                                    ("barthel_feeding__isnull", False),
                                    ("missing__has_key", "barthel_feeding"),
                                    _connector="OR",
                                ),
                                models.Q(
                                    ("barthel_bathing__isnull", False),
                                    ("missing__has_key", "barthel_bathing"),
                                    _connector="OR",
                                ),
                                models.Q(
                                    ("barthel_grooming__isnull", False),
                                    ("missing__has_key", "barthel_grooming"),
                                    _connector="OR",
                                ),
                                models.Q(
                                    ("barthel_dressing__isnull", False),
                                    ("missing__has_key", "barthel_dressing"),
                                    _connector="OR",
                                ),
                                models.Q(
                                    ("barthel_bowels__isnull", False),
                                    ("missing__has_key", "barthel_bowels"),
                                    _connector="OR",
                                ),
                                models.Q(
                                    ("barthel_bladder__isnull", False),
                                    ("missing__has_key", "barthel_bladder"),
                                    _connector="OR",
                                ),
                                models.Q(
                                    ("barthel_toilet__isnull", False),
                                    ("missing__has_key", "barthel_toilet"),
                                    _connector="OR",
                                ),
                                models.Q(
                                    ("barthel_transfer__isnull", False),
                                    ("missing__has_key", "barthel_transfer"),
                                    _connector="OR",
                                ),
                                models.Q(
                                    ("barthel_mobility__isnull", False),
                                    ("missing__has_key", "barthel_mobility"),
                                    _connector="OR",
                                ),
                                models.Q(
                                    ("barthel_stairs__isnull", False),
                                    ("missing__has_key", "barthel_stairs"),
                                    _connector="OR",
                                ),
                                models.Q(
                                    ("eq5d_mobility__isnull", False),
                                    ("missing__has_key", "eq5d_mobility"),
                                    _connector="OR",
                                ),
                                models.Q(
                                    ("eq5d_self_care__isnull", False),
                                    ("missing__has_key", "eq5d_self_care"),
                                    _connector="OR",
                                ),
                                models.Q(
                                    ("eq5d_usual_activities__isnull", False),
                                    ("missing__has_key", "eq5d_usual_activities"),
                                    _connector="OR",
                                ),
                                models.Q(
                                    ("eq5d_pain_discomfort__isnull", False),
                                    ("missing__has_key", "eq5d_pain_discomfort"),
                                    _connector="OR",
                                ),
                                models.Q(
                                    ("eq5d_anxiety_depression__isnull", False),
                                    ("missing__has_key", "eq5d_anxiety_depression"),
                                    _connector="OR",
                                ),
                                models.Q(("eq_vas__isnull", False), ("missing__has_key", "eq_vas"), _connector="OR"),
                            ),
                            _connector="OR",
                        ),
                        name="assessment_complete",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("kps__in", [100, 90, 80, 70, 60, 50, 40, 30, 20, 10, 0])),
                        name="assessment_kps_accepted",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("ais__in", ["A", "B", "C", "D", "E"])), name="assessment_ais_accepted"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("escc__in", ["0", "1a", "1b", "1c", "2", "3"])),
                        name="assessment_escc_accepted",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("cobb_deg__gte", -90), ("cobb_deg__lte", 120)),
                        name="assessment_cobb_deg_accepted",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "cobb_upper__in",
                                [
                                    "C1",
                                    "C2",
                                    "C3",
                                    "C4",
                                    "C5",
                                    "C6",
                                    "C7",
                                    "T1",
                                    "T2",
                                    "T3",
                                    "T4",
                                    "T5",
                                    "T6",
                                    "T7",
                                    "T8",
                                    "T9",
                                    "T10",
                                    "T11",
                                    "T12",
                                    "L1",
                                    "L2",
                                    "L3",
                                    "L4",
                                    "L5",
                                    "S",
                                ],
                            )
                        ),
                        name="assessment_cobb_upper_accepted",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "cobb_lower__in",
                                [
                                    "C1",
                                    "C2",
                                    "C3",
                                    "C4",
                                    "C5",
                                    "C6",
                                    "C7",
                                    "T1",
                                    "T2",
                                    "T3",
                                    "T4",
                                    "T5",
                                    "T6",
                                    "T7",
                                    "T8",
                                    "T9",
                                    "T10",
                                    "T11",
                                    "T12",
                                    "L1",
                                    "L2",
                                    "L3",
                                    "L4",
                                    "L5",
                                    "S",
                                ],
                            )
                        ),
                        name="assessment_cobb_lower_accepted",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("cobb_modality__in", ["xray", "ct", "mri"])),
                        name="assessment_cobb_modality_accepted",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("cobb_posture__in", ["standing", "supine"])),
                        name="assessment_cobb_posture_accepted",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("sosg_version__in", ["v1", "v2"])), name="assessment_sosg_version_accepted"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("sosg_direction__in", ["higher_better", "higher_worse"])),
                        name="assessment_sosg_direction_accepted",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("sosg_physical__gte", 0), ("sosg_physical__lte", 100)),
                        name="assessment_sosg_physical_accepted",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("sosg_pain__gte", 0), ("sosg_pain__lte", 100)),
                        name="assessment_sosg_pain_accepted",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("sosg_mental__gte", 0), ("sosg_mental__lte", 100)),
                        name="assessment_sosg_mental_accepted",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("sosg_social__gte", 0), ("sosg_social__lte", 100)),
                        name="assessment_sosg_social_accepted",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("sosg_neurological__gte", 0), ("sosg_neurological__lte", 100)),
                        name="assessment_sosg_neurological_accepted",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("sosg_total__gte", 0), ("sosg_total__lte", 100)),
                        name="assessment_sosg_total_accepted",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("respondent__in", ["self", "proxy", "interviewer"])),
                        name="assessment_respondent_accepted",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("respondent__isnull", True),
                                models.Q(("missing__has_key", "respondent"), _negated=True),
                                _connector="OR",
                            ),
                            models.Q(
                                ("kps__isnull", True),
                                models.Q(("missing__has_key", "kps"), _negated=True),
                                _connector="OR",
                            ),
                            models.Q(
                                ("ais__isnull", True),
                                models.Q(("missing__has_key", "ais"), _negated=True),
                                _connector="OR",
                            ),
                            models.Q(
                                ("escc__isnull", True),
                                models.Q(("missing__has_key", "escc"), _negated=True),
                                _connector="OR",
                            ),
                            models.Q(
                                ("cobb_deg__isnull", True),
                                models.Q(("missing__has_key", "cobb_deg"), _negated=True),
                                _connector="OR",
                            ),
                            models.Q(
                                ("cobb_upper__isnull", True),
                                models.Q(("missing__has_key", "cobb_upper"), _negated=True),
                                _connector="OR",
                            ),
                            models.Q(
                                ("cobb_lower__isnull", True),
                                models.Q(("missing__has_key", "cobb_lower"), _negated=True),
                                _connector="OR",
                            ),
                            models.Q(
                                ("cobb_modality__isnull", True),
                                models.Q(("missing__has_key", "cobb_modality"), _negated=True),
                                _connector="OR",
                            ),
                            models.Q(
                                ("cobb_posture__isnull", True),
                                models.Q(("missing__has_key", "cobb_posture"), _negated=True),
                                _connector="OR",
                            ),
                            models.Q(
                                ("sosg_version__isnull", True),
                                models.Q(("missing__has_key", "sosg_version"), _negated=True),
                                _connector="OR",
                            ),
                            models.Q(
                                ("sosg_direction__isnull", True),
                                models.Q(("missing__has_key", "sosg_direction"), _negated=True),
                                _connector="OR",
                            ),
                            models.Q(
                                ("sosg_physical__isnull", True),
                                models.Q(("missing__has_key", "sosg_physical"), _negated=True),
                                _connector="OR",
                            ),
                            models.Q(
                                ("sosg_pain__isnull", True),
                                models.Q(("missing__has_key", "sosg_pain"), _negated=True),
                                _connector="OR",
                            ),
                            models.Q(
                                ("sosg_mental__isnull", True),
                                models.Q(("missing__has_key", "sosg_mental"), _negated=True),
                                _connector="OR",
                            ),
                            models.Q(
                                ("sosg_social__isnull", True),
                                models.Q(("missing__has_key", "sosg_social"), _negated=True),
                                _connector="OR",
                            ),
                            models.Q(
                                ("sosg_neurological__isnull", True),
                                models.Q(("missing__has_key", "sosg_neurological"), _negated=True),
                                _connector="OR",
                            ),
                            models.Q(
                                ("sosg_total__isnull", True),
                                models.Q(("missing__has_key", "sosg_total"), _negated=True),
                                _connector="OR",
                            ),
                        ),
                        name="assessment_extra_or_reason",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="ComparisonRun",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("queued", "Queued"),
                            ("running", "Running"),
                            ("done", "Done"),
                            ("failed", "Failed"),
                            ("cancelled", "Cancelled"),
                        ],
                        default="queued",
                        max_length=9,
                    ),
                ),
                ("plan", models.JSONField()),
                ("cohort", models.JSONField()),
                ("requested_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("started_at", models.DateTimeField(null=True)),
                ("heartbeat_at", models.DateTimeField(null=True)),
                ("finished_at", models.DateTimeField(null=True)),
                ("attempts", models.PositiveSmallIntegerField(default=0)),
                ("progress", models.FloatField(default=0)),
                ("stage", models.CharField(blank=True, max_length=80)),
                ("cancel_requested", models.BooleanField(default=False)),
                ("error", models.TextField(blank=True)),
                ("result", models.JSONField(null=True)),
                ("snapshot", models.CharField(blank=True, max_length=80)),
                (
                    "requested_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("patients", models.JSONField(null=True)),
                (
                    "frozen",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="runs",
                        to="registry.snapshot",
                    ),
                ),
            ],
            options={
                "verbose_name": "comparison run",
                "verbose_name_plural": "comparison runs",
                "ordering": ["-requested_at"],
                "indexes": [],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("result__isnull", False), ("status", "done")),
                            models.Q(("status", "done"), _negated=True),
                            _connector="OR",
                        ),
                        name="comparison_run_done_has_result",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Draft",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("form", models.CharField(max_length=32, verbose_name="form")),
                ("typed", models.JSONField(verbose_name="as typed")),
                ("based_on", models.IntegerField(null=True)),
                (
                    "updated_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), verbose_name="last typed"
                    ),
                ),
                ("discarded_at", models.DateTimeField(null=True)),
                (
                    "patient",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="drafts",
                        to="registry.patient",
                    ),
                ),
                (
                    "person",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="drafts",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "site",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        to="study_sites.site",
                        verbose_name="site",
                    ),
                ),
            ],
            options={
                "verbose_name": "draft",
                "verbose_name_plural": "drafts",
                "ordering": ["-updated_at"],
                "constraints": [
                    models.UniqueConstraint(fields=("person", "patient", "form"), name="draft_once_a_form")
                ],
                "indexes": [],
            },
        ),
        migrations.CreateModel(
            name="FollowUpEnd",
            fields=[
                (
                    "patient",
                    models.OneToOneField(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="follow_up_end",
                        serialize=False,
                        to="registry.patient",
                    ),
                ),
                ("end_kind", models.CharField(blank=True, max_length=9, null=True)),
                ("end_date", models.DateField(blank=True, null=True)),
                ("end_reason", models.CharField(blank=True, max_length=11, null=True)),
                ("end_data_use", models.CharField(blank=True, max_length=4, null=True)),
                ("version", models.IntegerField(db_default=1, default=1, editable=False)),
                ("updated_at", models.DateTimeField(editable=False, null=True)),
                ("updated_by_id", models.BigIntegerField(editable=False, null=True)),
                (
                    "site",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        to="study_sites.site",
                        verbose_name="site",
                    ),
                ),
            ],
            options={
                "verbose_name": "end of follow-up",
                "verbose_name_plural": "ends of follow-up",
                "indexes": [],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("end_date__isnull", False), ("end_kind__isnull", False), ("end_reason__isnull", False)
                        ),
                        name="follow_up_end_named",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("end_data_use__isnull", False), ("end_kind", "withdrawn")),
                            models.Q(
                                models.Q(("end_kind", "withdrawn"), _negated=True), ("end_data_use__isnull", True)
                            ),
                            _connector="OR",
                        ),
                        name="follow_up_end_data_use",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("end_kind__in", ["withdrawn", "lost"])),
                        name="follow_up_end_end_kind_accepted",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("end_date__gte", "1900-01-01")), name="follow_up_end_end_date_accepted"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "end_reason__in",
                                [
                                    "burden",
                                    "health",
                                    "privacy",
                                    "moved",
                                    "elsewhere",
                                    "unreachable",
                                    "other",
                                    "not_given",
                                ],
                            )
                        ),
                        name="follow_up_end_end_reason_accepted",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("end_data_use__in", ["keep", "stop"])),
                        name="follow_up_end_end_data_use_accepted",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Identity",
            fields=[
                (
                    "patient",
                    models.OneToOneField(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="identity",
                        serialize=False,
                        to="registry.patient",
                    ),
                ),
                ("key", models.BinaryField()),
                ("birth_date", models.BinaryField(null=True)),
                ("hospital_number", models.BinaryField(null=True)),
                ("initials", models.BinaryField(null=True)),
                (
                    "site",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        to="study_sites.site",
                        verbose_name="site",
                    ),
                ),
            ],
            options={
                "verbose_name": "identity",
                "verbose_name_plural": "identities",
                "indexes": [],
                "constraints": [],
            },
        ),
        migrations.CreateModel(
            name="Query",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "form",
                    models.CharField(
                        choices=[
                            ("baseline", "Baseline"),
                            ("surgery", "Surgery"),
                            ("follow_up", "Follow-up"),
                            ("assessment", "Assessment"),
                            ("adverse_event", "Adverse event"),
                        ],
                        max_length=13,
                        verbose_name="form",
                    ),
                ),
                ("field", models.CharField(max_length=63, null=True, verbose_name="item")),
                ("rule", models.CharField(max_length=63, null=True, verbose_name="rule")),
                ("text", models.TextField(blank=True, verbose_name="question")),
                (
                    "state",
                    models.CharField(
                        choices=[("open", "Open"), ("answered", "Answered"), ("closed", "Closed")],
                        db_default="open",
                        default="open",
                        max_length=8,
                        verbose_name="state",
                    ),
                ),
                (
                    "seen",
                    models.JSONField(
                        db_default=models.Value({}, models.JSONField()),
                        default=dict,
                        verbose_name="answers in question",
                    ),
                ),
                ("mended", models.BooleanField(db_default=False, default=False, verbose_name="closed by the rule")),
                (
                    "raised_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), verbose_name="raised"),
                ),
                (
                    "changed_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), verbose_name="last message"
                    ),
                ),
                (
                    "event",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="registry.adverseevent",
                    ),
                ),
                (
                    "patient",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="queries",
                        to="registry.patient",
                    ),
                ),
                (
                    "raised_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="raised by",
                    ),
                ),
                (
                    "site",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        to="study_sites.site",
                        verbose_name="site",
                    ),
                ),
                (
                    "timepoint",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="registry.timepoint",
                    ),
                ),
            ],
            options={
                "verbose_name": "query",
                "verbose_name_plural": "queries",
                "ordering": ["-raised_at", "-pk"],
                "indexes": [
                    models.Index(fields=["site", "state", "-raised_at"], name="query_by_site"),
                    models.Index(fields=["patient"], name="query_by_patient"),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("state__in", ["open", "answered", "closed"])), name="query_state_known"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("form__in", ["baseline", "surgery", "follow_up", "assessment", "adverse_event"])
                        ),
                        name="query_form_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("form", "assessment"), ("timepoint__isnull", False)),
                            models.Q(models.Q(("form", "assessment"), _negated=True), ("timepoint", None)),
                            _connector="OR",
                        ),
                        name="query_timepoint_fits",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("event__isnull", False), ("form", "adverse_event")),
                            models.Q(models.Q(("form", "adverse_event"), _negated=True), ("event", None)),
                            _connector="OR",
                        ),
                        name="query_event_fits",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("rule__isnull", False), models.Q(("text", ""), _negated=True), _connector="OR"
                        ),
                        name="query_asks_something",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("rule__isnull", False)),
                        fields=("patient", "form", "timepoint", "event", "rule"),
                        name="query_once_a_rule",
                        nulls_distinct=False,
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="QueryMessage",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("raised", "Raised"),
                            ("confirmed", "Confirmed as right"),
                            ("answered", "Answered"),
                            ("reopened", "Opened again"),
                            ("closed", "Closed"),
                            ("mended", "Closed: the data were mended"),
                        ],
                        max_length=9,
                        verbose_name="step",
                    ),
                ),
                ("text", models.TextField(blank=True, verbose_name="text")),
                ("at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), verbose_name="at")),
                (
                    "by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="by",
                    ),
                ),
                (
                    "query",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="messages",
                        to="registry.query",
                    ),
                ),
                (
                    "site",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        to="study_sites.site",
                        verbose_name="site",
                    ),
                ),
            ],
            options={
                "verbose_name": "query message",
                "verbose_name_plural": "query messages",
                "ordering": ["pk"],
                "indexes": [models.Index(fields=["query"], name="query_message_by_query")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("kind__in", ["raised", "confirmed", "answered", "reopened", "closed", "mended"])
                        ),
                        name="query_message_kind_known",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="ScheduledVisit",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("target_day", models.SmallIntegerField(verbose_name="target day")),
                ("days_before", models.PositiveSmallIntegerField(verbose_name="days before")),
                ("days_after", models.PositiveSmallIntegerField(verbose_name="days after")),
                (
                    "timepoint",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="registry.timepoint",
                        verbose_name="timepoint",
                    ),
                ),
                (
                    "version",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="visits",
                        to="registry.scheduleversion",
                    ),
                ),
            ],
            options={
                "verbose_name": "planned visit",
                "verbose_name_plural": "planned visits",
                "ordering": ["version", "target_day"],
                "indexes": [],
                "constraints": [
                    models.UniqueConstraint(fields=("version", "timepoint"), name="scheduled_once_a_version")
                ],
            },
        ),
        # Made at once: the keys below refer to them.
        migrations.AddConstraint(
            "patient", models.UniqueConstraint(fields=("site", "patient_id"), name="patient_site_unique")
        ),
        migrations.AddConstraint("query", models.UniqueConstraint(fields=("site", "id"), name="query_site_unique")),
        *(migrations.RunSQL(KNOWN_REASONS.format(table), migrations.RunSQL.noop) for table in RECORDS),
        *(migrations.RunSQL(SAME_SITE.format(table, ""), migrations.RunSQL.noop) for table in CHILDREN),
        *(
            migrations.RunSQL(SAME_SITE.format(table, "ON DELETE CASCADE"), migrations.RunSQL.noop)
            for table in GO_ALONG
        ),
        migrations.RunSQL(OTHERS, migrations.RunSQL.noop),
        migrations.RunSQL(SCHEDULE, migrations.RunSQL.noop),
    ]
