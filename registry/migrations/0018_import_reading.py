from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("registry", "0017_answers_by_link")]

    operations = [
        migrations.AlterField(
            "import",
            "act",
            models.CharField(
                choices=[("read", "Read"), ("check", "Check"), ("store", "Store"), ("undo", "Undo")],
                default="check",
                max_length=5,
            ),
        ),
    ]
