-- Moving a patient to another site: by one function, which writes down that it was done, and by nothing else.

-- Whether an update only takes a row along with its patient: as the tables' owner, which no statement of the
-- application's role is, and with no other column changed but those that triggers set.
CREATE FUNCTION moves_along(of_table oid, was jsonb, becomes jsonb) RETURNS boolean LANGUAGE sql STABLE
    SET search_path = public, pg_temp AS $$
    SELECT was -> 'site_id' IS DISTINCT FROM becomes -> 'site_id' AND was - others = becomes - others
       AND (SELECT pg_has_role(current_user, relowner, 'USAGE') FROM pg_class WHERE oid = of_table)
    FROM (
        -- Generated columns have no value yet.
        SELECT ARRAY['site_id', 'version', 'updated_at', 'updated_by_id', 'changed_at'] || ARRAY(
            SELECT attname::text FROM pg_attribute WHERE attrelid = of_table AND attgenerated <> ''
        ) AS others
    ) AS left_out
$$;

-- Takes a patient, and by the keys to (site, patient) everything of the patient's, to another site. The scope must be the
-- system's own, reach both sites and have a reason. Returns the number of the transfer.
CREATE FUNCTION move_patient(moved text, target bigint) RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = public, pg_temp AS $$
DECLARE
    origin bigint;
    given text := coalesce(current_setting('app.reason', true), '');
    number bigint;
BEGIN
    SELECT site_id INTO origin FROM registry_patient WHERE patient_id = moved FOR UPDATE;
    IF origin IS NULL OR origin = target OR NOT EXISTS (SELECT FROM study_sites_site WHERE id = target) THEN
        RAISE EXCEPTION 'a patient moves from a site to another' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF coalesce(current_setting('app.administers', true), '') <> 'on' OR given = ''
       OR NOT (in_scope('write', origin) AND in_scope('write', target)) THEN
        RAISE EXCEPTION 'patients are moved by the service that asks who may, with a reason'
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    UPDATE registry_patient SET site_id = target WHERE patient_id = moved;
    -- Derived from assessments, and without keys.
    UPDATE registry_utility SET site_id = target
    WHERE site_id = origin AND assessment_id IN (SELECT id FROM registry_assessment WHERE patient_id = moved);
    UPDATE registry_change SET site_id = target
    WHERE site_id = origin AND assessment_id IN (SELECT id FROM registry_assessment WHERE patient_id = moved);
    INSERT INTO registry_transfer (site_id, to_site_id, patient_id, reason, transferred_by_id)
    VALUES (origin, target, moved, left(given, 300), nullif(current_setting('app.user_id', true), '')::bigint)
    RETURNING id INTO number;
    RETURN number;
END $$;

-- What was said of a merge stays; it is taken back once.
CREATE FUNCTION keep_merge() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    may_change text[] := ARRAY['taken_back_at', 'taken_back_by_id', 'taken_back_reason'];
BEGIN
    IF moves_along(TG_RELID, to_jsonb(OLD), to_jsonb(NEW)) THEN
        RETURN NEW;
    END IF;
    IF OLD.taken_back_at IS NOT NULL OR to_jsonb(NEW) - may_change IS DISTINCT FROM to_jsonb(OLD) - may_change THEN
        RAISE EXCEPTION 'what was said of a merge stays'
            USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = 'merge_kept';
    END IF;
    NEW.taken_back_at := statement_timestamp();
    RETURN NEW;
END $$;

-- When each assessment of a patient who came from another site was first stored there, for assessments that the scope may
-- read: the moment alone. The events themselves stay with the site that was left, and are read by nobody else.
CREATE FUNCTION stored_before_moving() RETURNS TABLE (assessment_id bigint, at timestamptz) LANGUAGE sql STABLE
    SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT assessment.id, min(event.at)
    FROM registry_transfer AS transfer
    JOIN registry_assessment AS assessment ON assessment.patient_id = transfer.patient_id
    JOIN study_sites_auditevent AS event
      ON event.site_id = transfer.site_id AND event.table_name = 'registry_assessment'
     AND event.row_id = assessment.id::text AND event.action = 'insert'
    WHERE in_scope('read', assessment.site_id) AND transfer.site_id <> assessment.site_id
    GROUP BY assessment.id
$$;
