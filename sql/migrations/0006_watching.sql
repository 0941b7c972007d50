-- What people are told of: liquidations as alerts to be delivered, audits with their last success; and the indexes of what grows.

CREATE TABLE alerts (
    id           TEXT PRIMARY KEY,                         -- of its cause: a liquidation is told once however often it is read
    kind         TEXT NOT NULL,
    user_key     TEXT NOT NULL,
    body         JSONB NOT NULL,
    attempts     INTEGER NOT NULL DEFAULT 0,
    due_at       TIMESTAMPTZ NOT NULL DEFAULT now(),       -- of the next attempt
    last_error   TEXT NOT NULL DEFAULT '',
    delivered_at TIMESTAMPTZ,
    created_at   TIMESTAMPTZ NOT NULL DEFAULT now()
);
CREATE INDEX idx_alerts_due ON alerts (due_at) WHERE delivered_at IS NULL;
CREATE INDEX idx_alerts_created ON alerts (created_at);

CREATE TABLE audits (                                      -- one row an audit: its last word, and when all was well
    name            TEXT PRIMARY KEY,
    ran_at          TIMESTAMPTZ NOT NULL,
    last_success_at TIMESTAMPTZ,
    differences     JSONB NOT NULL DEFAULT '[]'
);

CREATE INDEX idx_transactions_time ON transactions USING brin (created_at);
CREATE INDEX idx_margin_events_user ON margin_events (user_key, created_at DESC);
CREATE INDEX idx_liquidations_user ON liquidations (user_key, created_at DESC);
CREATE INDEX idx_fills_user ON fills (user_key, created_at DESC);
