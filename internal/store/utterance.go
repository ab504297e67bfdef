package store

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/malgil/malgil/internal/scenario"
)

// insertRows is how many rows one statement inserts at most. Smaller inserts are halves of it,
// so that a database that keeps prepared statements keeps few.
const insertRows = 256

// RecordUtterances keeps utterances; one that is there already, by id, stays as it is.
func (s *Store) RecordUtterances(ctx context.Context, utterances []scenario.Utterance) error {
	for rows := insertRows; len(utterances) > 0; {
		for rows > len(utterances) {
			rows /= 2
		}
		if err := s.insertUtterances(ctx, utterances[:rows]); err != nil {
			return fmt.Errorf("record %d utterances: %w", len(utterances), err)
		}
		utterances = utterances[rows:]
	}
	return nil
}

func (s *Store) insertUtterances(ctx context.Context, utterances []scenario.Utterance) error {
	const columns = 9
	var statement strings.Builder
	statement.WriteString(`INSERT INTO utterance (id, bot_id, side, user_hash, asked, block_id, outcome, budget_left_ms, at) VALUES `)
	args := make([]any, 0, columns*len(utterances))
	for i, u := range utterances {
		if i > 0 {
			statement.WriteString(", ")
		}
		n := i * columns
		fmt.Fprintf(&statement, "($%d, $%d, $%d, $%d, $%d, $%d, $%d, $%d, $%d)", n+1, n+2, n+3, n+4, n+5, n+6, n+7, n+8, n+9)
		user := u.UserHash
		if user == nil {
			user = []byte{}
		}
		args = append(args, u.ID, u.BotID, u.Side, user, u.Asked, u.BlockID, u.Outcome, u.BudgetLeft.Milliseconds(), millis(u.At))
	}
	statement.WriteString(` ON CONFLICT (id) DO NOTHING`)
	_, err := s.write.ExecContext(ctx, statement.String(), args...)
	return err
}

// FirstSeen remembers a user of a bot and reports whether they were new. Of several calls at
// once for one user, one answers true. It writes only for a new user.
func (s *Store) FirstSeen(ctx context.Context, botID string, userHash []byte, at time.Time) (first bool, err error) {
	var known bool
	err = s.read.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM bot_user WHERE bot_id = $1 AND user_hash = $2)`, botID, userHash).Scan(&known)
	if err != nil || known {
		return false, err
	}
	return changed(s.write.ExecContext(ctx, `INSERT INTO bot_user (bot_id, user_hash, first_seen_at) VALUES ($1, $2, $3)
		ON CONFLICT (bot_id, user_hash) DO NOTHING`, botID, userHash, millis(at)))
}

// RecordEvidence keeps that a message of a chunk reached somebody, once per user. Evidence for a
// chunk that is not of the bot is ignored: whoever has one bot's skill key says nothing about
// the messages of another.
func (s *Store) RecordEvidence(ctx context.Context, e scenario.Evidence) error {
	_, err := s.write.ExecContext(ctx, `INSERT INTO chunk_evidence (chunk_id, user_hash, at)
		SELECT id, $2, $3 FROM chunk WHERE id = $1 AND bot_id = $4
		ON CONFLICT (chunk_id, user_hash) DO NOTHING`, e.ChunkID, e.UserHash, millis(e.At), e.BotID)
	return err
}
