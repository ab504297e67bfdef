-- Broadcasts that are sent again and again, by the calendar.

-- +goose Up
CREATE TABLE schedule (
	id               TEXT COLLATE "C" PRIMARY KEY,
	bot_id           TEXT COLLATE "C" NOT NULL REFERENCES bot (id),
	side             TEXT NOT NULL CHECK (side IN ('live', 'development')),
	name             TEXT NOT NULL,
	event_name       TEXT NOT NULL,
	event_data       TEXT NOT NULL, -- JSON object of strings
	params           TEXT NOT NULL, -- JSON object
	audience_id      TEXT COLLATE "C" NOT NULL, -- it stays while the schedule is not deleted
	cron             TEXT NOT NULL,
	zone             TEXT NOT NULL, -- as IANA names it
	overlap          TEXT NOT NULL CHECK (overlap IN ('skip', 'queue')),
	window_ms        BIGINT NOT NULL CHECK (window_ms > 0),
	until_at         BIGINT NOT NULL, -- 0 for no end
	expires_after_ms BIGINT NOT NULL CHECK (expires_after_ms >= 0),
	on_doubt         TEXT NOT NULL CHECK (on_doubt IN ('hold', 'assume_sent')),
	state            TEXT NOT NULL CHECK (state IN ('active', 'paused', 'deleted')),
	next_at          BIGINT NOT NULL, -- the next occurrence; 0 for none
	created_at       BIGINT NOT NULL,
	CONSTRAINT only_active_ones_occur CHECK (next_at = 0 OR state = 'active')
);
CREATE INDEX schedule_due ON schedule (id, next_at) WHERE next_at > 0;
CREATE INDEX schedule_by_bot ON schedule (bot_id, id);
CREATE INDEX schedule_by_audience ON schedule (audience_id);

-- One occurrence. That there is one for a schedule and a time is what starts it once.
CREATE TABLE schedule_run (
	schedule_id  TEXT COLLATE "C" NOT NULL REFERENCES schedule (id),
	due_at       BIGINT NOT NULL,
	state        TEXT NOT NULL CHECK (state IN ('waiting', 'copying', 'started', 'skipped', 'missed', 'failed')),
	broadcast_id TEXT COLLATE "C" NOT NULL, -- '' for none
	reason       TEXT NOT NULL,
	times        BIGINT NOT NULL CHECK (times >= 1), -- how many occurrences it stands for
	changed_at   BIGINT NOT NULL,
	next_at      BIGINT NOT NULL, -- when a waiting one is looked at again
	epoch        BIGINT NOT NULL, -- counts who copied the audience
	lease_until  BIGINT NOT NULL,
	PRIMARY KEY (schedule_id, due_at),
	CONSTRAINT copies_into_a_broadcast CHECK (broadcast_id <> '' OR state NOT IN ('copying', 'started'))
);
CREATE UNIQUE INDEX schedule_run_waiting ON schedule_run (schedule_id) WHERE state = 'waiting';
CREATE INDEX schedule_run_copying ON schedule_run (lease_until) WHERE state = 'copying';
CREATE UNIQUE INDEX schedule_run_broadcast ON schedule_run (broadcast_id) WHERE broadcast_id <> '';
CREATE INDEX schedule_run_began ON schedule_run (schedule_id, due_at) WHERE broadcast_id <> '';
