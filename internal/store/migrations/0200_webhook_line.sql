-- +goose Up

-- The line of a webhook: what has a task stands apart from what waits for one, which stands in order.
DROP INDEX webhook_delivery_line;
CREATE INDEX webhook_delivery_line ON webhook_delivery (webhook_id, enqueued_at, next_at, id) WHERE state IN ('waiting', 'sending');
