CREATE OR REPLACE FUNCTION forget_states(owners TEXT[], generations BIGINT[], versions BIGINT[]) RETURNS VOID LANGUAGE sql AS $$
    -- Takes the guard of these users down, where it is not newer than said, so that the same state may be written once more.
    UPDATE users AS u SET generation = 0, version = 0
    FROM unnest(owners, generations, versions) AS told(user_key, generation, version)
    WHERE u.user_key = told.user_key AND (u.generation, u.version) <= (told.generation, told.version)
$$;
