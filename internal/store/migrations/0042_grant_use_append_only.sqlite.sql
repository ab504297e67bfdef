-- +goose Up
-- +goose StatementBegin
CREATE TRIGGER grant_use_is_never_changed BEFORE UPDATE ON grant_use
BEGIN SELECT RAISE(ABORT, 'a posting is never edited; post its reversal'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER grant_use_is_never_deleted BEFORE DELETE ON grant_use
BEGIN SELECT RAISE(ABORT, 'a posting is never deleted; post its reversal'); END;
-- +goose StatementEnd
