-- Where somebody said that he refuses or agrees, as whoever noted it tells: a form, an event, a call.

-- +goose Up
ALTER TABLE suppression ADD COLUMN source TEXT NOT NULL DEFAULT '';
ALTER TABLE consent ADD COLUMN source TEXT NOT NULL DEFAULT '';
