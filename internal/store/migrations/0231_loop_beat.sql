-- +goose Up
-- When each loop of a scheduler ended without an error for the last time, by the clock of its machine.
CREATE TABLE loop_beat (
	loop      TEXT PRIMARY KEY,
	at        BIGINT NOT NULL, -- 0 for never
	since     BIGINT NOT NULL, -- when the first scheduler with this loop started
	silent_ms BIGINT NOT NULL  -- for so long it may be silent
);
