-- How many accounts are on each rung.
SELECT rung, count(*) AS accounts
FROM (SELECT rung FROM users UNION ALL SELECT rung FROM exchange_accounts WHERE is_active) AS accounts
GROUP BY rung ORDER BY accounts DESC;
