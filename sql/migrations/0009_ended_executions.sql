-- Executions that have ended are forgotten after a while: found by age, without a look at the rest.

CREATE INDEX idx_executions_ended ON executions (sent_at) WHERE status IN ('filled', 'completed', 'canceled', 'rejected', 'refused');
