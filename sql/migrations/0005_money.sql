-- The money path: a wallet is the sum of its ledger by construction, admin operations are numbered, answered once and audited.

ALTER TABLE users
    ADD COLUMN revision          BIGINT NOT NULL DEFAULT 0,   -- of admin operations, +1 each: what an editor has read
    ADD COLUMN sequences         JSONB NOT NULL DEFAULT '{}', -- source -> the last number given to a fact of the outbox
    ADD COLUMN last_group_update TIMESTAMPTZ,
    ADD COLUMN last_admin_update TIMESTAMPTZ;

CREATE TABLE ledger_balances (                                -- the sums of `transactions`, kept by its trigger
    user_key   TEXT NOT NULL,
    account_id TEXT NOT NULL,
    asset      TEXT NOT NULL,
    balance    NUMERIC NOT NULL,
    entries    BIGINT NOT NULL,
    PRIMARY KEY (user_key, account_id, asset)
);
INSERT INTO ledger_balances (user_key, account_id, asset, balance, entries)
SELECT user_key, account_id, asset, sum(amount), count(*) FROM transactions GROUP BY user_key, account_id, asset;
UPDATE users AS u SET wallet_balance = coalesce((SELECT balance FROM ledger_balances AS l
                                                 WHERE (l.user_key, l.account_id, l.asset) = (u.user_key, 'house', u.currency)), 0);

CREATE INDEX idx_transactions_sequence ON transactions (user_key, source, source_sequence) WHERE source_sequence IS NOT NULL;

-- Bodies are in sql/functions; triggers need the names.
CREATE FUNCTION sum_ledger() RETURNS TRIGGER LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE FUNCTION wear_ledger() RETURNS TRIGGER LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE FUNCTION keep_history() RETURNS TRIGGER LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TRIGGER sum_ledger AFTER INSERT ON transactions REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION sum_ledger();
CREATE TRIGGER wear_ledger BEFORE INSERT OR UPDATE ON users FOR EACH ROW EXECUTE FUNCTION wear_ledger();
CREATE TRIGGER keep_ledger BEFORE UPDATE OR DELETE ON transactions FOR EACH ROW EXECUTE FUNCTION keep_history();
CREATE TRIGGER keep_audit BEFORE UPDATE OR DELETE ON audit_log FOR EACH ROW EXECUTE FUNCTION keep_history();

ALTER TABLE audit_log
    ADD COLUMN before JSONB,
    ADD COLUMN after  JSONB;
CREATE INDEX idx_audit_log_created ON audit_log (created_at DESC);

ALTER TABLE outbox                                            -- a fact as JSON with the field names of its .proto
    ALTER COLUMN value TYPE JSONB USING convert_from(value, 'UTF8')::JSONB,
    ADD COLUMN source TEXT NOT NULL DEFAULT 'admin',
    DROP CONSTRAINT outbox_user_key_sequence_key,
    ADD UNIQUE (user_key, source, sequence);
CREATE INDEX idx_outbox_published ON outbox (published_at) WHERE published_at IS NOT NULL;

CREATE TABLE answers (                                        -- what an idempotency key was answered
    key         TEXT PRIMARY KEY,
    fingerprint TEXT NOT NULL,                                -- of method, path and body
    status      INTEGER,
    body        JSONB,
    created_at  TIMESTAMPTZ NOT NULL DEFAULT now()
);
CREATE INDEX idx_answers_created ON answers (created_at);

ALTER TABLE money_requests
    ADD COLUMN reason   TEXT NOT NULL DEFAULT '',             -- of the decision
    ADD COLUMN delta_id TEXT;                                 -- of the ledger's row, once approved
CREATE INDEX idx_money_requests_user ON money_requests (user_key, created_at DESC);
