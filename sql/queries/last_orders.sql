-- The orders that moved last.
SELECT * FROM orders ORDER BY updated_at DESC LIMIT 5;
