"""Who answered for the patient, among the extra instruments."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("registry", "0014_packed"),
        ("study_sites", "0010_digests"),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name="assessment",
            name="assessment_extra_or_reason",
        ),
        migrations.AddField(
            model_name="assessment",
            name="respondent",
            field=models.CharField(blank=True, max_length=11, null=True),
        ),
        migrations.AddConstraint(
            model_name="assessment",
            constraint=models.CheckConstraint(
                condition=models.Q(("respondent__in", ["self", "proxy", "interviewer"])),
                name="assessment_respondent_accepted",
            ),
        ),
        migrations.AddConstraint(
            model_name="assessment",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("respondent__isnull", True),
                        models.Q(("missing__has_key", "respondent"), _negated=True),
                        _connector="OR",
                    ),
                    models.Q(
                        ("kps__isnull", True), models.Q(("missing__has_key", "kps"), _negated=True), _connector="OR"
                    ),
                    models.Q(
                        ("ais__isnull", True), models.Q(("missing__has_key", "ais"), _negated=True), _connector="OR"
                    ),
                    models.Q(
                        ("escc__isnull", True), models.Q(("missing__has_key", "escc"), _negated=True), _connector="OR"
                    ),
                    models.Q(
                        ("cobb_deg__isnull", True),
                        models.Q(("missing__has_key", "cobb_deg"), _negated=True),
                        _connector="OR",
                    ),
                    models.Q(
                        ("cobb_upper__isnull", True),
                        models.Q(("missing__has_key", "cobb_upper"), _negated=True),
                        _connector="OR",
                    ),
                    models.Q(
                        ("cobb_lower__isnull", True),
                        models.Q(("missing__has_key", "cobb_lower"), _negated=True),
                        _connector="OR",
                    ),
                    models.Q(
                        ("cobb_modality__isnull", True),
                        models.Q(("missing__has_key", "cobb_modality"), _negated=True),
                        _connector="OR",
                    ),
                    models.Q(
                        ("cobb_posture__isnull", True),
                        models.Q(("missing__has_key", "cobb_posture"), _negated=True),
                        _connector="OR",
                    ),
                    models.Q(
                        ("sosg_version__isnull", True),
                        models.Q(("missing__has_key", "sosg_version"), _negated=True),
                        _connector="OR",
                    ),
                    models.Q(
                        ("sosg_direction__isnull", True),
                        models.Q(("missing__has_key", "sosg_direction"), _negated=True),
                        _connector="OR",
                    ),
                    models.Q(
                        ("sosg_physical__isnull", True),
                        models.Q(("missing__has_key", "sosg_physical"), _negated=True),
                        _connector="OR",
                    ),
                    models.Q(
                        ("sosg_pain__isnull", True),
                        models.Q(("missing__has_key", "sosg_pain"), _negated=True),
                        _connector="OR",
                    ),
                    models.Q(
                        ("sosg_mental__isnull", True),
                        models.Q(("missing__has_key", "sosg_mental"), _negated=True),
                        _connector="OR",
                    ),
                    models.Q(
                        ("sosg_social__isnull", True),
                        models.Q(("missing__has_key", "sosg_social"), _negated=True),
                        _connector="OR",
                    ),
                    models.Q(
                        ("sosg_neurological__isnull", True),
                        models.Q(("missing__has_key", "sosg_neurological"), _negated=True),
                        _connector="OR",
                    ),
                    models.Q(
                        ("sosg_total__isnull", True),
                        models.Q(("missing__has_key", "sosg_total"), _negated=True),
                        _connector="OR",
                    ),
                ),
                name="assessment_extra_or_reason",
            ),
        ),
    ]
