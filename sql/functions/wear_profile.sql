CREATE OR REPLACE FUNCTION wear_profile(owner TEXT, profile JSONB) RETURNS VOID LANGUAGE sql AS $$
    -- A locked user's row with what the profile says; what it leaves out stays.
    UPDATE users SET
        group_name = coalesce(profile ->> 'group', group_name),
        leverage = CASE WHEN profile ? 'leverage' THEN nullif(profile ->> 'leverage', '')::NUMERIC ELSE leverage END,
        status = coalesce(profile ->> 'status', status), is_active = coalesce((profile ->> 'is_active')::BOOLEAN, is_active),
        kyc = coalesce((profile ->> 'kyc')::BOOLEAN, kyc), risk_tier = coalesce(profile ->> 'risk_tier', risk_tier),
        currency = coalesce(profile ->> 'currency', currency), fields = fields || coalesce(profile -> 'fields', '{}'),
        last_group_update = CASE WHEN profile ->> 'group' <> group_name THEN clock_timestamp() ELSE last_group_update END
    WHERE user_key = owner
$$;
