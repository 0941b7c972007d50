-- The last rung transitions, margin calls among them.
SELECT created_at, user_key, account_id, rung_before, rung_after, reasons, figures ->> 'equity' AS equity
FROM margin_events ORDER BY created_at DESC LIMIT 20;
