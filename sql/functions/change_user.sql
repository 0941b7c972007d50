CREATE OR REPLACE FUNCTION change_user(given JSONB) RETURNS JSONB LANGUAGE plpgsql AS $$
/* An admin's change of a user: user_key, version (to insist on one), profile (as AccountUpdate.Profile: only what is set changes),
   wallet_balance (an adjustment of the difference), actor, action. Returns the user as shown after and `changed`, its fields. */
DECLARE
    held users := lock_user(given ->> 'user_key', (given ->> 'version')::BIGINT);
    before JSONB := shown_user(held.user_key);
    profile JSONB := coalesce(given -> 'profile', '{}');
    difference NUMERIC := (given ->> 'wallet_balance')::NUMERIC - held.wallet_balance;
    after JSONB;
BEGIN
    IF profile <> '{}' THEN
        PERFORM wear_profile(held.user_key, profile);
        PERFORM put_fact(held.user_key, 'admin', 'account-updates', jsonb_build_object('profile', profile));
    END IF;
    IF difference <> 0 THEN
        PERFORM move_money(given - 'version' || jsonb_build_object('amount', difference::TEXT, 'kind', 'adjustment', 'action', 'adjustment',
                                                                   'note', coalesce(given ->> 'note', 'wallet_balance set')));
    END IF;
    after := record_operation(held.user_key, given, before, given - ARRAY['user_key', 'actor', 'claimed_actor', 'action']);
    RETURN after || jsonb_build_object('changed', (
        SELECT coalesce(jsonb_agg(field ORDER BY field), '[]') FROM jsonb_each(after) AS a(field, value)
        WHERE value IS DISTINCT FROM before -> field AND field NOT IN ('version', 'updated_at', 'last_admin_update', 'last_group_update')));
END
$$;
