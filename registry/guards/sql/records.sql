-- Who last stored a record, and its version; keeps signed forms as they are, and each role to its columns.
-- Arguments: pairs of a state column and the columns of its form (registry/guards/tables.py has them of the instruments).
CREATE FUNCTION record_stored() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
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
    IF 'site_id' = ANY (changed) AND NOT moves_along(TG_RELID, before, after) THEN
        RAISE EXCEPTION 'a record stays with its site, unless move_patient moves its patient'
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF changed && ARRAY['patient_id', 'id', 'timepoint_id', 'form']
       AND coalesce(current_setting('app.administers', true), '') <> 'on' THEN
        RAISE EXCEPTION 'a record stays with its site, patient and timepoint' USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF 'in_error' = ANY (changed) THEN
        IF reason = '' THEN
            RAISE EXCEPTION 'an entry in error is marked, and taken back, with a reason'
                USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = 'reason_for_change';
        END IF;
        FOR i IN 0 .. TG_NARGS - 2 BY 2 LOOP
            IF before ->> TG_ARGV[i] = 'locked' THEN
                RAISE EXCEPTION 'a signed form does not change'
                    USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = 'form_signed';
            END IF;
        END LOOP;
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
    FOR i IN 0 .. TG_NARGS - 2 BY 2 LOOP
        was := before ->> TG_ARGV[i];
        becomes := after ->> TG_ARGV[i];
        touched := changed && (string_to_array(TG_ARGV[i + 1], ',') || ARRAY(
            SELECT c.name::text FROM registry_owncolumn AS c
            WHERE c.table_name = TG_TABLE_NAME AND TG_ARGV[i] IN ('state', c.form || '_state')
        ));
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

-- A form begins as a draft or complete; what comes later is given by those who verify, sign and adjudicate.
CREATE FUNCTION record_begins() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    IF NOT (in_scope('verify', NEW.site_id) AND in_scope('sign', NEW.site_id)
            AND in_scope('adjudicate', NEW.site_id)) THEN
        RAISE EXCEPTION 'a form begins neither verified nor signed' USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION refuse_signed() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'a signed form is not removed'
        USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = 'form_signed';
END $$;

-- The date of birth is part of the baseline form, though it is kept elsewhere.
CREATE FUNCTION keep_birth_date() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM registry_patient WHERE patient_id = OLD.patient_id AND baseline_state = 'locked') THEN
        RAISE EXCEPTION 'a signed form does not change'
            USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = 'form_signed';
    END IF;
    RETURN NEW;
END $$;

-- Identifiers that changed without their marks: the marks are made anew later, and meanwhile there are none.
CREATE FUNCTION forget_marks() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    NEW.birth_mark := NULL;
    NEW.number_mark := NULL;
    NEW.initials_mark := NULL;
    NEW.marked_with := NULL;
    RETURN NEW;
END $$;

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

-- A site takes patients from its activation until it closes, by the day of consent. Once a statement where rows are added.
CREATE FUNCTION site_enrols() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    refused text;
BEGIN
    IF TG_OP = 'INSERT' THEN
        SELECT a.patient_id INTO refused FROM added AS a JOIN study_sites_site AS s ON s.id = a.site_id
        WHERE a.consent_date < s.activated_on OR a.consent_date > s.closed_on LIMIT 1;
    ELSE
        SELECT NEW.patient_id INTO refused FROM study_sites_site AS s
        WHERE s.id = NEW.site_id AND (NEW.consent_date < s.activated_on OR NEW.consent_date > s.closed_on);
    END IF;
    IF refused IS NOT NULL THEN
        RAISE EXCEPTION 'the site does not enrol on the day of consent of %', refused
            USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = 'site_enrols';
    END IF;
    RETURN NULL;
END $$;

-- Outcomes carry no foreign keys: checking a million takes longer than computing them.
CREATE FUNCTION forget_outcomes() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    DELETE FROM registry_utility AS u USING removed AS r WHERE u.assessment_id = r.id;
    DELETE FROM registry_change AS c USING removed AS r WHERE c.assessment_id = r.id;
    RETURN NULL;
END $$;

-- A key was checked row by row, and each check locked the timepoint's row: one lock that every save at every site wrote.
-- Timepoints never go and are never renamed, so nothing needs locking, and the set of a statement's timepoints is looked
-- up in one query.
CREATE FUNCTION timepoint_known() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    unknown text;
BEGIN
    IF TG_OP = 'INSERT' THEN
        SELECT given INTO unknown FROM (SELECT DISTINCT timepoint_id AS given FROM added) AS of_rows
        WHERE NOT EXISTS (SELECT FROM registry_timepoint WHERE code = given) LIMIT 1;
    ELSIF NOT EXISTS (SELECT FROM registry_timepoint WHERE code = NEW.timepoint_id) THEN
        unknown := NEW.timepoint_id;
    END IF;
    IF unknown IS NOT NULL THEN
        RAISE EXCEPTION 'there is no timepoint %', unknown USING ERRCODE = 'foreign_key_violation',
            TABLE = TG_TABLE_NAME, CONSTRAINT = 'assessment_timepoint_known';
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION keep_timepoint() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'a timepoint stays, and so does its code' USING ERRCODE = 'foreign_key_violation',
        TABLE = TG_TABLE_NAME, CONSTRAINT = 'timepoint_kept';
END $$;
