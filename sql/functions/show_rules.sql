CREATE OR REPLACE FUNCTION show_rules(given JSONB) RETURNS VOID LANGUAGE plpgsql AS $$
/* Rules as messages of risk-rules into the tables that people and reports read: groups, instruments, brackets. */
BEGIN
    CREATE TEMPORARY TABLE shown ON COMMIT DROP AS
    SELECT instant(COALESCE((value->>'effective_from_ms')::BIGINT, 0)) AS since, value->'group' AS grouped, value->'instrument' AS traded,
           split_part(value->'instrument'->>'instrument', ':', 1) AS venue,
           substr(value->'instrument'->>'instrument', strpos(value->'instrument'->>'instrument', ':') + 1) AS symbol
    FROM jsonb_array_elements(given);

    INSERT INTO groups (group_name, effective_from, leverage, fallback_ratio, thresholds)
    SELECT grouped->>'group', since, (grouped->>'leverage')::NUMERIC, (grouped->>'fallback_ratio')::NUMERIC,
           jsonb_strip_nulls(jsonb_build_object('thresholds', grouped->'thresholds', 'by_model', grouped->'by_model'))
    FROM shown WHERE grouped IS NOT NULL
    ON CONFLICT (group_name, effective_from) DO UPDATE
        SET leverage = EXCLUDED.leverage, fallback_ratio = EXCLUDED.fallback_ratio, thresholds = EXCLUDED.thresholds,
            updated_at = clock_timestamp();

    DELETE FROM brackets AS b USING shown AS s WHERE (b.venue, b.symbol, b.effective_from) = (s.venue, s.symbol, s.since);
    DELETE FROM instruments AS i USING shown AS s WHERE (i.venue, i.symbol, i.effective_from) = (s.venue, s.symbol, s.since);
    INSERT INTO instruments (venue, symbol, effective_from, base, quote, settle, contract_size, price_tick, quantity_step, min_quantity,
                             calc_mode, stale_after_ms, margin_rate, taker_fee, tier_policy, tier_unit, sessions)
    SELECT venue, symbol, since, COALESCE(traded->>'base', ''), COALESCE(traded->>'quote', ''),
           COALESCE(traded->>'settle', traded->>'quote', ''), COALESCE((traded->>'contract_size')::NUMERIC, 1),
           (traded->>'price_tick')::NUMERIC, (traded->>'quantity_step')::NUMERIC, (traded->>'min_quantity')::NUMERIC,
           COALESCE(traded->>'calc_mode', ''), COALESCE((traded->>'stale_after_ms')::BIGINT, 0), (traded->>'margin_rate')::NUMERIC,
           (traded->>'taker_fee')::NUMERIC, COALESCE(traded->>'tier_policy', ''), COALESCE(traded->>'tier_unit', ''),
           COALESCE(traded->'sessions', '[]')
    FROM shown WHERE traded IS NOT NULL;
    INSERT INTO brackets (venue, symbol, effective_from, floor, cap, rate, amount, max_leverage)
    SELECT venue, symbol, since, COALESCE((tier->>'floor')::NUMERIC, 0), (tier->>'cap')::NUMERIC, (tier->>'rate')::NUMERIC,
           COALESCE((tier->>'amount')::NUMERIC, 0), (tier->>'max_leverage')::NUMERIC
    FROM shown, jsonb_array_elements(COALESCE(traded->'brackets', '[]')) AS tier;
    DROP TABLE shown;
END
$$;
