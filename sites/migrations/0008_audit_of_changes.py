from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("study_sites", "0007_entry_in_steps"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="auditevent",
            index=models.Index(
                condition=models.Q(("action__in", ("update", "delete"))),
                fields=["action", "id"],
                name="audit_of_changes",
            ),
        ),
    ]
