package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/malgil/malgil/internal/access"
	"github.com/malgil/malgil/internal/billing"
	"github.com/malgil/malgil/internal/bot"
	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/notice"
	"github.com/malgil/malgil/internal/wallet"
)

const channelColumns = `side, name, state, cause, COALESCE(app_id, ''), verified = 1, deployed = 1`

func scanChannel(row scanner) (c bot.Channel, err error) {
	err = row.Scan(&c.Side, &c.Name, &c.State, &c.Cause, &c.AppID, &c.Verified, &c.Deployed)
	return c, err
}

// channelOf reads one side of a bot. It is NotFound when there is none.
func channelOf(ctx context.Context, q querier, id string, side bot.Side) (bot.Channel, error) {
	c, err := scanChannel(q.QueryRowContext(ctx, `SELECT `+channelColumns+` FROM channel WHERE bot_id = $1 AND side = $2`, id, side))
	if errors.Is(err, sql.ErrNoRows) {
		return c, fault.Coded(fault.NotFound, "NO_CHANNEL", "the bot has no %s channel; put one first", side)
	}
	return c, err
}

// standing returns how a new channel stands on a wallet of a payment state.
func standing(state wallet.PaymentState) (bot.ChannelState, bot.Cause) {
	switch state {
	case wallet.Unpaid:
		return bot.Disconnected, bot.ByWallet
	case wallet.AwaitingReconnect:
		return bot.AwaitingReconnect, bot.ByWallet
	case wallet.Active:
	}
	return bot.Connected, ""
}

// lockPaying locks a bot and, before it, its wallet, and returns the wallet; an ACTIVE one without
// an id for a bot that has none.
func (s *Store) lockPaying(ctx context.Context, tx *sql.Tx, id string) (w wallet.Wallet, err error) {
	w.PaymentState = wallet.Active
	var walletID, now string
	const read = `SELECT COALESCE(wallet_id, '') FROM bot WHERE id = $1`
	if err := tx.QueryRowContext(ctx, read, id).Scan(&walletID); err != nil {
		return w, orNotFound(err, "bot", id)
	}
	if walletID != "" {
		if w, err = s.lockWallet(ctx, tx, walletID); err != nil {
			return w, err
		}
	}
	if _, err := s.lockBot(ctx, tx, id); err != nil {
		return w, err
	}
	if err := tx.QueryRowContext(ctx, read, id).Scan(&now); err != nil {
		return w, err
	}
	if now != walletID {
		return w, fault.New(fault.Conflict, "the bot was just put on another wallet; try again")
	}
	return w, nil
}

// PutChannel names a side of a bot. A new side stands as the bot's wallet does; one that is there
// keeps its state.
func (s *Store) PutChannel(ctx context.Context, id string, side bot.Side, name string, now time.Time) (c bot.Channel, err error) {
	err = s.inTx(ctx, func(tx *sql.Tx) error {
		w, err := s.lockPaying(ctx, tx, id)
		if err != nil {
			return err
		}
		before, err := channelOf(ctx, tx, id, side)
		fresh := fault.KindOf(err) == fault.NotFound
		if err != nil && !fresh {
			return fmt.Errorf("read channel: %w", err)
		}
		state, cause := standing(w.PaymentState)
		if _, err := tx.ExecContext(ctx, `INSERT INTO channel (bot_id, side, name, state, cause) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (bot_id, side) DO UPDATE SET name = excluded.name`, id, side, name, state, cause); err != nil {
			return fmt.Errorf("put channel: %w", err)
		}
		if c, err = channelOf(ctx, tx, id, side); err != nil {
			return err
		}
		switch {
		case !fresh && before == c:
			access.DeedOf(ctx).Nothing()
			return nil
		case !fresh:
			s.channelDeed(ctx, id, w.ID, before, c, nil)
			return nil
		}
		access.DeedOf(ctx).Did(access.Object{Kind: access.OfBot, ID: id}, nil, channelFacts(c))
		return mailConnected(ctx, tx, w, id, c, now)
	})
	return c, err
}

// changeChannel runs a change of one channel of a bot that is locked with its wallet, and tells
// the audit log. Where it lets a development channel go it is refused, or with force breaks plugins.
func (s *Store) changeChannel(ctx context.Context, tx *sql.Tx, id string, side bot.Side, force bool, now time.Time,
	change func(w wallet.Wallet, c bot.Channel) (bot.Channel, error),
) (after bot.Channel, w wallet.Wallet, err error) {
	if w, err = s.lockPaying(ctx, tx, id); err != nil {
		return after, w, err
	}
	before, err := channelOf(ctx, tx, id, side)
	if err != nil {
		return after, w, err
	}
	if after, err = change(w, before); err != nil {
		return after, w, err
	}
	if after == before {
		access.DeedOf(ctx).Nothing()
		return after, w, nil
	}
	var broken []bot.Plugin
	if cause := bot.LetGo(before, after); cause != "" {
		if broken, err = letDevelopmentGo(ctx, tx, id, cause, force, now); err != nil {
			return after, w, err
		}
	}
	s.channelDeed(ctx, id, w.ID, before, after, broken)
	_, err = tx.ExecContext(ctx, `UPDATE channel SET state = $3, cause = $4, app_id = $5, verified = $6, deployed = $7
		WHERE bot_id = $1 AND side = $2`, id, side, after.State, after.Cause, orNull(after.AppID), asInt(after.Verified), asInt(after.Deployed))
	if err != nil {
		return after, w, fmt.Errorf("change channel: %w", err)
	}
	return after, w, nil
}

func (s *Store) channelDeed(ctx context.Context, botID, walletID string, before, after bot.Channel, broken []bot.Plugin) {
	deed, is := access.DeedOf(ctx), channelFacts(after)
	if broken != nil {
		is["needs_setup"] = broken
	}
	deed.Did(access.Object{Kind: access.OfBot, ID: botID}, channelFacts(before), is)
	deed.OnWallet(walletID)
}

// channelFacts is what the audit log keeps of a channel.
func channelFacts(c bot.Channel) map[string]any {
	return map[string]any{"side": c.Side, "name": c.Name, "state": c.State, "cause": c.Cause,
		"app": c.AppID, "verified": c.Verified, "deployed": c.Deployed}
}

// ChangeChannel sets what is given of a channel. Taking a development channel from its app is refused, or
// with force breaks plugins, as [bot.Carried] says.
func (s *Store) ChangeChannel(ctx context.Context, id string, side bot.Side, change bot.ChannelChange, now time.Time) (c bot.Channel, err error) {
	err = s.inTx(ctx, func(tx *sql.Tx) error {
		if change.AppID != nil && *change.AppID != "" {
			var found int
			err := tx.QueryRowContext(ctx, `SELECT 1 FROM app WHERE id = $1`, *change.AppID).Scan(&found)
			if errors.Is(err, sql.ErrNoRows) {
				return fault.Field("app", "there is no app %q; put it first", *change.AppID)
			}
			if err != nil {
				return fmt.Errorf("read app: %w", err)
			}
		}
		c, _, err = s.changeChannel(ctx, tx, id, side, change.Force, now, func(_ wallet.Wallet, c bot.Channel) (bot.Channel, error) {
			if change.AppID != nil {
				c.AppID = *change.AppID
			}
			if change.Verified != nil {
				c.Verified = *change.Verified
			}
			if change.Deployed != nil {
				c.Deployed = *change.Deployed
			}
			return c, nil
		})
		return err
	})
	return c, err
}

// ConnectChannel connects a channel that an operator disconnected, or that a wallet lost which the
// bot is not on any more.
func (s *Store) ConnectChannel(ctx context.Context, id string, side bot.Side, now time.Time) (c bot.Channel, err error) {
	err = s.inTx(ctx, func(tx *sql.Tx) error {
		var was bot.ChannelState
		var w wallet.Wallet
		c, w, err = s.changeChannel(ctx, tx, id, side, false, now, func(w wallet.Wallet, c bot.Channel) (bot.Channel, error) {
			switch w.PaymentState {
			case wallet.Unpaid:
				return c, fault.Coded(fault.Conflict, "WALLET_UNPAID", "the wallet is unpaid; pay the amount due first")
			case wallet.AwaitingReconnect:
				return c, fault.Coded(fault.Conflict, "WALLET_AWAITING_RECONNECT", "the wallet waits to be reconnected; reconnect it first")
			case wallet.Active:
			}
			was = c.State
			c.State, c.Cause = bot.Connected, ""
			return c, nil
		})
		if err != nil || was == bot.Connected {
			return err
		}
		return mailConnected(ctx, tx, w, id, c, now)
	})
	return c, err
}

// DisconnectChannel disconnects a channel and recalls what is queued for its bot; dispatch queues
// what is for the other side again. A development channel is refused, or with force breaks plugins, as
// [bot.Carried] says.
func (s *Store) DisconnectChannel(ctx context.Context, id string, side bot.Side, force bool, now time.Time) (c bot.Channel, err error) {
	err = s.inTx(ctx, func(tx *sql.Tx) error {
		var pays string
		err := tx.QueryRowContext(ctx, `SELECT COALESCE(wallet_id, '') FROM bot WHERE id = $1`, id).Scan(&pays)
		if err != nil {
			return orNotFound(err, "bot", id)
		}
		if err := s.recallBot(ctx, tx, id, now, pays); err != nil { // its locks come first
			return err
		}
		c, _, err = s.changeChannel(ctx, tx, id, side, force, now, func(_ wallet.Wallet, c bot.Channel) (bot.Channel, error) {
			c.State, c.Cause = bot.Disconnected, bot.ByOperator
			return c, nil
		})
		return err
	})
	return c, err
}

// mailConnected tells that a channel is connected whose messages a wallet pays for.
func mailConnected(ctx context.Context, tx *sql.Tx, w wallet.Wallet, botID string, c bot.Channel, now time.Time) error {
	if w.ID == "" || c.State != bot.Connected {
		return nil
	}
	var walletName, botName string
	err := tx.QueryRowContext(ctx, `SELECT w.name, b.name FROM wallet w, bot b WHERE w.id = $1 AND b.id = $2`, w.ID, botID).Scan(&walletName, &botName)
	if err != nil {
		return fmt.Errorf("read the names of wallet %s and bot %s: %w", w.ID, botID, err)
	}
	return insertNotices(ctx, tx, notice.Event{
		WalletID: w.ID, Subject: fmt.Sprintf("%s/%s/%d", botID, c.Side, millis(now)), At: now,
		Data: notice.ChannelConnected{
			WalletName: walletName, Bot: botName, Channel: c.Name, Development: c.Side == bot.Development, ConnectedAt: now,
			Path: billing.WalletPath(w.ID),
		},
	})
}

// moveToWallet lets the channels of a locked bot stand as the wallet does that it was put on.
func (s *Store) moveToWallet(ctx context.Context, tx *sql.Tx, botID, walletID string, now time.Time) error {
	w := wallet.Wallet{PaymentState: wallet.Active}
	if walletID != "" {
		var err error
		if w, err = s.lockWallet(ctx, tx, walletID); err != nil {
			return err
		}
	}
	channels, err := botChannels(ctx, tx, botID)
	if err != nil {
		return err
	}
	for _, c := range channels {
		state, cause := standing(w.PaymentState)
		switch {
		case c.Cause == bot.ByOperator:
			state, cause = c.State, c.Cause
		case state == bot.Connected && c.State != bot.Connected: // another wallet lost it: a person connects it
			state, cause = bot.AwaitingReconnect, bot.ByWallet
		}
		if _, err := tx.ExecContext(ctx, `UPDATE channel SET state = $3, cause = $4 WHERE bot_id = $1 AND side = $2`, botID, c.Side, state, cause); err != nil {
			return fmt.Errorf("move channel: %w", err)
		}
		c.State = state
		if err := mailConnected(ctx, tx, w, botID, c, now); err != nil {
			return err
		}
	}
	return nil
}

// botChannels lists the channels of a bot, live first.
func botChannels(ctx context.Context, q querier, id string) ([]bot.Channel, error) {
	rows, err := q.QueryContext(ctx, `SELECT `+channelColumns+` FROM channel WHERE bot_id = $1 ORDER BY side DESC`, id)
	channels, err := collect(rows, err, scanChannel)
	if err != nil {
		return nil, fmt.Errorf("list the channels of bot %s: %w", id, err)
	}
	return channels, nil
}

// PutApp makes or changes an app.
func (s *Store) PutApp(ctx context.Context, a bot.App) error {
	return s.inTx(ctx, func(tx *sql.Tx) error {
		before, err := scanApp(tx.QueryRowContext(ctx, `SELECT `+appColumns+` FROM app WHERE id = $1`, a.ID))
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return fmt.Errorf("read app: %w", err)
		}
		facts := func(a bot.App) any {
			return map[string]any{"app": a.ID, "name": a.Name, "verified": a.Verified, "kakao_sync": a.KakaoSync,
				"terms_reviewed": a.TermsReviewed, "personal_data_needed": a.PersonalDataNeeded, "personal_data_reviewed": a.PersonalDataReviewed}
		}
		switch {
		case err != nil:
			access.DeedOf(ctx).Did(access.Object{Kind: access.Platform}, nil, facts(a))
		default:
			access.DeedOf(ctx).Did(access.Object{Kind: access.Platform}, facts(before), facts(a))
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO app (id, name, verified, kakao_sync, terms_reviewed, personal_data_needed, personal_data_reviewed, created_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
			ON CONFLICT (id) DO UPDATE SET name = excluded.name, verified = excluded.verified, kakao_sync = excluded.kakao_sync, terms_reviewed = excluded.terms_reviewed,
				personal_data_needed = excluded.personal_data_needed, personal_data_reviewed = excluded.personal_data_reviewed`,
			a.ID, a.Name, asInt(a.Verified), asInt(a.KakaoSync), asInt(a.TermsReviewed), asInt(a.PersonalDataNeeded), asInt(a.PersonalDataReviewed), millis(a.CreatedAt))
		return err
	})
}

const appColumns = `id, name, verified = 1, kakao_sync = 1, terms_reviewed = 1, personal_data_needed = 1, personal_data_reviewed = 1, created_at`

func scanApp(row scanner) (a bot.App, err error) {
	err = row.Scan(&a.ID, &a.Name, &a.Verified, &a.KakaoSync, &a.TermsReviewed, &a.PersonalDataNeeded, &a.PersonalDataReviewed, at(&a.CreatedAt))
	return a, err
}

// Apps lists apps by id, those after an id.
func (s *Store) Apps(ctx context.Context, after string, limit int) ([]bot.App, error) {
	rows, err := s.read.QueryContext(ctx, `SELECT `+appColumns+` FROM app WHERE id > $1 ORDER BY id LIMIT $2`, after, limit)
	return collect(rows, err, scanApp)
}

// App reads an app. It is NotFound when there is none.
func (s *Store) App(ctx context.Context, id string) (bot.App, error) {
	a, err := scanApp(s.read.QueryRowContext(ctx, `SELECT `+appColumns+` FROM app WHERE id = $1`, id))
	return a, orNotFound(err, "app", id)
}

// appOf reads the app that a channel is linked to, nil for none.
func appOf(ctx context.Context, q querier, c bot.Channel) (*bot.App, error) {
	if c.AppID == "" {
		return nil, nil
	}
	a, err := scanApp(q.QueryRowContext(ctx, `SELECT `+appColumns+` FROM app WHERE id = $1`, c.AppID))
	if err != nil {
		return nil, fmt.Errorf("read app %s: %w", c.AppID, err)
	}
	return &a, nil
}
