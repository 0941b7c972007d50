-- The last liquidation steps and what became of them.
SELECT created_at, user_key, account_id, event, action, venue, symbol, side, quantity, price, realised_pnl
FROM liquidations ORDER BY created_at DESC LIMIT 20;
