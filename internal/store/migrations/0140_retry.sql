-- What becomes of doubts by itself, and broadcasts to those whom another did not reach.

-- +goose Up
ALTER TABLE broadcast ADD COLUMN on_doubt TEXT NOT NULL DEFAULT 'hold' CHECK (on_doubt IN ('hold', 'assume_sent'));
ALTER TABLE broadcast ADD COLUMN retry_of TEXT NOT NULL DEFAULT ''; -- each is retried once: then its retry is
CREATE UNIQUE INDEX broadcast_retry ON broadcast (retry_of) WHERE retry_of <> '';
