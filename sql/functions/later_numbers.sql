CREATE OR REPLACE FUNCTION later_numbers(ours JSONB, theirs JSONB) RETURNS JSONB LANGUAGE sql IMMUTABLE AS $$
    -- By source the higher number: an engine that knows more than a restored database makes nobody say a number twice.
    SELECT CASE WHEN ours @> theirs THEN ours ELSE (
        SELECT coalesce(jsonb_object_agg(source, number), '{}')
        FROM (SELECT source, max(number::BIGINT) AS number
              FROM (SELECT * FROM jsonb_each_text(ours) UNION ALL SELECT * FROM jsonb_each_text(theirs)) AS told(source, number)
              GROUP BY source) AS highest) END
$$;
