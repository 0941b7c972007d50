-- Who carries out liquidations at venues: who opted in, and each order written down before it is sent.

ALTER TABLE exchange_accounts ADD COLUMN execute BOOLEAN NOT NULL DEFAULT FALSE; -- our executor may send reduce-only orders

CREATE TABLE executions (                                  -- a step of a liquidation that was sent, or was about to be
    step_id         TEXT PRIMARY KEY,
    user_key        TEXT NOT NULL,
    account_id      TEXT NOT NULL,
    client_order_id TEXT NOT NULL,
    notional        NUMERIC NOT NULL,
    attempts        INTEGER NOT NULL DEFAULT 1,
    sent_at         TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(), -- just before the last attempt
    status          TEXT NOT NULL DEFAULT 'sent',          -- as last reported
    detail          TEXT NOT NULL DEFAULT ''
);
CREATE INDEX idx_executions_account ON executions (user_key, account_id, sent_at DESC);
