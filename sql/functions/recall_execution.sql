CREATE OR REPLACE FUNCTION recall_execution(wanted TEXT) RETURNS JSONB LANGUAGE sql AS $$
    -- How often a step was sent, how long ago the last time, and whether its venue said that it took the order.
    SELECT jsonb_build_object('attempts', coalesce(max(attempts), 0),
                              'known', coalesce(bool_or(status IN ('accepted', 'partially_filled', 'filled', 'canceled')), FALSE),
                              'age_ms', coalesce(max((extract(epoch FROM clock_timestamp() - sent_at) * 1000)::BIGINT), 0))
    FROM executions WHERE step_id = wanted
$$;
