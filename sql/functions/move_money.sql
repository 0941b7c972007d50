CREATE OR REPLACE FUNCTION move_money(given JSONB) RETURNS JSONB LANGUAGE plpgsql AS $$
/* The one way money enters or leaves from outside: row lock, ledger, wallet, outbox, audit, all or nothing.

   `given`: user_key, account_id (house), asset (the account's currency), amount (signed text), kind (deposit, withdrawal, adjustment,
   opening), source (admin), id, note, actor, action; `engine` for withdrawals, as `check_withdrawal` takes it; `version` to insist on one.
   Returns the ledger's row and the user's version. */
DECLARE
    held users := lock_user(given ->> 'user_key', (given ->> 'version')::BIGINT);
    account TEXT := coalesce(given ->> 'account_id', 'house');
    wanted TEXT := coalesce(given ->> 'asset', held.currency);
    amount NUMERIC := (given ->> 'amount')::NUMERIC;
    origin TEXT := coalesce(given ->> 'source', 'admin');
    before JSONB := shown_user(held.user_key);
    number BIGINT;
    entry transactions;
BEGIN
    PERFORM check_house_account(held.user_key, account);
    IF given ->> 'kind' = 'withdrawal' THEN
        PERFORM check_withdrawal(held, account, wanted, -amount, given -> 'engine');
    END IF;
    number := put_fact(held.user_key, origin, 'wallet-deltas', jsonb_strip_nulls(jsonb_build_object(
        'id', given ->> 'id', 'account_id', account, 'asset', wanted, 'amount', given ->> 'amount', 'kind', upper(given ->> 'kind'),
        'note', given ->> 'note')));
    INSERT INTO transactions (user_key, account_id, delta_id, asset, amount, balance_after, kind, source, source_sequence, cause, created_at)
    SELECT held.user_key, account, format('%s/%s/%s', origin, number, coalesce(given ->> 'id', number::TEXT)), wanted, amount,
           coalesce((SELECT balance FROM ledger_balances AS l
                     WHERE (l.user_key, l.account_id, l.asset) = (held.user_key, account, wanted)), 0) + amount,
           given ->> 'kind', origin, number, coalesce(given ->> 'note', ''), clock_timestamp()
    RETURNING * INTO STRICT entry;
    RETURN shown_entry(entry) || jsonb_build_object(
        'version', record_operation(held.user_key, given, before, shown_entry(entry)) -> 'version');
END
$$;
