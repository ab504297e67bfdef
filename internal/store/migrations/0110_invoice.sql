-- Monthly tax invoices of business wallets.

-- +goose Up
ALTER TABLE wallet ADD COLUMN company TEXT NOT NULL DEFAULT '';       -- 상호, where it is not the wallet's name
ALTER TABLE wallet ADD COLUMN address TEXT NOT NULL DEFAULT '';       -- 사업장 주소
ALTER TABLE wallet ADD COLUMN business_type TEXT NOT NULL DEFAULT ''; -- 업태
ALTER TABLE wallet ADD COLUMN business_item TEXT NOT NULL DEFAULT ''; -- 종목
ALTER TABLE wallet ADD COLUMN closed_to BIGINT NOT NULL DEFAULT 0;    -- no posting is written before it: the months until then are closed
ALTER TABLE wallet ADD COLUMN invoiced_to BIGINT NOT NULL DEFAULT 0;  -- what was used before it is in invoices
CREATE INDEX wallet_to_invoice ON wallet (invoiced_to) WHERE kind = 'business' AND deleted_at = 0;

CREATE TABLE invoice (
	id              TEXT COLLATE "C" PRIMARY KEY,
	wallet_id       TEXT COLLATE "C" NOT NULL REFERENCES wallet (id),
	month           BIGINT NOT NULL, -- 00:00 in Korea of the 1st
	revision        BIGINT NOT NULL CHECK (revision >= 1),
	amends          TEXT COLLATE "C" NOT NULL, -- the revision before, or ''
	why             TEXT NOT NULL,             -- it was amended
	supplier        TEXT NOT NULL,             -- JSON of a party; '' until it is first handed over
	recipient       TEXT NOT NULL,             -- the same
	supply_krw      BIGINT NOT NULL,           -- below 0 where corrections took back more than was used
	vat_krw         BIGINT NOT NULL,
	free_krw        BIGINT NOT NULL,
	messages        BIGINT NOT NULL,
	state           TEXT NOT NULL CHECK (state IN ('waiting', 'issued', 'failed')),
	code            TEXT NOT NULL, -- why it is not issued, in a word
	failure         TEXT NOT NULL, -- and in Korean, for its reader
	again_at        BIGINT NOT NULL, -- of the one retry of a refused one
	give_up_at      BIGINT NOT NULL, -- until when a carrier that cannot be reached is tried
	deadline        BIGINT NOT NULL, -- first moment at which it is late by law
	closed_at       BIGINT NOT NULL,
	asked_at        BIGINT NOT NULL, -- a person asked for it; 0 while the calendar did
	failed_at       BIGINT NOT NULL,
	issued_at       BIGINT NOT NULL,
	approval_number TEXT NOT NULL,
	UNIQUE (wallet_id, month, revision)
);
CREATE INDEX invoice_by_wallet ON invoice (wallet_id, id);
CREATE INDEX invoice_unissued ON invoice (deadline, id) WHERE state <> 'issued';
