CREATE OR REPLACE FUNCTION keep_history() RETURNS TRIGGER LANGUAGE plpgsql AS $$
/* What was written in the ledger or the audit log stays: a mistake is answered by another row. */
BEGIN
    RAISE EXCEPTION '%: expected rows to be added only, was %', TG_TABLE_NAME, TG_OP USING ERRCODE = 'restrict_violation';
END
$$;
