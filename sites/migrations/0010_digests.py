"""Who wants the daily e-mail, and the day of which each person was told last."""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models

import sites.models


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
        migrations.AlterField(
            model_name="auditevent",
            name="action",
            field=models.CharField(max_length=32, verbose_name="what happened"),
        ),
        migrations.AlterField(
            model_name="auditevent",
            name="at",
            field=models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), verbose_name="when"),
        ),
        migrations.AlterField(
            model_name="auditevent",
            name="new",
            field=sites.models.ValuesField(null=True, verbose_name="after"),
        ),
        migrations.AlterField(
            model_name="auditevent",
            name="old",
            field=sites.models.ValuesField(null=True, verbose_name="before"),
        ),
        migrations.AlterField(
            model_name="auditevent",
            name="reason",
            field=models.TextField(blank=True, verbose_name="reason"),
        ),
        migrations.AlterField(
            model_name="auditevent",
            name="request_id",
            field=models.CharField(blank=True, max_length=32, verbose_name="request"),
        ),
        migrations.AlterField(
            model_name="auditevent",
            name="row_id",
            field=models.CharField(max_length=64, verbose_name="row"),
        ),
        migrations.AlterField(
            model_name="auditevent",
            name="table_name",
            field=models.CharField(max_length=63, verbose_name="table"),
        ),
        migrations.AlterField(
            model_name="auditevent",
            name="transaction_id",
            field=models.BigIntegerField(verbose_name="transaction"),
        ),
    ]
