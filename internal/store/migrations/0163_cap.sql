-- How often a bot writes to one person.

-- +goose Up
ALTER TABLE bot ADD COLUMN capped TEXT NOT NULL DEFAULT '' CHECK (capped IN ('', 'ad', 'all')); -- what of its cap is about

CREATE TABLE contact (
	bot_id    TEXT COLLATE "C" NOT NULL REFERENCES bot (id),
	user_type TEXT COLLATE "C" NOT NULL,
	user_id   TEXT COLLATE "C" NOT NULL,
	chunk_id  TEXT COLLATE "C" NOT NULL,
	at        BIGINT NOT NULL,
	PRIMARY KEY (bot_id, user_id, user_type, chunk_id)
);
CREATE INDEX contact_by_chunk ON contact (chunk_id);
CREATE INDEX contact_by_age ON contact (at);
