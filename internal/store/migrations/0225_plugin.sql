-- +goose Up
ALTER TABLE app ADD COLUMN terms_reviewed BIGINT NOT NULL DEFAULT 0;         -- 1: the terms of the simple signup
ALTER TABLE app ADD COLUMN personal_data_needed BIGINT NOT NULL DEFAULT 0;   -- 1: it uses personal-data items that Kakao reviews
ALTER TABLE app ADD COLUMN personal_data_reviewed BIGINT NOT NULL DEFAULT 0;

-- A plugin without a row is off, and not reviewed.
CREATE TABLE plugin (
	bot_id   TEXT COLLATE "C" NOT NULL REFERENCES bot (id),
	plugin   TEXT NOT NULL,
	state    TEXT NOT NULL CHECK (state IN ('off', 'ready', 'needs_setup')),
	cause    TEXT NOT NULL, -- of needs_setup
	since    BIGINT NOT NULL,
	reviewed BIGINT NOT NULL,
	PRIMARY KEY (bot_id, plugin)
);

CREATE TABLE certification_block (
	bot_id   TEXT COLLATE "C" NOT NULL REFERENCES bot (id),
	id       TEXT COLLATE "C" NOT NULL, -- Kakao's
	name     TEXT NOT NULL,
	plugins  TEXT NOT NULL, -- JSON list
	approved BIGINT NOT NULL,
	PRIMARY KEY (bot_id, id)
);
