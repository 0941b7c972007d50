CREATE OR REPLACE FUNCTION keep_audit(audit TEXT, lines JSONB) RETURNS VOID LANGUAGE plpgsql AS $$
/* Keeps what an audit found, the time, and the time of its last success; a difference is an alert once a day. */
BEGIN
    INSERT INTO audits AS a (name, ran_at, last_success_at, differences)
    VALUES (audit, now(), CASE WHEN lines = '[]' THEN now() END, lines)
    ON CONFLICT (name) DO UPDATE SET ran_at = EXCLUDED.ran_at, differences = EXCLUDED.differences,
                                     last_success_at = coalesce(EXCLUDED.last_success_at, a.last_success_at);
    IF lines <> '[]' THEN
        INSERT INTO alerts (id, kind, user_key, body)
        VALUES (format('audit/%s/%s', audit, current_date), 'audit_differences', '', jsonb_build_object('audit', audit, 'differences', lines))
        ON CONFLICT (id) DO NOTHING;
    END IF;
END
$$;
