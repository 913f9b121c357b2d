-- Sealing and verifying read the whole trail; they run as the owner, and tell the application hashes and numbers alone.
-- Words between at signs stand for what several functions share, such as the text of an event `e` and of a seal `s` that
-- is hashed (registry/guards/declared.py).

-- Whether one of these is derived from a key of the deployment, of which the database has hashes alone: who can run SQL
-- as the application's role, and has no key, leaves no seal that cannot be verified.
CREATE FUNCTION audit_may_seal(tokens bytea[]) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (SELECT FROM unnest(tokens) AS token WHERE encode(sha256(token), 'hex') = ANY ('{@TOKENS@}'::text[]))
$$;

CREATE FUNCTION audit_seal(at_most integer, tokens bytea[]) RETURNS TABLE (number bigint, events integer, hash bytea)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
DECLARE
    before study_sites_auditseal;
    s study_sites_auditseal;
    covered int8multirange;
    only_seals boolean;
BEGIN
    IF NOT audit_may_seal(tokens) THEN
        RAISE EXCEPTION 'the trail is sealed by who has a key of the deployment' USING ERRCODE = 'insufficient_privilege';
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('audit_seal'));
    SELECT * INTO before FROM study_sites_auditseal ORDER BY number DESC LIMIT 1;
    s.settled_id := coalesce(before.settled_id, 0);
    s.snapshot := pg_current_snapshot();
    SELECT coalesce(range_agg(ids), '{}') INTO covered FROM study_sites_auditseal WHERE last_id > s.settled_id;

    SELECT count(*), min(e.at), max(e.at), max(e.id), range_agg(int8range(e.id, e.id + 1)),
           sha256(string_agg(sha256(convert_to(@EVENT@, 'UTF8')), ''::bytea ORDER BY e.id)),
           bool_and(e.table_name = 'study_sites_auditseal' AND e.action = 'insert')
    INTO s.events, s.first_at, s.last_at, s.last_id, s.ids, s.content, only_seals
    FROM (
        SELECT found.*
        FROM (
            -- Taken apart here: under row-level security lower() and upper() in the condition would rule out the index.
            SELECT lower(one) AS first, coalesce(upper(one), 9223372036854775807) AS beyond
            FROM unnest(int8multirange(int8range(s.settled_id + 1, NULL)) - covered) AS one OFFSET 0
        ) AS r
        CROSS JOIN LATERAL (
            SELECT * FROM study_sites_auditevent
            WHERE id >= r.first AND id < r.beyond ORDER BY id LIMIT at_most
        ) AS found
        ORDER BY found.id LIMIT at_most
    ) AS e;
    IF s.events = 0 OR only_seals THEN
        RETURN;
    END IF;

    s.number := coalesce(before.number, 0) + 1;
    s.made_at := clock_timestamp();
    s.previous := coalesce(before.hash, '');
    s.ceiling := pg_snapshot_xmax(pg_current_snapshot())::text::bigint;
    -- Everything that was under way at an earlier seal has ended: no id up to its last can still turn up, and those that
    -- did are in this batch unless it was cut. The hour covers the moment between taking an id and a transaction number.
    s.settled_id := greatest(s.settled_id, (
        SELECT max(last_id) FROM study_sites_auditseal
        WHERE ceiling <= pg_snapshot_xmin(s.snapshot::pg_snapshot)::text::bigint
          AND made_at < clock_timestamp() - interval '1 hour' AND s.events < at_most
    ));
    s.last_id := greatest(s.last_id, before.last_id);
    s.hash := sha256(convert_to(@HEAD@, 'UTF8') || s.content);
    INSERT INTO study_sites_auditseal SELECT s.*;
    RETURN QUERY SELECT s.number, s.events, s.hash;
END $$;

-- The signature is made outside, with a key that the database does not have, in the transaction that sealed.
CREATE FUNCTION audit_sign(seal bigint, with_signature bytea, tokens bytea[]) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    UPDATE study_sites_auditseal SET signature = with_signature
    WHERE number = seal AND signature IS NULL AND audit_may_seal(tokens)
$$;

-- Seals after `beyond`, with what their events and they themselves hash to now.
CREATE FUNCTION audit_recomputed(beyond bigint) RETURNS TABLE (seal bigint, hash_now bytea, found bigint, content_now bytea)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT s.number, sha256(convert_to(@HEAD@, 'UTF8') || s.content), now.found, now.content
    FROM study_sites_auditseal AS s CROSS JOIN LATERAL (
        SELECT count(*) AS found, sha256(string_agg(sha256(convert_to(@EVENT@, 'UTF8')), ''::bytea ORDER BY e.id)) AS content
        FROM @RANGES_OF(s.ids)@ CROSS JOIN @EVENTS_OF_RANGE@
    ) AS now
    WHERE s.number > beyond ORDER BY s.number
$$;

-- Ids that one seal names and that are not there.
CREATE FUNCTION audit_removed(seal bigint) RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT (s.ids - coalesce(range_agg(int8range(e.id, e.id + 1)), '{}'))::text
    FROM study_sites_auditseal AS s CROSS JOIN LATERAL @RANGES_OF(s.ids)@ LEFT JOIN @EVENTS_OF_RANGE@ ON true
    WHERE s.number = seal GROUP BY s.ids
$$;

-- Events below the last id of an earlier seal, whose transaction had ended when greater ids were sealed, and which yet
-- were not there. `seal` is null for those in no seal. Only of seals after `beyond`, and ids above `settled`.
CREATE FUNCTION audit_added(beyond bigint, settled bigint)
RETURNS TABLE (seal bigint, ids text, first_at timestamptz, last_at timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT late.seal, range_agg(int8range(late.id, late.id + 1))::text, min(late.at), max(late.at)
    FROM (
        SELECT s.number AS seal, e.id, e.at, e.transaction_id
        FROM (SELECT number, ids, lag(last_id) OVER (ORDER BY number) AS before FROM study_sites_auditseal
              WHERE number >= beyond) AS s
        CROSS JOIN LATERAL @RANGES_OF(s.ids * int8multirange(int8range(NULL, s.before, '[]')))@
        CROSS JOIN @EVENTS_OF_RANGE@
        WHERE s.before IS NOT NULL
        UNION ALL
        SELECT NULL, e.id, e.at, e.transaction_id
        FROM @RANGES_OF((SELECT int8multirange(int8range(settled + 1, NULL)) - coalesce(range_agg(ids), '{}')
                         FROM study_sites_auditseal WHERE last_id > settled))@
        CROSS JOIN @EVENTS_OF_RANGE@
    ) AS late
    WHERE EXISTS (
        SELECT FROM study_sites_auditseal AS s
        WHERE s.last_id >= late.id AND (late.seal IS NULL OR s.number < late.seal)
          AND pg_visible_in_snapshot(late.transaction_id::text::xid8, s.snapshot::pg_snapshot)
    )
    GROUP BY late.seal ORDER BY late.seal
$$;

-- How many events above `settled` are in no seal.
CREATE FUNCTION audit_unsealed(settled bigint) RETURNS bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT count(*)
    FROM @RANGES_OF((SELECT int8multirange(int8range(settled + 1, NULL)) - coalesce(range_agg(ids), '{}')
                     FROM study_sites_auditseal WHERE last_id > settled))@
    CROSS JOIN @EVENTS_OF_RANGE@
$$;

-- How many events of a span of time are in no seal.
CREATE FUNCTION audit_unsealed_between(later_than timestamptz, until timestamptz) RETURNS bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT count(*)
    FROM @RANGES_OF((SELECT int8multirange(int8range(1, NULL)) - coalesce(range_agg(ids), '{}')
                     FROM study_sites_auditseal))@
    CROSS JOIN @EVENTS_OF_RANGE@
    WHERE e.at > later_than AND e.at <= until
$$;

-- Numbers of seals that the trail tells of and that are gone: the newest one too.
CREATE FUNCTION audit_lost_seals(beyond bigint) RETURNS SETOF bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT DISTINCT e.row_id::bigint FROM study_sites_auditevent AS e
    LEFT JOIN study_sites_auditseal AS s
        ON s.number::text = e.row_id AND '\x' || encode(s.hash, 'hex') = e.new ->> 'hash'
    WHERE e.site_id IS NULL AND e.table_name = 'study_sites_auditseal' AND e.action = 'insert' AND s.number IS NULL
      AND e.row_id::bigint > beyond
    ORDER BY 1
$$;
