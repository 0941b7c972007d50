CREATE OR REPLACE FUNCTION sum_ledger() RETURNS TRIGGER LANGUAGE plpgsql AS $$
/* After rows were added to the ledger: its sums, and the wallets that show them. A user the ledger knows first is born here.
   Users are locked first and in order, as every money path does. */
BEGIN
    INSERT INTO users (user_key, user_type, user_id)
    SELECT DISTINCT user_key, split_part(user_key, ':', 1), substr(user_key, strpos(user_key, ':') + 1) FROM added ORDER BY user_key
    ON CONFLICT (user_key) DO NOTHING;
    PERFORM FROM users WHERE user_key IN (SELECT user_key FROM added) ORDER BY user_key FOR UPDATE;

    INSERT INTO ledger_balances AS held (user_key, account_id, asset, balance, entries)
    SELECT user_key, account_id, asset, sum(amount), count(*) FROM added
    GROUP BY user_key, account_id, asset ORDER BY user_key, account_id, asset
    ON CONFLICT (user_key, account_id, asset) DO UPDATE
        SET balance = held.balance + EXCLUDED.balance, entries = held.entries + EXCLUDED.entries;

    UPDATE users SET wallet_balance = 0  -- its trigger puts the ledger's sum
    WHERE user_key IN (SELECT user_key FROM added WHERE account_id = 'house');
    RETURN NULL;
END
$$;
