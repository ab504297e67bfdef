-- +goose Up

CREATE TABLE webhook (
	id            TEXT COLLATE "C" PRIMARY KEY,
	bot_id        TEXT COLLATE "C" NOT NULL REFERENCES bot (id),
	url           TEXT NOT NULL,
	events        TEXT NOT NULL, -- names, separated by commas
	min_people    BIGINT NOT NULL,
	secret_sealed BYTEA NOT NULL, -- empty once it was deleted
	created_at    BIGINT NOT NULL,
	deleted_at    BIGINT NOT NULL
);
CREATE INDEX webhook_by_bot ON webhook (bot_id, id) WHERE deleted_at = 0;

CREATE TABLE webhook_delivery (
	id          TEXT COLLATE "C" PRIMARY KEY, -- sorts by time
	webhook_id  TEXT COLLATE "C" NOT NULL REFERENCES webhook (id),
	event       TEXT NOT NULL,
	subject_id  TEXT COLLATE "C" NOT NULL,
	body        TEXT NOT NULL, -- JSON, as it is posted
	state       TEXT NOT NULL CHECK (state IN ('waiting', 'sending', 'delivered', 'failed')),
	epoch       BIGINT NOT NULL,
	next_at     BIGINT NOT NULL,
	enqueued_at BIGINT NOT NULL,
	attempts    BIGINT NOT NULL,
	lease_until BIGINT NOT NULL,
	status      BIGINT NOT NULL, -- HTTP status of the last try, 0 for no answer
	error       TEXT NOT NULL,
	created_at  BIGINT NOT NULL,
	done_at     BIGINT NOT NULL,
	UNIQUE (webhook_id, event, subject_id)
);
CREATE INDEX webhook_delivery_open ON webhook_delivery (state, enqueued_at, next_at) WHERE state IN ('waiting', 'sending');
CREATE INDEX webhook_delivery_line ON webhook_delivery (webhook_id, next_at, id) WHERE state IN ('waiting', 'sending');
CREATE INDEX webhook_delivery_list ON webhook_delivery (webhook_id, id);
CREATE INDEX webhook_delivery_old ON webhook_delivery (done_at) WHERE done_at > 0;
