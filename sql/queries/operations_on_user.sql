-- Who did what to a user, the newest first, with what changed: psql -v user=live:123 -f this file.
SELECT a.created_at, a.actor, a.action,
       (SELECT jsonb_object_agg(field, jsonb_build_array(a.before -> field, value)) FROM jsonb_each(a.after) AS c(field, value)
        WHERE value IS DISTINCT FROM a.before -> field AND field NOT IN ('version', 'updated_at', 'last_admin_update')) AS changed
FROM audit_log AS a WHERE a.user_key = :'user' ORDER BY a.id DESC LIMIT 50;
