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
    IF in_scope('write', OLD.site_id) THEN
        may_change := may_change || ARRAY['in_error'];  -- it follows the record that it is about
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
