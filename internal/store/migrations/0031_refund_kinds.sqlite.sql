-- SQLite changes no CHECK in place: the two tables are made anew, with what hangs on them.

-- +goose Up
CREATE TABLE posting_new (
	wallet_id TEXT NOT NULL REFERENCES wallet (id),
	kind      TEXT NOT NULL,
	ref       TEXT NOT NULL,
	at        BIGINT NOT NULL,
	free      BIGINT NOT NULL,
	paid      BIGINT NOT NULL,
	refunding BIGINT NOT NULL DEFAULT 0,
	accrual   BIGINT NOT NULL,
	charging  BIGINT NOT NULL,
	revenue   BIGINT NOT NULL,
	clearing  BIGINT NOT NULL,
	vat       BIGINT NOT NULL,
	rounding  BIGINT NOT NULL,
	promotion BIGINT NOT NULL,
	PRIMARY KEY (wallet_id, kind, ref),
	CONSTRAINT legs_sum_to_zero CHECK (free + paid + refunding + accrual + charging + revenue + clearing + vat + rounding + promotion = 0)
);
INSERT INTO posting_new (wallet_id, kind, ref, at, free, paid, accrual, charging, revenue, clearing, vat, rounding, promotion)
	SELECT wallet_id, kind, ref, at, free, paid, accrual, charging, revenue, clearing, vat, rounding, promotion FROM posting;
DROP TABLE posting;
ALTER TABLE posting_new RENAME TO posting;
CREATE INDEX posting_by_time ON posting (wallet_id, at);
CREATE INDEX posting_topup ON posting (wallet_id, at, ref) WHERE kind = 'topup' AND paid > 0;
-- +goose StatementBegin
CREATE TRIGGER posting_is_never_changed BEFORE UPDATE ON posting
BEGIN SELECT RAISE(ABORT, 'a posting is never edited; post its reversal'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER posting_is_never_deleted BEFORE DELETE ON posting
BEGIN SELECT RAISE(ABORT, 'a posting is never deleted; post its reversal'); END;
-- +goose StatementEnd

CREATE TABLE attempt_new (
	id               TEXT PRIMARY KEY,
	kind             TEXT NOT NULL CHECK (kind IN ('charge', 'topup', 'card', 'cancel', 'refund')),
	subject_id       TEXT NOT NULL, -- charge, checkout or line of a refund
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
