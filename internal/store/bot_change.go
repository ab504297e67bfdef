package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/malgil/malgil/internal/access"
	"github.com/malgil/malgil/internal/bot"
	"github.com/malgil/malgil/internal/fault"
)

// ChangeBot sets what is given of a bot. A worker of its wallet who works on none of the wallet's
// bots after it, and did on this one, loses the wallet permission: he and his cards come off the
// wallet. A bot that is said to record no user keys loses those that it has recorded, after the change;
// where that fails, a second call goes on.
func (s *Store) ChangeBot(ctx context.Context, id string, c bot.SealedChange) error {
	before, err := s.BotDetails(ctx, id)
	if err != nil {
		return err
	}
	err = s.inTx(ctx, func(tx *sql.Tx) error {
		if c.Sending != nil { // what is queued goes by what is said now
			others := []string{before.WalletID}
			if c.WalletID != nil {
				others = append(others, *c.WalletID)
			}
			if err := s.recallBot(ctx, tx, id, c.At, others...); err != nil {
				return err
			}
		}
		if err := s.lockForBot(ctx, tx, before, c); err != nil {
			return err
		}
		people, err := botPeople(ctx, tx, id) // under the lock: those before may have changed
		if err != nil {
			return err
		}
		if err := setBot(ctx, tx, id, c); err != nil {
			return err
		}
		if c.WalletID != nil && *c.WalletID != before.WalletID {
			if err := s.moveToWallet(ctx, tx, id, *c.WalletID, c.At); err != nil {
				return err
			}
		}
		left, err := s.leaveWithBot(ctx, tx, before.WalletID, people)
		if err != nil {
			return err
		}
		was, is := botDeed(before, people, c, left)
		deed := access.DeedOf(ctx)
		deed.Did(access.Object{Kind: access.OfBot, ID: id}, was, is)
		deed.OnWallet(before.WalletID)
		return nil
	})
	if err != nil || c.Talking == nil || c.Talking.PlainUserKeys == nil || *c.Talking.PlainUserKeys {
		return err
	}
	return s.forgetUserKeys(ctx, id)
}

// userKeyBatch bounds a transaction: whoever records waits no longer.
const userKeyBatch = 1000

// forgetUserKeys removes the user keys of a bot's utterances.
func (s *Store) forgetUserKeys(ctx context.Context, botID string) error {
	var since int64
	for {
		rows, err := s.write.QueryContext(ctx, `UPDATE utterance SET user_key = '' WHERE id IN (
			SELECT id FROM utterance WHERE bot_id = $1 AND at >= $2 AND user_key <> '' ORDER BY at LIMIT $3) RETURNING at`, botID, since, userKeyBatch)
		times, err := collect(rows, err, func(row scanner) (ms int64, err error) {
			err = row.Scan(&ms)
			return ms, err
		})
		if err != nil {
			return fmt.Errorf("remove the user keys that bot %s has recorded: %w", botID, err)
		}
		if len(times) < userKeyBatch {
			return nil
		}
		since = slices.Max(times)
	}
}

// lockForBot locks a bot and, before it, the wallets that a change of it may concern.
func (s *Store) lockForBot(ctx context.Context, tx *sql.Tx, before bot.Bot, c bot.SealedChange) error {
	wallets := []string{before.WalletID}
	if c.WalletID != nil && *c.WalletID != before.WalletID {
		if err := hasWallet(ctx, tx, *c.WalletID); err != nil {
			return err
		}
		wallets = append(wallets, *c.WalletID)
	}
	if c.WalletID != nil || c.Members != nil {
		slices.Sort(wallets)
		for _, id := range wallets {
			if id == "" {
				continue
			}
			if _, err := s.lockWallet(ctx, tx, id); err != nil {
				return err
			}
		}
	}
	if _, err := s.lockBot(ctx, tx, before.ID); err != nil {
		return err
	}
	var walletID string
	err := tx.QueryRowContext(ctx, `SELECT COALESCE(wallet_id, '') FROM bot WHERE id = $1`, before.ID).Scan(&walletID)
	if err == nil && walletID != before.WalletID {
		err = fault.New(fault.Conflict, "the bot was just put on another wallet; try again")
	}
	return err
}

// setBot writes what is given of a locked bot.
func setBot(ctx context.Context, tx *sql.Tx, id string, c bot.SealedChange) error {
	if c.WalletID != nil {
		if _, err := tx.ExecContext(ctx, `UPDATE bot SET wallet_id = $2 WHERE id = $1`, id, orNull(*c.WalletID)); err != nil {
			return fmt.Errorf("set wallet: %w", err)
		}
	}
	if c.SealedRestKey != nil {
		if _, err := tx.ExecContext(ctx, `UPDATE bot SET rest_key_sealed = $2 WHERE id = $1`, id, c.SealedRestKey); err != nil {
			return fmt.Errorf("set key: %w", err)
		}
	}
	if _, err := tx.ExecContext(ctx, `UPDATE bot SET name = COALESCE(CAST($2 AS TEXT), name),
		rate_per_second = COALESCE(CAST($3 AS BIGINT), rate_per_second), in_flight = COALESCE(CAST($4 AS BIGINT), in_flight)
		WHERE id = $1`, id, c.Name, c.RatePerSecond, c.InFlight); err != nil {
		return fmt.Errorf("set fields: %w", err)
	}
	if c.Sending != nil {
		text, err := json.Marshal(c.Sending)
		if err != nil {
			return fmt.Errorf("store sending: %w", err)
		}
		if _, err := tx.ExecContext(ctx, `UPDATE bot SET sending = $2, capped = $3 WHERE id = $1`, id, string(text), c.Sending.Capped()); err != nil {
			return fmt.Errorf("set sending: %w", err)
		}
	}
	if c.Talking != nil {
		if err := setTalking(ctx, tx, id, *c.Talking); err != nil {
			return err
		}
	}
	if c.Members != nil {
		return putBotMembers(ctx, tx, id, *c.Members)
	}
	return nil
}

// setTalking writes what is given of a locked bot's talking.
func setTalking(ctx context.Context, tx *sql.Tx, id string, c bot.TalkingChange) error {
	var text string
	if err := tx.QueryRowContext(ctx, `SELECT settings FROM bot WHERE id = $1`, id).Scan(&text); err != nil {
		return fmt.Errorf("read the settings: %w", err)
	}
	settings, err := talking(text)
	if err != nil {
		return err
	}
	changed, err := json.Marshal(c.Apply(settings))
	if err != nil {
		return fmt.Errorf("store the settings: %w", err)
	}
	if _, err := tx.ExecContext(ctx, `UPDATE bot SET settings = $2 WHERE id = $1`, id, string(changed)); err != nil {
		return fmt.Errorf("set the settings: %w", err)
	}
	return nil
}

func botPeople(ctx context.Context, q querier, id string) ([]bot.Member, error) {
	rows, err := q.QueryContext(ctx, `SELECT account_id, role FROM bot_member WHERE bot_id = $1 ORDER BY role, account_id`, id)
	people, err := collect(rows, err, func(row scanner) (m bot.Member, err error) {
		err = row.Scan(&m.AccountID, &m.Role)
		return m, err
	})
	if err != nil {
		return nil, fmt.Errorf("list the members of bot %s: %w", id, err)
	}
	return people, nil
}

// leaveWithBot takes the wallet permission from people who worked on a bot of a locked wallet and
// now work on none of its bots, and returns who they were, each with the wallet's cards after it.
func (s *Store) leaveWithBot(ctx context.Context, tx *sql.Tx, walletID string, people []bot.Member) (left []map[string]any, err error) {
	if walletID == "" {
		return nil, nil
	}
	for _, p := range people {
		role, err := memberRole(ctx, tx, walletID, p.AccountID)
		if err != nil {
			return nil, err
		}
		if role != access.Worker || p.Role == bot.Viewer {
			continue
		}
		works, err := worksOnBots(ctx, tx, walletID, p.AccountID)
		if err != nil {
			return nil, err
		}
		if works {
			continue
		}
		before, err := cardsOn(ctx, tx, walletID)
		if err != nil {
			return nil, err
		}
		if err := dropMember(ctx, tx, walletID, p.AccountID); err != nil {
			return nil, err
		}
		after, err := cardsOn(ctx, tx, walletID)
		if err != nil {
			return nil, err
		}
		left = append(left, map[string]any{"account": p.AccountID, "cards_before": before, "cards": after})
	}
	return left, nil
}

// botDeed is what the audit log keeps of a change: the fields that were set, before and after.
func botDeed(before bot.Bot, people []bot.Member, c bot.SealedChange, left []map[string]any) (was, is map[string]any) {
	was, is = map[string]any{}, map[string]any{}
	if c.Name != nil {
		was["name"], is["name"] = before.Name, *c.Name
	}
	if c.WalletID != nil {
		was["wallet"], is["wallet"] = before.WalletID, *c.WalletID
	}
	if c.RatePerSecond != nil {
		was["rate_per_second"], is["rate_per_second"] = before.RatePerSecond, *c.RatePerSecond
	}
	if c.InFlight != nil {
		was["in_flight"], is["in_flight"] = before.InFlight, *c.InFlight
	}
	if c.Sending != nil {
		was["sending"], is["sending"] = before.Sending, *c.Sending
	}
	if c.Talking != nil {
		was["talking"], is["talking"] = before.Talking, c.Talking.Apply(before.Talking)
	}
	if c.Members != nil {
		was["members"], is["members"] = memberDeeds(people), memberDeeds(*c.Members)
	}
	if c.SealedRestKey != nil {
		is["rest_api_key"] = "replaced"
	}
	if left != nil {
		is["left_the_wallet"] = left
	}
	return was, is
}

func memberDeeds(members []bot.Member) []map[string]any {
	deeds := make([]map[string]any, len(members))
	for i, m := range members {
		deeds[i] = map[string]any{"account": m.AccountID, "role": m.Role}
	}
	return deeds
}
