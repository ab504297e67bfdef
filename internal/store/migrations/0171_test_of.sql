-- Broadcasts that show a few people what another will say.

-- +goose Up
ALTER TABLE broadcast ADD COLUMN test_of TEXT NOT NULL DEFAULT '';
