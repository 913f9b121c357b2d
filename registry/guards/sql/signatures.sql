CREATE FUNCTION signature_stored() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    IF NEW.signed_by_id IS DISTINCT FROM nullif(current_setting('app.user_id', true), '')::bigint
       OR abs(extract(epoch FROM clock_timestamp() - NEW.signed_at)) > 300 THEN
        RAISE EXCEPTION 'a signature is one''s own, and of now' USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF NEW.mac = '' THEN
        RAISE EXCEPTION 'a signature is bound to the deployment''s key' USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END $$;

-- The act of signing is on record because there is a signature, and not because somebody says so.
CREATE FUNCTION signature_recorded() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO study_sites_auditevent
        (site_id, table_name, row_id, action, user_id, request_id, reason, transaction_id, new)
    VALUES (NEW.site_id, 'registry_patient', NEW.patient_id, 'signed', NEW.signed_by_id,
            coalesce(current_setting('app.request_id', true), ''), coalesce(current_setting('app.reason', true), ''),
            pg_current_xact_id()::text::bigint,
            jsonb_build_object('signature', NEW.id, 'sha256', NEW.sha256,
                               'forms', (SELECT jsonb_agg(form -> 'form') FROM jsonb_array_elements(NEW.forms) AS form)));
    RETURN NULL;
END $$;
