package store

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/malgil/malgil/internal/scenario"
)

// heardMost is how many utterances of a bot, newest first, are looked through for what was heard.
const heardMost = 100_000

// Heard returns what was last said to a side of a bot and matched as words, alike to the letter and
// most said first: last utterances together, and what nothing answered alone where that is asked for.
// Nothing before since counts.
func (s *Store) Heard(ctx context.Context, botID, side string, since time.Time, last int, unanswered bool) ([]scenario.Heard, error) {
	rules := []any{scenario.ByWords, scenario.ByLikeness, scenario.ByKnowledge, scenario.ByTheirs, scenario.ByChoice, scenario.ByNothing}
	if unanswered {
		rules = slices.Repeat([]any{scenario.ByNothing}, len(rules))
	}
	rows, err := s.read.QueryContext(ctx, `SELECT asked, COUNT(*) FROM (
			SELECT asked FROM (SELECT asked, chosen_by, side, at, id FROM utterance WHERE bot_id = $1 AND at >= $2 ORDER BY at DESC LIMIT $11) newest
			WHERE side = $3 AND chosen_by IN ($4, $5, $6, $7, $8, $9) AND asked <> '' ORDER BY at DESC, id LIMIT $10) said
		GROUP BY asked ORDER BY COUNT(*) DESC, asked`,
		append([]any{botID, millis(since), side}, append(rules, last, heardMost)...)...)
	heard, err := collect(rows, err, func(row scanner) (h scenario.Heard, err error) {
		err = row.Scan(&h.Asked, &h.Times)
		return h, err
	})
	if err != nil {
		return nil, fmt.Errorf("list what bot %s heard: %w", botID, err)
	}
	return heard, nil
}

// UtteranceMark is how far a list of utterances has come. The zero value is its beginning.
type UtteranceMark struct {
	At int64  `json:"at"` // Unix ms
	ID string `json:"id"`
}

// UtteranceList lists what was said to a bot after a mark, newest first. Why "" and outcome "" stand
// for all. A bot that records no user keys shows none. It is NotFound when there is no such bot.
func (s *Store) UtteranceList(ctx context.Context, botID, why, outcome string, after UtteranceMark, limit int) ([]scenario.Utterance, error) {
	var text string
	if err := s.read.QueryRowContext(ctx, `SELECT settings FROM bot WHERE id = $1`, botID).Scan(&text); err != nil {
		return nil, orNotFound(err, "bot", botID)
	}
	settings, err := talking(text)
	if err != nil {
		return nil, err
	}
	rows, err := s.read.QueryContext(ctx, `SELECT id, bot_id, side, user_hash, user_key, asked, block_id, item, chosen_by, score, matches, offered, outcome, budget_left_ms, at
		FROM utterance WHERE bot_id = $1 AND (CAST($2 AS BIGINT) = 0 OR at <= $2 AND (at < $2 OR id > $3))
			AND ($4 = '' OR chosen_by = $4) AND ($5 = '' OR outcome = $5) ORDER BY at DESC, id LIMIT $6`,
		botID, after.At, after.ID, why, outcome, limit)
	list, err := collect(rows, err, func(row scanner) (scenario.Utterance, error) {
		u, err := scanUtterance(row)
		if !settings.PlainUserKeys { // one may have been on its way when that was set
			u.UserKey = ""
		}
		return u, err
	})
	if err != nil {
		return nil, fmt.Errorf("list utterances of bot %s: %w", botID, err)
	}
	return list, nil
}

func scanUtterance(row scanner) (u scenario.Utterance, err error) {
	var offered, left int64
	err = row.Scan(&u.ID, &u.BotID, &u.Side, &u.UserHash, &u.UserKey, &u.Asked, &u.BlockID, &u.Item, &u.Why, &u.Score, &u.Matches,
		&offered, &u.Outcome, &left, at(&u.At))
	u.Offered, u.BudgetLeft = offered != 0, time.Duration(left)*time.Millisecond
	if len(u.UserHash) == 0 {
		u.UserHash = nil
	}
	return u, err
}
