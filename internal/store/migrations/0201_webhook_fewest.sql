-- +goose Up

-- 0 was what nobody had asked for. News of one person at a time is for those who do: with 1.
UPDATE webhook SET min_people = 2 WHERE min_people = 0;

-- One test of a webhook waits at a time.
CREATE INDEX webhook_delivery_ping ON webhook_delivery (webhook_id) WHERE event = 'ping' AND state IN ('waiting', 'sending');
