-- Roles that only see, platform admins, and the audit log.

-- +goose Up
ALTER TABLE account ADD COLUMN platform_admin BIGINT NOT NULL DEFAULT 0;

CREATE TABLE wallet_person (
	wallet_id  TEXT COLLATE "C" NOT NULL REFERENCES wallet (id),
	account_id TEXT COLLATE "C" NOT NULL REFERENCES account (id),
	role       TEXT NOT NULL CHECK (role IN ('master', 'worker', 'viewer')),
	PRIMARY KEY (wallet_id, account_id)
);
INSERT INTO wallet_person (wallet_id, account_id, role) SELECT wallet_id, account_id, role FROM wallet_member;
DROP TABLE wallet_member;
ALTER TABLE wallet_person RENAME TO wallet_member;
CREATE UNIQUE INDEX wallet_one_master ON wallet_member (wallet_id) WHERE role = 'master';
CREATE INDEX wallet_member_by_account ON wallet_member (account_id);

CREATE TABLE bot_person (
	bot_id     TEXT COLLATE "C" NOT NULL REFERENCES bot (id),
	account_id TEXT COLLATE "C" NOT NULL REFERENCES account (id),
	role       TEXT NOT NULL CHECK (role IN ('master', 'operator', 'viewer')),
	PRIMARY KEY (bot_id, account_id)
);
INSERT INTO bot_person (bot_id, account_id, role) SELECT bot_id, account_id, role FROM bot_member;
DROP TABLE bot_member;
ALTER TABLE bot_person RENAME TO bot_member;
CREATE INDEX bot_member_by_account ON bot_member (account_id);
CREATE INDEX broadcast_by_bot ON broadcast (bot_id, id);

-- Append-only, each line chained to the one before by its hash.
CREATE TABLE audit (
	seq          BIGINT PRIMARY KEY,
	at           BIGINT NOT NULL,
	token_id     TEXT NOT NULL, -- '' at the terminal of the machine
	account_id   TEXT NOT NULL, -- whom the token stands for, or ''
	action       TEXT NOT NULL,
	subject_kind TEXT NOT NULL,
	subject_id   TEXT COLLATE "C" NOT NULL,
	wallet_id    TEXT COLLATE "C" NOT NULL, -- which it concerns, or ''
	reason       TEXT NOT NULL,
	before_json  TEXT NOT NULL,
	after_json   TEXT NOT NULL,
	hash         BYTEA NOT NULL -- SHA-256 over the hash before and this line
);
CREATE INDEX audit_by_wallet ON audit (wallet_id, seq);
CREATE INDEX audit_by_subject ON audit (subject_kind, subject_id, seq);
CREATE INDEX audit_by_account ON audit (account_id, seq);

-- The end of the chain. Whoever adds a line locks it, after every other lock.
CREATE TABLE audit_head (
	id   BIGINT PRIMARY KEY CHECK (id = 1),
	seq  BIGINT NOT NULL,
	hash BYTEA NOT NULL
);
