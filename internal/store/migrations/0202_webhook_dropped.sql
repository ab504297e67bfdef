-- +goose Up

-- What a line had no room for: how many in all, and when the last.
ALTER TABLE webhook ADD COLUMN dropped BIGINT NOT NULL DEFAULT 0;
ALTER TABLE webhook ADD COLUMN dropped_at BIGINT NOT NULL DEFAULT 0;

-- The line of a webhook by the age of its news.
CREATE INDEX webhook_delivery_age ON webhook_delivery (webhook_id, id) WHERE state IN ('waiting', 'sending');
