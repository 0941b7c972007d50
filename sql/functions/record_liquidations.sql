CREATE OR REPLACE FUNCTION record_liquidations(given JSONB) RETURNS INTEGER LANGUAGE plpgsql AS $$
/* Liquidation events by id and kind (a step is ordered once and completed or refused once); returns how many are new.
   What is new is an alert to be delivered, and an order of a plan is in the audit log. */
DECLARE
    added INTEGER;
BEGIN
    WITH fresh AS (
        INSERT INTO liquidations (id, event, user_key, account_id, episode, step, action, venue, symbol, side, quantity, price,
                                  realised_pnl, fee, detail, created_at)
        SELECT id, event, user_key, account_id, episode, step, action, venue, symbol, side, quantity, price, realised_pnl, fee,
               detail, instant(created_ms)
        FROM jsonb_to_recordset(given) AS r(
            id TEXT, event TEXT, user_key TEXT, account_id TEXT, episode BIGINT, step BIGINT, action TEXT, venue TEXT, symbol TEXT,
            side TEXT, quantity NUMERIC, price NUMERIC, realised_pnl NUMERIC, fee NUMERIC, detail JSONB, created_ms BIGINT)
        ON CONFLICT (id, event) DO NOTHING
        RETURNING *
    ), told AS (
        INSERT INTO alerts (id, kind, user_key, body)
        SELECT id || '/' || event, 'liquidation_' || event, user_key, jsonb_strip_nulls(jsonb_build_object(
            'user', user_key, 'account_id', account_id, 'episode', episode, 'step', step, 'action', action, 'venue', venue,
            'symbol', symbol, 'side', side, 'quantity', quantity::TEXT, 'price', price::TEXT, 'realised_pnl', realised_pnl::TEXT,
            'fee', fee::TEXT, 'detail', detail, 'time_ms', (extract(epoch FROM created_at) * 1000)::BIGINT))
        FROM fresh ON CONFLICT (id) DO NOTHING
    ), noted AS (
        INSERT INTO audit_log (user_key, actor, action, detail)
        SELECT user_key, 'engine', 'liquidation_ordered', jsonb_build_object('id', id, 'account_id', account_id, 'plan', detail)
        FROM fresh WHERE event = 'ordered'
    )
    SELECT count(*) INTO added FROM fresh;
    RETURN added;
END
$$;
