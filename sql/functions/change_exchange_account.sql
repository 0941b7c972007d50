CREATE OR REPLACE FUNCTION change_exchange_account(given JSONB) RETURNS JSONB LANGUAGE plpgsql AS $$
/* Other credentials or options of an exchange account in use: as add_exchange_account takes them; what is left out stays.
   Its venue stays, too: secrets are sealed for it. The engine hears where an option changed. */
DECLARE
    held users := lock_user(given ->> 'user_key');
    before JSONB := shown_user(held.user_key);
    anew BOOLEAN := given -> 'sealed' ? 'api_key';
    was exchange_accounts;
    became exchange_accounts;
BEGIN
    SELECT * INTO was FROM exchange_accounts WHERE (user_key, account_id) = (held.user_key, given ->> 'account_id') AND is_active FOR UPDATE;
    IF NOT FOUND THEN
        PERFORM refuse(404, 'unknown_account', 'account_id: expected an account of the user, was ' || (given ->> 'account_id'), 'account_id');
    END IF;
    IF was.venue <> given ->> 'venue' THEN
        PERFORM refuse(409, 'other_venue', format('venue: expected its venue %s, was %s', was.venue, given ->> 'venue'), 'venue');
    END IF;
    UPDATE exchange_accounts SET
        model = coalesce(given ->> 'model', model), currency = coalesce(given ->> 'currency', currency),
        execution = coalesce(given ->> 'execution', execution), auto_reduce = coalesce((given ->> 'auto_reduce')::BOOLEAN, auto_reduce),
        environment = coalesce(given ->> 'environment', environment),
        api_key_encrypted = CASE WHEN anew THEN decode(given -> 'sealed' ->> 'api_key', 'base64') ELSE api_key_encrypted END,
        api_secret_encrypted = CASE WHEN anew THEN decode(given -> 'sealed' ->> 'api_secret', 'base64') ELSE api_secret_encrypted END,
        passphrase_encrypted = CASE WHEN anew THEN decode(given -> 'sealed' ->> 'passphrase', 'base64') ELSE passphrase_encrypted END,
        listen_key_encrypted = CASE WHEN anew THEN NULL ELSE listen_key_encrypted END,
        listen_key_expires_at = CASE WHEN anew THEN NULL ELSE listen_key_expires_at END,
        credentials_version = credentials_version + CASE WHEN anew THEN 1 ELSE 0 END, updated_at = clock_timestamp()
    WHERE (user_key, account_id) = (was.user_key, was.account_id)
    RETURNING * INTO STRICT became;
    IF (was.model, was.currency, was.execution, was.auto_reduce)
        IS DISTINCT FROM (became.model, became.currency, became.execution, became.auto_reduce) THEN
        PERFORM tell_exchange_account_fact(became);
    END IF;
    PERFORM record_operation(held.user_key, given, before, shown_account(became));
    RETURN shown_account(became);
END
$$;
