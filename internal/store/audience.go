package store

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/malgil/malgil/internal/access"
	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/fault"
)

const audienceColumns = `id, bot_id, name, people, duplicates, excluded, bad_rows, chunks, upload_epoch, people_epoch, created_at, uploaded_at`

func scanAudience(row scanner) (a broadcast.Audience, err error) {
	n := &a.Counts
	err = row.Scan(&a.ID, &a.BotID, &a.Name, &n.Audience, &n.Duplicates, &n.Excluded, &n.BadRows, &a.Chunks, &a.UploadEpoch, &a.PeopleEpoch,
		at(&a.CreatedAt), at(&a.UploadedAt))
	return a, err
}

// Audience reads a named audience. It is NotFound when there is none.
func (s *Store) Audience(ctx context.Context, id broadcast.AudienceID) (broadcast.Audience, error) {
	return audienceOf(ctx, s.read, id, "")
}

func audienceOf(ctx context.Context, q querier, id broadcast.AudienceID, lock string) (broadcast.Audience, error) {
	a, err := scanAudience(q.QueryRowContext(ctx, `SELECT `+audienceColumns+` FROM audience WHERE id = $1`+lock, id))
	return a, orNotFound(err, "audience", string(id))
}

// AudienceFilter narrows a list of audiences; an empty field does not.
type AudienceFilter struct {
	Sight access.Sight // a person sees those of the bots that he sees
	BotID string
}

// AudienceList lists named audiences in the order in which they were made: those after an id.
func (s *Store) AudienceList(ctx context.Context, f AudienceFilter, after broadcast.AudienceID, limit int) ([]broadcast.Audience, error) {
	rows, err := s.read.QueryContext(ctx, `SELECT `+audienceColumns+` FROM audience WHERE id > $1 AND ($2 = '' OR bot_id = $2) AND `+
		fmt.Sprintf(seesBot, 3, "bot_id")+` ORDER BY id LIMIT $4`, after, f.BotID, string(f.Sight), limit)
	return collect(rows, err, scanAudience)
}

// CreateAudience stores an audience without people. It is NotFound when there is no such bot, and a
// Conflict when the bot has an audience of that name.
func (s *Store) CreateAudience(ctx context.Context, a broadcast.Audience) error {
	return s.inTx(ctx, func(tx *sql.Tx) error {
		var bot string
		if err := tx.QueryRowContext(ctx, `SELECT id FROM bot WHERE id = $1`, a.BotID).Scan(&bot); err != nil {
			return orNotFound(err, "bot", a.BotID)
		}
		made, err := changed(tx.ExecContext(ctx, `INSERT INTO audience (`+audienceColumns+`)
			VALUES ($1, $2, $3, 0, 0, 0, 0, 0, 0, 0, $4, 0) ON CONFLICT (bot_id, name) DO NOTHING`, a.ID, a.BotID, a.Name, millis(a.CreatedAt)))
		if err == nil && !made {
			return &fault.Error{Kind: fault.Conflict, Field: "name", Code: "AUDIENCE_EXISTS", Message: "is that of another audience of the bot; upload to that one, or choose another name"}
		}
		return err
	})
}

// DeleteAudience takes an audience with its people away, unless a schedule uses it.
func (s *Store) DeleteAudience(ctx context.Context, id broadcast.AudienceID) error {
	return s.inTx(ctx, func(tx *sql.Tx) error {
		a, err := audienceOf(ctx, tx, id, s.dialect.lock)
		if err != nil {
			return err
		}
		if err := unusedAudience(ctx, tx, id); err != nil {
			return err
		}
		deed := access.DeedOf(ctx)
		deed.Did(access.Object{Kind: access.OfAudience, ID: string(id)}, map[string]any{"bot": a.BotID, "name": a.Name, "people": a.Counts.Audience}, nil)
		where, err := placeOfAudience(ctx, tx, id)
		if err != nil {
			return err
		}
		deed.OnWallet(where)
		if _, err := tx.ExecContext(ctx, `DELETE FROM audience_chunk WHERE audience_id = $1`, id); err != nil {
			return fmt.Errorf("drop the people of audience %s: %w", id, err)
		}
		_, err = tx.ExecContext(ctx, `DELETE FROM audience WHERE id = $1`, id)
		return err
	})
}

// placeOfAudience finds the wallet of an audience's bot: it is not found any more when the audience is gone.
func placeOfAudience(ctx context.Context, q querier, id broadcast.AudienceID) (walletID string, err error) {
	p, _, err := placeOf(ctx, q, access.Object{Kind: access.OfAudience, ID: string(id)})
	return p.wallet, err
}

// BeginAudience starts an upload, whose people live beside those that the audience has until
// [Store.EndAudience]. What earlier uploads left that broke off is dropped.
func (s *Store) BeginAudience(ctx context.Context, id broadcast.AudienceID) (epoch int, err error) {
	err = s.inTx(ctx, func(tx *sql.Tx) error {
		a, err := audienceOf(ctx, tx, id, s.dialect.lock)
		if err != nil {
			return err
		}
		if err := keepAudience(ctx, tx, id, a.PeopleEpoch); err != nil {
			return err
		}
		epoch = a.UploadEpoch + 1
		_, err = tx.ExecContext(ctx, `UPDATE audience SET upload_epoch = $2 WHERE id = $1`, id, epoch)
		return err
	})
	return epoch, err
}

// keepAudience drops the people of every upload of an audience but one.
func keepAudience(ctx context.Context, tx *sql.Tx, id broadcast.AudienceID, epoch int) error {
	if _, err := tx.ExecContext(ctx, `DELETE FROM audience_chunk WHERE audience_id = $1 AND upload_epoch <> $2`, id, epoch); err != nil {
		return fmt.Errorf("drop the people of other uploads of audience %s: %w", id, err)
	}
	return nil
}

// lockAudience locks an audience for the upload of an epoch.
func (s *Store) lockAudience(ctx context.Context, tx *sql.Tx, id broadcast.AudienceID, epoch int) error {
	a, err := audienceOf(ctx, tx, id, s.dialect.lock)
	if err == nil && a.UploadEpoch != epoch {
		return fault.Coded(fault.Conflict, "UPLOAD_REPLACED", "a later upload of audience %s has begun; this one is dropped", id)
	}
	return err
}

// StoreAudience adds chunks of an upload in one transaction.
func (s *Store) StoreAudience(ctx context.Context, id broadcast.AudienceID, epoch int, chunks []broadcast.Packed) error {
	return s.inTx(ctx, func(tx *sql.Tx) error {
		if err := s.lockAudience(ctx, tx, id, epoch); err != nil {
			return err
		}
		for len(chunks) > 0 {
			n := min(len(chunks), chunkRows)
			args := []any{string(id), epoch}
			for _, c := range chunks[:n] {
				args = append(args, c.Seq, c.People, c.Recipients)
			}
			if _, err := tx.ExecContext(ctx, insertAudienceChunks(n), args...); err != nil {
				return fmt.Errorf("insert people of audience %s: %w", id, err)
			}
			chunks = chunks[n:]
		}
		return nil
	})
}

// insertAudienceChunks returns the statement that stores n chunks.
func insertAudienceChunks(n int) string {
	var text strings.Builder
	text.WriteString(`INSERT INTO audience_chunk (audience_id, upload_epoch, seq, people, recipients) VALUES `)
	for i := range n {
		if i > 0 {
			text.WriteString(", ")
		}
		text.WriteString("($1, $2")
		for column := range 3 {
			text.WriteString(", $" + strconv.Itoa(3+3*i+column))
		}
		text.WriteString(")")
	}
	return text.String()
}

// EndAudience makes an upload the people of its audience, in place of any earlier one.
func (s *Store) EndAudience(ctx context.Context, id broadcast.AudienceID, epoch, chunks int, r broadcast.Report, now time.Time) error {
	return s.inTx(ctx, func(tx *sql.Tx) error {
		if err := s.lockAudience(ctx, tx, id, epoch); err != nil {
			return err
		}
		if err := keepAudience(ctx, tx, id, epoch); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `UPDATE audience SET people_epoch = $2, people = $3, duplicates = $4, excluded = $5, bad_rows = $6, chunks = $7, uploaded_at = $8
			WHERE id = $1`, id, epoch, r.Audience, r.Duplicates, r.Excluded, r.BadRows, chunks, millis(now))
		return err
	})
}

// AudienceChunks reads the people of an upload in order, those after a seq.
func (s *Store) AudienceChunks(ctx context.Context, id broadcast.AudienceID, epoch, after, limit int) ([]broadcast.Packed, error) {
	rows, err := s.read.QueryContext(ctx, `SELECT seq, people, recipients FROM audience_chunk
		WHERE audience_id = $1 AND upload_epoch = $2 AND seq > $3 ORDER BY seq LIMIT $4`, id, epoch, after, limit)
	return collect(rows, err, func(row scanner) (c broadcast.Packed, err error) {
		err = row.Scan(&c.Seq, &c.People, &c.Recipients)
		return c, err
	})
}
