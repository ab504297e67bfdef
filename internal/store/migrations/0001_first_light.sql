-- Written for PostgreSQL. For SQLite the loader drops COLLATE "C" and reads BYTEA as BLOB
-- (dialect.go). Times are Unix milliseconds, 0 for never; money is whole KRW.
-- A row that is work has state, epoch, next_at, enqueued_at, attempts, lease_until.

-- +goose Up
CREATE TABLE account (
	id         TEXT COLLATE "C" PRIMARY KEY,
	name       TEXT NOT NULL,
	email      TEXT NOT NULL,
	created_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX account_email ON account (lower(email));

CREATE TABLE token (
	id           TEXT COLLATE "C" PRIMARY KEY,
	name         TEXT NOT NULL,
	account_id   TEXT REFERENCES account (id),
	hash         BYTEA NOT NULL UNIQUE, -- SHA-256 of the secret
	scopes       TEXT NOT NULL,         -- words of "send read billing admin", by spaces
	created_at   BIGINT NOT NULL,
	expires_at   BIGINT NOT NULL,
	last_used_at BIGINT NOT NULL,
	revoked_at   BIGINT NOT NULL
);

CREATE TABLE wallet (
	id                 TEXT COLLATE "C" PRIMARY KEY,
	name               TEXT NOT NULL,
	kind               TEXT NOT NULL CHECK (kind IN ('business', 'personal')),
	business_number    TEXT NOT NULL,
	invoice_email      TEXT NOT NULL,
	status             TEXT NOT NULL CHECK (status IN ('in_use', 'stopped', 'suspended')),
	payment_state      TEXT NOT NULL CHECK (payment_state IN ('ACTIVE', 'UNPAID', 'AWAITING_RECONNECT')),
	unpaid_since       BIGINT NOT NULL,
	free_krw           BIGINT NOT NULL CHECK (free_krw >= 0),
	paid_krw           BIGINT NOT NULL CHECK (paid_krw >= 0),
	accrual_krw        BIGINT NOT NULL CHECK (accrual_krw >= 0),
	charging_krw       BIGINT NOT NULL CHECK (charging_krw >= 0),
	held_krw           BIGINT NOT NULL CHECK (held_krw >= 0),
	daily_limit_krw    BIGINT NOT NULL CHECK (daily_limit_krw >= 0), -- 0 for none
	accrual_day        BIGINT NOT NULL,
	accrual_old_krw    BIGINT NOT NULL CHECK (accrual_old_krw BETWEEN 0 AND accrual_krw),
	accrued_krw        BIGINT NOT NULL CHECK (accrued_krw >= 0),
	next_charge_at     BIGINT NOT NULL,
	charge_epoch       BIGINT NOT NULL,
	charge_enqueued_at BIGINT NOT NULL,
	created_at         BIGINT NOT NULL
);
CREATE INDEX wallet_owing ON wallet (next_charge_at) WHERE accrual_krw > 0;

CREATE TABLE wallet_member (
	wallet_id  TEXT COLLATE "C" NOT NULL REFERENCES wallet (id),
	account_id TEXT COLLATE "C" NOT NULL REFERENCES account (id),
	role       TEXT NOT NULL CHECK (role IN ('master', 'worker')),
	PRIMARY KEY (wallet_id, account_id)
);
CREATE UNIQUE INDEX wallet_one_master ON wallet_member (wallet_id) WHERE role = 'master';

-- A posting and its legs are one row, so that a database constraint can hold their sum to 0.
CREATE TABLE posting (
	wallet_id TEXT COLLATE "C" NOT NULL REFERENCES wallet (id),
	kind      TEXT NOT NULL,
	ref       TEXT COLLATE "C" NOT NULL,
	at        BIGINT NOT NULL,
	free      BIGINT NOT NULL,
	paid      BIGINT NOT NULL,
	accrual   BIGINT NOT NULL,
	charging  BIGINT NOT NULL,
	revenue   BIGINT NOT NULL,
	clearing  BIGINT NOT NULL,
	vat       BIGINT NOT NULL,
	rounding  BIGINT NOT NULL,
	promotion BIGINT NOT NULL,
	PRIMARY KEY (wallet_id, kind, ref),
	CONSTRAINT legs_sum_to_zero CHECK (free + paid + accrual + charging + revenue + clearing + vat + rounding + promotion = 0)
);
CREATE INDEX posting_by_time ON posting (wallet_id, at);

CREATE TABLE free_grant (
	id            TEXT COLLATE "C" PRIMARY KEY,
	wallet_id     TEXT COLLATE "C" NOT NULL REFERENCES wallet (id),
	amount_krw    BIGINT NOT NULL CHECK (amount_krw > 0),
	remaining_krw BIGINT NOT NULL CHECK (remaining_krw BETWEEN 0 AND amount_krw),
	started_at    BIGINT NOT NULL, -- 0 until somebody presses use
	expires_at    BIGINT NOT NULL,
	created_at    BIGINT NOT NULL
);
CREATE INDEX free_grant_open ON free_grant (wallet_id, expires_at) WHERE remaining_krw > 0;

CREATE TABLE bot (
	id              TEXT COLLATE "C" PRIMARY KEY, -- Kakao's bot id, without the development mark
	name            TEXT NOT NULL,
	wallet_id       TEXT COLLATE "C" REFERENCES wallet (id),
	skill_key_hash  BYTEA NOT NULL, -- SHA-256 of the key in the skill URL
	rest_key_sealed BYTEA NOT NULL, -- Kakao REST API key, sealed
	rate_per_second BIGINT NOT NULL CHECK (rate_per_second > 0),
	in_flight       BIGINT NOT NULL CHECK (in_flight > 0),
	paused_reason   TEXT NOT NULL CHECK (paused_reason IN ('', 'config', 'provider')),
	paused_at       BIGINT NOT NULL,
	version         BIGINT NOT NULL, -- raised by every change of its blocks
	created_at      BIGINT NOT NULL
);
CREATE INDEX bot_by_wallet ON bot (wallet_id);

CREATE TABLE bot_member (
	bot_id     TEXT COLLATE "C" NOT NULL REFERENCES bot (id),
	account_id TEXT COLLATE "C" NOT NULL REFERENCES account (id),
	role       TEXT NOT NULL CHECK (role IN ('master', 'operator')),
	PRIMARY KEY (bot_id, account_id)
);

CREATE TABLE channel (
	bot_id TEXT COLLATE "C" NOT NULL REFERENCES bot (id),
	side   TEXT NOT NULL CHECK (side IN ('live', 'development')),
	name   TEXT NOT NULL,
	state  TEXT NOT NULL CHECK (state IN ('connected', 'disconnected', 'awaiting_reconnect')),
	PRIMARY KEY (bot_id, side)
);

CREATE TABLE block (
	bot_id     TEXT COLLATE "C" NOT NULL REFERENCES bot (id),
	id         TEXT COLLATE "C" NOT NULL,
	name       TEXT NOT NULL,
	kind       TEXT NOT NULL CHECK (kind IN ('welcome', 'fallback', 'normal')),
	event_name TEXT NOT NULL,
	callback   BIGINT NOT NULL, -- 1 where Kakao has callback switched on
	delay_ms   BIGINT NOT NULL CHECK (delay_ms BETWEEN 0 AND 50000),
	answer     TEXT NOT NULL, -- JSON: template of a skill response 2.0
	position   BIGINT NOT NULL,
	PRIMARY KEY (bot_id, id)
);

CREATE TABLE bot_user (
	bot_id        TEXT COLLATE "C" NOT NULL,
	user_hash     BYTEA NOT NULL,
	first_seen_at BIGINT NOT NULL,
	PRIMARY KEY (bot_id, user_hash)
);

CREATE TABLE utterance (
	id             TEXT COLLATE "C" PRIMARY KEY,
	bot_id         TEXT COLLATE "C" NOT NULL,
	side           TEXT NOT NULL,
	user_hash      BYTEA NOT NULL,
	asked          TEXT NOT NULL,
	block_id       TEXT NOT NULL,
	outcome        TEXT NOT NULL,
	budget_left_ms BIGINT NOT NULL,
	at             BIGINT NOT NULL
);
CREATE INDEX utterance_by_time ON utterance (bot_id, at);

CREATE TABLE broadcast (
	id             TEXT COLLATE "C" PRIMARY KEY,
	wallet_id      TEXT COLLATE "C" NOT NULL REFERENCES wallet (id),
	bot_id         TEXT COLLATE "C" NOT NULL REFERENCES bot (id),
	side           TEXT NOT NULL CHECK (side IN ('live', 'development')),
	name           TEXT NOT NULL,
	event_name     TEXT NOT NULL,
	event_data     TEXT NOT NULL, -- JSON object of strings
	params         TEXT NOT NULL, -- JSON object
	price_krw      BIGINT NOT NULL CHECK (price_krw >= 0),
	state          TEXT NOT NULL CHECK (state IN ('uploading', 'running', 'paused', 'cancelled', 'finished')),
	wait_reason    TEXT NOT NULL,
	wait_until     BIGINT NOT NULL,
	upload_epoch   BIGINT NOT NULL, -- raised by every upload; chunks of an older one are dead
	start_at       BIGINT NOT NULL,
	expires_at     BIGINT NOT NULL,
	audience       BIGINT NOT NULL,
	duplicates     BIGINT NOT NULL,
	bad_rows       BIGINT NOT NULL,
	chunks         BIGINT NOT NULL,
	planned_chunks BIGINT NOT NULL CHECK (planned_chunks >= 0),
	delivered      BIGINT NOT NULL CHECK (delivered >= 0),
	failed         BIGINT NOT NULL CHECK (failed >= 0),
	unknown        BIGINT NOT NULL CHECK (unknown >= 0),
	skipped        BIGINT NOT NULL CHECK (skipped >= 0),
	in_doubt       BIGINT NOT NULL CHECK (in_doubt >= 0),
	captured_krw   BIGINT NOT NULL,
	refusals       BIGINT NOT NULL, -- refused requests in a row
	note           TEXT NOT NULL,   -- why it was paused, for the operator
	created_at     BIGINT NOT NULL,
	sealed_at      BIGINT NOT NULL,
	started_at     BIGINT NOT NULL,
	finished_at    BIGINT NOT NULL,
	CONSTRAINT everyone_counts_once CHECK (state = 'uploading' OR delivered + failed + unknown + skipped + in_doubt <= audience)
);
CREATE INDEX broadcast_by_wallet ON broadcast (wallet_id, id);
CREATE INDEX broadcast_to_dispatch ON broadcast (start_at) WHERE state = 'running' AND planned_chunks > 0;

CREATE TABLE chunk (
	id              TEXT COLLATE "C" PRIMARY KEY, -- <broadcast id>-<seq, six digits>
	broadcast_id    TEXT COLLATE "C" NOT NULL REFERENCES broadcast (id),
	seq             BIGINT NOT NULL,
	upload_epoch    BIGINT NOT NULL,
	wallet_id       TEXT COLLATE "C" NOT NULL,
	bot_id          TEXT COLLATE "C" NOT NULL,
	state           TEXT NOT NULL CHECK (state IN ('planned', 'queued', 'sending', 'sent', 'in_doubt',
		'settled', 'rejected', 'expired', 'cancelled', 'parked')),
	epoch           BIGINT NOT NULL,
	next_at         BIGINT NOT NULL,
	enqueued_at     BIGINT NOT NULL,
	attempts        BIGINT NOT NULL,
	dead            BIGINT NOT NULL, -- tasks found dead
	lease_until     BIGINT NOT NULL,
	send_by         BIGINT NOT NULL,
	people          BIGINT NOT NULL CHECK (people BETWEEN 1 AND 100),
	recipients      TEXT NOT NULL, -- JSON array of {type, id, properties}
	hold_krw        BIGINT NOT NULL CHECK (hold_krw >= 0),
	task_id         TEXT NOT NULL, -- Kakao's receipt
	sent_at         BIGINT NOT NULL,
	doubt_at        BIGINT NOT NULL,
	unconfirmed     BIGINT NOT NULL, -- 1 after 24 h of answered look-ups
	delivered       BIGINT NOT NULL,
	failed          BIGINT NOT NULL,
	unknown         BIGINT NOT NULL,
	skipped         BIGINT NOT NULL,
	result          TEXT NOT NULL, -- Kakao's answer to the last look-up, raw JSON
	error           TEXT NOT NULL,
	UNIQUE (broadcast_id, seq),
	CONSTRAINT money_only_on_the_way CHECK (hold_krw = 0 OR state IN ('queued', 'sending', 'sent', 'in_doubt')),
	CONSTRAINT sent_has_a_receipt CHECK (state <> 'sent' OR task_id <> '')
);
CREATE INDEX chunk_planned ON chunk (broadcast_id, next_at, seq) WHERE state = 'planned';
CREATE INDEX chunk_queued ON chunk (bot_id, enqueued_at) WHERE state = 'queued';
CREATE INDEX chunk_sending ON chunk (lease_until) WHERE state = 'sending';
CREATE INDEX chunk_sent ON chunk (enqueued_at, next_at) WHERE state = 'sent';
CREATE INDEX chunk_in_doubt ON chunk (doubt_at) WHERE state = 'in_doubt';

CREATE TABLE chunk_evidence (
	chunk_id  TEXT COLLATE "C" NOT NULL,
	user_hash BYTEA NOT NULL,
	at        BIGINT NOT NULL,
	PRIMARY KEY (chunk_id, user_hash)
);

CREATE TABLE card (
	id            TEXT COLLATE "C" PRIMARY KEY,
	account_id    TEXT COLLATE "C" NOT NULL REFERENCES account (id),
	sid_sealed    BYTEA NOT NULL,
	payer_id      TEXT NOT NULL, -- partner_user_id with which the sid was issued
	masked        TEXT NOT NULL,
	issuer        TEXT NOT NULL,
	state         TEXT NOT NULL CHECK (state IN ('usable', 'dormant', 'dead')),
	dormant_since BIGINT NOT NULL,
	added_at      BIGINT NOT NULL,
	removed_at    BIGINT NOT NULL
);
CREATE INDEX card_by_account ON card (account_id, added_at) WHERE removed_at = 0;

CREATE TABLE wallet_card (
	wallet_id TEXT COLLATE "C" NOT NULL REFERENCES wallet (id),
	slot      BIGINT NOT NULL CHECK (slot BETWEEN 1 AND 3), -- 1 payment card, 2 and 3 backups
	card_id   TEXT COLLATE "C" NOT NULL UNIQUE REFERENCES card (id),
	PRIMARY KEY (wallet_id, slot)
);

CREATE TABLE charge (
	id          TEXT COLLATE "C" PRIMARY KEY,
	wallet_id   TEXT COLLATE "C" NOT NULL REFERENCES wallet (id),
	supply_krw  BIGINT NOT NULL CHECK (supply_krw > 0),
	vat_krw     BIGINT NOT NULL CHECK (vat_krw >= 0),
	state       TEXT NOT NULL CHECK (state IN ('open', 'review', 'paid', 'failed', 'halted')),
	opened_at   BIGINT NOT NULL,
	closed_at   BIGINT NOT NULL
);
CREATE UNIQUE INDEX charge_one_open ON charge (wallet_id) WHERE state IN ('open', 'review');
CREATE INDEX charge_by_wallet ON charge (wallet_id, id);

-- A checkout is a payment that the payer approves in a browser: a top-up or a card registration.
CREATE TABLE checkout (
	id           TEXT COLLATE "C" PRIMARY KEY,
	kind         TEXT NOT NULL CHECK (kind IN ('topup', 'card')),
	account_id   TEXT COLLATE "C" NOT NULL REFERENCES account (id),
	wallet_id    TEXT COLLATE "C" REFERENCES wallet (id),
	supply_krw   BIGINT NOT NULL CHECK (supply_krw >= 0),
	vat_krw      BIGINT NOT NULL CHECK (vat_krw >= 0),
	return_key_hash BYTEA NOT NULL, -- SHA-256 of the key in the approval URL; empty until the gateway answered
	redirect     TEXT NOT NULL,     -- JSON: where the payer goes, by device; empty before and after
	state        TEXT NOT NULL CHECK (state IN ('ready', 'approving', 'done', 'failed', 'cancelled', 'review')),
	reason       TEXT NOT NULL,
	created_at   BIGINT NOT NULL,
	closed_at    BIGINT NOT NULL
);
CREATE INDEX checkout_by_wallet ON checkout (wallet_id, id);

-- One attempt to move money outside. Its id is the order id; it is committed before the call.
CREATE TABLE attempt (
	id               TEXT COLLATE "C" PRIMARY KEY,
	kind             TEXT NOT NULL CHECK (kind IN ('charge', 'topup', 'card', 'cancel')),
	subject_id       TEXT COLLATE "C" NOT NULL, -- charge or checkout
	wallet_id        TEXT COLLATE "C" NOT NULL, -- '' for a card registration
	card_id          TEXT COLLATE "C" NOT NULL,
	slot             BIGINT NOT NULL,
	total_krw        BIGINT NOT NULL CHECK (total_krw >= 0),
	state            TEXT NOT NULL CHECK (state IN ('prepared', 'calling', 'done', 'declined', 'unknown')),
	epoch            BIGINT NOT NULL,
	next_at          BIGINT NOT NULL,
	enqueued_at      BIGINT NOT NULL,
	attempts         BIGINT NOT NULL, -- fruitless tries while prepared, answered look-ups while unknown
	lease_until      BIGINT NOT NULL,
	called_at        BIGINT NOT NULL,
	card_approved_at BIGINT NOT NULL, -- the card's last approval before the call
	tid              TEXT NOT NULL,
	token_sealed     BYTEA NOT NULL, -- pg_token of a checkout, sealed
	reason           TEXT NOT NULL,  -- why it was declined, or what is odd about it
	provider_code    TEXT NOT NULL,
	provider_message TEXT NOT NULL,
	created_at       BIGINT NOT NULL,
	closed_at        BIGINT NOT NULL
);
CREATE INDEX attempt_by_subject ON attempt (subject_id, id);
CREATE INDEX attempt_by_card ON attempt (card_id, called_at);
CREATE UNIQUE INDEX attempt_one_open ON attempt (subject_id) WHERE state IN ('prepared', 'calling', 'unknown');
CREATE INDEX attempt_open ON attempt (state, enqueued_at, next_at) WHERE state IN ('prepared', 'calling', 'unknown');

CREATE TABLE mail (
	id          TEXT COLLATE "C" PRIMARY KEY,
	wallet_id   TEXT COLLATE "C" NOT NULL,
	mail_case   TEXT NOT NULL,
	subject_id  TEXT COLLATE "C" NOT NULL,
	receiver    TEXT NOT NULL,
	name        TEXT NOT NULL,
	data        TEXT NOT NULL, -- JSON, its shape is the case's
	state       TEXT NOT NULL CHECK (state IN ('waiting', 'sending', 'sent', 'failed', 'bounced')),
	epoch       BIGINT NOT NULL,
	next_at     BIGINT NOT NULL,
	enqueued_at BIGINT NOT NULL,
	attempts    BIGINT NOT NULL,
	lease_until BIGINT NOT NULL,
	error       TEXT NOT NULL,
	created_at  BIGINT NOT NULL,
	sent_at     BIGINT NOT NULL,
	UNIQUE (wallet_id, mail_case, subject_id, receiver)
);
CREATE INDEX mail_open ON mail (state, enqueued_at, next_at) WHERE state IN ('waiting', 'sending');

-- What stops for everyone: a wrong key at the card gateway, its quota used up.
CREATE TABLE halt (
	name   TEXT PRIMARY KEY,
	reason TEXT NOT NULL,
	at     BIGINT NOT NULL,
	until  BIGINT NOT NULL
);

CREATE TABLE job_run (
	name   TEXT NOT NULL,
	period TEXT NOT NULL,
	at     BIGINT NOT NULL,
	PRIMARY KEY (name, period)
);

CREATE TABLE idempotency (
	scope      TEXT COLLATE "C" NOT NULL, -- token id
	idem_key   TEXT NOT NULL,
	body_hash  BYTEA NOT NULL,
	answer     TEXT NOT NULL, -- JSON that the first call was answered with
	at         BIGINT NOT NULL,
	PRIMARY KEY (scope, idem_key)
);
