-- A broadcast that somebody pauses while it waits for approval is paused when it is approved.

-- +goose Up
ALTER TABLE broadcast ADD COLUMN stay_paused BIGINT NOT NULL DEFAULT 0;
