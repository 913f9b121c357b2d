-- What a link is for never changes, nor do answers once they are sent; whoever holds the link answers and sends, no more.
CREATE FUNCTION patient_link_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF moves_along(TG_RELID, to_jsonb(OLD), to_jsonb(NEW)) THEN
        RETURN NEW;
    END IF;
    IF (NEW.id, NEW.site_id, NEW.patient_id, NEW.timepoint, NEW.token_hash, NEW.respondent, NEW.created_by_id,
        NEW.created_at, NEW.expires_at) IS DISTINCT FROM
       (OLD.id, OLD.site_id, OLD.patient_id, OLD.timepoint, OLD.token_hash, OLD.respondent, OLD.created_by_id,
        OLD.created_at, OLD.expires_at) THEN
        RAISE EXCEPTION 'what a patient''s link is for never changes' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF OLD.submitted_at IS NOT NULL
       AND (NEW.answers, NEW.submitted_at) IS DISTINCT FROM (OLD.answers, OLD.submitted_at) THEN
        RAISE EXCEPTION 'a patient''s answers stay as they were sent' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF (SELECT nullif(current_setting('app.link', true), '')) IS NOT NULL AND (NEW.revoked_at, NEW.settled_at, NEW.settled_by_id, NEW.refusal)
       IS DISTINCT FROM (OLD.revoked_at, OLD.settled_at, OLD.settled_by_id, OLD.refusal) THEN
        RAISE EXCEPTION 'whoever holds a link answers, no more' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;

-- A link that was revoked or has expired changes nothing any more, whatever code holds it.
CREATE FUNCTION patient_link_works() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (SELECT nullif(current_setting('app.link', true), '')) IS NOT NULL AND (OLD.revoked_at IS NOT NULL OR OLD.expires_at <= statement_timestamp()) THEN
        RAISE EXCEPTION 'this link no longer works' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;

-- What a link brings in is changed by whoever holds it, and by nobody else, whatever code writes it.
CREATE FUNCTION patient_link_answered() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (SELECT nullif(current_setting('app.link', true), '')) IS NULL THEN
        RAISE EXCEPTION 'whoever holds the link answers, nobody else' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
