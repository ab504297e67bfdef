-- +goose Up
-- What a row's work belongs to, where somebody follows it: a traceparent of W3C Trace Context, or empty.
ALTER TABLE broadcast ADD COLUMN trace TEXT NOT NULL DEFAULT '';
ALTER TABLE wallet ADD COLUMN trace TEXT NOT NULL DEFAULT ''; -- of what changed its money last
ALTER TABLE attempt ADD COLUMN trace TEXT NOT NULL DEFAULT '';
ALTER TABLE mail ADD COLUMN trace TEXT NOT NULL DEFAULT '';
