-- Who did it is whose token it was; what a caller says of itself (`X-Actor`) stands beside it and proves nothing.

ALTER TABLE audit_log ADD COLUMN claimed_actor TEXT NOT NULL DEFAULT '';
