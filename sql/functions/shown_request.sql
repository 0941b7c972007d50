CREATE OR REPLACE FUNCTION shown_request(asked money_requests) RETURNS JSONB LANGUAGE sql IMMUTABLE AS $$
    -- A money request as people see it.
    SELECT jsonb_build_object('id', asked.id, 'user', asked.user_key, 'account_id', asked.account_id, 'asset', asked.asset,
                              'amount', asked.amount::TEXT, 'kind', asked.kind, 'status', asked.status, 'note', asked.note,
                              'requested_by', asked.requested_by, 'decided_by', asked.decided_by, 'reason', asked.reason,
                              'delta_id', asked.delta_id, 'created_at', (extract(epoch FROM asked.created_at) * 1000)::BIGINT,
                              'updated_at', (extract(epoch FROM asked.updated_at) * 1000)::BIGINT)
$$;
