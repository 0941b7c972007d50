CREATE OR REPLACE FUNCTION instant(ms BIGINT) RETURNS TIMESTAMPTZ LANGUAGE sql IMMUTABLE AS $$
    -- The moment `ms` milliseconds after 1970, as every topic says it.
    SELECT timestamptz '1970-01-01 00:00:00+00' + ms * interval '1 millisecond'
$$;
