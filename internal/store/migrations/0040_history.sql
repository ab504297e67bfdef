-- What a history shows beside captures, which are nearly all of a ledger.

-- +goose Up
CREATE INDEX posting_but_captures ON posting (wallet_id, at) WHERE kind <> 'capture';
