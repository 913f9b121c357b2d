-- Rows that never change once they are made or done.

-- What a finished run holds never changes, whatever its columns are.
CREATE FUNCTION keep_result() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    IF OLD.status = 'done' AND (NEW.result, NEW.status, NEW.plan, NEW.cohort, NEW.snapshot, NEW.patients)
            IS DISTINCT FROM (OLD.result, OLD.status, OLD.plan, OLD.cohort, OLD.snapshot, OLD.patients) THEN
        RAISE EXCEPTION 'the result of a comparison never changes' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION keep_cohort() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'a saved cohort never changes: save another version' USING ERRCODE = 'check_violation';
END $$;

CREATE FUNCTION keep_plan() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'a saved plan never changes: save another version' USING ERRCODE = 'check_violation';
END $$;

CREATE FUNCTION keep_snapshot() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'a snapshot never changes' USING ERRCODE = 'check_violation';
END $$;

CREATE FUNCTION keep_schedule() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'a version of the schedule never changes: publish another' USING ERRCODE = 'check_violation';
END $$;
