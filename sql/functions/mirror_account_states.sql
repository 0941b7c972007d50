CREATE OR REPLACE FUNCTION mirror_account_states(states JSONB, accounts JSONB, balances JSONB, positions JSONB) RETURNS INTEGER
LANGUAGE plpgsql AS $$
/* Writes whole account states, at most one a user, and returns how many were newer than what is here.

   `states`: one object a user; the others: flat arrays of the rows in those states, each with its user_key.
   The users row is the guard: only where (generation, version) is newer are the user's other rows touched,
   so a late or repeated state changes nothing at all. Rows that a newer state does not mention are closed. */
DECLARE
    accepted TEXT[];
BEGIN
    WITH written AS (
        INSERT INTO users AS u (user_key, user_type, user_id, wallet_balance, currency, margin, net_profit, group_name, leverage, status,
                                is_active, kyc, risk_tier, rung, fields, generation, version, updated_at)
        SELECT user_key, user_type, user_id, wallet_balance, currency, margin, net_profit, group_name, leverage, status,
               is_active, kyc, risk_tier, rung, fields, generation, version, instant(updated_ms)
        FROM jsonb_to_recordset(states) AS r(
            user_key TEXT, user_type TEXT, user_id TEXT, wallet_balance NUMERIC, currency TEXT, margin NUMERIC, net_profit NUMERIC,
            group_name TEXT, leverage NUMERIC, status TEXT, is_active BOOLEAN, kyc BOOLEAN, risk_tier TEXT, rung TEXT, fields JSONB,
            generation INTEGER, version BIGINT, updated_ms BIGINT)
        ORDER BY user_key
        ON CONFLICT (user_key) DO UPDATE SET
            wallet_balance = EXCLUDED.wallet_balance, currency = EXCLUDED.currency, margin = EXCLUDED.margin,
            net_profit = EXCLUDED.net_profit, group_name = EXCLUDED.group_name, leverage = EXCLUDED.leverage, status = EXCLUDED.status,
            is_active = EXCLUDED.is_active, kyc = EXCLUDED.kyc, risk_tier = EXCLUDED.risk_tier, rung = EXCLUDED.rung,
            fields = EXCLUDED.fields, generation = EXCLUDED.generation, version = EXCLUDED.version, updated_at = EXCLUDED.updated_at
        WHERE (u.generation, u.version) < (EXCLUDED.generation, EXCLUDED.version)
        RETURNING u.user_key
    )
    SELECT coalesce(array_agg(user_key), '{}') INTO accepted FROM written;

    PERFORM mirror_accounts(accepted, accounts);
    PERFORM mirror_balances(accepted, balances);
    PERFORM mirror_positions(accepted, positions);
    RETURN cardinality(accepted);
END
$$;
