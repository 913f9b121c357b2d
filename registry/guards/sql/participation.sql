-- A line of a site's log stays at its site, and leads to a patient who was enrolled there.
CREATE FUNCTION screening_at_site() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF NEW.site_id <> OLD.site_id OR NEW.number <> OLD.number THEN
            RAISE EXCEPTION 'a line of the screening log stays at its site, under its number'
                USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = 'screening_at_site';
        END IF;
        IF NEW.patient_id IS NOT DISTINCT FROM OLD.patient_id THEN
            RETURN NEW;  -- the patient may be at another site by now
        END IF;
    END IF;
    IF NEW.patient_id IS NOT NULL
        AND NOT EXISTS (SELECT FROM registry_patient WHERE patient_id = NEW.patient_id AND site_id = NEW.site_id)
    THEN
        RAISE EXCEPTION 'a line of the screening log leads to a patient of its own site'
            USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = 'screening_at_site';
    END IF;
    RETURN NEW;
END $$;

-- A withdrawal stays as it was recorded; that it was recorded wrongly is said once.
CREATE FUNCTION keep_withdrawal() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    may_change text[] := ARRAY['corrected_at', 'corrected_by_id', 'correction'];
    follows text[] := ARRAY['in_error', 'site_id'];  -- of its patient
BEGIN
    IF to_jsonb(NEW) - may_change - follows IS DISTINCT FROM to_jsonb(OLD) - may_change - follows
        OR OLD.corrected_at IS NOT NULL AND to_jsonb(NEW) - follows IS DISTINCT FROM to_jsonb(OLD) - follows
    THEN
        RAISE EXCEPTION 'what a patient withdrew stays as it was recorded'
            USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = 'withdrawal_kept';
    END IF;
    RETURN NEW;
END $$;

-- A file stays what it is until it is removed, of which the row tells.
CREATE FUNCTION keep_attachment() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    IF (NEW.patient_id, NEW.form, NEW.record, NEW.kind, NEW.name, NEW.media_type, NEW.size, NEW.added_by_id, NEW.added_at)
        IS DISTINCT FROM
        (OLD.patient_id, OLD.form, OLD.record, OLD.kind, OLD.name, OLD.media_type, OLD.size, OLD.added_by_id, OLD.added_at)
        OR NEW.content IS NOT NULL AND NEW.content IS DISTINCT FROM OLD.content
        OR OLD.removed_at IS NOT NULL AND (NEW.content, NEW.removed_at, NEW.removed_by_id, NEW.removed_reason)
            IS DISTINCT FROM (OLD.content, OLD.removed_at, OLD.removed_by_id, OLD.removed_reason)
    THEN
        RAISE EXCEPTION 'an attached file is removed, and never changed'
            USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = 'attachment_kept';
    END IF;
    RETURN NEW;
END $$;

-- Nobody gets a link who wants no further contact, whatever code makes it.
CREATE FUNCTION contact_allowed() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    IF EXISTS (
        SELECT FROM registry_consentwithdrawal
        WHERE site_id = NEW.site_id AND patient_id = NEW.patient_id AND withdrawn_part = 'contact' AND corrected_at IS NULL
    ) THEN
        RAISE EXCEPTION 'this patient wants no further contact'
            USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = 'contact_allowed';
    END IF;
    RETURN NEW;
END $$;
