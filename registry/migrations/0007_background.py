"""Work in the background: signs of life, messages that wait for the broker, and a cache that outlives one."""

from django.db import migrations, models

# As `createcachetable` makes it. What stands in it commits with what it is about: that a form was sent already.
CACHE = """
    CREATE TABLE registry_durable_cache (
        cache_key varchar(255) NOT NULL PRIMARY KEY, value text NOT NULL, expires timestamptz NOT NULL
    );
    CREATE INDEX registry_durable_cache_expires ON registry_durable_cache (expires);
"""


class Migration(migrations.Migration):
    dependencies = [("registry", "0006_protocol")]

    operations = [
        migrations.CreateModel(
            name="Heartbeat",
            fields=[
                ("name", models.CharField(max_length=100, primary_key=True, serialize=False)),
                ("at", models.DateTimeField()),
                ("seconds", models.FloatField(null=True)),
                ("failed_at", models.DateTimeField(null=True)),
                ("error", models.CharField(blank=True, max_length=300)),
                ("holder", models.CharField(blank=True, max_length=100)),
            ],
        ),
        migrations.CreateModel(
            name="Postponed",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("task", models.CharField(max_length=100)),
                ("arguments", models.BinaryField()),
                ("since", models.DateTimeField(auto_now_add=True)),
            ],
        ),
        migrations.RunSQL(CACHE, "DROP TABLE registry_durable_cache"),
    ]
