CREATE FUNCTION signature_stored() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    IF NEW.signed_by_id IS DISTINCT FROM nullif(current_setting('app.user_id', true), '')::bigint
       OR abs(extract(epoch FROM clock_timestamp() - NEW.signed_at)) > 300 THEN
        RAISE EXCEPTION 'a signature is one''s own, and of now' USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END $$;
