-- When dispatch looks again at a broadcast whose bot sends no more for now: it may be sooner than its wait is known to end.

-- +goose Up
ALTER TABLE broadcast ADD COLUMN look_at BIGINT NOT NULL DEFAULT 0;
