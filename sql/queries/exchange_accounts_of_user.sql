-- A user's exchange accounts and how their streams go; nothing secret: psql -v user=live:123 -f this file.
SELECT account_id, venue, environment, is_active, rung, stream_status, stream_detail, listen_key_expires_at, updated_at
FROM exchange_accounts WHERE user_key = :'user' ORDER BY account_id;
