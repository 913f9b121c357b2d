"""Drafts of forms: for their authors alone, and for the task that forgets old ones."""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models

from sites.protection import own_rows

# A patient's drafts go with the patient, whoever removes it: the key sees rows that the policies hide.
SAME_SITE = """
ALTER TABLE registry_draft ADD CONSTRAINT registry_draft_same_site FOREIGN KEY (site_id, patient_id)
    REFERENCES registry_patient (site_id, patient_id) ON UPDATE CASCADE ON DELETE CASCADE
    DEFERRABLE INITIALLY DEFERRED;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("registry", "0010_erasure"),
        ("study_sites", "0007_faster_loading"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
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
            },
        ),
        migrations.RunSQL(SAME_SITE, "ALTER TABLE registry_draft DROP CONSTRAINT registry_draft_same_site"),
        own_rows("registry_draft", owner="person_id"),
    ]
