-- What calls of a bot's skill servers are signed with.

-- +goose Up
CREATE TABLE bot_webhook_secret (
	id            TEXT COLLATE "C" PRIMARY KEY REFERENCES bot (id),
	secret_sealed BYTEA NOT NULL,
	former_sealed BYTEA NOT NULL, -- that before it; empty for none
	made_at       BIGINT NOT NULL
);
