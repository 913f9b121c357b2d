"""Sites that an import reaches; imports of before were of people who import for all of them."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("registry", "0018_suspected_pairs")]

    operations = [migrations.AddField("import", "sites", models.JSONField(null=True))]
