-- Rules with the time they hold from: `risk_rules` is what was said, as it goes on the topic; groups, instruments and brackets show it.

CREATE TABLE risk_rules (
    rule_id           TEXT NOT NULL,                        -- instrument:house:EURUSD, group:standard, weight:USDT/BTC
    effective_from_ms BIGINT NOT NULL,
    rule              JSONB NOT NULL,                       -- the message RiskRule, field names as in the .proto
    changed_by        TEXT NOT NULL,
    updated_at        TIMESTAMPTZ NOT NULL DEFAULT now(),
    published_at      TIMESTAMPTZ,                          -- null = the topic has not acknowledged it yet
    PRIMARY KEY (rule_id, effective_from_ms)
);
CREATE INDEX idx_risk_rules_unpublished ON risk_rules (updated_at) WHERE published_at IS NULL;

ALTER TABLE groups
    ADD COLUMN effective_from TIMESTAMPTZ NOT NULL DEFAULT '1970-01-01 00:00:00+00',
    DROP CONSTRAINT groups_pkey,
    ADD PRIMARY KEY (group_name, effective_from);

ALTER TABLE instruments
    ADD COLUMN effective_from TIMESTAMPTZ NOT NULL DEFAULT '1970-01-01 00:00:00+00',
    ADD COLUMN margin_rate    NUMERIC,
    ADD COLUMN taker_fee      NUMERIC,
    ADD COLUMN tier_policy    TEXT NOT NULL DEFAULT '',
    ADD COLUMN tier_unit      TEXT NOT NULL DEFAULT '',
    ADD COLUMN sessions       JSONB NOT NULL DEFAULT '[]',  -- minutes since Monday 00:00 UTC
    DROP CONSTRAINT instruments_pkey,
    ADD PRIMARY KEY (venue, symbol, effective_from);

ALTER TABLE brackets
    ADD COLUMN effective_from TIMESTAMPTZ NOT NULL DEFAULT '1970-01-01 00:00:00+00',
    DROP CONSTRAINT brackets_pkey,
    ADD PRIMARY KEY (venue, symbol, effective_from, floor);
