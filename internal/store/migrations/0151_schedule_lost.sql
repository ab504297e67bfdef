-- Times of schedules at which nothing was sent, for whoever watches.

-- +goose Up
CREATE INDEX schedule_run_lost ON schedule_run (changed_at) WHERE state IN ('missed', 'failed');
