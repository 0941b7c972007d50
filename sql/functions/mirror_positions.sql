CREATE OR REPLACE FUNCTION mirror_positions(accepted TEXT[], positions JSONB) RETURNS VOID LANGUAGE plpgsql AS $$
/* Positions of the accepted users; one that vanished or is flat is closed at quantity zero. */
BEGIN
    INSERT INTO positions AS p (user_key, account_id, venue, symbol, side, position_id, quantity, entry_price, margin_mode, isolated_wallet,
                                leverage, open_rate, swap, commission, status, updated_at)
    SELECT user_key, account_id, venue, symbol, side, position_id, quantity, entry_price, margin_mode, isolated_wallet,
           leverage, open_rate, swap, commission, CASE WHEN quantity = 0 THEN 'closed' ELSE 'open' END, instant(updated_ms)
    FROM jsonb_to_recordset(mirror_positions.positions) AS r(
        user_key TEXT, account_id TEXT, venue TEXT, symbol TEXT, side TEXT, position_id TEXT, quantity NUMERIC, entry_price NUMERIC,
        margin_mode TEXT, isolated_wallet NUMERIC, leverage NUMERIC, open_rate NUMERIC, swap NUMERIC, commission NUMERIC, updated_ms BIGINT)
    WHERE user_key = ANY (accepted)
    ON CONFLICT (user_key, account_id, venue, symbol, side, position_id) DO UPDATE SET
        quantity = EXCLUDED.quantity, entry_price = EXCLUDED.entry_price, margin_mode = EXCLUDED.margin_mode,
        isolated_wallet = EXCLUDED.isolated_wallet, leverage = EXCLUDED.leverage, open_rate = EXCLUDED.open_rate, swap = EXCLUDED.swap,
        commission = EXCLUDED.commission, status = EXCLUDED.status, updated_at = EXCLUDED.updated_at
    WHERE p.* IS DISTINCT FROM EXCLUDED.*;

    UPDATE positions AS p SET status = 'closed', quantity = 0, updated_at = u.updated_at
    FROM users AS u
    WHERE p.user_key = ANY (accepted) AND u.user_key = p.user_key AND p.status = 'open'
        AND (p.user_key, p.account_id, p.venue, p.symbol, p.side, p.position_id) NOT IN (
            SELECT user_key, account_id, venue, symbol, side, position_id
            FROM jsonb_to_recordset(mirror_positions.positions) AS r(
                user_key TEXT, account_id TEXT, venue TEXT, symbol TEXT, side TEXT, position_id TEXT));
END
$$;
