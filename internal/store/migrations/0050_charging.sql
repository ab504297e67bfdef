-- When a wallet's turn comes in a settlement, what people decide by hand, and what is known of
-- channels.

-- +goose Up
ALTER TABLE wallet ADD COLUMN place BIGINT NOT NULL DEFAULT 0;        -- in a spread settlement, 0 to 65535
ALTER TABLE wallet ADD COLUMN long_term_at BIGINT NOT NULL DEFAULT 0; -- when this unpaid spell was told of as a long one
CREATE INDEX wallet_unpaid ON wallet (unpaid_since) WHERE payment_state = 'UNPAID' AND long_term_at = 0;

ALTER TABLE charge ADD COLUMN settled_by TEXT NOT NULL DEFAULT '';  -- who took it out of review
ALTER TABLE charge ADD COLUMN settled_why TEXT NOT NULL DEFAULT '';
CREATE INDEX attempt_called ON attempt (closed_at) WHERE kind = 'charge' AND called_at > 0 AND closed_at > 0;

-- A Kakao app that channels are linked to.
CREATE TABLE app (
	id         TEXT COLLATE "C" PRIMARY KEY, -- Kakao's app id
	name       TEXT NOT NULL,
	verified   BIGINT NOT NULL,              -- 1: a biz-app, business certification passed
	kakao_sync BIGINT NOT NULL,              -- 1: Kakao Sync linked
	created_at BIGINT NOT NULL
);
ALTER TABLE channel ADD COLUMN cause TEXT NOT NULL DEFAULT '' CHECK (cause IN ('', 'wallet', 'operator')); -- of not being connected
ALTER TABLE channel ADD COLUMN app_id TEXT REFERENCES app (id);
ALTER TABLE channel ADD COLUMN verified BIGINT NOT NULL DEFAULT 0; -- 1: a business channel
ALTER TABLE channel ADD COLUMN deployed BIGINT NOT NULL DEFAULT 0; -- 1: the blocks were deployed to it
UPDATE channel SET cause = 'wallet' WHERE state <> 'connected';
