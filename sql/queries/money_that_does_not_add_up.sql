-- Wallets, sums and the engine's balances that are not their ledger's; no row is good. Users at whom something moved just now are left out.
SELECT * FROM ledger_differences('10 seconds');
