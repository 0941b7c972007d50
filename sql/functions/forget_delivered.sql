CREATE OR REPLACE FUNCTION forget_delivered() RETURNS BIGINT LANGUAGE plpgsql AS $$
/* Forgets facts that were published a week ago (the topics hold them as long) alerts of a month ago and answers to keys of as long; returns how many. */
DECLARE
    facts BIGINT;
    said BIGINT;
BEGIN
    DELETE FROM outbox WHERE published_at < now() - interval '7 days';
    GET DIAGNOSTICS facts = ROW_COUNT;
    DELETE FROM answers WHERE created_at < now() - interval '30 days';
    GET DIAGNOSTICS said = ROW_COUNT;
    DELETE FROM alerts WHERE created_at < now() - interval '30 days';
    RETURN facts + said;
END
$$;
