-- The mails of a wallet are listed.

-- +goose Up
CREATE INDEX mail_by_wallet ON mail (wallet_id, id);
