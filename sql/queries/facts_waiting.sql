-- Admin facts that Kafka has not acknowledged yet, the oldest first.
SELECT id, user_key, source, sequence, topic, now() - created_at AS since FROM outbox WHERE published_at IS NULL ORDER BY id LIMIT 50;
