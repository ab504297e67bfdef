-- +goose Up
-- What was removed of the utterances of a bot on a day.
CREATE TABLE purge_receipt (
	bot_id   TEXT COLLATE "C" NOT NULL REFERENCES bot (id),
	day      TEXT COLLATE "C" NOT NULL, -- in Korea
	level    BIGINT NOT NULL,           -- security level of the bot
	cutoff   BIGINT NOT NULL,           -- what was older went
	removed  BIGINT NOT NULL,
	oldest   BIGINT NOT NULL,           -- of what was removed; 0 for nothing
	newest   BIGINT NOT NULL,
	began_at BIGINT NOT NULL,
	ended_at BIGINT NOT NULL,           -- 0 while some is left
	PRIMARY KEY (bot_id, day)
);
