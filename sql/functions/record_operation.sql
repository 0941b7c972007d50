CREATE OR REPLACE FUNCTION record_operation(owner TEXT, given JSONB, before JSONB, detail JSONB) RETURNS JSONB LANGUAGE plpgsql AS $$
/* Ends an admin operation on a locked user: its revision, and who (`given.actor`; `claimed_actor` as he says) did what (`given.action`), before and after.
   Returns the user as shown after. */
DECLARE
    after JSONB;
BEGIN
    UPDATE users SET revision = revision + 1, last_admin_update = clock_timestamp(), updated_at = clock_timestamp() WHERE user_key = owner;
    after := shown_user(owner);
    INSERT INTO audit_log (user_key, actor, claimed_actor, action, detail, before, after)
    VALUES (owner, coalesce(given ->> 'actor', ''), coalesce(given ->> 'claimed_actor', ''), given ->> 'action', record_operation.detail,
            record_operation.before, after);
    RETURN after;
END
$$;
