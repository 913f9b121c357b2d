import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models

# As with other tables of a patient's: the rows go with the patient.
SAME_SITE = """
ALTER TABLE registry_{table} ADD CONSTRAINT registry_{table}_same_site FOREIGN KEY (site_id, patient_id)
    REFERENCES registry_patient (site_id, patient_id) ON UPDATE CASCADE ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED;
"""
TABLES = ("consent", "consentwithdrawal", "attachment")


class Migration(migrations.Migration):
    dependencies = [
        ("registry", "0014_screening"),
        ("study_sites", "0004_audit_indexes"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="StudyLogo",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("digest", models.CharField(max_length=64, unique=True, verbose_name="SHA-256")),
                ("content", models.BinaryField(verbose_name="content")),
                (
                    "added_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), verbose_name="added"),
                ),
            ],
            options={
                "verbose_name": "logo",
                "verbose_name_plural": "logos",
                "ordering": ["pk"],
                "constraints": [
                    models.CheckConstraint(condition=models.Q(("digest__regex", "^[0-9a-f]{64}$")), name="logo_digest")
                ],
            },
        ),
        migrations.CreateModel(
            name="Attachment",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("form", models.CharField(max_length=20, verbose_name="form")),
                ("record", models.CharField(blank=True, max_length=40, verbose_name="record")),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("consent", "Signed page of the consent"),
                            ("report", "Report"),
                            ("image", "Picture"),
                            ("other", "Other"),
                        ],
                        max_length=7,
                        verbose_name="kind",
                    ),
                ),
                ("name", models.BinaryField(verbose_name="name")),
                ("media_type", models.CharField(max_length=40, verbose_name="type")),
                ("size", models.IntegerField(verbose_name="size")),
                ("content", models.BinaryField(null=True, verbose_name="content")),
                (
                    "added_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), verbose_name="added"),
                ),
                ("removed_at", models.DateTimeField(null=True, verbose_name="removed")),
                ("removed_reason", models.CharField(blank=True, max_length=300, verbose_name="reason for removing it")),
                ("in_error", models.BigIntegerField(editable=False, null=True, verbose_name="entered in error")),
                (
                    "added_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="added by",
                    ),
                ),
                (
                    "patient",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="attachments",
                        to="registry.patient",
                    ),
                ),
                (
                    "removed_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="removed by",
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
                "verbose_name": "attachment",
                "verbose_name_plural": "attachments",
                "ordering": ["pk"],
                "indexes": [models.Index(fields=["site", "patient"], name="attachment_by_patient")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("content__isnull", False), ("removed_at", None), ("removed_reason", "")),
                            models.Q(
                                ("content", None),
                                ("removed_at__isnull", False),
                                models.Q(("removed_reason", ""), _negated=True),
                            ),
                            _connector="OR",
                        ),
                        name="attachment_removed_for_a_reason",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("size__gt", 0), ("size__lte", 10485760)), name="attachment_size"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("media_type__in", ["application/pdf", "image/png", "image/jpeg"])),
                        name="attachment_type",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("kind__in", ["consent", "report", "image", "other"])),
                        name="attachment_kind_known",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Consent",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("agreed_version", models.CharField(blank=True, max_length=20, null=True)),
                ("agreed_on", models.DateField(blank=True, null=True)),
                ("agreed_language", models.CharField(blank=True, max_length=5, null=True)),
                ("agreed_taken_by", models.CharField(blank=True, max_length=100, null=True)),
                ("version", models.IntegerField(db_default=1, default=1, editable=False)),
                ("updated_at", models.DateTimeField(editable=False, null=True)),
                ("updated_by_id", models.BigIntegerField(editable=False, null=True)),
                ("in_error", models.BigIntegerField(editable=False, null=True, verbose_name="entered in error")),
                (
                    "patient",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="consents",
                        to="registry.patient",
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
                "verbose_name": "consent",
                "verbose_name_plural": "consents",
                "ordering": ["agreed_on", "pk"],
                "indexes": [models.Index(fields=["site", "patient"], name="consent_by_patient")],
                "constraints": [
                    models.UniqueConstraint(fields=("patient", "agreed_version"), name="consent_once_a_version"),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("agreed_language__isnull", False),
                            ("agreed_on__isnull", False),
                            ("agreed_taken_by__isnull", False),
                            ("agreed_version__isnull", False),
                        ),
                        name="consent_whole",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("agreed_on__gte", "1900-01-01")), name="consent_agreed_on_accepted"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("agreed_language__in", ["ja", "en", "other"])),
                        name="consent_agreed_language_accepted",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="ConsentWithdrawal",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("withdrawn_part", models.CharField(blank=True, max_length=8, null=True)),
                ("withdrawn_on", models.DateField(blank=True, null=True)),
                (
                    "recorded_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), verbose_name="recorded"),
                ),
                ("corrected_at", models.DateTimeField(null=True, verbose_name="corrected")),
                (
                    "correction",
                    models.CharField(blank=True, max_length=300, verbose_name="why it was recorded wrongly"),
                ),
                ("in_error", models.BigIntegerField(editable=False, null=True, verbose_name="entered in error")),
                (
                    "corrected_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="corrected by",
                    ),
                ),
                (
                    "patient",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="consent_withdrawals",
                        to="registry.patient",
                    ),
                ),
                (
                    "recorded_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="recorded by",
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
                "verbose_name": "withdrawal of a part of the consent",
                "verbose_name_plural": "withdrawals of parts of consents",
                "ordering": ["pk"],
                "indexes": [models.Index(fields=["site", "patient"], name="withdrawal_by_patient")],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("corrected_at", None)),
                        fields=("patient", "withdrawn_part"),
                        name="withdrawal_once",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("withdrawn_on__isnull", False), ("withdrawn_part__isnull", False)),
                        name="withdrawal_whole",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("corrected_at", None), ("correction", "")),
                            models.Q(("corrected_at__isnull", False), models.Q(("correction", ""), _negated=True)),
                            _connector="OR",
                        ),
                        name="withdrawal_corrected_for_a_reason",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("withdrawn_part__in", ["contact", "data_use"])),
                        name="withdrawal_withdrawn_part_accepted",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("withdrawn_on__gte", "1900-01-01")), name="withdrawal_withdrawn_on_accepted"
                    ),
                ],
            },
        ),
        *(migrations.RunSQL(SAME_SITE.format(table=table), migrations.RunSQL.noop) for table in TABLES),
    ]
