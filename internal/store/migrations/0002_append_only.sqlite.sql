-- +goose Up
-- +goose StatementBegin
CREATE TRIGGER posting_is_never_changed BEFORE UPDATE ON posting
BEGIN SELECT RAISE(ABORT, 'a posting is never edited; post its reversal'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER posting_is_never_deleted BEFORE DELETE ON posting
BEGIN SELECT RAISE(ABORT, 'a posting is never deleted; post its reversal'); END;
-- +goose StatementEnd
