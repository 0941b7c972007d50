CREATE OR REPLACE FUNCTION tell_exchange_account_fact(one exchange_accounts) RETURNS BIGINT LANGUAGE sql AS $$
    -- Tells the engine of a locked user's exchange account: venue, model and options, none of its secrets.
    SELECT put_fact(one.user_key, 'admin', 'account-updates', jsonb_build_object('exchange_account', jsonb_strip_nulls(jsonb_build_object(
        'account_id', one.account_id, 'venue', one.venue, 'model', one.model, 'currency', one.currency,
        'execution', one.execution, 'auto_reduce', one.auto_reduce))))
$$;
