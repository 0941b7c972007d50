CREATE OR REPLACE FUNCTION mirror_balances(accepted TEXT[], balances JSONB) RETURNS VOID LANGUAGE plpgsql AS $$
/* Balances of the accepted users; one that vanished is closed at zero. */
BEGIN
    INSERT INTO balances AS b (user_key, account_id, asset, wallet_balance, status, updated_at)
    SELECT user_key, account_id, asset, wallet_balance, 'open', instant(updated_ms)
    FROM jsonb_to_recordset(mirror_balances.balances) AS r(user_key TEXT, account_id TEXT, asset TEXT, wallet_balance NUMERIC,
                                                                  updated_ms BIGINT)
    WHERE user_key = ANY (accepted)
    ON CONFLICT (user_key, account_id, asset) DO UPDATE SET
        wallet_balance = EXCLUDED.wallet_balance, status = EXCLUDED.status, updated_at = EXCLUDED.updated_at
    WHERE (b.wallet_balance, b.status, b.updated_at) IS DISTINCT FROM (EXCLUDED.wallet_balance, EXCLUDED.status, EXCLUDED.updated_at);

    UPDATE balances AS b SET status = 'closed', wallet_balance = 0, updated_at = u.updated_at
    FROM users AS u
    WHERE b.user_key = ANY (accepted) AND u.user_key = b.user_key AND b.status = 'open'
        AND (b.user_key, b.account_id, b.asset) NOT IN (
            SELECT user_key, account_id, asset
            FROM jsonb_to_recordset(mirror_balances.balances) AS r(user_key TEXT, account_id TEXT, asset TEXT));
END
$$;
