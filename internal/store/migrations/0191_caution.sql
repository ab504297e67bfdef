-- How a broadcast finds out early that it goes wrong: a part that goes first, and a share of missed people.

-- +goose Up
ALTER TABLE broadcast ADD COLUMN canary_people BIGINT NOT NULL DEFAULT 0;         -- 0 for no canary
ALTER TABLE broadcast ADD COLUMN canary_wait_ms BIGINT NOT NULL DEFAULT 0;        -- 0 waits for a person
ALTER TABLE broadcast ADD COLUMN canary_max_missed BIGINT NOT NULL DEFAULT 0;     -- percent
ALTER TABLE broadcast ADD COLUMN stop_above BIGINT NOT NULL DEFAULT 50;           -- percent; 100 for never
ALTER TABLE broadcast ADD COLUMN canary_seq BIGINT NOT NULL DEFAULT 0;            -- its last chunk
ALTER TABLE broadcast ADD COLUMN canary_done_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE broadcast ADD COLUMN canary_passed BIGINT NOT NULL DEFAULT 0;
ALTER TABLE broadcast ADD COLUMN told BIGINT NOT NULL DEFAULT 0;                  -- people with an outcome when it looked last
ALTER TABLE broadcast ADD COLUMN missed BIGINT NOT NULL DEFAULT 0;                -- of those
