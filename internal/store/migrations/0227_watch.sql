-- What is counted every few seconds is counted by indexes.

-- +goose Up
CREATE INDEX broadcast_waits ON broadcast (wait_reason, bot_id) WHERE planned_chunks > 0 AND wait_reason <> '';
CREATE INDEX bot_paused ON bot (paused_reason) WHERE paused_reason <> '';
CREATE INDEX wallet_unpaid_since ON wallet (unpaid_since) WHERE payment_state = 'UNPAID';
CREATE INDEX card_by_state ON card (state) WHERE removed_at = 0;
CREATE INDEX mail_waiting ON mail (created_at) WHERE state IN ('waiting', 'sending');
