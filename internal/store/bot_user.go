package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"time"

	"github.com/malgil/malgil/internal/scenario"
)

// talkColumns are where the state of a user stands, by side of the bot.
var talkColumns = map[string][2]string{
	scenario.Live:        {"talk", "talk_until"},
	scenario.Development: {"talk_development", "talk_development_until"},
}

// Visit remembers a user of a bot and returns what is known of them on one of its sides. Of several calls
// at once for one new user, those of one millisecond say that they are: an utterance may be answered twice.
// It writes only for a new user.
func (s *Store) Visit(ctx context.Context, botID, side string, userHash []byte, at time.Time) (scenario.Visit, error) {
	visit, err := s.visit(ctx, botID, side, userHash, at)
	if !errors.Is(err, sql.ErrNoRows) {
		return visit, err
	}
	first, err := changed(s.write.ExecContext(ctx, `INSERT INTO bot_user (bot_id, user_hash, first_seen_at) VALUES ($1, $2, $3)
		ON CONFLICT (bot_id, user_hash) DO NOTHING`, botID, userHash, millis(at)))
	if err != nil || first {
		return scenario.Visit{First: first}, err
	}
	return s.visit(ctx, botID, side, userHash, at)
}

// visit returns what is known of a user who has visited; it is [sql.ErrNoRows] for any other.
func (s *Store) visit(ctx context.Context, botID, side string, userHash []byte, at time.Time) (visit scenario.Visit, err error) {
	var talk string
	var first int64
	err = s.read.QueryRowContext(ctx, `SELECT `+talkColumns[side][0]+`, first_seen_at FROM bot_user WHERE bot_id = $1 AND user_hash = $2`,
		botID, userHash).Scan(&talk, &first)
	visit.First = err == nil && first == millis(at)
	if talk != "" && json.Unmarshal([]byte(talk), &visit.State) != nil { // of another program: the talk begins anew
		visit.State = scenario.State{}
	}
	return visit, err
}

// Keep replaces the state of a user who has visited.
func (s *Store) Keep(ctx context.Context, botID, side string, userHash []byte, state scenario.State) error {
	talk := ""
	if !state.Equal(scenario.State{}) {
		text, err := json.Marshal(state)
		if err != nil {
			return err
		}
		talk = string(text)
	}
	columns := talkColumns[side]
	_, err := s.write.ExecContext(ctx, `UPDATE bot_user SET `+columns[0]+` = $1, `+columns[1]+` = $2 WHERE bot_id = $3 AND user_hash = $4`,
		talk, millis(state.Until()), botID, userHash)
	return err
}

// ForgetTalks removes states of users whose time was over at a moment: what somebody said in a talk that they
// left is not kept until they come back.
func (s *Store) ForgetTalks(ctx context.Context, now time.Time) error {
	for _, columns := range talkColumns {
		_, err := s.write.ExecContext(ctx, `UPDATE bot_user SET `+columns[0]+` = '', `+columns[1]+` = 0
			WHERE `+columns[1]+` > 0 AND `+columns[1]+` <= $1`, millis(now))
		if err != nil {
			return err
		}
	}
	return nil
}
