CREATE OR REPLACE FUNCTION add_exchange_account(given JSONB) RETURNS JSONB LANGUAGE plpgsql AS $$
/* An exchange account of a user: user_key, account_id, venue, model, currency, execution, auto_reduce, environment, actor, action;
   `sealed`: its credentials as the vault sealed them (api_key, api_secret, passphrase), in base64.
   One that was removed comes back; refused where it is there. */
DECLARE
    held users := lock_user(given ->> 'user_key');
    before JSONB := shown_user(held.user_key);
    added exchange_accounts;
BEGIN
    INSERT INTO exchange_accounts AS a (user_key, account_id, venue, model, currency, execution, auto_reduce, environment,
                                        api_key_encrypted, api_secret_encrypted, passphrase_encrypted, credentials_version)
    VALUES (held.user_key, given ->> 'account_id', given ->> 'venue', coalesce(given ->> 'model', ''), coalesce(given ->> 'currency', ''),
            coalesce(given ->> 'execution', ''), coalesce((given ->> 'auto_reduce')::BOOLEAN, FALSE),
            coalesce(given ->> 'environment', 'mainnet'), decode(given -> 'sealed' ->> 'api_key', 'base64'),
            decode(given -> 'sealed' ->> 'api_secret', 'base64'), decode(given -> 'sealed' ->> 'passphrase', 'base64'), 1)
    ON CONFLICT (user_key, account_id) DO UPDATE
        SET venue = EXCLUDED.venue, model = EXCLUDED.model, currency = EXCLUDED.currency, execution = EXCLUDED.execution,
            auto_reduce = EXCLUDED.auto_reduce, environment = EXCLUDED.environment, api_key_encrypted = EXCLUDED.api_key_encrypted,
            api_secret_encrypted = EXCLUDED.api_secret_encrypted, passphrase_encrypted = EXCLUDED.passphrase_encrypted,
            credentials_version = a.credentials_version + 1, is_active = TRUE, mirrored = FALSE, updated_at = clock_timestamp()
        WHERE NOT a.is_active
    RETURNING * INTO added;
    IF NOT FOUND THEN
        PERFORM refuse(409, 'account_exists', 'account_id: expected a new account, was ' || (given ->> 'account_id'), 'account_id');
    END IF;
    PERFORM tell_exchange_account_fact(added);
    PERFORM record_operation(held.user_key, given, before, shown_account(added));
    RETURN shown_account(added);
END
$$;
