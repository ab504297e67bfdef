-- What metrics count and what no index found before.

-- +goose Up
CREATE INDEX chunk_parked ON chunk (broadcast_id) WHERE state = 'parked';
CREATE INDEX broadcast_planned ON broadcast (state) WHERE planned_chunks > 0;
CREATE INDEX wallet_by_payment_state ON wallet (payment_state);
