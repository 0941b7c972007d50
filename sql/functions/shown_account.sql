CREATE OR REPLACE FUNCTION shown_account(one exchange_accounts) RETURNS JSONB LANGUAGE sql IMMUTABLE AS $$
    -- An exchange account as people see it: none of its secrets.
    SELECT jsonb_build_object('user', one.user_key, 'account_id', one.account_id, 'venue', one.venue, 'model', one.model,
                              'currency', one.currency, 'execution', one.execution, 'auto_reduce', one.auto_reduce, 'rung', one.rung,
                              'is_active', one.is_active, 'environment', one.environment,
                              'has_credentials', one.api_key_encrypted IS NOT NULL, 'stream_status', one.stream_status,
                              'stream_detail', one.stream_detail, 'listen_key_expires_at', (extract(epoch FROM one.listen_key_expires_at) * 1000)::BIGINT,
                              'created_at', (extract(epoch FROM one.created_at) * 1000)::BIGINT,
                              'updated_at', (extract(epoch FROM one.updated_at) * 1000)::BIGINT)
$$;
