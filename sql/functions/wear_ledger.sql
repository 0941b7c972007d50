CREATE OR REPLACE FUNCTION wear_ledger() RETURNS TRIGGER LANGUAGE plpgsql AS $$
/* Whatever a statement says: a wallet is the ledger's sum of the house account in its currency. */
BEGIN
    NEW.wallet_balance := coalesce((SELECT balance FROM ledger_balances
                                    WHERE (user_key, account_id, asset) = (NEW.user_key, 'house', NEW.currency)), 0);
    RETURN NEW;
END
$$;
