-- SQLite changes no CHECK in place: the table is made anew, with its indexes.

-- +goose Up
CREATE TABLE attempt_new (
	id               TEXT PRIMARY KEY,
	kind             TEXT NOT NULL CHECK (kind IN ('charge', 'topup', 'card', 'cancel', 'refund', 'invoice')),
	subject_id       TEXT NOT NULL, -- charge, checkout, line of a refund or invoice
	wallet_id        TEXT NOT NULL, -- '' for a card registration
	card_id          TEXT NOT NULL,
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
	token_sealed     BLOB NOT NULL, -- pg_token of a checkout, sealed
	reason           TEXT NOT NULL,  -- why it was declined, or what is odd about it
	provider_code    TEXT NOT NULL,
	provider_message TEXT NOT NULL,
	created_at       BIGINT NOT NULL,
	closed_at        BIGINT NOT NULL
);
INSERT INTO attempt_new (id, kind, subject_id, wallet_id, card_id, slot, total_krw, state,
	epoch, next_at, enqueued_at, attempts, lease_until, called_at, card_approved_at, tid, token_sealed,
	reason, provider_code, provider_message, created_at, closed_at)
	SELECT id, kind, subject_id, wallet_id, card_id, slot, total_krw, state,
	epoch, next_at, enqueued_at, attempts, lease_until, called_at, card_approved_at, tid, token_sealed,
	reason, provider_code, provider_message, created_at, closed_at FROM attempt;
DROP TABLE attempt;
ALTER TABLE attempt_new RENAME TO attempt;
CREATE INDEX attempt_by_subject ON attempt (subject_id, id);
CREATE INDEX attempt_by_card ON attempt (card_id, called_at);
CREATE UNIQUE INDEX attempt_one_open ON attempt (subject_id) WHERE state IN ('prepared', 'calling', 'unknown');
CREATE INDEX attempt_open ON attempt (state, enqueued_at, next_at) WHERE state IN ('prepared', 'calling', 'unknown');
CREATE INDEX attempt_ended ON attempt (wallet_id, closed_at, id)
	WHERE state IN ('done', 'declined') AND kind IN ('charge', 'topup', 'refund');
CREATE INDEX attempt_called ON attempt (closed_at) WHERE kind = 'charge' AND called_at > 0 AND closed_at > 0;
