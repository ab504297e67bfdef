-- Who let a broadcast go, and the second person who approved it where its cost asks for one.

-- +goose Up
ALTER TABLE broadcast ADD COLUMN sealed_by TEXT NOT NULL DEFAULT '';   -- account, or a token that stands for nobody; '' for a schedule
ALTER TABLE broadcast ADD COLUMN approved_by TEXT NOT NULL DEFAULT ''; -- account
ALTER TABLE broadcast ADD COLUMN approved_at BIGINT NOT NULL DEFAULT 0;
