-- What mirrors write: the state of every user, and the history of orders, fills, money and margin.

CREATE TABLE users (
    user_key       TEXT PRIMARY KEY,                       -- live:123
    user_type      TEXT NOT NULL,
    user_id        TEXT NOT NULL,
    wallet_balance NUMERIC NOT NULL DEFAULT 0,             -- of the house account, in its currency
    currency       TEXT NOT NULL DEFAULT 'USD',
    margin         NUMERIC NOT NULL DEFAULT 0,
    net_profit     NUMERIC NOT NULL DEFAULT 0,
    group_name     TEXT NOT NULL DEFAULT 'standard',
    leverage       NUMERIC,
    status         TEXT NOT NULL DEFAULT 'active',
    is_active      BOOLEAN NOT NULL DEFAULT TRUE,
    kyc            BOOLEAN NOT NULL DEFAULT FALSE,
    risk_tier      TEXT NOT NULL DEFAULT '',
    rung           TEXT NOT NULL DEFAULT 'normal',         -- of the house account
    fields         JSONB NOT NULL DEFAULT '{}',            -- account_number, country_id, mam_id, ...
    generation     INTEGER NOT NULL DEFAULT 0,
    version        BIGINT NOT NULL DEFAULT 0,              -- (generation, version) of the account state last written
    updated_at     TIMESTAMPTZ NOT NULL DEFAULT now()
);

CREATE TABLE exchange_accounts (
    user_key               TEXT NOT NULL,
    account_id             TEXT NOT NULL,
    venue                  TEXT NOT NULL,
    model                  TEXT NOT NULL DEFAULT '',
    currency               TEXT NOT NULL DEFAULT '',
    execution              TEXT NOT NULL DEFAULT '',
    auto_reduce            BOOLEAN NOT NULL DEFAULT FALSE,
    rung                   TEXT NOT NULL DEFAULT 'normal',
    listen_key_encrypted   BYTEA,
    listen_key_expires_at  TIMESTAMPTZ,
    is_active              BOOLEAN NOT NULL DEFAULT TRUE,
    mirrored               BOOLEAN NOT NULL DEFAULT FALSE, -- seen in an account state: only such a row can vanish from one
    created_at             TIMESTAMPTZ NOT NULL DEFAULT now(),
    updated_at             TIMESTAMPTZ NOT NULL DEFAULT now(),
    PRIMARY KEY (user_key, account_id)
);
CREATE INDEX idx_exchange_accounts_listen_key_expires ON exchange_accounts (listen_key_expires_at)
    WHERE is_active AND listen_key_encrypted IS NOT NULL;

CREATE TABLE balances (
    user_key       TEXT NOT NULL,
    account_id     TEXT NOT NULL,
    asset          TEXT NOT NULL,
    wallet_balance NUMERIC NOT NULL,
    status         TEXT NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'closed')),
    updated_at     TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (user_key, account_id, asset)
);

CREATE TABLE positions (
    user_key        TEXT NOT NULL,
    account_id      TEXT NOT NULL,
    venue           TEXT NOT NULL,
    symbol          TEXT NOT NULL,
    side            TEXT NOT NULL,
    position_id     TEXT NOT NULL DEFAULT '',
    quantity        NUMERIC NOT NULL,                      -- signed for side BOTH
    entry_price     NUMERIC NOT NULL,
    margin_mode     TEXT NOT NULL DEFAULT 'cross',
    isolated_wallet NUMERIC,
    leverage        NUMERIC,
    open_rate       NUMERIC,
    swap            NUMERIC NOT NULL DEFAULT 0,
    commission      NUMERIC NOT NULL DEFAULT 0,
    status          TEXT NOT NULL CHECK (status IN ('open', 'closed')),
    updated_at      TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (user_key, account_id, venue, symbol, side, position_id)
);
CREATE INDEX idx_positions_open ON positions (venue, symbol) WHERE status = 'open';

CREATE TABLE order_books (                                 -- (generation, version) of the order state last written
    user_key   TEXT PRIMARY KEY,
    generation INTEGER NOT NULL,
    version    BIGINT NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL
);

CREATE TABLE orders (
    user_key        TEXT NOT NULL,
    account_id      TEXT NOT NULL,
    venue           TEXT NOT NULL,
    symbol          TEXT NOT NULL,
    order_id        TEXT NOT NULL,
    client_order_id TEXT NOT NULL DEFAULT '',
    side            TEXT NOT NULL DEFAULT '',
    position_side   TEXT NOT NULL DEFAULT '',
    order_type      TEXT NOT NULL DEFAULT '',
    quantity        NUMERIC,
    filled_quantity NUMERIC,
    price           NUMERIC,
    average_price   NUMERIC,
    stop_price      NUMERIC,
    status          TEXT NOT NULL,                         -- CLOSED: gone from the open orders, its end not yet seen
    reduce_only     BOOLEAN NOT NULL DEFAULT FALSE,
    updated_at      TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (user_key, account_id, venue, symbol, order_id)
);
CREATE INDEX idx_orders_updated ON orders (updated_at DESC);

CREATE TABLE fills (
    user_key     TEXT NOT NULL,
    account_id   TEXT NOT NULL,
    venue        TEXT NOT NULL,
    symbol       TEXT NOT NULL,
    order_id     TEXT NOT NULL,
    trade_id     TEXT NOT NULL,
    side         TEXT NOT NULL DEFAULT '',
    quantity     NUMERIC,
    price        NUMERIC,
    fee          NUMERIC,
    fee_asset    TEXT,
    realised_pnl NUMERIC,
    is_maker     BOOLEAN,
    lite         BOOLEAN NOT NULL DEFAULT FALSE,           -- an early notice without fee and PnL: the full one replaces it
    created_at   TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (user_key, account_id, venue, symbol, order_id, trade_id)  -- a self-trade is one trade id on two orders
);
CREATE INDEX idx_fills_created ON fills (created_at DESC);

CREATE TABLE transactions (
    user_key        TEXT NOT NULL,
    account_id      TEXT NOT NULL,
    delta_id        TEXT NOT NULL,
    asset           TEXT NOT NULL,
    amount          NUMERIC NOT NULL,
    balance_after   NUMERIC,
    kind            TEXT NOT NULL,
    source          TEXT NOT NULL DEFAULT '',
    source_sequence NUMERIC(20),
    cause           TEXT NOT NULL DEFAULT '',
    created_at      TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (user_key, account_id, delta_id)
);
CREATE INDEX idx_transactions_created ON transactions (user_key, created_at DESC);

CREATE TABLE margin_events (
    id          TEXT PRIMARY KEY,
    user_key    TEXT NOT NULL,
    account_id  TEXT NOT NULL,
    rung_before TEXT NOT NULL,
    rung_after  TEXT NOT NULL,
    reasons     JSONB NOT NULL DEFAULT '[]',
    episode     BIGINT NOT NULL,
    transition  BIGINT NOT NULL,
    figures     JSONB NOT NULL DEFAULT '{}',
    created_at  TIMESTAMPTZ NOT NULL
);
CREATE INDEX idx_margin_events_created ON margin_events (created_at DESC);

CREATE TABLE liquidations (
    id           TEXT NOT NULL,
    event        TEXT NOT NULL,                            -- ordered, step_ordered, completed, refused
    user_key     TEXT NOT NULL,
    account_id   TEXT NOT NULL,
    episode      BIGINT NOT NULL,
    step         BIGINT NOT NULL,
    action       TEXT,
    venue        TEXT,
    symbol       TEXT,
    side         TEXT,
    quantity     NUMERIC,
    price        NUMERIC,
    realised_pnl NUMERIC,
    fee          NUMERIC,
    detail       JSONB NOT NULL DEFAULT '{}',
    created_at   TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (id, event)
);
CREATE INDEX idx_liquidations_created ON liquidations (created_at DESC);

CREATE TABLE mirror_progress (
    mirror      TEXT NOT NULL,
    topic       TEXT NOT NULL,
    "partition" INTEGER NOT NULL,
    "offset"    BIGINT NOT NULL,                           -- of the last record written
    updated_at  TIMESTAMPTZ NOT NULL DEFAULT now(),
    PRIMARY KEY (mirror, topic, "partition")
);
