CREATE FUNCTION audit_seal(at_most integer) RETURNS TABLE (number bigint, events integer, hash bytea)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
DECLARE
    before study_sites_auditseal;
    s study_sites_auditseal;
    covered int8multirange;
    only_seals boolean;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('audit_seal'));
    PERFORM set_config('app.sealing', 'on', true);
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
    PERFORM set_config('app.sealing', '', true);
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
        WHERE ceiling <= pg_snapshot_xmin(s.snapshot::pg_snapshot)::text::bigint AND made_at < clock_timestamp() - interval '1 hour' AND s.events < at_most
    ));
    s.last_id := greatest(s.last_id, before.last_id);
    s.hash := sha256(convert_to(@HEAD@, 'UTF8') || s.content);
    INSERT INTO study_sites_auditseal SELECT s.*;
    RETURN QUERY SELECT s.number, s.events, s.hash;
END $$;

-- The signature is made outside, with a key that the database does not have, in the transaction that sealed.
CREATE FUNCTION audit_sign(seal bigint, with_signature bytea) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    UPDATE study_sites_auditseal SET signature = with_signature WHERE number = seal AND signature IS NULL
$$;
