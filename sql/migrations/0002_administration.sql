-- What people and rules write: money requests, groups, instruments, brackets, the outbox of admin facts and the audit log.

CREATE TABLE money_requests (
    id              BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_key        TEXT NOT NULL,
    account_id      TEXT NOT NULL DEFAULT 'house',
    asset           TEXT NOT NULL,
    amount          NUMERIC NOT NULL CHECK (amount > 0),
    kind            TEXT NOT NULL CHECK (kind IN ('deposit', 'withdrawal')),
    status          TEXT NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'approved', 'rejected')),
    note            TEXT NOT NULL DEFAULT '',
    idempotency_key TEXT UNIQUE,
    requested_by    TEXT NOT NULL DEFAULT '',
    decided_by      TEXT,
    created_at      TIMESTAMPTZ NOT NULL DEFAULT now(),
    updated_at      TIMESTAMPTZ NOT NULL DEFAULT now()
);
CREATE INDEX idx_money_requests_pending ON money_requests (created_at) WHERE status = 'pending';

CREATE TABLE groups (
    group_name     TEXT PRIMARY KEY,
    leverage       NUMERIC,
    fallback_ratio NUMERIC,
    thresholds     JSONB NOT NULL DEFAULT '{}',
    updated_at     TIMESTAMPTZ NOT NULL DEFAULT now()
);

CREATE TABLE instruments (
    venue          TEXT NOT NULL,
    symbol         TEXT NOT NULL,
    base           TEXT NOT NULL DEFAULT '',
    quote          TEXT NOT NULL DEFAULT '',
    settle         TEXT NOT NULL DEFAULT '',
    contract_size  NUMERIC NOT NULL DEFAULT 1,
    price_tick     NUMERIC,
    quantity_step  NUMERIC,
    min_quantity   NUMERIC,
    calc_mode      TEXT NOT NULL DEFAULT '',
    stale_after_ms BIGINT NOT NULL DEFAULT 0,
    status         TEXT NOT NULL DEFAULT 'active',
    updated_at     TIMESTAMPTZ NOT NULL DEFAULT now(),
    PRIMARY KEY (venue, symbol)
);

CREATE TABLE brackets (
    venue        TEXT NOT NULL,
    symbol       TEXT NOT NULL,
    floor        NUMERIC NOT NULL,
    cap          NUMERIC,                                  -- null = none
    rate         NUMERIC NOT NULL,
    amount       NUMERIC NOT NULL DEFAULT 0,
    max_leverage NUMERIC,
    updated_at   TIMESTAMPTZ NOT NULL DEFAULT now(),
    PRIMARY KEY (venue, symbol, floor)
);

CREATE TABLE outbox (
    id           BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_key     TEXT NOT NULL,
    topic        TEXT NOT NULL,
    value        BYTEA NOT NULL,
    sequence     BIGINT NOT NULL,                          -- per user, taken under the lock of its row in users
    created_at   TIMESTAMPTZ NOT NULL DEFAULT now(),
    published_at TIMESTAMPTZ,
    UNIQUE (user_key, sequence)
);
CREATE INDEX idx_outbox_unpublished ON outbox (id) WHERE published_at IS NULL;

CREATE TABLE audit_log (
    id         BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_key   TEXT,
    actor      TEXT NOT NULL,
    action     TEXT NOT NULL,
    detail     JSONB NOT NULL DEFAULT '{}',
    created_at TIMESTAMPTZ NOT NULL DEFAULT now()
);
CREATE INDEX idx_audit_log_user ON audit_log (user_key, created_at DESC);
