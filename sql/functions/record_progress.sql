CREATE OR REPLACE FUNCTION record_progress(given JSONB) RETURNS VOID LANGUAGE sql AS $$
    -- Where a mirror is: the last offset written a topic and partition, in the transaction that wrote it.
    -- Goes back when a mirror is rewound.
    INSERT INTO mirror_progress (mirror, topic, "partition", "offset", updated_at)
    SELECT mirror, topic, "partition", "offset", clock_timestamp()
    FROM jsonb_to_recordset(given) AS r(mirror TEXT, topic TEXT, "partition" INTEGER, "offset" BIGINT)
    ON CONFLICT (mirror, topic, "partition") DO UPDATE SET "offset" = EXCLUDED."offset", updated_at = EXCLUDED.updated_at
$$;
