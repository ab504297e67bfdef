-- +goose Up
-- Tasks that were given up: the archives of Redis keep few, and not for long.
CREATE TABLE dead_task (
	id         TEXT COLLATE "C" PRIMARY KEY,
	queue      TEXT NOT NULL,
	type       TEXT NOT NULL,
	task_id    TEXT NOT NULL,
	row_id     TEXT NOT NULL, -- '' for an utterance
	epoch      BIGINT NOT NULL,
	cause      TEXT NOT NULL,
	error      TEXT NOT NULL,
	retried    BIGINT NOT NULL,
	died_at    BIGINT NOT NULL,
	state      TEXT NOT NULL CHECK (state IN ('dead', 'retried', 'discarded')),
	decided_at BIGINT NOT NULL,
	decided_by TEXT NOT NULL,
	UNIQUE (queue, task_id)
);
CREATE INDEX dead_task_open ON dead_task (type, cause, id) WHERE state = 'dead';
CREATE INDEX dead_task_age ON dead_task (died_at);

-- Queues from which nothing is to be taken; Redis is made to agree.
CREATE TABLE queue_pause (
	queue    TEXT PRIMARY KEY,
	until_at BIGINT NOT NULL,
	reason   TEXT NOT NULL,
	by_whom  TEXT NOT NULL,
	since    BIGINT NOT NULL
);
