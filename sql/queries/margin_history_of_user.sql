-- Every rung a user's accounts went through, the newest first: psql -v user=live:123 -f this file.
SELECT created_at, account_id, rung_before, rung_after, episode, reasons, figures ->> 'equity' AS equity, figures ->> 'free_margin' AS free_margin
FROM margin_events WHERE user_key = :'user' ORDER BY created_at DESC LIMIT 100;
