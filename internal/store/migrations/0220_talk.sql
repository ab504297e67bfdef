-- Where a user is in a talk, on each side of the bot: what was asked for, and how often nothing was understood.

-- +goose Up
ALTER TABLE bot_user ADD COLUMN talk TEXT NOT NULL DEFAULT ''; -- JSON; '' for nothing
ALTER TABLE bot_user ADD COLUMN talk_until BIGINT NOT NULL DEFAULT 0; -- when what the user said in it is to be forgotten; 0 for nothing
ALTER TABLE bot_user ADD COLUMN talk_development TEXT NOT NULL DEFAULT '';
ALTER TABLE bot_user ADD COLUMN talk_development_until BIGINT NOT NULL DEFAULT 0;
CREATE INDEX bot_user_talk ON bot_user (talk_until) WHERE talk_until > 0;
CREATE INDEX bot_user_talk_development ON bot_user (talk_development_until) WHERE talk_development_until > 0;
