CREATE OR REPLACE FUNCTION order_rank(status TEXT) RETURNS INTEGER LANGUAGE sql IMMUTABLE AS $$
    -- 0 open, 1 gone from the open orders with its end not yet seen, 2 ended.
    -- A row never goes to a lower rank: a closed order never comes back.
    SELECT CASE
        WHEN status IN ('FILLED', 'CANCELED', 'REJECTED', 'EXPIRED', 'EXPIRED_IN_MATCH', 'PARTIALLY_FILLED_CANCELED') THEN 2
        WHEN status = 'CLOSED' THEN 1
        ELSE 0
    END
$$;
