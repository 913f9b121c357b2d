-- Once a statement: a bulk load of a million patients asks once. The argument is the extent that forbids the rows.
CREATE FUNCTION refuse_erased() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM registry_erasure AS e JOIN added AS a USING (patient_id) WHERE e.extent = ANY (TG_ARGV)) THEN
        RAISE EXCEPTION 'what was erased at a patient''s wish does not come back'
            USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = 'patient_erased';
    END IF;
    RETURN NULL;
END $$;
