CREATE OR REPLACE FUNCTION knows_admin(ours JSONB, told JSONB) RETURNS BOOLEAN LANGUAGE sql IMMUTABLE AS $$
    -- Whether who told these numbers has seen every fact that admins gave out: last numbers by source.
    SELECT coalesce((told ->> 'admin')::BIGINT, 0) >= coalesce((ours ->> 'admin')::BIGINT, 0)
$$;
