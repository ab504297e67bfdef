-- What an utterance was compared with, and whether a person was offered.

-- +goose Up
ALTER TABLE utterance ADD COLUMN user_key TEXT NOT NULL DEFAULT ''; -- as Kakao has it, where the bot's settings allow that
ALTER TABLE utterance ADD COLUMN item TEXT NOT NULL DEFAULT ''; -- question of the knowledge item that answered
ALTER TABLE utterance ADD COLUMN chosen_by TEXT NOT NULL DEFAULT ''; -- the rule; '' where nothing was chosen, and in older rows
ALTER TABLE utterance ADD COLUMN score BIGINT NOT NULL DEFAULT 0;
ALTER TABLE utterance ADD COLUMN matches TEXT NOT NULL DEFAULT ''; -- JSON: what was compared, best first
ALTER TABLE utterance ADD COLUMN offered BIGINT NOT NULL DEFAULT 0; -- 1 where the answer offered a person
