-- Whether a site is among those at which the transaction may do something (`sites.tenancy.scope`).
CREATE FUNCTION in_scope(ability text, site bigint) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT coalesce(site = ANY (nullif(current_setting('app.' || ability || '_sites', true), '')::bigint[]), false)
$$;
