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

// BeginUpload starts an upload that replaces any earlier one. It is a Conflict when the
// broadcast is sealed.
func (s *Store) BeginUpload(ctx context.Context, id broadcast.ID) (epoch int, err error) {
	err = s.inTx(ctx, func(tx *sql.Tx) error {
		b, err := s.lockBroadcast(ctx, tx, id)
		if err != nil {
			return err
		}
		if b.State != broadcast.Uploading {
			return sealed(id)
		}
		epoch = b.UploadEpoch + 1
		_, err = tx.ExecContext(ctx, `UPDATE broadcast SET upload_epoch = $2, audience = 0, duplicates = 0, bad_rows = 0, chunks = 0
			WHERE id = $1`, id, epoch)
		return err
	})
	return epoch, err
}

func sealed(id broadcast.ID) error {
	return fault.Coded(fault.Conflict, "SEALED", "broadcast %s takes no more recipients; they stay as they are", id)
}

// lockUpload locks a broadcast for the upload of an epoch.
func (s *Store) lockUpload(ctx context.Context, tx *sql.Tx, id broadcast.ID, epoch int) (broadcast.Broadcast, error) {
	b, err := s.lockBroadcast(ctx, tx, id)
	switch {
	case err != nil:
		return b, err
	case b.State != broadcast.Uploading:
		return b, sealed(id)
	case b.UploadEpoch != epoch:
		return b, fault.Coded(fault.Conflict, "UPLOAD_REPLACED", "a later upload of broadcast %s has begun; this one is dropped", id)
	}
	return b, nil
}

// chunkRows is how many chunks one statement stores: within the limits on parameters of both
// databases, and long enough that the round trip does not matter.
const chunkRows = 250

// StoreChunks adds chunks of an upload in one transaction. A chunk that an earlier upload left
// at the same place is replaced.
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
			args = append(args, string(broadcast.NewChunkID(b.ID, c.Seq)), c.Seq, c.People, c.Recipients)
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
	text.WriteString(` ON CONFLICT (broadcast_id, seq) DO UPDATE SET upload_epoch = excluded.upload_epoch,
		people = excluded.people, recipients = excluded.recipients`)
	return text.String()
}

// EndUpload makes an upload the audience of its broadcast.
func (s *Store) EndUpload(ctx context.Context, id broadcast.ID, epoch, chunks int, r broadcast.Report) error {
	return s.inTx(ctx, func(tx *sql.Tx) error {
		if _, err := s.lockUpload(ctx, tx, id, epoch); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `UPDATE broadcast SET audience = $2, duplicates = $3, bad_rows = $4, chunks = $5 WHERE id = $1`,
			id, r.Audience, r.Duplicates, r.BadRows, chunks)
		return err
	})
}
