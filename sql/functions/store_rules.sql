CREATE OR REPLACE FUNCTION store_rules(given JSONB, actor TEXT) RETURNS INTEGER LANGUAGE plpgsql AS $$
/* Rules as messages of risk-rules, validated before; returns how many are new or other than before. Those wait to be published,
   and are in the audit log with what they replace. Rules that were here as they are stay published. */
DECLARE
    stored INTEGER;
BEGIN
    CREATE TEMPORARY TABLE fresh ON COMMIT DROP AS
    SELECT r.rule_id, r.at, r.rule, held.rule AS before
    FROM (SELECT value->>'rule_id' AS rule_id, COALESCE((value->>'effective_from_ms')::BIGINT, 0) AS at, value AS rule
          FROM jsonb_array_elements(given)) AS r
    LEFT JOIN risk_rules AS held ON held.rule_id = r.rule_id AND held.effective_from_ms = r.at
    WHERE held.rule IS DISTINCT FROM r.rule;
    GET DIAGNOSTICS stored = ROW_COUNT;

    INSERT INTO risk_rules (rule_id, effective_from_ms, rule, changed_by) SELECT rule_id, at, rule, actor FROM fresh
    ON CONFLICT (rule_id, effective_from_ms) DO UPDATE
        SET rule = EXCLUDED.rule, changed_by = EXCLUDED.changed_by, updated_at = clock_timestamp(), published_at = NULL;
    INSERT INTO audit_log (actor, action, detail)
    SELECT actor, 'rule_changed', jsonb_build_object('rule_id', rule_id, 'effective_from_ms', at, 'rule', rule, 'before', before) FROM fresh;

    PERFORM show_rules((SELECT COALESCE(jsonb_agg(rule), '[]') FROM fresh));
    DROP TABLE fresh;
    RETURN stored;
END
$$;
