CREATE OR REPLACE FUNCTION put_fact(owner TEXT, source TEXT, topic TEXT, fact JSONB) RETURNS BIGINT LANGUAGE plpgsql AS $$
/* Puts a fact of a locked user into the outbox and returns its number: +1 per user and source, so the engine takes each once, in order. */
DECLARE
    number BIGINT;
BEGIN
    UPDATE users SET sequences = sequences || jsonb_build_object(put_fact.source, coalesce((sequences ->> put_fact.source)::BIGINT, 0) + 1)
    WHERE user_key = owner
    RETURNING (sequences ->> put_fact.source)::BIGINT INTO STRICT number;
    INSERT INTO outbox (user_key, source, topic, sequence, value)
    VALUES (owner, put_fact.source, put_fact.topic, number,
            jsonb_build_object('id', number::TEXT, 'user_id', owner, 'time_ms', now_ms()) || fact
            || jsonb_build_object('source', put_fact.source, 'sequence', number));
    NOTIFY outbox;
    RETURN number;
END
$$;
