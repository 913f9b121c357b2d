"""The study's protocol as data: its versions, own instruments, repeating records, and by which version a form was asked."""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("registry", "0005_keyed_signatures"),
        ("study_sites", "0003_attempts_and_tokens"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="OwnColumn",
            fields=[
                ("name", models.CharField(max_length=24, primary_key=True, serialize=False)),
                ("table_name", models.CharField(max_length=40)),
                ("kind", models.CharField(max_length=12)),
                ("form", models.CharField(max_length=20)),
            ],
            options={
                "verbose_name": "column of an own item",
                "verbose_name_plural": "columns of own items",
                "ordering": ["table_name", "name"],
            },
        ),
        migrations.CreateModel(
            name="OwnInstrument",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("code", models.CharField(max_length=20, verbose_name="code")),
                ("version", models.PositiveSmallIntegerField(default=1, verbose_name="version")),
                ("document", models.JSONField(verbose_name="declaration")),
                ("is_draft", models.BooleanField(default=True, verbose_name="draft")),
                ("changed_at", models.DateTimeField(auto_now=True, verbose_name="changed")),
            ],
            options={
                "verbose_name": "own instrument",
                "verbose_name_plural": "own instruments",
                "ordering": ["code", "version"],
            },
        ),
        migrations.CreateModel(
            name="OwnRecord",
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
                (
                    "verified",
                    models.JSONField(
                        db_default=models.Value({}, models.JSONField()),
                        default=dict,
                        editable=False,
                        verbose_name="verified against source",
                    ),
                ),
                ("version", models.IntegerField(db_default=1, default=1, editable=False)),
                ("updated_at", models.DateTimeField(editable=False, null=True)),
                ("updated_by_id", models.BigIntegerField(editable=False, null=True)),
                ("form", models.CharField(max_length=20, verbose_name="form")),
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
                ("asked_by", models.IntegerField(editable=False, null=True, verbose_name="version of the protocol")),
            ],
            options={
                "verbose_name": "own record",
                "verbose_name_plural": "own records",
                "ordering": ["patient", "form", "pk"],
            },
        ),
        migrations.CreateModel(
            name="ProtocolVersion",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("document", models.JSONField(verbose_name="protocol")),
                ("asked", models.JSONField(default=dict, verbose_name="asked")),
                ("note", models.CharField(max_length=300, verbose_name="what changed and why")),
                (
                    "created_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), verbose_name="published"
                    ),
                ),
            ],
            options={
                "verbose_name": "version of the protocol",
                "verbose_name_plural": "versions of the protocol",
                "ordering": ["pk"],
            },
        ),
        migrations.RemoveConstraint(
            model_name="assessment",
            name="assessment_complete",
        ),
        migrations.RemoveConstraint(
            model_name="patient",
            name="patient_baseline_complete",
        ),
        migrations.RemoveConstraint(
            model_name="patient",
            name="patient_surgery_complete",
        ),
        migrations.AddField(
            model_name="assessment",
            name="asked_by",
            field=models.IntegerField(editable=False, null=True, verbose_name="version of the protocol"),
        ),
        migrations.AddField(
            model_name="patient",
            name="baseline_asked_by",
            field=models.IntegerField(editable=False, null=True, verbose_name="version of the protocol"),
        ),
        migrations.AddField(
            model_name="patient",
            name="surgery_asked_by",
            field=models.IntegerField(editable=False, null=True, verbose_name="version of the protocol"),
        ),
        migrations.AddConstraint(
            model_name="assessment",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("state", "draft"),
                    ("asked_by__isnull", False),
                    models.Q(
                        models.Q(("frankel__isnull", False), ("missing__has_key", "frankel"), _connector="OR"),
                        models.Q(("ecog_ps__isnull", False), ("missing__has_key", "ecog_ps"), _connector="OR"),
                        models.Q(("pain_vas_mm__isnull", False), ("missing__has_key", "pain_vas_mm"), _connector="OR"),
                        models.Q(
                            ("barthel_feeding__isnull", False), ("missing__has_key", "barthel_feeding"), _connector="OR"
                        ),
                        models.Q(
                            ("barthel_bathing__isnull", False), ("missing__has_key", "barthel_bathing"), _connector="OR"
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
                            ("barthel_bowels__isnull", False), ("missing__has_key", "barthel_bowels"), _connector="OR"
                        ),
                        models.Q(
                            ("barthel_bladder__isnull", False), ("missing__has_key", "barthel_bladder"), _connector="OR"
                        ),
                        models.Q(
                            ("barthel_toilet__isnull", False), ("missing__has_key", "barthel_toilet"), _connector="OR"
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
                            ("barthel_stairs__isnull", False), ("missing__has_key", "barthel_stairs"), _connector="OR"
                        ),
                        models.Q(
                            ("eq5d_mobility__isnull", False), ("missing__has_key", "eq5d_mobility"), _connector="OR"
                        ),
                        models.Q(
                            ("eq5d_self_care__isnull", False), ("missing__has_key", "eq5d_self_care"), _connector="OR"
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
        ),
        migrations.AddConstraint(
            model_name="patient",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("baseline_state", "draft"),
                    ("baseline_asked_by__isnull", False),
                    models.Q(
                        models.Q(("sex__isnull", False), ("missing__has_key", "sex"), _connector="OR"),
                        models.Q(
                            ("consent_date__isnull", False), ("missing__has_key", "consent_date"), _connector="OR"
                        ),
                        models.Q(
                            ("primary_tumour__isnull", False), ("missing__has_key", "primary_tumour"), _connector="OR"
                        ),
                        models.Q(
                            ("lesion_levels__isnull", False), ("missing__has_key", "lesion_levels"), _connector="OR"
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
                            ("tokuhashi_palsy__isnull", False), ("missing__has_key", "tokuhashi_palsy"), _connector="OR"
                        ),
                        models.Q(
                            ("sins_location__isnull", False), ("missing__has_key", "sins_location"), _connector="OR"
                        ),
                        models.Q(("sins_pain__isnull", False), ("missing__has_key", "sins_pain"), _connector="OR"),
                        models.Q(
                            ("sins_bone_lesion__isnull", False),
                            ("missing__has_key", "sins_bone_lesion"),
                            _connector="OR",
                        ),
                        models.Q(
                            ("sins_alignment__isnull", False), ("missing__has_key", "sins_alignment"), _connector="OR"
                        ),
                        models.Q(
                            ("sins_collapse__isnull", False), ("missing__has_key", "sins_collapse"), _connector="OR"
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
        ),
        migrations.AddConstraint(
            model_name="patient",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("surgery_state", "draft"),
                    ("surgery_asked_by__isnull", False),
                    models.Q(
                        models.Q(("procedure__isnull", False), ("missing__has_key", "procedure"), _connector="OR"),
                        models.Q(
                            ("surgery_date__isnull", False), ("missing__has_key", "surgery_date"), _connector="OR"
                        ),
                        models.Q(
                            ("operative_time_min__isnull", False),
                            ("missing__has_key", "operative_time_min"),
                            _connector="OR",
                        ),
                        models.Q(
                            ("blood_loss_ml__isnull", False), ("missing__has_key", "blood_loss_ml"), _connector="OR"
                        ),
                    ),
                    _connector="OR",
                ),
                name="patient_surgery_complete",
            ),
        ),
        migrations.AddField(
            model_name="owninstrument",
            name="changed_by",
            field=models.ForeignKey(
                db_constraint=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
                verbose_name="changed by",
            ),
        ),
        migrations.AddField(
            model_name="ownrecord",
            name="patient",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="own_records",
                to="registry.patient",
            ),
        ),
        migrations.AddField(
            model_name="ownrecord",
            name="site",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                to="study_sites.site",
                verbose_name="site",
            ),
        ),
        migrations.AddField(
            model_name="protocolversion",
            name="created_by",
            field=models.ForeignKey(
                db_constraint=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
                verbose_name="published by",
            ),
        ),
        migrations.AddConstraint(
            model_name="owninstrument",
            constraint=models.UniqueConstraint(fields=("code", "version"), name="own_instrument_version_once"),
        ),
        migrations.AddConstraint(
            model_name="owninstrument",
            constraint=models.UniqueConstraint(
                condition=models.Q(("is_draft", True)), fields=("code",), name="own_instrument_one_draft"
            ),
        ),
        migrations.AddIndex(
            model_name="ownrecord",
            index=models.Index(fields=["site", "patient"], name="own_record_by_site"),
        ),
        migrations.AddConstraint(
            model_name="ownrecord",
            constraint=models.CheckConstraint(
                condition=models.Q(("state__in", ["draft", "complete", "verified", "locked"])),
                name="own_record_state_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="ownrecord",
            constraint=models.CheckConstraint(
                condition=models.Q(("form__regex", "^[a-z][a-z0-9_]{0,19}$")), name="own_record_form_shape"
            ),
        ),
        # A record's site is its patient's, and moves along with it; reasons for missing values are known ones.
        migrations.RunSQL(
            """
            ALTER TABLE registry_ownrecord ADD CONSTRAINT registry_ownrecord_same_site FOREIGN KEY (site_id, patient_id)
                REFERENCES registry_patient (site_id, patient_id) ON UPDATE CASCADE DEFERRABLE INITIALLY DEFERRED;
            ALTER TABLE registry_ownrecord ADD CONSTRAINT registry_ownrecord_reasons_known CHECK (
                jsonb_typeof(missing) = 'object' AND NOT jsonb_path_exists(missing,
                '$.* ? (!(@ == "not_applicable" || @ == "not_done" || @ == "unknown" || @ == "refused" || @ == "too_ill" || @ == "dead"))'));
            """,
            """
            ALTER TABLE registry_ownrecord DROP CONSTRAINT registry_ownrecord_reasons_known;
            ALTER TABLE registry_ownrecord DROP CONSTRAINT registry_ownrecord_same_site;
            """,
        ),
    ]
