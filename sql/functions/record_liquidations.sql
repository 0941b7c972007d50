CREATE OR REPLACE FUNCTION record_liquidations(given JSONB) RETURNS INTEGER LANGUAGE plpgsql AS $$
/* Liquidation events by id and kind (a step is ordered once and completed or refused once); returns how many are new. */
DECLARE
    added INTEGER;
BEGIN
    INSERT INTO liquidations (id, event, user_key, account_id, episode, step, action, venue, symbol, side, quantity, price, realised_pnl,
                              fee, detail, created_at)
    SELECT id, event, user_key, account_id, episode, step, action, venue, symbol, side, quantity, price, realised_pnl, fee,
           detail, instant(created_ms)
    FROM jsonb_to_recordset(given) AS r(
        id TEXT, event TEXT, user_key TEXT, account_id TEXT, episode BIGINT, step BIGINT, action TEXT, venue TEXT, symbol TEXT, side TEXT,
        quantity NUMERIC, price NUMERIC, realised_pnl NUMERIC, fee NUMERIC, detail JSONB, created_ms BIGINT)
    ON CONFLICT (id, event) DO NOTHING;
    GET DIAGNOSTICS added = ROW_COUNT;
    RETURN added;
END
$$;
