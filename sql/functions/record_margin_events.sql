CREATE OR REPLACE FUNCTION record_margin_events(given JSONB) RETURNS INTEGER LANGUAGE plpgsql AS $$
/* Rung transitions by id; returns how many are new. */
DECLARE
    added INTEGER;
BEGIN
    INSERT INTO margin_events (id, user_key, account_id, rung_before, rung_after, reasons, episode, transition, figures, created_at)
    SELECT id, user_key, account_id, rung_before, rung_after, reasons, episode, transition, figures, instant(created_ms)
    FROM jsonb_to_recordset(given) AS r(id TEXT, user_key TEXT, account_id TEXT, rung_before TEXT, rung_after TEXT, reasons JSONB,
                                        episode BIGINT, transition BIGINT, figures JSONB, created_ms BIGINT)
    ON CONFLICT (id) DO NOTHING;
    GET DIAGNOSTICS added = ROW_COUNT;
    RETURN added;
END
$$;
