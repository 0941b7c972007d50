CREATE OR REPLACE FUNCTION end_once(wanted TEXT, code INTEGER, said JSONB) RETURNS VOID LANGUAGE sql AS $$
    -- What the key of `begin_once` is answered from now on.
    UPDATE answers SET status = code, body = said WHERE key = wanted
$$;
