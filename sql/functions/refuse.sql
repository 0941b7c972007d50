CREATE OR REPLACE FUNCTION refuse(status INTEGER, code TEXT, message TEXT, field TEXT DEFAULT NULL) RETURNS VOID LANGUAGE plpgsql AS $$
/* Ends an operation with nothing written. `status` is HTTP's; SQLSTATE MS404 and so on, code as HINT, field as COLUMN. */
BEGIN
    RAISE EXCEPTION '%', message USING ERRCODE = 'MS' || status, HINT = code, COLUMN = coalesce(field, '');
END
$$;
