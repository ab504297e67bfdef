package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/malgil/malgil/internal/scenario"
)

// Bot reads a bot with all that it can say. It is NotFound when there is none.
func (s *Store) Bot(ctx context.Context, id string) (scenario.Bot, error) {
	var b scenario.Bot
	err := s.read.QueryRowContext(ctx, `SELECT id, name, skill_key_hash, version FROM bot WHERE id = $1`, id).
		Scan(&b.ID, &b.Name, &b.SkillKeyHash, &b.Version)
	if err != nil {
		return b, orNotFound(err, "bot", id)
	}
	rows, err := s.read.QueryContext(ctx, `SELECT id, name, kind, event_name, callback, delay_ms, answer FROM block
		WHERE bot_id = $1 ORDER BY position`, id)
	if b.Blocks, err = collect(rows, err, scanBlock); err != nil {
		return b, fmt.Errorf("list the blocks of bot %s: %w", id, err)
	}
	return b, nil
}

func scanBlock(row scanner) (b scenario.Block, err error) {
	var callback, delay int64
	var answer []byte
	if err := row.Scan(&b.ID, &b.Name, &b.Kind, &b.Event, &callback, &delay, &answer); err != nil {
		return b, err
	}
	b.Callback, b.Delay = callback != 0, time.Duration(delay)*time.Millisecond
	// One block that does not read must not silence the others: without an answer it is refused
	// when it is chosen, and that is counted.
	if json.Unmarshal(answer, &b.Answer) != nil {
		b.Answer = nil
	}
	return b, nil
}
