-- A bot that Kakao asked to wait, or does not answer, moves again by itself.

-- +goose Up
DROP INDEX broadcast_moving;
CREATE INDEX broadcast_moving ON broadcast (state, wallet_id, bot_id, start_at, id)
	WHERE state = 'running' AND planned_chunks > 0 AND wait_reason IN ('', 'scheduled', 'rate', 'kakao');
