package store

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/malgil/malgil/internal/bot"
	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/wallet"
)

// standingOf reads what is known of a bot that is to speak first; whether its wallet pays is the
// caller's to say. It is NotFound when there is no bot.
func standingOf(ctx context.Context, q querier, botID string, side broadcast.Side, event string) (bot.Standing, error) {
	s := bot.Standing{BotID: botID, Side: bot.Side(side)}
	err := q.QueryRowContext(ctx, `SELECT COALESCE(wallet_id, ''), paused_reason FROM bot WHERE id = $1`, botID).Scan(&s.WalletID, &s.Paused)
	if err != nil {
		return s, orNotFound(err, "bot", botID)
	}
	heard, err := hasEvent(ctx, q, botID, side, event)
	if err != nil {
		return s, err
	}
	if !heard {
		s.NoEvent = event
	}
	c, err := channelOf(ctx, q, botID, s.Side)
	switch {
	case fault.KindOf(err) == fault.NotFound:
		return s, nil
	case err != nil:
		return s, fmt.Errorf("read channel: %w", err)
	}
	s.Channel = &c
	s.App, err = appOf(ctx, q, c)
	return s, err
}

// CreateAtOnce is [Store.CreateBroadcast] for an order of one chunk that may not wait. It is also
// refused for what keeps the bot from sending now (NotFound where that is its event alone), and for money that is not there: what orders of one
// chunk have that are about to go, too, is as good as spent.
func (s *Store) CreateAtOnce(ctx context.Context, b broadcast.Broadcast, chunk broadcast.Packed, r broadcast.Request) (broadcast.Broadcast, error) {
	return s.newBroadcast(ctx, b, []broadcast.Packed{chunk}, r, func(tx *sql.Tx, at bot.Standing, price wallet.KRW) error {
		var w wallet.Wallet
		if at.WalletID != "" {
			var err error
			if w, err = s.lockWallet(ctx, tx, at.WalletID); err != nil {
				return err
			}
			at.Wallet = w.Check()
		}
		if err := at.CheckNow(); err != nil {
			return err
		}
		if err := s.checks.AtOnce(b, price); err != nil {
			return err
		}
		if err := s.openNow(ctx, tx, b); err != nil {
			return err
		}
		var promised wallet.KRW
		err := tx.QueryRowContext(ctx, `SELECT CAST(COALESCE(SUM(audience * price_krw), 0) AS BIGINT) FROM broadcast
			WHERE state = 'running' AND wallet_id = $1 AND planned_chunks > 0 AND wait_reason IN ('', 'scheduled', 'rate', 'kakao')
			AND chunks = 1 AND start_at <= $2`, w.ID, millis(b.CreatedAt)).Scan(&promised)
		if err != nil {
			return fmt.Errorf("sum up what is about to go: %w", err)
		}
		_, err = w.Hold(promised+price*wallet.KRW(chunk.People), b.CreatedAt)
		return err
	})
}
