package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/malgil/malgil/internal/broadcast"
)

// A dispatch looks at what moves, and at some of everything in turn: what waits for money or a
// person is looked at less often, and costs little however much of it there is.
const (
	maxMoving = 400
	maxInTurn = 100
)

// mayGo is the condition of what dispatch looks at; $1 is the time now. It and moving repeat those of
// the indexes.
const mayGo = `b.state = 'running' AND b.planned_chunks > 0 AND b.start_at <= $1 AND (b.expires_at = 0 OR b.expires_at > $1)
	AND (b.wait_reason NOT IN ('rate', 'kakao') OR b.look_at <= $1)`

const moving = `b.wait_reason IN ('', 'scheduled', 'rate', 'kakao')`

const (
	anyCandidate    = `SELECT EXISTS (SELECT 1 FROM broadcast b WHERE ` + mayGo + `)`
	selectCandidate = `SELECT b.id, b.wallet_id, b.bot_id, b.planned_chunks, b.start_at, b.wait_reason IN ('window', 'canary'), t.rate_per_second,
		CASE WHEN t.paused_reason = '' AND c.state <> 'connected' AND w.payment_state = 'ACTIVE' THEN 'disconnected' ELSE t.paused_reason END
	FROM broadcast b JOIN bot t ON t.id = b.bot_id JOIN wallet w ON w.id = b.wallet_id
	LEFT JOIN channel c ON c.bot_id = b.bot_id AND c.side = b.side
	WHERE ` + mayGo
	candidatesMoving = selectCandidate + ` AND ` + moving + `
	ORDER BY ROW_NUMBER() OVER (PARTITION BY b.wallet_id, b.bot_id ORDER BY b.start_at, b.id), b.start_at, b.id LIMIT $2`
	candidatesAfter = selectCandidate + ` AND b.id > $2 ORDER BY b.id LIMIT $3`
	candidatesUpTo  = selectCandidate + ` AND b.id <= $2 ORDER BY b.id LIMIT $3`
)

// candidates lists broadcasts that have planned chunks and whose time has come. Those that move
// come by wallet and bot: the one of each that started first, then their second ones, and so on, so
// that no customer keeps others off the list. Then come some of all in the order of their ids, from
// behind a place: whoever they are, their turn comes. It returns the place where it stopped.
func candidates(ctx context.Context, tx *sql.Tx, after broadcast.ID, now time.Time) ([]broadcast.Candidate, broadcast.ID, error) {
	list, err := readCandidates(ctx, tx, candidatesMoving, millis(now), maxMoving)
	if err != nil {
		return nil, after, err
	}
	inTurn, err := readCandidates(ctx, tx, candidatesAfter, millis(now), after, maxInTurn)
	if err == nil && len(inTurn) < maxInTurn { // on from the beginning
		var rest []broadcast.Candidate
		rest, err = readCandidates(ctx, tx, candidatesUpTo, millis(now), after, maxInTurn-len(inTurn))
		inTurn = append(inTurn, rest...)
	}
	if err != nil {
		return nil, after, err
	}
	listed := make(map[broadcast.ID]bool, len(list))
	for _, c := range list {
		listed[c.Broadcast] = true
	}
	for _, c := range inTurn {
		after = c.Broadcast
		if !listed[after] {
			list = append(list, c)
		}
	}
	return list, after, nil
}

func readCandidates(ctx context.Context, tx *sql.Tx, query string, args ...any) ([]broadcast.Candidate, error) {
	rows, err := tx.QueryContext(ctx, query, args...)
	list, err := collect(rows, err, func(row scanner) (c broadcast.Candidate, err error) {
		err = row.Scan(&c.Broadcast, &c.WalletID, &c.BotID, &c.Planned, at(&c.StartAt), &c.Waits, &c.Rate, &c.BotPaused)
		return c, err
	})
	if err != nil {
		return nil, fmt.Errorf("list broadcasts to dispatch: %w", err)
	}
	return list, nil
}
