CREATE OR REPLACE FUNCTION set_wallet(given JSONB) RETURNS JSONB LANGUAGE plpgsql AS $$
/* Compare and set: `wallet_balance` where the wallet is `expected`, as an adjustment of the difference (see `change_user`); else refused. */
DECLARE
    held users := lock_user(given ->> 'user_key');
BEGIN
    IF (given ->> 'expected')::NUMERIC <> held.wallet_balance THEN
        PERFORM refuse(409, 'balance_changed', format('expected_balance: the balance is %s, was %s', held.wallet_balance, given ->> 'expected'),
                       'expected_balance');
    END IF;
    RETURN change_user(given - 'expected');
END
$$;
