-- What came in, went out and was earned today, by kind and currency.
SELECT kind, asset, count(*) AS entries, sum(amount) AS total FROM transactions
WHERE created_at >= date_trunc('day', now()) GROUP BY kind, asset ORDER BY kind, asset;
