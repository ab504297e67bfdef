-- +goose Up
-- +goose StatementBegin
CREATE FUNCTION posting_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'a posting is never edited or deleted; post its reversal'; END $$;
-- +goose StatementEnd
CREATE TRIGGER posting_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON posting
FOR EACH STATEMENT EXECUTE FUNCTION posting_is_append_only();
