-- Named audiences, uploaded once and copied into the broadcasts that use them.

-- +goose Up
CREATE TABLE audience (
	id           TEXT COLLATE "C" PRIMARY KEY,
	bot_id       TEXT COLLATE "C" NOT NULL REFERENCES bot (id),
	name         TEXT COLLATE "C" NOT NULL,
	people       BIGINT NOT NULL,
	duplicates   BIGINT NOT NULL,
	excluded     BIGINT NOT NULL,
	bad_rows     BIGINT NOT NULL,
	chunks       BIGINT NOT NULL,
	upload_epoch BIGINT NOT NULL, -- raised by every upload
	people_epoch BIGINT NOT NULL, -- the upload that its people are from; 0 for none
	created_at   BIGINT NOT NULL,
	uploaded_at  BIGINT NOT NULL,
	UNIQUE (bot_id, name)
);

CREATE TABLE audience_chunk (
	audience_id  TEXT COLLATE "C" NOT NULL REFERENCES audience (id),
	upload_epoch BIGINT NOT NULL,
	seq          BIGINT NOT NULL,
	people       BIGINT NOT NULL CHECK (people BETWEEN 1 AND 100),
	recipients   TEXT NOT NULL, -- JSON array of {type, id, properties}
	PRIMARY KEY (audience_id, upload_epoch, seq)
);

ALTER TABLE broadcast ADD COLUMN excluded BIGINT NOT NULL DEFAULT 0; -- left out of the audience: reached by an earlier broadcast
