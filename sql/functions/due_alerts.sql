CREATE OR REPLACE FUNCTION due_alerts(most INTEGER, lease INTERVAL) RETURNS SETOF alerts LANGUAGE sql AS $$
    -- The next alerts to deliver, nobody else's for `lease`; those of more than a day ago are no news any more.
    UPDATE alerts SET attempts = attempts + 1, due_at = now() + lease
    WHERE id IN (SELECT id FROM alerts WHERE delivered_at IS NULL AND due_at <= now() AND created_at > now() - interval '1 day'
                 ORDER BY due_at LIMIT most FOR UPDATE SKIP LOCKED)
    RETURNING *
$$;
