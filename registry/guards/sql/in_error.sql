-- A mark stays as it was made; it is taken back once.
CREATE FUNCTION keep_error() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    may_change text[] := ARRAY['taken_back_at', 'taken_back_by_id', 'taken_back_reason'];
BEGIN
    IF moves_along(TG_RELID, to_jsonb(OLD), to_jsonb(NEW)) THEN
        RETURN NEW;
    END IF;
    -- A merged record comes back with its merge, by the service that undoes that.
    IF OLD.merged_into <> '' AND coalesce(current_setting('app.administers', true), '') <> 'on' THEN
        RAISE EXCEPTION 'a merged record comes back by taking the merge back' USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF OLD.taken_back_at IS NOT NULL OR to_jsonb(NEW) - may_change IS DISTINCT FROM to_jsonb(OLD) - may_change THEN
        RAISE EXCEPTION 'what was said of an entry in error stays'
            USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = 'error_kept';
    END IF;
    NEW.taken_back_at := statement_timestamp();
    RETURN NEW;
END $$;

-- What hangs on a record goes with it and comes back with it. The arguments are the tables of a patient's records. What
-- had a mark of its own before keeps it. The transaction sees marked rows, or it could not have changed this one.
CREATE FUNCTION error_spreads() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    one text;
BEGIN
    IF TG_TABLE_NAME = 'registry_patient' THEN
        FOREACH one IN ARRAY TG_ARGV LOOP
            EXECUTE format('UPDATE %I SET in_error = $1 WHERE site_id = $2 AND patient_id = $3 '
                           'AND in_error IS NOT DISTINCT FROM $4', one)
            USING NEW.in_error, NEW.site_id, NEW.patient_id, OLD.in_error;
        END LOOP;
    ELSIF TG_TABLE_NAME = 'registry_assessment' THEN
        UPDATE registry_query SET in_error = NEW.in_error
        WHERE patient_id = NEW.patient_id AND timepoint_id = NEW.timepoint_id AND in_error IS NOT DISTINCT FROM OLD.in_error;
        UPDATE registry_patientlink SET in_error = NEW.in_error
        WHERE patient_id = NEW.patient_id AND timepoint = NEW.timepoint_id AND in_error IS NOT DISTINCT FROM OLD.in_error;
        DELETE FROM registry_utility WHERE assessment_id = NEW.id;
        DELETE FROM registry_change WHERE assessment_id = NEW.id;
    ELSIF TG_TABLE_NAME = 'registry_ownrecord' THEN
        UPDATE registry_query SET in_error = NEW.in_error
        WHERE patient_id = NEW.patient_id AND own_record_id = NEW.id AND in_error IS NOT DISTINCT FROM OLD.in_error;
    ELSE
        UPDATE registry_query SET in_error = NEW.in_error
        WHERE patient_id = NEW.patient_id AND event_id = NEW.id AND in_error IS NOT DISTINCT FROM OLD.in_error;
    END IF;
    RETURN NULL;
END $$;
