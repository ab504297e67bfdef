-- Advertising: who refused it, who agreed to it, and when a bot may send.

-- +goose Up
CREATE TABLE suppression (
	bot_id    TEXT COLLATE "C" NOT NULL REFERENCES bot (id),
	user_type TEXT COLLATE "C" NOT NULL,
	user_id   TEXT COLLATE "C" NOT NULL,
	scope     TEXT NOT NULL CHECK (scope IN ('ad', 'all')), -- all: neither advertising nor anything else
	at        BIGINT NOT NULL,                              -- when the person refused
	PRIMARY KEY (bot_id, user_type, user_id)
);

CREATE TABLE consent (
	bot_id    TEXT COLLATE "C" NOT NULL REFERENCES bot (id),
	user_type TEXT COLLATE "C" NOT NULL,
	user_id   TEXT COLLATE "C" NOT NULL,
	at        BIGINT NOT NULL, -- when the person agreed, or confirmed it last
	night_at  BIGINT NOT NULL, -- likewise for 21:00 to 08:00; 0 for not
	PRIMARY KEY (bot_id, user_type, user_id)
);

ALTER TABLE bot ADD COLUMN sending TEXT NOT NULL DEFAULT '{}'; -- JSON: hours, night, whose consent
ALTER TABLE broadcast ADD COLUMN purpose TEXT NOT NULL DEFAULT 'info' CHECK (purpose IN ('info', 'ad'));
ALTER TABLE chunk ADD COLUMN left_out TEXT NOT NULL DEFAULT ''; -- why its people were left out when it was to be sent
