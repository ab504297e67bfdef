-- Top-ups by bank transfer, and refunds of unused paid cash.

-- +goose Up
ALTER TABLE wallet ADD COLUMN refunding_krw BIGINT NOT NULL DEFAULT 0 CHECK (refunding_krw >= 0); -- on its way back to the payer
ALTER TABLE wallet ADD COLUMN representative TEXT NOT NULL DEFAULT '';                            -- 대표자, of a business

ALTER TABLE checkout ADD COLUMN method TEXT NOT NULL DEFAULT 'card' CHECK (method IN ('card', 'bank'));
ALTER TABLE checkout ADD COLUMN account_bank TEXT NOT NULL DEFAULT '';   -- the one-time account, empty until the bank has opened it
ALTER TABLE checkout ADD COLUMN account_number TEXT NOT NULL DEFAULT '';
ALTER TABLE checkout ADD COLUMN account_holder TEXT NOT NULL DEFAULT '';
ALTER TABLE checkout ADD COLUMN deadline BIGINT NOT NULL DEFAULT 0;      -- of a transfer

-- Where the refund of a bank transfer goes.
CREATE TABLE refund_account (
	wallet_id     TEXT COLLATE "C" PRIMARY KEY REFERENCES wallet (id),
	bank          TEXT NOT NULL,
	number_sealed BYTEA NOT NULL,
	masked        TEXT NOT NULL,
	holder        TEXT NOT NULL,
	updated_at    BIGINT NOT NULL
);

CREATE TABLE refund (
	id            TEXT COLLATE "C" PRIMARY KEY,
	wallet_id     TEXT COLLATE "C" NOT NULL REFERENCES wallet (id),
	supply_krw    BIGINT NOT NULL CHECK (supply_krw > 0),
	vat_krw       BIGINT NOT NULL CHECK (vat_krw >= 0), -- that goes back with it
	state         TEXT NOT NULL CHECK (state IN ('open', 'review', 'done', 'partly', 'failed')),
	bank          TEXT NOT NULL, -- the refund account as it was when the refund was opened; empty without a transfer
	number_sealed BYTEA NOT NULL,
	masked        TEXT NOT NULL,
	holder        TEXT NOT NULL,
	opened_at     BIGINT NOT NULL,
	closed_at     BIGINT NOT NULL
);
CREATE UNIQUE INDEX refund_one_open ON refund (wallet_id) WHERE state IN ('open', 'review');
CREATE INDEX refund_by_wallet ON refund (wallet_id, id);

-- The part of a refund that goes back by one payment.
CREATE TABLE refund_line (
	id         TEXT COLLATE "C" PRIMARY KEY, -- <refund id>-<number>
	refund_id  TEXT COLLATE "C" NOT NULL REFERENCES refund (id),
	wallet_id  TEXT COLLATE "C" NOT NULL,
	topup_ref  TEXT COLLATE "C" NOT NULL, -- ref of the posting that brought the money in
	method     TEXT NOT NULL CHECK (method IN ('card', 'bank')),
	supply_krw BIGINT NOT NULL CHECK (supply_krw > 0),
	vat_krw    BIGINT NOT NULL CHECK (vat_krw >= 0), -- that goes back with it
	state      TEXT NOT NULL CHECK (state IN ('open', 'done', 'failed')),
	reason     TEXT NOT NULL,
	closed_at  BIGINT NOT NULL
);
CREATE INDEX refund_line_by_refund ON refund_line (refund_id, id);
CREATE INDEX refund_line_by_topup ON refund_line (wallet_id, topup_ref);
