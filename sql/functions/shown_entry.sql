CREATE OR REPLACE FUNCTION shown_entry(entry transactions) RETURNS JSONB LANGUAGE sql IMMUTABLE AS $$
    -- A row of the ledger as people see it.
    SELECT jsonb_build_object('user', entry.user_key, 'account_id', entry.account_id, 'asset', entry.asset, 'amount', entry.amount::TEXT,
                              'balance_after', entry.balance_after::TEXT, 'kind', entry.kind, 'source', entry.source,
                              'sequence', entry.source_sequence::BIGINT, 'delta_id', entry.delta_id, 'note', entry.cause,
                              'created_at', (extract(epoch FROM entry.created_at) * 1000)::BIGINT)
$$;
