-- Keys of repeatable calls are forgotten by their age.

-- +goose Up
CREATE INDEX idempotency_by_age ON idempotency (at);
