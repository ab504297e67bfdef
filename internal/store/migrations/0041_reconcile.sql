-- What reconciling reads: which grants paid for what, what went out and what moved outside by day,
-- and what the hourly comparison of each wallet found.

-- +goose Up
CREATE TABLE grant_use (
	wallet_id  TEXT COLLATE "C" NOT NULL,
	kind       TEXT NOT NULL,
	ref        TEXT COLLATE "C" NOT NULL,
	grant_id   TEXT COLLATE "C" NOT NULL,
	amount_krw BIGINT NOT NULL, -- below 0 where a correction gave free cash back
	PRIMARY KEY (wallet_id, kind, ref, grant_id)
);

CREATE INDEX chunk_ended ON chunk (wallet_id, (CASE WHEN sent_at > 0 THEN sent_at WHEN doubt_at > 0 THEN doubt_at ELSE next_at END), id)
	WHERE state IN ('settled', 'rejected', 'in_doubt') AND hold_krw = 0;
CREATE INDEX attempt_ended ON attempt (wallet_id, closed_at, id)
	WHERE state IN ('done', 'declined') AND kind IN ('charge', 'topup', 'refund');

-- One row a wallet. The sums are of its postings before base_at, so that an hourly comparison
-- does not read them all.
CREATE TABLE ledger_check (
	wallet_id      TEXT COLLATE "C" PRIMARY KEY REFERENCES wallet (id),
	next_at        BIGINT NOT NULL,
	checked_at     BIGINT NOT NULL,
	base_at        BIGINT NOT NULL,
	base_free      BIGINT NOT NULL,
	base_paid      BIGINT NOT NULL,
	base_refunding BIGINT NOT NULL,
	base_accrual   BIGINT NOT NULL,
	base_charging  BIGINT NOT NULL,
	balance_krw    BIGINT NOT NULL, -- what was found, each the sum of differences without their signs
	held_krw       BIGINT NOT NULL,
	free_krw       BIGINT NOT NULL,
	messages_krw   BIGINT NOT NULL,
	payments_krw   BIGINT NOT NULL
);
CREATE INDEX ledger_check_next ON ledger_check (next_at);
CREATE INDEX ledger_check_oldest ON ledger_check (checked_at);
CREATE INDEX ledger_check_differs ON ledger_check (wallet_id)
	WHERE balance_krw + held_krw + free_krw + messages_krw + payments_krw > 0;
