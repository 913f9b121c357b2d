"""How a person likes long forms: on one page, or in steps with a look at the answers before they are completed."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("study_sites", "0006_languages"),
    ]

    operations = [
        migrations.AddField(
            model_name="user",
            name="entry_in_steps",
            field=models.BooleanField(
                db_default=False,
                default=False,
                help_text="On a tablet or phone one part at a time, and the answers once more before a form is completed.",
                verbose_name="long forms in steps",
            ),
        ),
    ]
