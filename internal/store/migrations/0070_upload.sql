-- An upload lives beside the audience that it may replace.

-- +goose Up
ALTER TABLE broadcast ADD COLUMN audience_epoch BIGINT NOT NULL DEFAULT 0; -- the upload whose chunks count; 0 for none
ALTER TABLE broadcast ADD COLUMN upload_after BIGINT NOT NULL DEFAULT 0;   -- the running upload numbers its chunks from here
UPDATE broadcast SET audience_epoch = upload_epoch WHERE audience > 0;
