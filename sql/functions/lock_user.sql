CREATE OR REPLACE FUNCTION lock_user(wanted TEXT, revision BIGINT DEFAULT NULL) RETURNS users LANGUAGE plpgsql AS $$
/* The user's row, nobody else's until the transaction ends; refused where there is none, or `revision` is not the present one. */
DECLARE
    held users;
BEGIN
    SELECT * INTO held FROM users WHERE user_key = wanted FOR UPDATE;
    IF NOT FOUND THEN
        PERFORM refuse(404, 'unknown_user', 'user: expected a known user, was ' || wanted, 'user');
    END IF;
    IF lock_user.revision IS DISTINCT FROM held.revision AND lock_user.revision IS NOT NULL THEN
        PERFORM refuse(409, 'version_conflict', format('version: expected %s, was %s', held.revision, lock_user.revision), 'version');
    END IF;
    RETURN held;
END
$$;
