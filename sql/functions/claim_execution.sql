CREATE OR REPLACE FUNCTION claim_execution(given JSONB) RETURNS JSONB LANGUAGE plpgsql AS $$
/* Writes down that a step is about to be sent: step_id, user_key, account_id, client_order_id, notional, hour_notional_max (0: none), and
   `attempts`, how often it was sent as the caller knows. Of several callers who know the same one gets `mine`; `text` says why nobody does. */
DECLARE
    permitted BOOLEAN;
    before executions;
    spent NUMERIC;
    most NUMERIC := (given ->> 'hour_notional_max')::NUMERIC;
BEGIN
    SELECT a.execute AND a.is_active INTO permitted FROM exchange_accounts AS a
    WHERE (a.user_key, a.account_id) = (given ->> 'user_key', given ->> 'account_id') FOR UPDATE; -- one claim of an account at a time
    SELECT * INTO before FROM executions WHERE step_id = given ->> 'step_id';
    IF coalesce(before.attempts, 0) = (given ->> 'attempts')::INTEGER THEN
        SELECT coalesce(sum(notional), 0) INTO spent FROM executions
        WHERE (user_key, account_id) = (given ->> 'user_key', given ->> 'account_id') AND sent_at > clock_timestamp() - INTERVAL '1 hour'
            AND step_id <> given ->> 'step_id';
        IF NOT coalesce(permitted, FALSE) THEN
            RETURN recall_execution(given ->> 'step_id') || '{"text": "the account did not opt in to execution"}';
        ELSIF most > 0 AND spent + (given ->> 'notional')::NUMERIC > most THEN
            RETURN recall_execution(given ->> 'step_id') || jsonb_build_object('text', format(
                'notional: expected at most %s an hour, was %s with this step', most, trim_scale(spent + (given ->> 'notional')::NUMERIC)));
        END IF;
        INSERT INTO executions AS e (step_id, user_key, account_id, client_order_id, notional)
        VALUES (given ->> 'step_id', given ->> 'user_key', given ->> 'account_id', given ->> 'client_order_id', (given ->> 'notional')::NUMERIC)
        ON CONFLICT (step_id) DO UPDATE
            SET attempts = e.attempts + 1, sent_at = clock_timestamp(), notional = EXCLUDED.notional, status = 'sent', detail = '';
        RETURN recall_execution(given ->> 'step_id') || '{"mine": true}';
    END IF;
    RETURN recall_execution(given ->> 'step_id');
END
$$;
