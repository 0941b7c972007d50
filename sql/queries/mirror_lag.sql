-- How far each mirror is, and how long ago it moved.
SELECT mirror, topic, "partition", "offset", now() - updated_at AS since FROM mirror_progress ORDER BY mirror, topic, "partition";
