-- Trigger arguments: the key column, the column with the site ('' where there is none), then columns left out of the
-- trail; those that start with * are recorded as changed without their values.
CREATE FUNCTION audit_shown(r jsonb, arguments text[]) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
    SELECT coalesce(
        (SELECT jsonb_object_agg(key, CASE WHEN '*' || key = ANY (arguments) THEN '"***"'::jsonb ELSE value END)
         FROM jsonb_each(r) WHERE NOT key = ANY (arguments)), '{}'::jsonb)
$$;

-- From how many rows of a statement on they are written by a statement made for the table. jsonb sorts the keys of each
-- row, which takes as long as everything else that an insert does. So `new` and `old` then hold a JSON string with the
-- object's text; `sites.models.ValuesField` reads both.
CREATE FUNCTION audit_many() RETURNS integer LANGUAGE sql IMMUTABLE AS $$ SELECT 1000 $$;

-- SQL of a row `c` of a table as text of a JSON object, without nulls and without the columns that are left out; without
-- blanks, which are an eighth of it: the trail of an import is most of what it writes.
CREATE FUNCTION audit_text(of_table oid, left_out text[]) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT format('''{'' || concat_ws('','', %s) || ''}''', string_agg(part, ', ' ORDER BY number))
    FROM (
        -- A function takes at most a hundred arguments.
        SELECT number, format('nullif(concat_ws('','', %s), '''')', string_agg(
            format('%L || ', to_json(attname) || ':') || CASE
                WHEN '*' || attname = ANY (left_out) THEN format('CASE WHEN c.%I IS NOT NULL THEN ''"***"'' END', attname)
                WHEN atttypid IN ('int2'::regtype, 'int4'::regtype, 'int8'::regtype) THEN format('c.%I', attname)
                WHEN atttypid = 'jsonb'::regtype THEN format('nullif(jsonb_strip_nulls(c.%I), ''null'')::text', attname)
                ELSE format('to_json(c.%I)::text', attname)
            END, ', ' ORDER BY attnum)) AS part
        FROM (
            SELECT attname, atttypid, attnum, attnum / 90 AS number FROM pg_attribute
            WHERE attrelid = of_table AND attnum > 0 AND NOT attisdropped AND NOT attname = ANY (left_out)
        ) AS columns
        GROUP BY number
    ) AS parts
$$;

CREATE FUNCTION audit_rows() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    key_column text := TG_ARGV[0];
    site_column text := TG_ARGV[1];
    left_out text[] := coalesce(TG_ARGV[2:], '{}');
    hides boolean := strpos(array_to_string(TG_ARGV[2:], ','), '*') > 0;  -- no column's name has one
BEGIN
    PERFORM FROM changed OFFSET audit_many() - 1;
    IF FOUND THEN
        EXECUTE format(
            'INSERT INTO study_sites_auditevent
                (site_id, table_name, row_id, action, user_id, request_id, reason, transaction_id, %I)
             SELECT %s, $1, c.%I, $2, $3, $4, $5, $6, to_jsonb(%s) FROM changed AS c',
            CASE TG_OP WHEN 'DELETE' THEN 'old' ELSE 'new' END,
            CASE site_column WHEN '' THEN 'NULL::bigint' ELSE format('c.%I', site_column) END,
            key_column,
            audit_text(TG_RELID, left_out))
        USING TG_TABLE_NAME, lower(TG_OP), nullif(current_setting('app.user_id', true), '')::bigint,
            coalesce(current_setting('app.request_id', true), ''), coalesce(current_setting('app.reason', true), ''),
            pg_current_xact_id()::text::bigint;
        RETURN NULL;
    END IF;
    INSERT INTO study_sites_auditevent
        (site_id, table_name, row_id, action, user_id, request_id, reason, transaction_id, old, new)
    SELECT (shown ->> site_column)::bigint, TG_TABLE_NAME, shown ->> key_column, lower(TG_OP),
           nullif(current_setting('app.user_id', true), '')::bigint,
           coalesce(current_setting('app.request_id', true), ''),
           coalesce(current_setting('app.reason', true), ''),
           pg_current_xact_id()::text::bigint,
           CASE TG_OP WHEN 'DELETE' THEN shown END, CASE TG_OP WHEN 'INSERT' THEN shown END
    FROM (SELECT CASE WHEN hides THEN audit_shown(jsonb_strip_nulls(to_jsonb(c)), left_out)
                      ELSE jsonb_strip_nulls(to_jsonb(c)) - left_out END AS shown
          -- OFFSET keeps the row from being turned into JSON again for each use: half the time of a bulk load.
          FROM changed AS c OFFSET 0) AS rows;
    RETURN NULL;
END $$;

CREATE FUNCTION audit_update() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    before jsonb := to_jsonb(OLD);
    after jsonb := to_jsonb(NEW);
    was jsonb;
    became jsonb;
BEGIN
    SELECT jsonb_object_agg(key, before -> key), jsonb_object_agg(key, value) INTO was, became
    FROM jsonb_each(after) WHERE before -> key IS DISTINCT FROM value;
    IF TG_NARGS > 2 THEN
        was := audit_shown(was, TG_ARGV[2:]);
        became := audit_shown(became, TG_ARGV[2:]);
    END IF;
    IF became <> '{}'::jsonb THEN
        INSERT INTO study_sites_auditevent
            (site_id, table_name, row_id, action, user_id, request_id, reason, transaction_id, old, new)
        VALUES ((after ->> TG_ARGV[1])::bigint, TG_TABLE_NAME, after ->> TG_ARGV[0], 'update', nullif(current_setting('app.user_id', true), '')::bigint,
           coalesce(current_setting('app.request_id', true), ''),
           coalesce(current_setting('app.reason', true), ''),
           pg_current_xact_id()::text::bigint, was, became);
    END IF;
    RETURN NULL;
END $$;

-- An act that changes no row. The application's role cannot write the table itself.
CREATE FUNCTION audit_act(act text, site bigint, of_table text, of_row text, detail jsonb)
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    -- One spelling, so that no act only looks like another.
    IF act !~ '^[a-z0-9_]+$' COLLATE "C" THEN
        RAISE EXCEPTION 'an act is named in small letters' USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF act IN ('insert', 'update', 'delete', 'signed') THEN
        RAISE EXCEPTION 'the act % is recorded by triggers only', act USING ERRCODE = 'insufficient_privilege';
    END IF;
    -- Forms are unlocked where the same transaction has changed the state of one that was locked.
    IF act = 'unlocked' AND NOT EXISTS (
        SELECT FROM (SELECT * FROM study_sites_auditevent WHERE site_id = site ORDER BY id DESC LIMIT 2000) AS latest
        WHERE transaction_id = pg_current_xact_id()::text::bigint AND action = 'update'
          AND 'locked' IN (old ->> 'state', old ->> 'baseline_state', old ->> 'surgery_state')
    ) THEN
        RAISE EXCEPTION 'no form was unlocked' USING ERRCODE = 'insufficient_privilege';
    END IF;
    INSERT INTO study_sites_auditevent
        (site_id, table_name, row_id, action, user_id, request_id, reason, transaction_id, new)
    VALUES (site, of_table, of_row, act, nullif(current_setting('app.user_id', true), '')::bigint,
           coalesce(current_setting('app.request_id', true), ''),
           coalesce(current_setting('app.reason', true), ''),
           pg_current_xact_id()::text::bigint, detail);
END $$;
