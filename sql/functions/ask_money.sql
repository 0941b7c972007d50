CREATE OR REPLACE FUNCTION ask_money(given JSONB) RETURNS JSONB LANGUAGE plpgsql AS $$
/* A request to be decided by somebody: user_key, account_id, asset, amount (above 0), kind (deposit, withdrawal), note, actor, action. */
DECLARE
    held users := lock_user(given ->> 'user_key');
    account TEXT := coalesce(given ->> 'account_id', 'house');
    asked money_requests;
BEGIN
    PERFORM check_house_account(held.user_key, account);
    INSERT INTO money_requests (user_key, account_id, asset, amount, kind, note, requested_by)
    VALUES (held.user_key, account, coalesce(given ->> 'asset', held.currency), (given ->> 'amount')::NUMERIC, given ->> 'kind',
            coalesce(given ->> 'note', ''), given ->> 'actor')
    RETURNING * INTO STRICT asked;
    INSERT INTO audit_log (user_key, actor, claimed_actor, action, after)
    VALUES (held.user_key, given ->> 'actor', coalesce(given ->> 'claimed_actor', ''), given ->> 'action', shown_request(asked));
    RETURN shown_request(asked);
END
$$;
