CREATE OR REPLACE FUNCTION decide_money(given JSONB) RETURNS JSONB LANGUAGE plpgsql AS $$
/* Approves (its money moves in the same transaction) or rejects a pending request: id, status, reason, engine, actor, action.
   The user is locked before the request, as everywhere. */
DECLARE
    asked money_requests;
    moved JSONB;
    before JSONB;
BEGIN
    SELECT * INTO asked FROM money_requests WHERE id = (given ->> 'id')::BIGINT;
    IF NOT FOUND THEN
        PERFORM refuse(404, 'unknown_request', 'id: expected a money request, was ' || (given ->> 'id'), 'id');
    END IF;
    PERFORM lock_user(asked.user_key);
    SELECT * INTO asked FROM money_requests WHERE id = asked.id FOR UPDATE;
    IF asked.status <> 'pending' THEN
        PERFORM refuse(409, 'already_decided', format('request %s: expected pending, was %s', asked.id, asked.status), 'id');
    END IF;
    before := shown_request(asked);
    IF given ->> 'status' = 'approved' THEN
        moved := move_money(jsonb_build_object(
            'user_key', asked.user_key, 'account_id', asked.account_id, 'asset', asked.asset, 'kind', asked.kind,
            'amount', (CASE asked.kind WHEN 'withdrawal' THEN -asked.amount ELSE asked.amount END)::TEXT, 'note', asked.note,
            'id', 'request-' || asked.id, 'actor', given ->> 'actor', 'claimed_actor', given ->> 'claimed_actor',
            'action', asked.kind, 'engine', given -> 'engine'));
    END IF;
    UPDATE money_requests SET status = given ->> 'status', decided_by = given ->> 'actor', reason = coalesce(given ->> 'reason', ''),
                              delta_id = moved ->> 'delta_id', updated_at = clock_timestamp()
    WHERE id = asked.id RETURNING * INTO STRICT asked;
    INSERT INTO audit_log (user_key, actor, claimed_actor, action, before, after)
    VALUES (asked.user_key, given ->> 'actor', coalesce(given ->> 'claimed_actor', ''), given ->> 'action', before, shown_request(asked));
    RETURN shown_request(asked) || jsonb_strip_nulls(jsonb_build_object('balance_after', moved -> 'balance_after'));
END
$$;
