-- Cash that the platform gives, prices from a day on, and wallets that were deleted.

-- +goose Up
ALTER TABLE free_grant ADD COLUMN reason TEXT NOT NULL DEFAULT '';
ALTER TABLE free_grant ADD COLUMN expired_krw BIGINT NOT NULL DEFAULT 0; -- the part that vanished unused
CREATE INDEX free_grant_expiring ON free_grant (expires_at) WHERE remaining_krw > 0 AND started_at > 0;
CREATE INDEX free_grant_by_wallet ON free_grant (wallet_id, id);

CREATE TABLE paid_grant (
	id         TEXT COLLATE "C" PRIMARY KEY,
	wallet_id  TEXT COLLATE "C" NOT NULL REFERENCES wallet (id),
	amount_krw BIGINT NOT NULL CHECK (amount_krw > 0),
	reason     TEXT NOT NULL,
	created_at BIGINT NOT NULL
);
CREATE INDEX paid_grant_by_wallet ON paid_grant (wallet_id, id);

CREATE TABLE price (
	item       TEXT NOT NULL,
	valid_from BIGINT NOT NULL, -- 00:00 in Korea; 0 for the first price
	price_krw  BIGINT NOT NULL CHECK (price_krw >= 0),
	PRIMARY KEY (item, valid_from)
);

ALTER TABLE wallet ADD COLUMN deleted_at BIGINT NOT NULL DEFAULT 0; -- 0 while there is the wallet
