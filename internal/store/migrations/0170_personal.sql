-- What an order says with words that are filled in, for everybody and for each person: JSON {variables, properties}.

-- +goose Up
ALTER TABLE broadcast ADD COLUMN personal TEXT NOT NULL DEFAULT '{}';
ALTER TABLE schedule ADD COLUMN personal TEXT NOT NULL DEFAULT '{}';
