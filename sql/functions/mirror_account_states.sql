CREATE OR REPLACE FUNCTION mirror_account_states(states JSONB, accounts JSONB, balances JSONB, positions JSONB) RETURNS INTEGER
LANGUAGE plpgsql AS $$
/* Writes whole account states, at most one a user, and returns how many were newer than what is here.

   `states`: one object a user; the others: flat arrays of the rows in those states, each with its user_key.
   The users row is the guard: only where (generation, version) is newer are the user's other rows touched,
   so a late or repeated state changes nothing at all. Rows that a newer state does not mention are closed.
   A state that has not folded the last admin fact yet tells nothing of what admins change: profile and exchange accounts.
   Wallets are the ledger's and not written here. */
DECLARE
    accepted TEXT[];
    informed TEXT[];
BEGIN
    WITH written AS (
        INSERT INTO users AS u (user_key, user_type, user_id, currency, margin, net_profit, group_name, leverage, status,
                                is_active, kyc, risk_tier, rung, fields, sequences, generation, version, updated_at)
        SELECT user_key, user_type, user_id, currency, margin, net_profit, group_name, leverage, status,
               is_active, kyc, risk_tier, rung, fields, coalesce(sequences, '{}'), generation, version, instant(updated_ms)
        FROM jsonb_to_recordset(states) AS r(
            user_key TEXT, user_type TEXT, user_id TEXT, currency TEXT, margin NUMERIC, net_profit NUMERIC,
            group_name TEXT, leverage NUMERIC, status TEXT, is_active BOOLEAN, kyc BOOLEAN, risk_tier TEXT, rung TEXT, fields JSONB,
            sequences JSONB, generation INTEGER, version BIGINT, updated_ms BIGINT)
        ORDER BY user_key
        ON CONFLICT (user_key) DO UPDATE SET
            (currency, group_name, leverage, status, is_active, kyc, risk_tier, fields) = (
                SELECT EXCLUDED.currency, EXCLUDED.group_name, EXCLUDED.leverage, EXCLUDED.status, EXCLUDED.is_active, EXCLUDED.kyc,
                       EXCLUDED.risk_tier, EXCLUDED.fields
                WHERE knows_admin(u.sequences, EXCLUDED.sequences)
                UNION ALL
                SELECT u.currency, u.group_name, u.leverage, u.status, u.is_active, u.kyc, u.risk_tier, u.fields
                WHERE NOT knows_admin(u.sequences, EXCLUDED.sequences)),
            margin = EXCLUDED.margin, net_profit = EXCLUDED.net_profit, rung = EXCLUDED.rung,
            sequences = later_numbers(u.sequences, EXCLUDED.sequences),
            generation = EXCLUDED.generation, version = EXCLUDED.version,
            updated_at = greatest(u.updated_at, EXCLUDED.updated_at)
        WHERE (u.generation, u.version) < (EXCLUDED.generation, EXCLUDED.version)
        RETURNING u.user_key
    )
    SELECT coalesce(array_agg(user_key), '{}') INTO accepted FROM written;

    SELECT coalesce(array_agg(u.user_key), '{}') INTO informed
    FROM users AS u JOIN jsonb_to_recordset(states) AS r(user_key TEXT, sequences JSONB) USING (user_key)
    WHERE u.user_key = ANY (accepted) AND knows_admin(u.sequences, coalesce(r.sequences, '{}'));

    PERFORM mirror_accounts(informed, accounts);
    PERFORM mirror_balances(accepted, balances);
    PERFORM mirror_positions(accepted, positions);
    RETURN cardinality(accepted);
END
$$;
