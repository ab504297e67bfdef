-- All that a bot can say is kept whole, as a version that never changes; the last deploy says which one is live.

-- +goose Up
CREATE TABLE bot_version (
	bot_id  TEXT COLLATE "C" NOT NULL REFERENCES bot (id),
	version BIGINT NOT NULL CHECK (version > 0),
	made_at BIGINT NOT NULL,
	made_by TEXT NOT NULL, -- account, or a token that stands for nobody; '' for nobody that is known
	note    TEXT NOT NULL,
	blocks  BIGINT NOT NULL, -- how many
	items   BIGINT NOT NULL, -- how many, of its knowledge base
	events  TEXT NOT NULL, -- JSON: the event names of its blocks
	hash    BYTEA NOT NULL, -- SHA-256 of its JSON; empty where this migration made it
	content BYTEA NOT NULL, -- JSON, gzipped but where this migration made it
	PRIMARY KEY (bot_id, version)
);
CREATE TABLE bot_deploy (
	bot_id      TEXT COLLATE "C" NOT NULL,
	seq         BIGINT NOT NULL, -- from 1; the last one is in force
	version     BIGINT NOT NULL,
	at          BIGINT NOT NULL,
	by_whom     TEXT NOT NULL, -- as made_by
	reason      TEXT NOT NULL,
	rolled_back BIGINT NOT NULL, -- 1 where it is a rollback
	back_to     BIGINT NOT NULL, -- seq of the deploy whose version a rollback from this one brings back; 0 for none
	PRIMARY KEY (bot_id, seq),
	FOREIGN KEY (bot_id, version) REFERENCES bot_version (bot_id, version)
);
ALTER TABLE bot ADD COLUMN settings TEXT NOT NULL DEFAULT '{}'; -- JSON: what is set of its talking, apart from what a new bot has

INSERT INTO bot_version (bot_id, version, made_at, made_by, note, blocks, items, events, hash, content)
SELECT b.id, b.version,
	COALESCE((SELECT MAX(a.at) FROM audit a WHERE a.subject_kind = 'bot' AND a.subject_id = b.id AND a.action = 'put-blocks'), b.created_at),
	COALESCE((SELECT CASE a.account_id WHEN '' THEN a.token_id ELSE a.account_id END FROM audit a
		WHERE a.subject_kind = 'bot' AND a.subject_id = b.id AND a.action = 'put-blocks' ORDER BY a.seq DESC LIMIT 1), ''),
	'', COUNT(*), 0,
	COALESCE(json_agg(k.event_name ORDER BY k.position) FILTER (WHERE k.event_name <> ''), '[]')::TEXT, ''::BYTEA,
	convert_to(json_build_object('blocks', json_agg(json_build_object('id', k.id, 'name', k.name, 'kind', k.kind, 'event', k.event_name,
		'callback', k.callback <> 0, 'delay', k.delay_ms * 1000000, 'answer', k.answer::JSON) ORDER BY k.position))::TEXT, 'UTF8')
FROM bot b JOIN block k ON k.bot_id = b.id GROUP BY b.id;
INSERT INTO bot_deploy (bot_id, seq, version, at, by_whom, reason, rolled_back, back_to)
SELECT bot_id, 1, version, made_at, made_by, '', 0, 0 FROM bot_version;
UPDATE bot SET version = 0 WHERE NOT EXISTS (SELECT 1 FROM bot_version v WHERE v.bot_id = bot.id);
DROP TABLE block;
