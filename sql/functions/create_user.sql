CREATE OR REPLACE FUNCTION create_user(given JSONB) RETURNS JSONB LANGUAGE plpgsql AS $$
/* A new user: user_key, profile (as AccountUpdate.Profile), wallet_balance (its opening), actor, action. Refused where there is one. */
DECLARE
    owner TEXT := given ->> 'user_key';
    opening NUMERIC := (given ->> 'wallet_balance')::NUMERIC;
BEGIN
    INSERT INTO users (user_key, user_type, user_id)
    VALUES (owner, split_part(owner, ':', 1), substr(owner, strpos(owner, ':') + 1)) ON CONFLICT (user_key) DO NOTHING;
    IF NOT FOUND THEN
        PERFORM refuse(409, 'user_exists', 'user_id: expected a new user, was ' || owner, 'user_id');
    END IF;
    PERFORM wear_profile(owner, given -> 'profile');
    PERFORM put_fact(owner, 'admin', 'account-updates', jsonb_build_object('profile', given -> 'profile'));
    -- Zero is told, too: an account is judged from its first wallet fact on.
    PERFORM move_money(given || jsonb_build_object('amount', coalesce(opening, 0)::TEXT, 'kind', 'opening', 'action', 'opening',
                                                   'note', coalesce(given ->> 'note', '')));
    RETURN record_operation(owner, given, NULL, given - ARRAY['user_key', 'actor', 'claimed_actor', 'action']);
END
$$;
