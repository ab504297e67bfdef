package store

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"strings"

	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/fault"
)

// BeginUpload starts an upload, whose chunks live beside those of the audience until
// [Store.EndUpload]: they are numbered from behind them. What earlier uploads left that broke off
// is dropped. It is a Conflict when the broadcast is sealed.
func (s *Store) BeginUpload(ctx context.Context, id broadcast.ID) (epoch int, err error) {
	err = s.inTx(ctx, func(tx *sql.Tx) error {
		b, err := s.lockBroadcast(ctx, tx, id)
		if err != nil {
			return err
		}
		if b.State != broadcast.Uploading {
			return broadcast.Sealed(id)
		}
		if err := keepChunks(ctx, tx, id, b.AudienceEpoch); err != nil {
			return err
		}
		epoch = b.UploadEpoch + 1
		_, err = tx.ExecContext(ctx, `UPDATE broadcast SET upload_epoch = $2,
			upload_after = (SELECT COALESCE(MAX(seq), 0) FROM chunk WHERE broadcast_id = $1) WHERE id = $1`, id, epoch)
		return err
	})
	return epoch, err
}

// keepChunks drops the chunks of every upload of a broadcast but one.
func keepChunks(ctx context.Context, tx *sql.Tx, id broadcast.ID, epoch int) error {
	if _, err := tx.ExecContext(ctx, `DELETE FROM chunk WHERE broadcast_id = $1 AND upload_epoch <> $2`, id, epoch); err != nil {
		return fmt.Errorf("drop the chunks of other uploads of %s: %w", id, err)
	}
	return nil
}

// lockUpload locks a broadcast for the upload of an epoch.
func (s *Store) lockUpload(ctx context.Context, tx *sql.Tx, id broadcast.ID, epoch int) (broadcast.Broadcast, error) {
	b, err := s.lockBroadcast(ctx, tx, id)
	switch {
	case err != nil:
		return b, err
	case b.State != broadcast.Uploading:
		return b, broadcast.Sealed(id)
	case b.UploadEpoch != epoch:
		return b, fault.Coded(fault.Conflict, "UPLOAD_REPLACED", "a later upload of broadcast %s has begun; this one is dropped", id)
	}
	return b, nil
}

// chunkRows is how many chunks one statement stores: within the limits on parameters of both
// databases, and long enough that the round trip does not matter.
const chunkRows = 250

// StoreChunks adds chunks of an upload, which counts them from 1, in one transaction.
func (s *Store) StoreChunks(ctx context.Context, id broadcast.ID, epoch int, chunks []broadcast.Packed) error {
	return s.inTx(ctx, func(tx *sql.Tx) error {
		b, err := s.lockUpload(ctx, tx, id, epoch)
		if err != nil {
			return err
		}
		return storeChunks(ctx, tx, b, chunks)
	})
}

// storeChunks adds chunks of a broadcast's upload epoch.
func storeChunks(ctx context.Context, tx *sql.Tx, b broadcast.Broadcast, chunks []broadcast.Packed) error {
	for len(chunks) > 0 {
		n := min(len(chunks), chunkRows)
		args := []any{string(b.ID), b.UploadEpoch, b.WalletID, b.BotID}
		for _, c := range chunks[:n] {
			seq := b.UploadAfter + c.Seq
			args = append(args, string(broadcast.NewChunkID(b.ID, seq)), seq, c.People, c.Recipients)
		}
		if _, err := tx.ExecContext(ctx, insertChunks(n), args...); err != nil {
			return fmt.Errorf("insert chunks of %s: %w", b.ID, err)
		}
		chunks = chunks[n:]
	}
	return nil
}

// insertChunks returns the statement that stores n chunks.
func insertChunks(n int) string {
	var text strings.Builder
	text.WriteString(`INSERT INTO chunk (broadcast_id, upload_epoch, wallet_id, bot_id, id, seq, people, recipients,
		state, epoch, next_at, enqueued_at, attempts, dead, lease_until, send_by, hold_krw, task_id, sent_at, doubt_at,
		unconfirmed, delivered, failed, unknown, skipped, result, error) VALUES `)
	for i := range n {
		if i > 0 {
			text.WriteString(", ")
		}
		text.WriteString("($1, $2, $3, $4")
		for column := range 4 {
			text.WriteString(", $" + strconv.Itoa(5+4*i+column))
		}
		text.WriteString(", 'planned', 0, 0, 0, 0, 0, 0, 0, 0, '', 0, 0, 0, 0, 0, 0, 0, '', '')")
	}
	return text.String()
}

// EndUpload makes an upload the audience of its broadcast, in place of any earlier one.
func (s *Store) EndUpload(ctx context.Context, id broadcast.ID, epoch, chunks int, r broadcast.Report) error {
	return s.inTx(ctx, func(tx *sql.Tx) error {
		b, err := s.lockUpload(ctx, tx, id, epoch)
		if err != nil {
			return err
		}
		canarySeq := 0
		if r.CanaryChunks > 0 {
			canarySeq = b.UploadAfter + r.CanaryChunks
		}
		if err := keepChunks(ctx, tx, id, epoch); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `UPDATE broadcast SET audience_epoch = $6, audience = $2, duplicates = $3, bad_rows = $4, chunks = $5, excluded = $7, canary_seq = $8
			WHERE id = $1`, id, r.Audience, r.Duplicates, r.BadRows, chunks, epoch, r.Excluded, canarySeq)
		return err
	})
}

// PastChunks reads chunks of a broadcast's audience in order, those after a seq: all, or those that may hold
// one of some ids of people, for which it looks through them all, once.
func (s *Store) PastChunks(ctx context.Context, id broadcast.ID, people []string, after, limit int) ([]broadcast.PastChunk, error) {
	query, args := `SELECT `+pastChunk+ofAudience+` AND c.seq > $2`, []any{id, after, limit}
	if len(people) > 0 {
		each := make([]string, len(people))
		for i, person := range people {
			args = append(args, holding(person))
			each[i] = fmt.Sprintf(`c.recipients LIKE $%d ESCAPE '!'`, len(args))
		}
		query += ` AND (` + strings.Join(each, ` OR `) + `)`
	}
	rows, err := s.read.QueryContext(ctx, query+` ORDER BY c.seq LIMIT $3`, args...)
	return collect(rows, err, scanPastChunk)
}
