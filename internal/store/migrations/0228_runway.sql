-- +goose Up
ALTER TABLE ledger_check ADD COLUMN runway TEXT NOT NULL DEFAULT ''; -- for how many days a wallet without a card has cash; '' where nobody asks
CREATE INDEX ledger_check_runway ON ledger_check (runway) WHERE runway <> '';
