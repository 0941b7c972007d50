CREATE OR REPLACE FUNCTION permit_execution(given JSONB) RETURNS VOID LANGUAGE plpgsql AS $$
/* Opts an account in to liquidation by our executor, or out of it: user_key, account_id, execute, actor, action. The engine is told, too. */
BEGIN
    PERFORM lock_user(given ->> 'user_key');
    PERFORM change_exchange_account(given || jsonb_build_object('auto_reduce', given -> 'execute')
                                    || CASE WHEN (given ->> 'execute')::BOOLEAN THEN '{"execution": "venue"}'::JSONB ELSE '{}' END);
    UPDATE exchange_accounts SET execute = (given ->> 'execute')::BOOLEAN
    WHERE (user_key, account_id) = (given ->> 'user_key', given ->> 'account_id');
END
$$;
