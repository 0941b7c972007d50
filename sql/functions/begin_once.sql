CREATE OR REPLACE FUNCTION begin_once(wanted TEXT, print TEXT) RETURNS JSONB LANGUAGE plpgsql AS $$
/* Null where nobody used the key yet: it is this transaction's now. Else {"status", "body"} as it was answered.
   Who asks with a key that another transaction holds waits for its end. Refused where the key was another request's. */
DECLARE
    held answers;
BEGIN
    INSERT INTO answers (key, fingerprint) VALUES (wanted, print) ON CONFLICT (key) DO NOTHING;
    IF FOUND THEN
        RETURN NULL;
    END IF;
    SELECT * INTO STRICT held FROM answers WHERE key = wanted;
    IF held.fingerprint <> print THEN
        PERFORM refuse(409, 'idempotency_conflict', 'Idempotency-Key: expected the request it was first used for, was another', 'Idempotency-Key');
    END IF;
    RETURN jsonb_build_object('status', held.status, 'body', held.body);
END
$$;
