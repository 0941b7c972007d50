-- Every change of a user's money, the newest first: psql -v user=live:123 -f this file.
SELECT created_at, account_id, asset, amount, balance_after, kind, source, source_sequence, delta_id
FROM transactions WHERE user_key = :'user' ORDER BY created_at DESC;
