"""Choices of exports under a name."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("registry", "0019_sites_of_imports"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="ExportPreset",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=80, verbose_name="name")),
                ("choices", models.JSONField()),
                ("shared", models.BooleanField(default=False, verbose_name="for everybody")),
                ("updated_at", models.DateTimeField(auto_now=True)),
                (
                    "created_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
            ],
            options={
                "verbose_name": "export preset",
                "verbose_name_plural": "export presets",
                "ordering": ["name", "pk"],
            },
        ),
        migrations.AddConstraint(
            model_name="exportpreset",
            constraint=models.UniqueConstraint(fields=("created_by", "name"), name="export_preset_once"),
        ),
        migrations.AddConstraint(
            model_name="exportpreset",
            constraint=models.UniqueConstraint(
                condition=models.Q(("shared", True)), fields=("name",), name="shared_preset_once"
            ),
        ),
    ]
