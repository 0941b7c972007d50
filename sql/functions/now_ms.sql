CREATE OR REPLACE FUNCTION now_ms() RETURNS BIGINT LANGUAGE sql VOLATILE AS $$
    -- The present in ms, as facts tell it.
    SELECT (extract(epoch FROM clock_timestamp()) * 1000)::BIGINT
$$;
