CREATE OR REPLACE FUNCTION register_exchange_account(given JSONB) RETURNS JSONB LANGUAGE plpgsql AS $$
/* What the console adds: as add_exchange_account, of a user nobody knew before, too; an account in use is changed. */
DECLARE
    owner TEXT := given ->> 'user_key';
BEGIN
    INSERT INTO users (user_key, user_type, user_id)
    VALUES (owner, split_part(owner, ':', 1), substr(owner, strpos(owner, ':') + 1)) ON CONFLICT (user_key) DO NOTHING;
    PERFORM lock_user(owner);
    IF EXISTS (SELECT FROM exchange_accounts WHERE (user_key, account_id) = (owner, given ->> 'account_id') AND is_active) THEN
        RETURN change_exchange_account(given || '{"action": "exchange_account_changed"}');
    END IF;
    RETURN add_exchange_account('{"execution": "external"}' || given);
END
$$;
