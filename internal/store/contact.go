package store

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/malgil/malgil/internal/bot"
	"github.com/malgil/malgil/internal/broadcast"
)

// contacts counts the messages that people have got of a bot since its cap counts, or may have got.
func contacts(ctx context.Context, tx *sql.Tx, botID string, c bot.Cap, people []broadcast.Recipient, now time.Time) (map[personID]int, error) {
	args := []any{botID, millis(c.Since(now))}
	for _, p := range people {
		args = append(args, p.ID)
	}
	had := map[personID]int{}
	rows, err := tx.QueryContext(ctx, `SELECT user_type, user_id, COUNT(*) FROM contact WHERE bot_id = $1 AND at >= $2
		AND user_id IN (`+placeholders(3, len(people))+`) GROUP BY user_type, user_id`, args...)
	_, err = collect(rows, err, func(row scanner) (n int, err error) {
		var who personID
		err = row.Scan(&who.kind, &who.id, &n)
		had[who] = n
		return n, err
	})
	if err != nil {
		return nil, fmt.Errorf("count what people have got: %w", err)
	}
	return had, nil
}

// contacted notes that people are sent to, where their bot bounds how often. What is certainly not sent is
// forgotten again with [uncontacted].
func contacted(ctx context.Context, tx *sql.Tx, b broadcast.Broadcast, c broadcast.Chunk, sending bot.Sending, people []broadcast.Recipient, now time.Time) error {
	if sending.CapFor(b.Purpose == broadcast.Ad) == nil {
		return nil
	}
	var text strings.Builder
	text.WriteString(`INSERT INTO contact (bot_id, chunk_id, at, user_type, user_id) VALUES `)
	args := []any{b.BotID, string(c.ID), millis(now)}
	for i, p := range people {
		if i > 0 {
			text.WriteString(", ")
		}
		text.WriteString("($1, $2, $3, $" + strconv.Itoa(4+2*i) + ", $" + strconv.Itoa(5+2*i) + ")")
		args = append(args, p.Type, p.ID)
	}
	if _, err := tx.ExecContext(ctx, text.String()+` ON CONFLICT DO NOTHING`, args...); err != nil {
		return fmt.Errorf("note who is sent to: %w", err)
	}
	return nil
}

// uncontacted forgets that the people of a chunk were sent to.
func uncontacted(ctx context.Context, tx *sql.Tx, c broadcast.ChunkID) error {
	if _, err := tx.ExecContext(ctx, `DELETE FROM contact WHERE chunk_id = $1`, string(c)); err != nil {
		return fmt.Errorf("forget who was to be sent to: %w", err)
	}
	return nil
}

// missed forgets that people of a chunk were sent to, of whom Kakao says that they did not get it.
func missed(ctx context.Context, tx *sql.Tx, c broadcast.ChunkID, people []broadcast.Recipient) error {
	if len(people) == 0 {
		return nil
	}
	args := []any{string(c)}
	for _, p := range people {
		args = append(args, p.Type+" "+p.ID)
	}
	if _, err := tx.ExecContext(ctx, `DELETE FROM contact WHERE chunk_id = $1 AND user_type || ' ' || user_id IN (`+placeholders(2, len(people))+`)`, args...); err != nil {
		return fmt.Errorf("forget whom chunk %s did not reach: %w", c, err)
	}
	return nil
}

// contactAge is how long it is kept who was sent to: longer than any cap looks back.
const contactAge = (bot.MaxCapDays + 1) * 24 * time.Hour

// ForgetContacts drops what no cap looks at any more, a batch at a time, and returns how many.
func (s *Store) ForgetContacts(ctx context.Context, now time.Time) (n int, err error) {
	const batch = 10_000
	before := millis(now.Add(-contactAge))
	result, err := s.write.ExecContext(ctx, `DELETE FROM contact WHERE at < $1 AND at <= (SELECT MAX(at) FROM (SELECT at FROM contact WHERE at < $1 ORDER BY at LIMIT $2) oldest)`, before, batch)
	if err != nil {
		return 0, fmt.Errorf("forget who was sent to long ago: %w", err)
	}
	gone, err := result.RowsAffected()
	return int(gone), err
}
