CREATE OR REPLACE FUNCTION run_audit(still INTERVAL) RETURNS JSONB LANGUAGE plpgsql AS $$
/* Asks whether all money adds up, and keeps the answer; returns the differences, at most a hundred. A difference is an alert once a day. */
DECLARE
    found_lines JSONB;
BEGIN
    SELECT coalesce(jsonb_agg(format('%s: expected %s, was %s', d.subject, d.expected, d.found)), '[]') INTO found_lines
    FROM (SELECT * FROM ledger_differences(still) LIMIT 100) AS d;
    INSERT INTO audits AS a (name, ran_at, last_success_at, differences)
    VALUES ('ledger', now(), CASE WHEN found_lines = '[]' THEN now() END, found_lines)
    ON CONFLICT (name) DO UPDATE SET ran_at = EXCLUDED.ran_at, differences = EXCLUDED.differences,
                                     last_success_at = coalesce(EXCLUDED.last_success_at, a.last_success_at);
    IF found_lines <> '[]' THEN
        INSERT INTO alerts (id, kind, user_key, body)
        VALUES ('audit/ledger/' || current_date, 'audit_differences', '', jsonb_build_object('audit', 'ledger', 'differences', found_lines))
        ON CONFLICT (id) DO NOTHING;
    END IF;
    RETURN found_lines;
END
$$;
