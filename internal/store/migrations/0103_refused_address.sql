-- Addresses whose server said that nobody is there: no mail goes to them until somebody says so.

-- +goose Up
CREATE TABLE refused_address (
	address TEXT COLLATE "C" PRIMARY KEY, -- in small letters
	reason  TEXT NOT NULL,                -- the server's words
	at      BIGINT NOT NULL
);
