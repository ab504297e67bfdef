-- Who ordered what a schedule sends: that person approves none of its broadcasts.

-- +goose Up
ALTER TABLE schedule ADD COLUMN created_by TEXT NOT NULL DEFAULT ''; -- account, or a token that stands for nobody; '' for nobody that is known
UPDATE schedule SET created_by = COALESCE((SELECT CASE a.account_id WHEN '' THEN a.token_id ELSE a.account_id END FROM audit a
	WHERE a.subject_kind = 'schedule' AND a.subject_id = schedule.id AND a.action = 'create-schedule' ORDER BY a.seq LIMIT 1), '');
UPDATE broadcast SET sealed_by = COALESCE((SELECT s.created_by FROM schedule_run r JOIN schedule s ON s.id = r.schedule_id
	WHERE r.broadcast_id = broadcast.id AND r.broadcast_id <> ''), '') WHERE sealed_by = '' AND wait_reason = 'approval';
