CREATE OR REPLACE FUNCTION ledger_differences(still INTERVAL DEFAULT '0') RETURNS TABLE (subject TEXT, expected NUMERIC, found NUMERIC)
LANGUAGE sql STABLE AS $$
    /* Where money does not add up: a wallet that is not the sum of its ledger, a kept sum that is not, and a house balance of the engine
       (as mirrored) that is not its ledger's. The last is asked of users only at whom nothing moved for `still`:
       states and transactions are told on topics of their own, and what an admin did is on its way. */
    WITH sums AS (SELECT user_key, account_id, asset, sum(amount) AS total FROM transactions GROUP BY user_key, account_id, asset)
    SELECT 'wallet of ' || u.user_key, coalesce(s.total, 0), u.wallet_balance
    FROM users AS u LEFT JOIN sums AS s ON (s.user_key, s.account_id, s.asset) = (u.user_key, 'house', u.currency)
    WHERE u.wallet_balance <> coalesce(s.total, 0)
    UNION ALL
    SELECT format('sum of %s/%s %s', user_key, account_id, asset), coalesce(s.total, 0), l.balance
    FROM sums AS s FULL JOIN ledger_balances AS l USING (user_key, account_id, asset)
    WHERE l.balance IS DISTINCT FROM s.total
    UNION ALL
    SELECT format('ledger of %s/%s %s', user_key, account_id, asset), coalesce(b.wallet_balance, 0), coalesce(l.balance, 0)
    FROM (SELECT * FROM balances WHERE status = 'open' AND account_id = 'house') AS b
    FULL JOIN (SELECT * FROM ledger_balances WHERE account_id = 'house') AS l USING (user_key, account_id, asset)
    JOIN users AS u USING (user_key)
    WHERE coalesce(l.balance, 0) <> coalesce(b.wallet_balance, 0) AND u.updated_at < now() - still
        AND NOT EXISTS (SELECT FROM outbox AS o WHERE o.user_key = u.user_key AND (o.published_at IS NULL OR o.published_at > now() - still))
        AND NOT EXISTS (SELECT FROM transactions AS t WHERE t.user_key = u.user_key AND t.created_at > now() - still)
    ORDER BY 1
$$;
