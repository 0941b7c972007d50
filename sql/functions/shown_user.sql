CREATE OR REPLACE FUNCTION shown_user(wanted TEXT) RETURNS JSONB LANGUAGE sql STABLE AS $$
    -- A user as people see it: amounts as text, times in ms, `version` the one an update names.
    SELECT fields || jsonb_build_object(
        'user', user_key, 'user_type', user_type, 'user_id', user_id, 'wallet_balance', wallet_balance::TEXT, 'currency', currency,
        'margin', margin::TEXT, 'net_profit', net_profit::TEXT, 'group', group_name, 'leverage', leverage::TEXT, 'status', status,
        'is_active', is_active, 'kyc', kyc, 'risk_tier', risk_tier, 'rung', rung, 'version', revision,
        'last_group_update', (extract(epoch FROM last_group_update) * 1000)::BIGINT,
        'last_admin_update', (extract(epoch FROM last_admin_update) * 1000)::BIGINT,
        'updated_at', (extract(epoch FROM updated_at) * 1000)::BIGINT)
    FROM users WHERE user_key = wanted
$$;
