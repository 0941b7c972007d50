CREATE OR REPLACE FUNCTION remove_exchange_account(given JSONB) RETURNS JSONB LANGUAGE plpgsql AS $$
/* Takes an exchange account out of use and forgets its secrets: user_key, account_id, actor, action. Its history stays. */
DECLARE
    held users := lock_user(given ->> 'user_key');
    before JSONB := shown_user(held.user_key);
    gone exchange_accounts;
BEGIN
    UPDATE exchange_accounts SET is_active = FALSE, api_key_encrypted = NULL, api_secret_encrypted = NULL, passphrase_encrypted = NULL,
        listen_key_encrypted = NULL, listen_key_expires_at = NULL, credentials_version = credentials_version + 1,
        updated_at = clock_timestamp()
    WHERE (user_key, account_id) = (held.user_key, given ->> 'account_id') AND is_active
    RETURNING * INTO gone;
    IF NOT FOUND THEN
        PERFORM refuse(404, 'unknown_account', 'account_id: expected an account of the user, was ' || (given ->> 'account_id'), 'account_id');
    END IF;
    PERFORM put_fact(held.user_key, 'admin', 'account-updates', jsonb_build_object('exchange_account_removed', gone.account_id));
    PERFORM record_operation(held.user_key, given, before, shown_account(gone));
    RETURN shown_account(gone);
END
$$;
