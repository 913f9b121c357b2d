-- Columns of a study's own items, and what may stand in them. The application says what it wants as data; the SQL is
-- made here, so that whoever can run SQL as the application's role can add columns of these types and nothing else.

-- The condition that a declared item's value meets. Keys of `item`: name, kind, codes, minimum, maximum, places, max_length.
CREATE FUNCTION own_accepted(item jsonb) RETURNS text LANGUAGE plpgsql IMMUTABLE SET search_path = public, pg_temp AS $$
DECLARE
    own text := quote_ident(item ->> 'name');
    codes text[] := ARRAY(SELECT jsonb_array_elements_text(item -> 'codes'));
    parts text[] := '{}';
BEGIN
    IF item ->> 'name' !~ '^[a-z][a-z0-9_]{0,23}$' OR EXISTS (SELECT FROM unnest(codes) AS c WHERE c !~ '^-?[A-Za-z0-9_.-]{1,20}$') THEN
        RAISE EXCEPTION 'no name of an own item: %', item ->> 'name' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    CASE item ->> 'kind'
    WHEN 'integer' THEN
        IF codes <> '{}' THEN
            parts := parts || format('%s IN (%s)', own, (SELECT string_agg(c::int::text, ', ') FROM unnest(codes) AS c));
        END IF;
    WHEN 'decimal' THEN
        parts := parts || format('scale(trim_scale(%s)) <= %s', own, (item ->> 'places')::int);
    WHEN 'code' THEN
        parts := parts || format('%s = ANY (%L::text[])', own, codes);
    WHEN 'codes' THEN
        parts := parts || format('%s <> '''' AND %s || '';'' ~ %L', own, own,
            '^' || (SELECT string_agg('(' || replace(c, '.', '[.]') || ';)?', '' ORDER BY place) FROM unnest(codes) WITH ORDINALITY AS u (c, place)) || '$');
    WHEN 'date' THEN
        parts := parts || format('%s >= DATE ''1900-01-01''', own);
    WHEN 'partial_date' THEN
        parts := parts || format(
            'CASE WHEN %1$s !~ ''^(19|[2-9][0-9])[0-9]{2}(-(0[1-9]|1[0-2])(-(0[1-9]|[12][0-9]|3[01]))?)?$'' THEN false '
            'WHEN length(%1$s) = 10 THEN make_date(left(%1$s, 4)::int, substr(%1$s, 6, 2)::int, right(%1$s, 2)::int) IS NOT NULL '
            'ELSE true END', own);
    WHEN 'time' THEN
        parts := parts || format('extract(second FROM %s) = 0', own);
    WHEN 'text' THEN
        parts := parts || format('length(%s) BETWEEN 1 AND %s', own, (item ->> 'max_length')::int);
    ELSE
        RAISE EXCEPTION 'no kind of an own item: %', item ->> 'kind' USING ERRCODE = 'invalid_parameter_value';
    END CASE;
    IF item ->> 'kind' IN ('integer', 'decimal') THEN
        IF item ->> 'minimum' IS NOT NULL THEN
            parts := parts || format('%s >= %s', own, (item ->> 'minimum')::numeric);
        END IF;
        IF item ->> 'maximum' IS NOT NULL THEN
            parts := parts || format('%s <= %s', own, (item ->> 'maximum')::numeric);
        END IF;
    END IF;
    RETURN CASE WHEN parts = '{}' THEN 'true' ELSE '(' || array_to_string(parts, ' AND ') || ')' END;
END $$;

-- Adds what is new of `items` (as above, with `form`) to the table, and has each column accept what is declared now. One
-- statement, which rewrites and reads nothing: it waits two seconds at most for whoever reads the table, and fails then.
CREATE FUNCTION publish_own_columns(target text, items jsonb) RETURNS void LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = public, pg_temp SET lock_timeout = '2s' AS $$
DECLARE
    item jsonb;
    known registry_owncolumn;
    acts text[] := '{}';
    accepted text;
    type text;
BEGIN
    IF coalesce(current_setting('app.administers', true), '') <> 'on' THEN
        RAISE EXCEPTION 'instruments are published by administrators' USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF target NOT IN ('registry_patient', 'registry_assessment', 'registry_ownrecord') THEN
        RAISE EXCEPTION 'no own items there: %', target USING ERRCODE = 'invalid_parameter_value';
    END IF;
    FOR item IN SELECT jsonb_array_elements(items) LOOP
        accepted := own_accepted(item);
        type := CASE item ->> 'kind' WHEN 'integer' THEN 'integer' WHEN 'decimal' THEN 'numeric' WHEN 'date' THEN 'date'
            WHEN 'time' THEN 'time' ELSE 'text' END;
        SELECT * INTO known FROM registry_owncolumn WHERE name = item ->> 'name';
        IF known.name IS NULL THEN
            IF EXISTS (SELECT FROM pg_attribute WHERE attname = item ->> 'name' AND NOT attisdropped AND attrelid IN (
                    'registry_patient'::regclass, 'registry_assessment'::regclass, 'registry_adverseevent'::regclass,
                    'registry_ownrecord'::regclass)) THEN
                RAISE EXCEPTION 'there is a column % already', item ->> 'name' USING ERRCODE = 'duplicate_column';
            END IF;
            INSERT INTO registry_owncolumn (name, table_name, kind, form)
            VALUES (item ->> 'name', target, item ->> 'kind', item ->> 'form');
            acts := acts || format('ADD COLUMN %I %s', item ->> 'name', type);
        ELSIF (known.table_name, known.kind, known.form) <> (target, item ->> 'kind', item ->> 'form') THEN
            RAISE EXCEPTION '% is of another kind or form already', known.name USING ERRCODE = 'datatype_mismatch';
        ELSE
            acts := acts || format('DROP CONSTRAINT IF EXISTS %I', 'ownitem_' || (item ->> 'name'));
        END IF;
        acts := acts || format('ADD CONSTRAINT %I CHECK (%I IS NULL OR %s AND NOT missing ? %L) NOT VALID',
            'ownitem_' || (item ->> 'name'), item ->> 'name', accepted, item ->> 'name');
    END LOOP;
    IF acts <> '{}' THEN
        SET CONSTRAINTS ALL IMMEDIATE;
        EXECUTE format('ALTER TABLE %I %s', target, array_to_string(acts, ', '));
    END IF;
END $$;

-- A form that is no draft has a value or a reason for what the version of the protocol that asked it (`asked_by`) needs.
-- Arguments: the form, its state column, the column of its version of the protocol.
CREATE FUNCTION complete_as_asked() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    after jsonb := to_jsonb(NEW);
    needed jsonb;
    lacking text;
BEGIN
    IF after ->> TG_ARGV[1] = 'draft' OR after ->> TG_ARGV[2] IS NULL THEN
        RETURN NULL;
    END IF;
    SELECT asked -> TG_ARGV[0] INTO needed FROM registry_protocolversion WHERE id = (after ->> TG_ARGV[2])::bigint;
    IF needed IS NULL THEN
        RAISE EXCEPTION 'there is no version % of the protocol', after ->> TG_ARGV[2] USING ERRCODE = 'foreign_key_violation';
    END IF;
    IF jsonb_typeof(needed) = 'object' THEN
        needed := coalesce(needed -> coalesce(after ->> 'timepoint_id', after ->> 'form'), needed -> '*');
    END IF;
    SELECT name INTO lacking FROM jsonb_array_elements_text(needed) AS name
    WHERE after ->> name IS NULL AND NOT after -> 'missing' ? name LIMIT 1;
    IF lacking IS NOT NULL THEN
        RAISE EXCEPTION '% needs a value or a reason why there is none', lacking
            USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = 'complete_as_asked', COLUMN = lacking;
    END IF;
    RETURN NULL;
END $$;

-- A record of a repeating form is of a form that the protocol has, and gets no answer to an item of another one.
CREATE FUNCTION own_record_fits() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    before jsonb := CASE WHEN TG_OP = 'UPDATE' THEN to_jsonb(OLD) ELSE '{}' END;
    after jsonb := to_jsonb(NEW);
    declared jsonb;
    foreign_item text;
BEGIN
    SELECT asked -> 'records' INTO declared FROM registry_protocolversion ORDER BY id DESC LIMIT 1;
    IF declared IS NULL THEN
        RETURN NULL;  -- a version from before this was kept
    END IF;
    IF NOT declared ? NEW.form THEN
        RAISE EXCEPTION 'the protocol has no repeating form %', NEW.form
            USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = 'own_record_form';
    END IF;
    SELECT c.name INTO foreign_item FROM registry_owncolumn AS c
    WHERE c.table_name = TG_TABLE_NAME AND NOT declared -> NEW.form ? c.name
      AND after ->> c.name IS NOT NULL AND before -> c.name IS DISTINCT FROM after -> c.name LIMIT 1;
    IF foreign_item IS NOT NULL THEN
        RAISE EXCEPTION '% is no item of %', foreign_item, NEW.form
            USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = 'own_record_item', COLUMN = foreign_item;
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION keep_protocol() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'what was published of the protocol stays as it is'
        USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = 'protocol_kept';
END $$;
