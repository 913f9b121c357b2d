"""API tokens, and what writes with an idempotency key were answered."""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models

from sites.protection import audited

# Answers may hold clinical values: they exist for the person who was answered, and for the job that forgets them.
MINE = "user_id = (SELECT nullif(current_setting('app.user_id', true), '')::bigint)"
OWN_ANSWERS = f"""
ALTER TABLE study_sites_apianswer ENABLE ROW LEVEL SECURITY;
ALTER TABLE study_sites_apianswer FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON study_sites_apianswer FOR ALL USING ({MINE}) WITH CHECK ({MINE});
CREATE POLICY forget ON study_sites_apianswer FOR DELETE
    USING ((SELECT current_setting('app.administers', true)) = 'on');
CREATE POLICY find_to_forget ON study_sites_apianswer FOR SELECT
    USING ((SELECT current_setting('app.administers', true)) = 'on' AND answered_at < now() - interval '1 day');
"""


class Migration(migrations.Migration):
    dependencies = [
        ("study_sites", "0004_invitations"),
    ]

    operations = [
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
        migrations.RunSQL(
            OWN_ANSWERS,
            """
            DROP POLICY find_to_forget ON study_sites_apianswer;
            DROP POLICY forget ON study_sites_apianswer;
            DROP POLICY own ON study_sites_apianswer;
            ALTER TABLE study_sites_apianswer NO FORCE ROW LEVEL SECURITY;
            ALTER TABLE study_sites_apianswer DISABLE ROW LEVEL SECURITY;
            """,
        ),
        # When a token was last used is no change of it.
        audited("study_sites_apitoken", site="", without=("last_used_at", "*digest")),
    ]
