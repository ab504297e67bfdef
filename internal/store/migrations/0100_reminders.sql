-- Who has been told that the cash is short, and which free cash ends when.

-- +goose Up
ALTER TABLE broadcast ADD COLUMN funds_told_at BIGINT NOT NULL DEFAULT 0; -- since when its people know that it waits for funds
CREATE INDEX broadcast_short ON broadcast (state, id)
	WHERE state = 'running' AND planned_chunks > 0 AND wait_reason = 'funds' AND funds_told_at = 0;
CREATE INDEX free_grant_ending ON free_grant (expires_at) WHERE remaining_krw > 0;
