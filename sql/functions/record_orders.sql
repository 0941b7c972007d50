CREATE OR REPLACE FUNCTION record_orders(ended JSONB) RETURNS INTEGER LANGUAGE plpgsql AS $$
/* Ended orders as the venue's order updates told them; returns how many rows changed. A repeat or an older telling changes nothing.
   What an update leaves out (null or empty) keeps the value the open order had. */
DECLARE
    changed INTEGER;
BEGIN
    INSERT INTO orders AS o (user_key, account_id, venue, symbol, order_id, client_order_id, side, position_side, order_type, quantity,
                             filled_quantity, price, average_price, stop_price, status, reduce_only, updated_at)
    SELECT DISTINCT ON (user_key, account_id, venue, symbol, order_id)
           user_key, account_id, venue, symbol, order_id, client_order_id, side, position_side, order_type, quantity,
           filled_quantity, price, average_price, stop_price, status, reduce_only, instant(updated_ms)
    FROM jsonb_to_recordset(ended) AS r(
        user_key TEXT, account_id TEXT, venue TEXT, symbol TEXT, order_id TEXT, client_order_id TEXT, side TEXT, position_side TEXT,
        order_type TEXT, quantity NUMERIC, filled_quantity NUMERIC, price NUMERIC, average_price NUMERIC, stop_price NUMERIC, status TEXT,
        reduce_only BOOLEAN, updated_ms BIGINT)
    ORDER BY user_key, account_id, venue, symbol, order_id, updated_ms DESC
    ON CONFLICT (user_key, account_id, venue, symbol, order_id) DO UPDATE SET
        client_order_id = coalesce(nullif(EXCLUDED.client_order_id, ''), o.client_order_id), side = EXCLUDED.side,
        position_side = EXCLUDED.position_side, order_type = coalesce(nullif(EXCLUDED.order_type, ''), o.order_type),
        quantity = coalesce(EXCLUDED.quantity, o.quantity), filled_quantity = coalesce(EXCLUDED.filled_quantity, o.filled_quantity),
        price = coalesce(EXCLUDED.price, o.price), average_price = coalesce(EXCLUDED.average_price, o.average_price),
        stop_price = coalesce(EXCLUDED.stop_price, o.stop_price), status = EXCLUDED.status, reduce_only = EXCLUDED.reduce_only,
        updated_at = EXCLUDED.updated_at
    WHERE order_rank(o.status) < 2 OR o.updated_at < EXCLUDED.updated_at;
    GET DIAGNOSTICS changed = ROW_COUNT;
    RETURN changed;
END
$$;
