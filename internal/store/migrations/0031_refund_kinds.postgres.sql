-- +goose Up
ALTER TABLE posting ADD COLUMN refunding BIGINT NOT NULL DEFAULT 0;
ALTER TABLE posting DROP CONSTRAINT legs_sum_to_zero;
ALTER TABLE posting ADD CONSTRAINT legs_sum_to_zero
	CHECK (free + paid + refunding + accrual + charging + revenue + clearing + vat + rounding + promotion = 0);
CREATE INDEX posting_topup ON posting (wallet_id, at, ref) WHERE kind = 'topup' AND paid > 0;

ALTER TABLE attempt DROP CONSTRAINT attempt_kind_check;
ALTER TABLE attempt ADD CONSTRAINT attempt_kind_check CHECK (kind IN ('charge', 'topup', 'card', 'cancel', 'refund'));
