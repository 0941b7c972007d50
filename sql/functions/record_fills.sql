CREATE OR REPLACE FUNCTION record_fills(given JSONB) RETURNS INTEGER LANGUAGE plpgsql AS $$
/* Fills by their natural key; returns how many rows changed. A repeat changes nothing; a full fill replaces its early notice (lite). */
DECLARE
    changed INTEGER;
BEGIN
    INSERT INTO fills AS f (user_key, account_id, venue, symbol, order_id, trade_id, side, quantity, price, fee, fee_asset, realised_pnl,
                            is_maker, lite, created_at)
    SELECT DISTINCT ON (user_key, account_id, venue, symbol, order_id, trade_id)
           user_key, account_id, venue, symbol, order_id, trade_id, side, quantity, price, fee, fee_asset, realised_pnl,
           is_maker, lite, instant(created_ms)
    FROM jsonb_to_recordset(given) AS r(
        user_key TEXT, account_id TEXT, venue TEXT, symbol TEXT, order_id TEXT, trade_id TEXT, side TEXT, quantity NUMERIC, price NUMERIC,
        fee NUMERIC, fee_asset TEXT, realised_pnl NUMERIC, is_maker BOOLEAN, lite BOOLEAN, created_ms BIGINT)
    ORDER BY user_key, account_id, venue, symbol, order_id, trade_id, lite
    ON CONFLICT (user_key, account_id, venue, symbol, order_id, trade_id) DO UPDATE SET
        side = EXCLUDED.side, quantity = EXCLUDED.quantity, price = EXCLUDED.price, fee = EXCLUDED.fee, fee_asset = EXCLUDED.fee_asset,
        realised_pnl = EXCLUDED.realised_pnl, is_maker = EXCLUDED.is_maker, lite = FALSE, created_at = EXCLUDED.created_at
    WHERE f.lite AND NOT EXCLUDED.lite;
    GET DIAGNOSTICS changed = ROW_COUNT;
    RETURN changed;
END
$$;
