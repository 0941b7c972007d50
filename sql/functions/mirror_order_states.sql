CREATE OR REPLACE FUNCTION mirror_order_states(books JSONB, orders JSONB) RETURNS INTEGER LANGUAGE plpgsql AS $$
/* Writes the open orders of users, at most one state a user, and returns how many were newer than what is here.

   `books`: one object a user with its (generation, version), the guard; `orders`: a flat array of the open orders in them.
   An order that vanished is CLOSED until its end is read from the order updates; one that ended stays ended. */
DECLARE
    accepted TEXT[];
BEGIN
    WITH written AS (
        INSERT INTO order_books AS b (user_key, generation, version, updated_at)
        SELECT user_key, generation, version, instant(updated_ms)
        FROM jsonb_to_recordset(books) AS r(user_key TEXT, generation INTEGER, version BIGINT, updated_ms BIGINT)
        ORDER BY user_key
        ON CONFLICT (user_key) DO UPDATE SET generation = EXCLUDED.generation, version = EXCLUDED.version, updated_at = EXCLUDED.updated_at
        WHERE (b.generation, b.version) < (EXCLUDED.generation, EXCLUDED.version)
        RETURNING b.user_key
    )
    SELECT coalesce(array_agg(user_key), '{}') INTO accepted FROM written;

    INSERT INTO orders AS o (user_key, account_id, venue, symbol, order_id, client_order_id, side, position_side, order_type, quantity,
                             filled_quantity, price, average_price, stop_price, status, reduce_only, updated_at)
    SELECT user_key, account_id, venue, symbol, order_id, client_order_id, side, position_side, order_type, quantity,
           filled_quantity, price, average_price, stop_price, status, reduce_only, instant(updated_ms)
    FROM jsonb_to_recordset(mirror_order_states.orders) AS r(
        user_key TEXT, account_id TEXT, venue TEXT, symbol TEXT, order_id TEXT, client_order_id TEXT, side TEXT, position_side TEXT,
        order_type TEXT, quantity NUMERIC, filled_quantity NUMERIC, price NUMERIC, average_price NUMERIC, stop_price NUMERIC, status TEXT,
        reduce_only BOOLEAN, updated_ms BIGINT)
    WHERE user_key = ANY (accepted)
    ON CONFLICT (user_key, account_id, venue, symbol, order_id) DO UPDATE SET
        client_order_id = EXCLUDED.client_order_id, side = EXCLUDED.side, position_side = EXCLUDED.position_side,
        order_type = EXCLUDED.order_type, quantity = EXCLUDED.quantity, filled_quantity = EXCLUDED.filled_quantity, price = EXCLUDED.price,
        average_price = EXCLUDED.average_price, stop_price = EXCLUDED.stop_price, status = EXCLUDED.status,
        reduce_only = EXCLUDED.reduce_only, updated_at = EXCLUDED.updated_at
    WHERE order_rank(o.status) < 2 AND o.* IS DISTINCT FROM EXCLUDED.*;

    UPDATE orders AS o SET status = 'CLOSED', updated_at = b.updated_at
    FROM order_books AS b
    WHERE o.user_key = ANY (accepted) AND b.user_key = o.user_key AND order_rank(o.status) = 0
        AND (o.user_key, o.account_id, o.venue, o.symbol, o.order_id) NOT IN (
            SELECT user_key, account_id, venue, symbol, order_id
            FROM jsonb_to_recordset(mirror_order_states.orders) AS r(
                user_key TEXT, account_id TEXT, venue TEXT, symbol TEXT, order_id TEXT));
    RETURN cardinality(accepted);
END
$$;
