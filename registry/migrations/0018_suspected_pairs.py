"""Questions to the data manager: records of two sites that may be one patient."""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("registry", "0017_merges_and_transfers"),
        ("study_sites", "0006_languages"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="SuspectedPair",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("first", models.CharField(db_collation="C", max_length=40, verbose_name="first record")),
                ("second", models.CharField(db_collation="C", max_length=40, verbose_name="second record")),
                (
                    "state",
                    models.CharField(
                        choices=[("open", "Open"), ("two", "Two patients"), ("one", "One patient")],
                        default="open",
                        max_length=4,
                        verbose_name="state",
                    ),
                ),
                ("reason", models.CharField(blank=True, max_length=300, verbose_name="reason")),
                (
                    "found_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), verbose_name="found"),
                ),
                ("decided_at", models.DateTimeField(null=True, verbose_name="decided")),
                (
                    "decided_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="decided by",
                    ),
                ),
                (
                    "first_site",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="study_sites.site",
                        verbose_name="first site",
                    ),
                ),
                (
                    "second_site",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="study_sites.site",
                        verbose_name="second site",
                    ),
                ),
            ],
            options={
                "verbose_name": "suspected pair",
                "verbose_name_plural": "suspected pairs",
                "ordering": ["pk"],
                "constraints": [
                    models.UniqueConstraint(fields=("first", "second"), name="suspected_pair_once"),
                    models.CheckConstraint(
                        condition=models.Q(("state__in", ["open", "two", "one"])), name="suspected_pair_state_known"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("state", "open"), models.Q(("reason", ""), _negated=True), _connector="OR"),
                        name="suspected_pair_for_a_reason",
                    ),
                ],
            },
        ),
    ]
