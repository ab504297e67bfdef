-- People hear of times of schedules at which nothing was sent, and what stood in the way.

-- +goose Up
ALTER TABLE schedule_run ADD COLUMN causes TEXT NOT NULL DEFAULT '';   -- words for what stands in the way, by commas
ALTER TABLE schedule_run ADD COLUMN told_at BIGINT NOT NULL DEFAULT 0; -- since when its people know that it was lost
UPDATE schedule_run SET told_at = changed_at WHERE state IN ('missed', 'failed');
ALTER TABLE schedule ADD COLUMN told_at BIGINT NOT NULL DEFAULT 0;     -- when its people were told of lost times last
CREATE INDEX schedule_run_untold ON schedule_run (schedule_id, due_at) WHERE state IN ('missed', 'failed') AND told_at = 0;
