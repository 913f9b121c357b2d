from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("study_sites", "0003_attempts_and_tokens"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="auditevent",
            index=models.Index(fields=["user_id", "id"], name="audit_by_person"),
        ),
        migrations.AddIndex(
            model_name="auditevent",
            index=models.Index(
                condition=models.Q(("action__in", ("insert", "update", "delete")), _negated=True),
                fields=["action", "id"],
                name="audit_of_acts",
            ),
        ),
    ]
