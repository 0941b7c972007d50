CREATE OR REPLACE FUNCTION forget_executions(older INTERVAL, most BIGINT) RETURNS BIGINT LANGUAGE plpgsql AS $$
/* Forgets at most so many steps that have ended and were sent longer ago, the oldest first; returns how many. What may still come to an end,
   and what the bound of an hour counts, stays however old it is asked for. */
DECLARE
    gone BIGINT;
BEGIN
    DELETE FROM executions WHERE step_id IN (
        SELECT step_id FROM executions
        WHERE status IN ('filled', 'completed', 'canceled', 'rejected', 'refused')
            AND sent_at < clock_timestamp() - greatest(older, INTERVAL '1 day')
        ORDER BY sent_at LIMIT most);
    GET DIAGNOSTICS gone = ROW_COUNT;
    RETURN gone;
END
$$;
