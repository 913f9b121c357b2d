"""The schedule in versions, visits outside the plan, and what ends a patient's follow-up."""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models

from sites.protection import audited, policies

# The schedule that was in force becomes the first version, for everybody operated until another one is published.
CARRY_OVER = """
INSERT INTO registry_scheduleversion (effective_from, note) VALUES ('1900-01-01', '');
INSERT INTO registry_scheduledvisit (version_id, timepoint_id, target_day, days_before, days_after)
SELECT v.id, t.code, t.target_day, t.days_before, t.days_after
FROM registry_timepoint AS t, registry_scheduleversion AS v;
UPDATE registry_timepoint SET position = target_day;
SET CONSTRAINTS ALL IMMEDIATE; -- or PostgreSQL would alter no table while checks of these rows are pending
SET CONSTRAINTS ALL DEFERRED;
"""
CARRY_BACK = """
UPDATE registry_timepoint AS t
SET target_day = coalesce(s.target_day, t.position), days_before = coalesce(s.days_before, 0),
    days_after = coalesce(s.days_after, 0), position = o.place
FROM (SELECT code, row_number() OVER (ORDER BY position, code) AS place FROM registry_timepoint) AS o
LEFT JOIN registry_scheduledvisit AS s ON s.timepoint_id = o.code
  AND s.version_id = (SELECT id FROM registry_scheduleversion ORDER BY effective_from DESC, id DESC LIMIT 1)
WHERE o.code = t.code;
SET CONSTRAINTS ALL IMMEDIATE;
SET CONSTRAINTS ALL DEFERRED;
"""
KEEP_SCHEDULE = """
CREATE FUNCTION keep_schedule() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'a version of the schedule never changes: publish another' USING ERRCODE = 'check_violation';
END $$;
CREATE TRIGGER keep_schedule BEFORE UPDATE OR DELETE ON registry_scheduleversion
    FOR EACH ROW EXECUTE FUNCTION keep_schedule();
CREATE TRIGGER keep_schedule BEFORE UPDATE OR DELETE ON registry_scheduledvisit
    FOR EACH ROW EXECUTE FUNCTION keep_schedule();
"""
DROP_KEEP_SCHEDULE = """
DROP TRIGGER keep_schedule ON registry_scheduledvisit;
DROP TRIGGER keep_schedule ON registry_scheduleversion;
DROP FUNCTION keep_schedule();
"""
FOLLOW_UP_END = """
-- Who last stored the row, and its version.
CREATE FUNCTION stamp_row() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    NEW.updated_at := statement_timestamp();
    NEW.updated_by_id := nullif(current_setting('app.user_id', true), '')::bigint;
    IF TG_OP = 'UPDATE' THEN
        NEW.version := OLD.version + 1;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER record_stored BEFORE INSERT OR UPDATE ON registry_followupend
    FOR EACH ROW EXECUTE FUNCTION stamp_row();
ALTER TABLE registry_followupend ADD CONSTRAINT registry_followupend_same_site FOREIGN KEY (site_id, patient_id)
    REFERENCES registry_patient (site_id, patient_id) ON UPDATE CASCADE DEFERRABLE INITIALLY DEFERRED;
"""
DROP_FOLLOW_UP_END = """
ALTER TABLE registry_followupend DROP CONSTRAINT registry_followupend_same_site;
DROP TRIGGER record_stored ON registry_followupend;
DROP FUNCTION stamp_row();
"""
DAYS = {
    "target_day": models.SmallIntegerField,
    "days_before": models.PositiveSmallIntegerField,
    "days_after": models.PositiveSmallIntegerField,
}


class Migration(migrations.Migration):
    dependencies = [
        ("registry", "0005_queries_and_signatures"),
        ("study_sites", "0003_seal_audit"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="FollowUpEnd",
            fields=[
                (
                    "patient",
                    models.OneToOneField(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="follow_up_end",
                        serialize=False,
                        to="registry.patient",
                    ),
                ),
                ("end_kind", models.CharField(blank=True, max_length=9, null=True)),
                ("end_date", models.DateField(blank=True, null=True)),
                ("end_reason", models.CharField(blank=True, max_length=11, null=True)),
                ("end_data_use", models.CharField(blank=True, max_length=4, null=True)),
                ("version", models.IntegerField(db_default=1, default=1, editable=False)),
                ("updated_at", models.DateTimeField(editable=False, null=True)),
                ("updated_by_id", models.BigIntegerField(editable=False, null=True)),
            ],
            options={
                "verbose_name": "end of follow-up",
                "verbose_name_plural": "ends of follow-up",
            },
        ),
        migrations.CreateModel(
            name="ScheduledVisit",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("target_day", models.SmallIntegerField(verbose_name="target day")),
                ("days_before", models.PositiveSmallIntegerField(verbose_name="days before")),
                ("days_after", models.PositiveSmallIntegerField(verbose_name="days after")),
            ],
            options={
                "verbose_name": "planned visit",
                "verbose_name_plural": "planned visits",
                "ordering": ["version", "target_day"],
            },
        ),
        migrations.CreateModel(
            name="ScheduleVersion",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("effective_from", models.DateField(verbose_name="for patients operated from")),
                ("note", models.CharField(blank=True, max_length=300, verbose_name="why")),
                (
                    "created_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), verbose_name="published"
                    ),
                ),
            ],
            options={
                "verbose_name": "version of the schedule",
                "verbose_name_plural": "versions of the schedule",
                "ordering": ["effective_from", "pk"],
            },
        ),
        migrations.AlterModelOptions(
            name="timepoint",
            options={
                "ordering": ["position", "code"],
                "verbose_name": "timepoint",
                "verbose_name_plural": "timepoints",
            },
        ),
        migrations.AlterField(
            model_name="timepoint",
            name="position",
            field=models.SmallIntegerField(verbose_name="position"),
        ),
        migrations.AddIndex(
            model_name="patient",
            index=models.Index(fields=["site", "surgery_date"], name="patient_by_surgery"),
        ),
        migrations.AddField(
            model_name="followupend",
            name="site",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                to="study_sites.site",
                verbose_name="site",
            ),
        ),
        migrations.AddField(
            model_name="scheduledvisit",
            name="timepoint",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="registry.timepoint",
                verbose_name="timepoint",
            ),
        ),
        migrations.AddField(
            model_name="scheduleversion",
            name="created_by",
            field=models.ForeignKey(
                db_constraint=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
                verbose_name="published by",
            ),
        ),
        migrations.AddField(
            model_name="scheduledvisit",
            name="version",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="visits", to="registry.scheduleversion"
            ),
        ),
        migrations.AddConstraint(
            model_name="followupend",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("end_date__isnull", False), ("end_kind__isnull", False), ("end_reason__isnull", False)
                ),
                name="follow_up_end_named",
            ),
        ),
        migrations.AddConstraint(
            model_name="followupend",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("end_data_use__isnull", False), ("end_kind", "withdrawn")),
                    models.Q(models.Q(("end_kind", "withdrawn"), _negated=True), ("end_data_use__isnull", True)),
                    _connector="OR",
                ),
                name="follow_up_end_data_use",
            ),
        ),
        migrations.AddConstraint(
            model_name="followupend",
            constraint=models.CheckConstraint(
                condition=models.Q(("end_kind__in", ["withdrawn", "lost"])), name="follow_up_end_end_kind_accepted"
            ),
        ),
        migrations.AddConstraint(
            model_name="followupend",
            constraint=models.CheckConstraint(
                condition=models.Q(("end_date__gte", "1900-01-01")), name="follow_up_end_end_date_accepted"
            ),
        ),
        migrations.AddConstraint(
            model_name="followupend",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "end_reason__in",
                        ["burden", "health", "privacy", "moved", "elsewhere", "unreachable", "other", "not_given"],
                    )
                ),
                name="follow_up_end_end_reason_accepted",
            ),
        ),
        migrations.AddConstraint(
            model_name="followupend",
            constraint=models.CheckConstraint(
                condition=models.Q(("end_data_use__in", ["keep", "stop"])), name="follow_up_end_end_data_use_accepted"
            ),
        ),
        migrations.AddConstraint(
            model_name="scheduledvisit",
            constraint=models.UniqueConstraint(fields=("version", "timepoint"), name="scheduled_once_a_version"),
        ),
        # Nullable for the way back, on which they are filled before they are required.
        *(migrations.AlterField("timepoint", name, field(null=True)) for name, field in DAYS.items()),
        migrations.RunSQL(CARRY_OVER, CARRY_BACK),
        *(migrations.RemoveField("timepoint", name) for name in DAYS),
        migrations.RunSQL(KEEP_SCHEDULE, DROP_KEEP_SCHEDULE),
        audited("registry_scheduleversion", site=""),
        audited("registry_scheduledvisit", site=""),
        policies("registry_followupend"),
        audited("registry_followupend", key="patient_id", without=("version", "updated_at", "updated_by_id")),
        migrations.RunSQL(FOLLOW_UP_END, DROP_FOLLOW_UP_END),
    ]
