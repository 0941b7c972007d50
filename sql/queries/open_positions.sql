-- Every open position, the largest first.
SELECT * FROM positions WHERE status = 'open' ORDER BY abs(quantity) * entry_price DESC;
