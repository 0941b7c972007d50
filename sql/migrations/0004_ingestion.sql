-- What ingestion keeps of an exchange account: sealed credentials, how far it has been read, how it goes, and who reads it.

ALTER TABLE exchange_accounts
    ADD COLUMN api_key_encrypted    BYTEA,
    ADD COLUMN api_secret_encrypted BYTEA,
    ADD COLUMN passphrase_encrypted BYTEA,                 -- OKX and KuCoin
    ADD COLUMN environment          TEXT NOT NULL DEFAULT 'mainnet' CHECK (environment IN ('mainnet', 'demo')),
    ADD COLUMN credentials_version  BIGINT NOT NULL DEFAULT 0, -- one more with each change: sessions begin again
    ADD COLUMN stream_status        TEXT NOT NULL DEFAULT 'new',
    ADD COLUMN stream_detail        TEXT NOT NULL DEFAULT '',
    ADD COLUMN stream_updated_at    TIMESTAMPTZ,
    ADD COLUMN complete_until       TIMESTAMPTZ;           -- every fact up to then is in Kafka; null: since it was registered

CREATE TABLE exchange_leases (                             -- who reads an account; a new owner has a higher epoch
    user_key   TEXT NOT NULL,
    account_id TEXT NOT NULL,
    worker     TEXT NOT NULL,
    epoch      BIGINT NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (user_key, account_id)
);

CREATE TABLE ingest_workers (                              -- whose heartbeat is fresh shares the accounts
    worker     TEXT PRIMARY KEY,
    expires_at TIMESTAMPTZ NOT NULL
);

CREATE FUNCTION tell_exchange_account() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('exchange_accounts', '');
    RETURN NULL;
END
$$;

-- Mirrors write rungs into the same rows: of those nobody needs to hear.
CREATE TRIGGER exchange_account_registered AFTER INSERT OR DELETE ON exchange_accounts
    FOR EACH ROW EXECUTE FUNCTION tell_exchange_account();
CREATE TRIGGER exchange_account_changed AFTER UPDATE OF is_active, credentials_version, environment ON exchange_accounts
    FOR EACH ROW WHEN ((OLD.is_active, OLD.credentials_version, OLD.environment)
                       IS DISTINCT FROM (NEW.is_active, NEW.credentials_version, NEW.environment))
    EXECUTE FUNCTION tell_exchange_account();
