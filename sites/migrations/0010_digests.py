"""Who wants the daily e-mail, and the day of which each person was told last."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("study_sites", "0007_faster_loading"),
    ]

    operations = [
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
            },
        ),
        migrations.AddField(
            model_name="user",
            name="digest",
            field=models.BooleanField(
                default=True,
                help_text="What waits for the person, in numbers; never on an empty day.",
                verbose_name="daily e-mail",
            ),
        ),
    ]
