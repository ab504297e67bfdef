-- Whose mails are whose, and who does without which.

-- +goose Up
ALTER TABLE mail ADD COLUMN account_id TEXT NOT NULL DEFAULT ''; -- of the receiver, '' for an address of no account
UPDATE mail SET account_id = COALESCE((SELECT a.id FROM account a WHERE lower(a.email) = lower(mail.receiver)), '');

CREATE TABLE mail_mute (
	wallet_id  TEXT COLLATE "C" NOT NULL REFERENCES wallet (id),
	account_id TEXT COLLATE "C" NOT NULL REFERENCES account (id),
	mail_case  TEXT NOT NULL,
	since      BIGINT NOT NULL,
	PRIMARY KEY (wallet_id, account_id, mail_case)
);
