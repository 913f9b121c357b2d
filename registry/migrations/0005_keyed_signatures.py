"""Signatures are bound to the deployment's key: an HMAC beside the hash. Those from before have none."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("registry", "0004_import_reading")]

    operations = [
        migrations.AddField(
            "signature",
            "mac",
            models.CharField(blank=True, db_default="", default="", max_length=64, verbose_name="HMAC"),
        ),
        migrations.AddConstraint(
            "signature",
            models.CheckConstraint(condition=models.Q(("mac__regex", "^([0-9a-f]{64})?$")), name="signature_mac_shape"),
        ),
    ]
