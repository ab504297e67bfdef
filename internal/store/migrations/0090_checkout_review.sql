-- Checkouts that wait for a person are counted and listed.

-- +goose Up
CREATE INDEX checkout_in_review ON checkout (id) WHERE state = 'review';
