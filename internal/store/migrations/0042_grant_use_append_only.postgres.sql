-- +goose Up
CREATE TRIGGER grant_use_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON grant_use
FOR EACH STATEMENT EXECUTE FUNCTION posting_is_append_only();
