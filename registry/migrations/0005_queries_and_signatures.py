"""Queries, verification and signatures: their tables, and the columns that each role may change of a record."""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models

from registry.instruments import catalogue
from sites.protection import DISCUSS, QUERY, REVIEW, SIGN, WRITE, audited, kept, updated_by

IN_SCOPE = """
CREATE FUNCTION in_scope(ability text, site bigint) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT coalesce(site = ANY (nullif(current_setting('app.' || ability || '_sites', true), '')::bigint[]), false)
$$;
"""

# The function of migration 0003, with two more tasks: it keeps signed forms as they are, and each role to its columns.
RECORD_STORED = """
CREATE OR REPLACE FUNCTION record_stored() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    reason text := coalesce(current_setting('app.reason', true), '');
    before jsonb;
    after jsonb;
    changed text[];
    touched boolean;
    was text;
    becomes text;
    one text;
BEGIN
    NEW.updated_at := statement_timestamp();
    NEW.updated_by_id := nullif(current_setting('app.user_id', true), '')::bigint;
    IF TG_OP = 'INSERT' THEN
        RETURN NEW;
    END IF;
    NEW.version := OLD.version + 1;
    before := to_jsonb(OLD);
    after := to_jsonb(NEW);
    -- Columns, and items whose reason for a missing value is another. Generated columns have no value yet.
    changed := ARRAY(
        SELECT key FROM jsonb_each(after) WHERE before -> key IS DISTINCT FROM value
        UNION
        SELECT key FROM jsonb_each((before -> 'missing') || (after -> 'missing'))
        WHERE before -> 'missing' -> key IS DISTINCT FROM after -> 'missing' -> key
    );
    IF NOT in_scope('write', OLD.site_id) AND EXISTS (
        SELECT FROM unnest(changed) AS name
        WHERE name NOT IN ('state', 'baseline_state', 'surgery_state', 'verified', 'segment_adjudicated',
                           'version', 'updated_at', 'updated_by_id')
          AND NOT EXISTS (SELECT FROM pg_attribute WHERE attrelid = TG_RELID AND attname = name AND attgenerated <> '')
    ) THEN
        RAISE EXCEPTION 'answers are entered by the site''s own people only' USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF changed && ARRAY['site_id', 'patient_id', 'id', 'timepoint_id']
       AND coalesce(current_setting('app.administers', true), '') <> 'on' THEN
        RAISE EXCEPTION 'a record stays with its site, patient and timepoint' USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF 'segment_adjudicated' = ANY (changed) AND NOT in_scope('adjudicate', OLD.site_id) THEN
        RAISE EXCEPTION 'segment groups are adjudicated by others' USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF 'verified' = ANY (changed) AND NOT in_scope('verify', OLD.site_id) THEN
        RAISE EXCEPTION 'data are verified by others' USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF NEW.verified <> '{}' THEN
        FOREACH one IN ARRAY changed LOOP
            IF NEW.verified ? one AND OLD.verified -> one IS NOT DISTINCT FROM NEW.verified -> one THEN
                NEW.verified := jsonb_set(NEW.verified, ARRAY[one, 'changed_at'], to_jsonb(statement_timestamp()));
            END IF;
        END LOOP;
    END IF;
    -- Arguments: pairs of a state column and the columns of its form.
    FOR i IN 0 .. TG_NARGS - 2 BY 2 LOOP
        was := before ->> TG_ARGV[i];
        becomes := after ->> TG_ARGV[i];
        touched := changed && string_to_array(TG_ARGV[i + 1], ',');
        IF touched AND was = 'locked' THEN
            RAISE EXCEPTION 'a signed form does not change'
                USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = 'form_signed';
        END IF;
        IF reason = '' AND was <> 'draft' AND (touched OR becomes = 'draft') THEN
            RAISE EXCEPTION 'a completed form changes only with a reason'
                USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = 'reason_for_change';
        END IF;
        IF touched AND was = 'verified' AND becomes = 'verified' THEN
            becomes := 'complete';
            NEW := jsonb_populate_record(NEW, jsonb_build_object(TG_ARGV[i], becomes));
        ELSIF was <> becomes THEN
            IF was = 'locked' AND (reason = '' OR becomes = 'draft') OR becomes = 'locked' AND was = 'draft'
               OR becomes = 'verified' AND (was = 'draft' OR touched) THEN
                RAISE EXCEPTION 'a form does not go from % to % like this', was, becomes
                    USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = 'form_state';
            END IF;
            IF NOT (CASE
                WHEN 'locked' IN (was, becomes) THEN in_scope('sign', OLD.site_id)
                WHEN becomes = 'verified' THEN in_scope('verify', OLD.site_id)
                WHEN was = 'verified' THEN in_scope('verify', OLD.site_id) OR in_scope('write', OLD.site_id)
                ELSE in_scope('write', OLD.site_id)
            END) THEN
                RAISE EXCEPTION 'not allowed to take a form from % to %', was, becomes
                    USING ERRCODE = 'insufficient_privilege';
            END IF;
        END IF;
    END LOOP;
    RETURN NEW;
END $$;
"""

BEFORE_0005 = """
CREATE OR REPLACE FUNCTION record_stored() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    before jsonb;
    after jsonb;
BEGIN
    NEW.updated_at := statement_timestamp();
    NEW.updated_by_id := nullif(current_setting('app.user_id', true), '')::bigint;
    IF TG_OP = 'UPDATE' THEN
        NEW.version := OLD.version + 1;
        IF coalesce(current_setting('app.reason', true), '') = '' THEN
            before := to_jsonb(OLD);
            after := to_jsonb(NEW);
            FOR i IN 0 .. TG_NARGS - 2 BY 2 LOOP
                IF before ->> TG_ARGV[i] <> 'draft' AND EXISTS (
                    SELECT FROM unnest(string_to_array(TG_ARGV[i + 1], ',')) AS name
                    WHERE before -> name IS DISTINCT FROM after -> name
                       OR before -> 'missing' -> name IS DISTINCT FROM after -> 'missing' -> name
                ) THEN
                    RAISE EXCEPTION 'a completed form changes only with a reason'
                        USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = 'reason_for_change';
                END IF;
            END LOOP;
        END IF;
    END IF;
    RETURN NEW;
END $$;
"""

GUARDS = """
-- A form begins as a draft or complete; what comes later is given by those who verify, sign and adjudicate.
CREATE FUNCTION record_begins() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    IF NOT (in_scope('verify', NEW.site_id) AND in_scope('sign', NEW.site_id)
            AND in_scope('adjudicate', NEW.site_id)) THEN
        RAISE EXCEPTION 'a form begins neither verified nor signed' USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER record_begins BEFORE INSERT ON registry_patient FOR EACH ROW
    WHEN (NEW.baseline_state IN ('verified', 'locked') OR NEW.surgery_state IN ('verified', 'locked')
          OR NEW.verified <> '{}' OR NEW.segment_adjudicated IS NOT NULL) EXECUTE FUNCTION record_begins();
CREATE TRIGGER record_begins BEFORE INSERT ON registry_assessment FOR EACH ROW
    WHEN (NEW.state IN ('verified', 'locked') OR NEW.verified <> '{}') EXECUTE FUNCTION record_begins();
CREATE TRIGGER record_begins BEFORE INSERT ON registry_adverseevent FOR EACH ROW
    WHEN (NEW.state IN ('verified', 'locked') OR NEW.verified <> '{}') EXECUTE FUNCTION record_begins();

CREATE FUNCTION refuse_signed() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'a signed form is not removed'
        USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = 'form_signed';
END $$;
CREATE TRIGGER refuse_signed BEFORE DELETE ON registry_patient FOR EACH ROW
    WHEN (OLD.baseline_state = 'locked' OR OLD.surgery_state = 'locked') EXECUTE FUNCTION refuse_signed();
CREATE TRIGGER refuse_signed BEFORE DELETE ON registry_assessment FOR EACH ROW
    WHEN (OLD.state = 'locked') EXECUTE FUNCTION refuse_signed();
CREATE TRIGGER refuse_signed BEFORE DELETE ON registry_adverseevent FOR EACH ROW
    WHEN (OLD.state = 'locked') EXECUTE FUNCTION refuse_signed();

-- The date of birth is part of the baseline form, though it is kept elsewhere.
CREATE FUNCTION keep_birth_date() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM registry_patient WHERE patient_id = OLD.patient_id AND baseline_state = 'locked') THEN
        RAISE EXCEPTION 'a signed form does not change'
            USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = 'form_signed';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER keep_birth_date BEFORE UPDATE ON registry_identity FOR EACH ROW
    WHEN (OLD.birth_date IS DISTINCT FROM NEW.birth_date) EXECUTE FUNCTION keep_birth_date();

CREATE FUNCTION query_stored() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    may_change text[] := ARRAY['state', 'seen', 'mended', 'changed_at'];
BEGIN
    IF coalesce(current_setting('app.administers', true), '') = 'on' THEN
        RETURN NEW;
    END IF;
    NEW.changed_at := statement_timestamp();
    IF TG_OP = 'INSERT' THEN
        NEW.raised_at := statement_timestamp();
        NEW.raised_by_id :=
            CASE WHEN NEW.rule IS NULL THEN nullif(current_setting('app.user_id', true), '')::bigint END;
        NEW.state := 'open';
        RETURN NEW;
    END IF;
    IF to_jsonb(NEW) - may_change IS DISTINCT FROM to_jsonb(OLD) - may_change THEN
        RAISE EXCEPTION 'the question of a query never changes'
            USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = 'query_question';
    END IF;
    -- A rule's query follows the data, whoever mends or spoils them.
    IF NEW.state <> OLD.state AND NOT (CASE
        WHEN NEW.state = 'answered' THEN in_scope('write', OLD.site_id)
        ELSE in_scope('query', OLD.site_id)
             OR NEW.rule IS NOT NULL AND in_scope('write', OLD.site_id) AND (NEW.state = 'open' OR NEW.mended)
    END) THEN
        RAISE EXCEPTION 'not allowed to take a query from % to %', OLD.state, NEW.state
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER query_stored BEFORE INSERT OR UPDATE ON registry_query
    FOR EACH ROW EXECUTE FUNCTION query_stored();

CREATE FUNCTION message_stored() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    IF coalesce(current_setting('app.administers', true), '') <> 'on' THEN
        NEW.at := statement_timestamp();
        IF NEW.kind <> 'mended' AND NOT (NEW.by_id IS NULL AND NEW.kind IN ('raised', 'reopened')) THEN
            NEW.by_id := nullif(current_setting('app.user_id', true), '')::bigint;
        END IF;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER message_stored BEFORE INSERT ON registry_querymessage
    FOR EACH ROW EXECUTE FUNCTION message_stored();

CREATE FUNCTION signature_stored() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    IF NEW.signed_by_id IS DISTINCT FROM nullif(current_setting('app.user_id', true), '')::bigint
       OR abs(extract(epoch FROM clock_timestamp() - NEW.signed_at)) > 300 THEN
        RAISE EXCEPTION 'a signature is one''s own, and of now' USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER signature_stored BEFORE INSERT ON registry_signature
    FOR EACH ROW EXECUTE FUNCTION signature_stored();

ALTER TABLE registry_query ADD CONSTRAINT registry_query_same_site FOREIGN KEY (site_id, patient_id)
    REFERENCES registry_patient (site_id, patient_id) ON UPDATE CASCADE ON DELETE CASCADE
    DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE registry_signature ADD CONSTRAINT registry_signature_same_site FOREIGN KEY (site_id, patient_id)
    REFERENCES registry_patient (site_id, patient_id) ON UPDATE CASCADE ON DELETE CASCADE
    DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE registry_querymessage ADD CONSTRAINT registry_querymessage_same_site FOREIGN KEY (site_id, query_id)
    REFERENCES registry_query (site_id, id) ON UPDATE CASCADE ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED;
"""

NO_GUARDS = """
ALTER TABLE registry_querymessage DROP CONSTRAINT registry_querymessage_same_site;
ALTER TABLE registry_signature DROP CONSTRAINT registry_signature_same_site;
ALTER TABLE registry_query DROP CONSTRAINT registry_query_same_site;
DROP FUNCTION signature_stored() CASCADE;
DROP FUNCTION message_stored() CASCADE;
DROP FUNCTION query_stored() CASCADE;
DROP FUNCTION keep_birth_date() CASCADE;
DROP FUNCTION refuse_signed() CASCADE;
DROP FUNCTION record_begins() CASCADE;
"""

EVENT_ITEMS = ",".join(item.name for item in catalogue.items(catalogue.ADVERSE_EVENTS))
EVENT_STORED = "CREATE OR REPLACE TRIGGER record_stored BEFORE INSERT OR UPDATE ON registry_adverseevent FOR EACH ROW EXECUTE FUNCTION record_stored({0})"
RECORDS = ("registry_patient", "registry_assessment", "registry_adverseevent")


class Migration(migrations.Migration):
    dependencies = [
        ("registry", "0004_saved_cohorts"),
        ("study_sites", "0003_seal_audit"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Query",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "form",
                    models.CharField(
                        choices=[
                            ("baseline", "Baseline"),
                            ("surgery", "Surgery"),
                            ("follow_up", "Follow-up"),
                            ("assessment", "Assessment"),
                            ("adverse_event", "Adverse event"),
                        ],
                        max_length=13,
                        verbose_name="form",
                    ),
                ),
                ("field", models.CharField(max_length=63, null=True, verbose_name="item")),
                ("rule", models.CharField(max_length=63, null=True, verbose_name="rule")),
                ("text", models.TextField(blank=True, verbose_name="question")),
                (
                    "state",
                    models.CharField(
                        choices=[("open", "Open"), ("answered", "Answered"), ("closed", "Closed")],
                        db_default="open",
                        default="open",
                        max_length=8,
                        verbose_name="state",
                    ),
                ),
                (
                    "seen",
                    models.JSONField(
                        db_default=models.Value({}, models.JSONField()),
                        default=dict,
                        verbose_name="answers in question",
                    ),
                ),
                ("mended", models.BooleanField(db_default=False, default=False, verbose_name="closed by the rule")),
                (
                    "raised_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), verbose_name="raised"),
                ),
                (
                    "changed_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), verbose_name="last message"
                    ),
                ),
            ],
            options={
                "verbose_name": "query",
                "verbose_name_plural": "queries",
                "ordering": ["-raised_at", "-pk"],
            },
        ),
        migrations.CreateModel(
            name="QueryMessage",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("raised", "Raised"),
                            ("confirmed", "Confirmed as right"),
                            ("answered", "Answered"),
                            ("reopened", "Opened again"),
                            ("closed", "Closed"),
                            ("mended", "Closed: the data were mended"),
                        ],
                        max_length=9,
                        verbose_name="step",
                    ),
                ),
                ("text", models.TextField(blank=True, verbose_name="text")),
                ("at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), verbose_name="at")),
            ],
            options={
                "verbose_name": "query message",
                "verbose_name_plural": "query messages",
                "ordering": ["pk"],
            },
        ),
        migrations.CreateModel(
            name="Signature",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("signed_at", models.DateTimeField(verbose_name="signed")),
                ("name", models.CharField(max_length=120, verbose_name="name")),
                ("meaning", models.TextField(verbose_name="meaning")),
                ("forms", models.JSONField(verbose_name="forms")),
                ("acknowledged", models.JSONField(default=list, verbose_name="acknowledged queries")),
                ("sha256", models.CharField(max_length=64, verbose_name="SHA-256")),
            ],
            options={
                "verbose_name": "signature",
                "verbose_name_plural": "signatures",
                "ordering": ["-signed_at", "-pk"],
            },
        ),
        migrations.AddField(
            model_name="adverseevent",
            name="state",
            field=models.CharField(
                choices=[("draft", "Draft"), ("complete", "Complete"), ("verified", "Verified"), ("locked", "Signed")],
                db_default="complete",
                default="complete",
                max_length=8,
                verbose_name="state",
            ),
        ),
        migrations.AddField(
            model_name="adverseevent",
            name="verified",
            field=models.JSONField(
                db_default=models.Value({}, models.JSONField()),
                default=dict,
                editable=False,
                verbose_name="verified against source",
            ),
        ),
        migrations.AddField(
            model_name="assessment",
            name="verified",
            field=models.JSONField(
                db_default=models.Value({}, models.JSONField()),
                default=dict,
                editable=False,
                verbose_name="verified against source",
            ),
        ),
        migrations.AddField(
            model_name="patient",
            name="verified",
            field=models.JSONField(
                db_default=models.Value({}, models.JSONField()),
                default=dict,
                editable=False,
                verbose_name="verified against source",
            ),
        ),
        migrations.AddConstraint(
            model_name="adverseevent",
            constraint=models.CheckConstraint(
                condition=models.Q(("state__in", ["complete", "verified", "locked"])), name="adverse_event_state_known"
            ),
        ),
        migrations.AddField(
            model_name="query",
            name="event",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="+",
                to="registry.adverseevent",
            ),
        ),
        migrations.AddField(
            model_name="query",
            name="patient",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="queries",
                to="registry.patient",
            ),
        ),
        migrations.AddField(
            model_name="query",
            name="raised_by",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
                verbose_name="raised by",
            ),
        ),
        migrations.AddField(
            model_name="query",
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
            model_name="query",
            name="timepoint",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="registry.timepoint",
            ),
        ),
        migrations.AddField(
            model_name="querymessage",
            name="by",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
                verbose_name="by",
            ),
        ),
        migrations.AddField(
            model_name="querymessage",
            name="query",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="messages",
                to="registry.query",
            ),
        ),
        migrations.AddField(
            model_name="querymessage",
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
            model_name="signature",
            name="patient",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="signatures",
                to="registry.patient",
            ),
        ),
        migrations.AddField(
            model_name="signature",
            name="signed_by",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
                verbose_name="signed by",
            ),
        ),
        migrations.AddField(
            model_name="signature",
            name="site",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                to="study_sites.site",
                verbose_name="site",
            ),
        ),
        migrations.AddIndex(
            model_name="query",
            index=models.Index(fields=["site", "state", "-raised_at"], name="query_by_site"),
        ),
        migrations.AddIndex(
            model_name="query",
            index=models.Index(fields=["patient"], name="query_by_patient"),
        ),
        migrations.AddConstraint(
            model_name="query",
            constraint=models.CheckConstraint(
                condition=models.Q(("state__in", ["open", "answered", "closed"])), name="query_state_known"
            ),
        ),
        migrations.AddConstraint(
            model_name="query",
            constraint=models.CheckConstraint(
                condition=models.Q(("form__in", ["baseline", "surgery", "follow_up", "assessment", "adverse_event"])),
                name="query_form_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="query",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("form", "assessment"), ("timepoint__isnull", False)),
                    models.Q(models.Q(("form", "assessment"), _negated=True), ("timepoint", None)),
                    _connector="OR",
                ),
                name="query_timepoint_fits",
            ),
        ),
        migrations.AddConstraint(
            model_name="query",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("event__isnull", False), ("form", "adverse_event")),
                    models.Q(models.Q(("form", "adverse_event"), _negated=True), ("event", None)),
                    _connector="OR",
                ),
                name="query_event_fits",
            ),
        ),
        migrations.AddConstraint(
            model_name="query",
            constraint=models.CheckConstraint(
                condition=models.Q(("rule__isnull", False), models.Q(("text", ""), _negated=True), _connector="OR"),
                name="query_asks_something",
            ),
        ),
        migrations.AddConstraint(
            model_name="query",
            constraint=models.UniqueConstraint(
                condition=models.Q(("rule__isnull", False)),
                fields=("patient", "form", "timepoint", "event", "rule"),
                name="query_once_a_rule",
                nulls_distinct=False,
            ),
        ),
        migrations.AddConstraint(
            model_name="query",
            constraint=models.UniqueConstraint(fields=("site", "id"), name="query_site_unique"),
        ),
        migrations.AddIndex(
            model_name="querymessage",
            index=models.Index(fields=["query"], name="query_message_by_query"),
        ),
        migrations.AddConstraint(
            model_name="querymessage",
            constraint=models.CheckConstraint(
                condition=models.Q(("kind__in", ["raised", "confirmed", "answered", "reopened", "closed", "mended"])),
                name="query_message_kind_known",
            ),
        ),
        migrations.AddIndex(
            model_name="signature",
            index=models.Index(fields=["site", "patient"], name="signature_by_patient"),
        ),
        migrations.AddConstraint(
            model_name="signature",
            constraint=models.CheckConstraint(
                condition=models.Q(("sha256__regex", "^[0-9a-f]{64}$")), name="signature_hash_shape"
            ),
        ),
        migrations.RunSQL(IN_SCOPE, "DROP FUNCTION in_scope(text, bigint)"),
        migrations.RunSQL(RECORD_STORED, BEFORE_0005),
        migrations.RunSQL(EVENT_STORED.format(f"'state', '{EVENT_ITEMS}'"), EVENT_STORED.format("")),
        *(updated_by(table, REVIEW) for table in RECORDS),
        kept(
            "registry_query",
            insert=f"site_id = {QUERY} OR rule IS NOT NULL AND site_id = {WRITE}",
            update=f"site_id = {DISCUSS}",
        ),
        kept("registry_querymessage", insert=f"site_id = {DISCUSS}"),
        kept("registry_signature", insert=f"site_id = {SIGN}"),
        audited("registry_query", without=("changed_at",)),
        audited("registry_querymessage"),
        audited("registry_signature"),
        migrations.RunSQL(GUARDS, NO_GUARDS),
    ]
