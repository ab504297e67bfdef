-- Who made a token: what one that stands for nobody ordered, he does not approve.

-- +goose Up
ALTER TABLE token ADD COLUMN issued_by TEXT NOT NULL DEFAULT ''; -- account; '' at the terminal of the machine, and of a token that was so made
UPDATE token SET issued_by = COALESCE((SELECT a.account_id FROM audit a
	WHERE a.subject_kind = 'token' AND a.subject_id = token.id AND a.action = 'create-token' ORDER BY a.seq LIMIT 1), '');
