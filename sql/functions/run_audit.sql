CREATE OR REPLACE FUNCTION run_audit(still INTERVAL) RETURNS JSONB LANGUAGE plpgsql AS $$
/* Asks whether all money adds up, and keeps the answer; returns the differences, at most a hundred. */
DECLARE
    found_lines JSONB;
BEGIN
    SELECT coalesce(jsonb_agg(format('%s: expected %s, was %s', d.subject, d.expected, d.found)), '[]') INTO found_lines
    FROM (SELECT * FROM ledger_differences(still) LIMIT 100) AS d;
    PERFORM keep_audit('ledger', found_lines);
    RETURN found_lines;
END
$$;
