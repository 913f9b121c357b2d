from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("registry", "0003_watermarks")]

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
