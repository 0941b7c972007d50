-- Who waits for whose decision, the oldest first, beside what the wallet holds.
SELECT r.id, r.created_at, r.user_key, r.kind, r.amount, r.asset, u.wallet_balance, r.requested_by, r.note
FROM money_requests AS r JOIN users AS u USING (user_key) WHERE r.status = 'pending' ORDER BY r.created_at;
