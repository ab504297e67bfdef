-- What a caller of the Event API says under "option" is passed on with his message.

-- +goose Up
ALTER TABLE broadcast ADD COLUMN event_option TEXT NOT NULL DEFAULT 'null'; -- JSON object, or null
