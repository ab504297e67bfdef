-- Advertising by the calendar, and look-ups of who is on lists at all.

-- +goose Up
ALTER TABLE schedule ADD COLUMN purpose TEXT NOT NULL DEFAULT 'info' CHECK (purpose IN ('info', 'ad'));
CREATE INDEX suppression_of_all ON suppression (bot_id) WHERE scope = 'all';
CREATE INDEX consent_to_night ON consent (bot_id) WHERE night_at > 0;
