CREATE OR REPLACE FUNCTION check_withdrawal(held users, account TEXT, wanted TEXT, amount NUMERIC, engine JSONB) RETURNS VOID
LANGUAGE plpgsql AS $$
/* Refuses to pay out what the ledger does not hold, or the engine needs as margin.

   `engine`: {"free_margin": text, "next": {source: number}}, judged a moment ago, with the facts of each source below `next` in it.
   What left by facts it did not have yet comes off its free margin; what came in by them does not count before it is seen. */
DECLARE
    balance NUMERIC := coalesce((SELECT l.balance FROM ledger_balances AS l
                                 WHERE (l.user_key, l.account_id, l.asset) = (held.user_key, account, wanted)), 0);
    unseen NUMERIC;
BEGIN
    IF (account, wanted) <> ('house', held.currency) THEN
        PERFORM refuse(422, 'not_withdrawable', format('asset: expected %s of the house account, was %s', held.currency, wanted), 'asset');
    ELSIF amount > balance THEN
        PERFORM refuse(422, 'insufficient_balance', format('amount: expected at most the balance %s, was %s', balance, amount), 'amount');
    ELSIF engine IS NULL OR engine ->> 'free_margin' IS NULL THEN
        PERFORM refuse(409, 'cannot_verify', 'free margin: expected the engine to tell it, was ' || coalesce(engine ->> 'reason', 'silent'));
    END IF;
    SELECT coalesce(-sum(t.amount), 0) INTO unseen FROM transactions AS t
    WHERE t.user_key = held.user_key AND (t.account_id, t.asset) = (account, wanted) AND t.amount < 0
        AND held.sequences ? t.source AND t.source_sequence >= coalesce((engine -> 'next' ->> t.source)::BIGINT, 1);
    IF amount > (engine ->> 'free_margin')::NUMERIC - unseen THEN
        PERFORM refuse(422, 'insufficient_margin', format('amount: expected at most the free margin %s less %s on its way, was %s',
                                                          engine ->> 'free_margin', unseen, amount), 'amount');
    END IF;
END
$$;
