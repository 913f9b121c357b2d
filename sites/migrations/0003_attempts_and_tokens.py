"""Attempts, what administrators were told of, and what an API token's owner was when it was issued."""

import django.utils.timezone
from django.db import migrations, models

# Nobody knows what the owners of earlier tokens were then, so that these end: they are issued anew.
END_EARLIER = "UPDATE study_sites_apitoken SET revoked_at = now() WHERE revoked_at IS NULL"


class Migration(migrations.Migration):
    dependencies = [
        ("study_sites", "0002_email_spelling"),
    ]

    operations = [
        migrations.CreateModel(
            name="Alert",
            fields=[
                ("kind", models.CharField(max_length=32, primary_key=True, serialize=False)),
                ("event_id", models.BigIntegerField(default=0)),
                ("told_at", models.DateTimeField(null=True)),
            ],
            options={
                "verbose_name": "alert",
                "verbose_name_plural": "alerts",
            },
        ),
        migrations.CreateModel(
            name="Attempt",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("kind", models.CharField(max_length=32)),
                ("subject", models.CharField(max_length=64)),
                ("guess", models.CharField(blank=True, max_length=64)),
                ("at", models.DateTimeField(default=django.utils.timezone.now)),
            ],
            options={
                "verbose_name": "attempt",
                "verbose_name_plural": "attempts",
                "indexes": [models.Index(fields=["kind", "subject", "at"], name="attempt_by_subject")],
            },
        ),
        migrations.RunSQL(END_EARLIER, migrations.RunSQL.noop),
        migrations.AddField(
            model_name="apitoken",
            name="memberships",
            field=models.JSONField(default=list),
        ),
        migrations.AddField(
            model_name="apitoken",
            name="owner_state",
            field=models.CharField(blank=True, max_length=64),
        ),
    ]
