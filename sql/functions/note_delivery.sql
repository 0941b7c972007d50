CREATE OR REPLACE FUNCTION note_delivery(alert TEXT, error TEXT) RETURNS VOID LANGUAGE sql AS $$
    -- What became of an attempt: delivered where `error` is empty, else due again, each time later, at most ten minutes.
    UPDATE alerts SET last_error = left(error, 300), delivered_at = CASE WHEN error = '' THEN clock_timestamp() END,
                      due_at = now() + least(interval '10 minutes', interval '1 second' * power(2, least(attempts, 12)))
    WHERE id = alert
$$;
