"""How far jobs that look only at what changed have come."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("registry", "0002_guards")]

    operations = [
        migrations.CreateModel(
            name="Watermark",
            fields=[
                ("name", models.CharField(max_length=40, primary_key=True, serialize=False)),
                ("fingerprint", models.CharField(max_length=64)),
                ("cluster", models.BigIntegerField()),
                ("xid", models.BigIntegerField()),
                ("marked_at", models.DateTimeField()),
            ],
        ),
    ]
