"""Whom to ask at a site, and from when until when it enrols."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("study_sites", "0004_audit_indexes"),
    ]

    operations = [
        migrations.AddField(
            model_name="site",
            name="activated_on",
            field=models.DateField(
                blank=True,
                help_text="The first day on which a patient may consent here. Empty: since ever.",
                null=True,
                verbose_name="enrols from",
            ),
        ),
        migrations.AddField(
            model_name="site",
            name="closed_on",
            field=models.DateField(
                blank=True,
                help_text="The last such day; follow-up goes on. Empty: no end.",
                null=True,
                verbose_name="enrols until",
            ),
        ),
        migrations.AddField(
            model_name="site",
            name="contact_email",
            field=models.EmailField(blank=True, max_length=254, verbose_name="contact's e-mail address"),
        ),
        migrations.AddField(
            model_name="site",
            name="contact_name",
            field=models.CharField(blank=True, max_length=120, verbose_name="contact"),
        ),
        migrations.AddField(
            model_name="site",
            name="contact_phone",
            field=models.CharField(blank=True, max_length=40, verbose_name="contact's telephone"),
        ),
        migrations.AddConstraint(
            model_name="site",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("activated_on", None),
                    ("closed_on", None),
                    ("closed_on__gte", models.F("activated_on")),
                    _connector="OR",
                ),
                name="site_closes_after_activation",
                violation_error_message="A site cannot close before it is activated.",
            ),
        ),
    ]
