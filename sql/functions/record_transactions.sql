CREATE OR REPLACE FUNCTION record_transactions(given JSONB) RETURNS INTEGER LANGUAGE plpgsql AS $$
/* Balance changes as the engine applied them; returns how many are new.
   One that is here already, by an admin operation or a replay, is left. */
DECLARE
    added INTEGER;
BEGIN
    INSERT INTO transactions (user_key, account_id, delta_id, asset, amount, balance_after, kind, source, source_sequence, cause,
                              created_at)
    SELECT user_key, account_id, delta_id, asset, amount, balance_after, kind, source, source_sequence, cause, instant(created_ms)
    FROM jsonb_to_recordset(given) AS r(user_key TEXT, account_id TEXT, delta_id TEXT, asset TEXT, amount NUMERIC, balance_after NUMERIC,
                                        kind TEXT, source TEXT, source_sequence NUMERIC, cause TEXT, created_ms BIGINT)
    ON CONFLICT (user_key, account_id, delta_id) DO NOTHING;
    GET DIAGNOSTICS added = ROW_COUNT;
    RETURN added;
END
$$;
