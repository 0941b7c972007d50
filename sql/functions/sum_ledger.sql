CREATE OR REPLACE FUNCTION sum_ledger() RETURNS TRIGGER LANGUAGE plpgsql AS $$
/* After rows were added to the ledger: its sums, and the wallets that show them. A user the ledger knows first is born here.
   Users are locked first and in order, as every money path does. */
BEGIN
    INSERT INTO users (user_key, user_type, user_id, updated_at)
    SELECT user_key, split_part(user_key, ':', 1), substr(user_key, strpos(user_key, ':') + 1), max(created_at)
    FROM added GROUP BY user_key ORDER BY user_key
    ON CONFLICT (user_key) DO NOTHING;
    PERFORM FROM users WHERE user_key IN (SELECT user_key FROM added) ORDER BY user_key FOR UPDATE;

    INSERT INTO ledger_balances AS held (user_key, account_id, asset, balance, entries)
    SELECT user_key, account_id, asset, sum(amount), count(*) FROM added
    GROUP BY user_key, account_id, asset ORDER BY user_key, account_id, asset
    ON CONFLICT (user_key, account_id, asset) DO UPDATE
        SET balance = held.balance + EXCLUDED.balance, entries = held.entries + EXCLUDED.entries;

    UPDATE users AS u SET wallet_balance = 0,  -- its trigger puts the ledger's sum
        updated_at = greatest(u.updated_at, latest.at)
    FROM (SELECT user_key, max(created_at) AS at FROM added GROUP BY user_key) AS latest WHERE u.user_key = latest.user_key;
    RETURN NULL;
END
$$;
