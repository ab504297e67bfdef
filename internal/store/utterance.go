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

// SpokenTo are the bots that somebody has spoken to since, at most so many, the latest first.
func (s *Store) SpokenTo(ctx context.Context, since time.Time, limit int) ([]string, error) {
	rows, err := s.read.QueryContext(ctx, `SELECT id FROM (SELECT id, (SELECT MAX(at) FROM utterance WHERE bot_id = bot.id) AS spoken FROM bot) AS bots
		WHERE spoken >= $1 ORDER BY spoken DESC, id LIMIT $2`, millis(since), limit)
	ids, err := collect(rows, err, func(row scanner) (id string, err error) {
		err = row.Scan(&id)
		return id, err
	})
	if err != nil {
		return nil, fmt.Errorf("list the bots that were spoken to: %w", err)
	}
	return ids, nil
}

func (s *Store) insertUtterances(ctx context.Context, utterances []scenario.Utterance) error {
	const columns = 15
	var statement strings.Builder
	statement.WriteString(`INSERT INTO utterance (id, bot_id, side, user_hash, user_key, asked, block_id, item, chosen_by, score,
		matches, offered, outcome, budget_left_ms, at) VALUES `)
	args := make([]any, 0, columns*len(utterances))
	for i, u := range utterances {
		if i > 0 {
			statement.WriteString(", ")
		}
		statement.WriteString("(")
		for column := range columns {
			if column > 0 {
				statement.WriteString(", ")
			}
			fmt.Fprintf(&statement, "$%d", i*columns+column+1)
		}
		statement.WriteString(")")
		user := u.UserHash
		if user == nil {
			user = []byte{}
		}
		args = append(args, u.ID, u.BotID, u.Side, user, u.UserKey, u.Asked, u.BlockID, u.Item, u.Why, u.Score,
			u.Matches, asInt(u.Offered), u.Outcome, u.BudgetLeft.Milliseconds(), millis(u.At))
	}
	statement.WriteString(` ON CONFLICT (id) DO NOTHING`)
	_, err := s.write.ExecContext(ctx, statement.String(), args...)
	return err
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
