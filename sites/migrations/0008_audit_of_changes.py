from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False  # built while people save: every save writes this table
    dependencies = [
        ("study_sites", "0007_entry_in_steps"),
    ]

    operations = [
        AddIndexConcurrently(
            model_name="auditevent",
            index=models.Index(
                condition=models.Q(("action__in", ("update", "delete"))),
                fields=["action", "id"],
                name="audit_of_changes",
            ),
        ),
    ]
