-- A run goes on as it began, whatever becomes of its schedule.

-- +goose Up
ALTER TABLE schedule_run ADD COLUMN audience_id TEXT NOT NULL DEFAULT ''; -- whom it sends to, from its beginning on
ALTER TABLE schedule_run ADD COLUMN author TEXT NOT NULL DEFAULT '';      -- who ordered it
UPDATE schedule_run SET audience_id = (SELECT s.audience_id FROM schedule s WHERE s.id = schedule_id),
	author = (SELECT s.created_by FROM schedule s WHERE s.id = schedule_id) WHERE state = 'copying';
