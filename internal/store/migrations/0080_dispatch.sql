-- What a dispatch looks at: what moves by customer, everything in turn. State comes first so that
-- SQLite does not prefer an index of states.

-- +goose Up
CREATE INDEX broadcast_moving ON broadcast (state, wallet_id, bot_id, start_at, id)
	WHERE state = 'running' AND planned_chunks > 0 AND wait_reason IN ('', 'scheduled', 'rate');
CREATE INDEX broadcast_in_turn ON broadcast (state, id) WHERE state = 'running' AND planned_chunks > 0;
