CREATE OR REPLACE FUNCTION mirror_accounts(accepted TEXT[], accounts JSONB) RETURNS VOID LANGUAGE plpgsql AS $$
/* Exchange accounts of the accepted users. Keys of the venue's stream are not the engine's and stay as they are;
   an account that was never in a state (registered a moment ago) is not closed by a state that does not have it yet. */
BEGIN
    INSERT INTO exchange_accounts AS a (user_key, account_id, venue, model, currency, execution, auto_reduce, rung, is_active, mirrored,
                                        updated_at)
    SELECT user_key, account_id, venue, model, currency, execution, auto_reduce, rung, TRUE, TRUE, instant(updated_ms)
    FROM jsonb_to_recordset(accounts) AS r(user_key TEXT, account_id TEXT, venue TEXT, model TEXT, currency TEXT, execution TEXT,
                                           auto_reduce BOOLEAN, rung TEXT, updated_ms BIGINT)
    WHERE user_key = ANY (accepted)
    ON CONFLICT (user_key, account_id) DO UPDATE SET
        venue = EXCLUDED.venue, model = EXCLUDED.model, currency = EXCLUDED.currency, execution = EXCLUDED.execution,
        auto_reduce = EXCLUDED.auto_reduce, rung = EXCLUDED.rung, is_active = TRUE, mirrored = TRUE, updated_at = EXCLUDED.updated_at
    WHERE (a.venue, a.model, a.currency, a.execution, a.auto_reduce, a.rung, a.is_active, a.mirrored)
        IS DISTINCT FROM (EXCLUDED.venue, EXCLUDED.model, EXCLUDED.currency, EXCLUDED.execution, EXCLUDED.auto_reduce,
                          EXCLUDED.rung, TRUE, TRUE);

    UPDATE exchange_accounts AS a SET is_active = FALSE, updated_at = u.updated_at
    FROM users AS u
    WHERE a.user_key = ANY (accepted) AND u.user_key = a.user_key AND a.is_active AND a.mirrored
        AND (a.user_key, a.account_id) NOT IN (
            SELECT user_key, account_id FROM jsonb_to_recordset(accounts) AS r(user_key TEXT, account_id TEXT));
END
$$;
