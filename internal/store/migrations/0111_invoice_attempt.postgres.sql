-- +goose Up
ALTER TABLE attempt DROP CONSTRAINT attempt_kind_check;
ALTER TABLE attempt ADD CONSTRAINT attempt_kind_check CHECK (kind IN ('charge', 'topup', 'card', 'cancel', 'refund', 'invoice'));
