-- A broadcast is retried in parts that do not overlap: which part a retry is. Those before took the place of all.

-- +goose Up
ALTER TABLE broadcast ADD COLUMN retry_for TEXT NOT NULL DEFAULT '{}';
UPDATE broadcast SET retry_for = '{"failed":true,"skipped":true}' WHERE retry_of <> '';
DROP INDEX broadcast_retry;
CREATE INDEX broadcast_retry ON broadcast (retry_of) WHERE retry_of <> '';
