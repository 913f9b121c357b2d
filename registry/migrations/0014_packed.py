"""Parts of snapshots are kept as they come: they are compressed already, or packed to be read fast."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("registry", "0013_extra_instruments")]

    operations = [
        migrations.RunSQL(
            "ALTER TABLE registry_snapshotpart ALTER data SET STORAGE EXTERNAL",
            "ALTER TABLE registry_snapshotpart ALTER data SET STORAGE EXTENDED",
        )
    ]
