CREATE OR REPLACE FUNCTION check_house_account(owner TEXT, account TEXT) RETURNS VOID LANGUAGE plpgsql AS $$
/* Refuses an account whose balance a venue tells, or nobody knows: the engine would refuse its money, too. */
BEGIN
    IF account <> 'house' AND NOT EXISTS (SELECT FROM exchange_accounts
                                          WHERE (user_key, account_id, venue) = (owner, account, 'house') AND is_active) THEN
        PERFORM refuse(422, 'not_a_house_account', 'account_id: expected a house account of the user, was ' || account, 'account_id');
    END IF;
END
$$;
