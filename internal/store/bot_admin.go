package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/malgil/malgil/internal/access"
	"github.com/malgil/malgil/internal/bot"
	"github.com/malgil/malgil/internal/fault"
)

// InsertBot stores a new bot with its members. It is a Conflict when there is one of this id, and
// Invalid when its wallet or a member does not exist.
func (s *Store) InsertBot(ctx context.Context, b bot.Bot, skillKeyHash, sealedRestKey []byte) error {
	return s.inTx(ctx, func(tx *sql.Tx) error {
		if err := hasWallet(ctx, tx, b.WalletID); err != nil {
			return err
		}
		stored, err := changed(tx.ExecContext(ctx, `INSERT INTO bot (id, name, wallet_id, skill_key_hash, rest_key_sealed,
			rate_per_second, in_flight, paused_reason, paused_at, version, created_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, '', 0, 0, $8) ON CONFLICT (id) DO NOTHING`,
			b.ID, b.Name, orNull(b.WalletID), skillKeyHash, sealedRestKey, b.RatePerSecond, b.InFlight, millis(b.CreatedAt)))
		if err != nil {
			return fmt.Errorf("insert bot: %w", err)
		}
		if !stored {
			return &fault.Error{Kind: fault.Conflict, Field: "id", Code: "BOT_EXISTS", Message: "is that of a bot that is here already; change that one"}
		}
		access.DeedOf(ctx).Did(access.Object{Kind: access.OfBot, ID: b.ID}, nil, map[string]any{
			"name": b.Name, "wallet": b.WalletID, "rate_per_second": b.RatePerSecond, "in_flight": b.InFlight, "members": memberDeeds(b.Members),
		})
		return putBotMembers(ctx, tx, b.ID, b.Members)
	})
}

// hasWallet is Invalid when a wallet is named that does not exist any more.
func hasWallet(ctx context.Context, tx querier, id string) error {
	if id == "" {
		return nil
	}
	var found int
	err := tx.QueryRowContext(ctx, `SELECT 1 FROM wallet WHERE id = $1 AND deleted_at = 0`, id).Scan(&found)
	if errors.Is(err, sql.ErrNoRows) {
		return fault.Field("wallet", "there is no wallet %q", id)
	}
	return err
}

// putBotMembers replaces the members of a bot.
func putBotMembers(ctx context.Context, tx *sql.Tx, botID string, members []bot.Member) error {
	if _, err := tx.ExecContext(ctx, `DELETE FROM bot_member WHERE bot_id = $1`, botID); err != nil {
		return fmt.Errorf("clear members: %w", err)
	}
	for i, m := range members {
		known, err := hasAccount(ctx, tx, m.AccountID)
		if err != nil {
			return err
		}
		if !known {
			return fault.Field(fmt.Sprintf("members[%d].account", i), "there is no account %q", m.AccountID)
		}
		if _, err := tx.ExecContext(ctx, `INSERT INTO bot_member (bot_id, account_id, role) VALUES ($1, $2, $3)`, botID, m.AccountID, m.Role); err != nil {
			return fmt.Errorf("insert member: %w", err)
		}
	}
	return nil
}

// lockBot locks a bot that the transaction will change and returns its newest version. It is NotFound
// when there is none.
func (s *Store) lockBot(ctx context.Context, tx *sql.Tx, id string) (version int64, err error) {
	err = tx.QueryRowContext(ctx, `SELECT version FROM bot WHERE id = $1`+s.dialect.lock, id).Scan(&version)
	return version, orNotFound(err, "bot", id)
}

// SetSkillKey replaces the SHA-256 of the key in a bot's skill URL.
func (s *Store) SetSkillKey(ctx context.Context, id string, hash []byte) error {
	return s.inTx(ctx, func(tx *sql.Tx) error {
		var before []byte
		err := tx.QueryRowContext(ctx, `SELECT skill_key_hash FROM bot WHERE id = $1`+s.dialect.lock, id).Scan(&before)
		if err != nil {
			return orNotFound(err, "bot", id)
		}
		access.DeedOf(ctx).Did(access.Object{Kind: access.OfBot, ID: id},
			map[string]any{"skill_key": fingerprint(before)}, map[string]any{"skill_key": fingerprint(hash)})
		_, err = tx.ExecContext(ctx, `UPDATE bot SET skill_key_hash = $2 WHERE id = $1`, id, hash)
		return err
	})
}

// fingerprint tells one key from another by the SHA-256 of it, of which it shows a part.
func fingerprint(hash []byte) string {
	return fmt.Sprintf("sha256:%.4x", hash)
}

// ResumeBot ends the pause of a bot. One that is not paused stays as it is.
func (s *Store) ResumeBot(ctx context.Context, id string) error {
	return s.inTx(ctx, func(tx *sql.Tx) error {
		var reason string
		err := tx.QueryRowContext(ctx, `SELECT paused_reason FROM bot WHERE id = $1`+s.dialect.lock, id).Scan(&reason)
		if err != nil {
			return orNotFound(err, "bot", id)
		}
		if reason == "" {
			access.DeedOf(ctx).Nothing()
			return nil
		}
		access.DeedOf(ctx).Did(access.Object{Kind: access.OfBot, ID: id}, map[string]any{"paused": reason}, nil)
		_, err = tx.ExecContext(ctx, `UPDATE bot SET paused_reason = '', paused_at = 0 WHERE id = $1`, id)
		return err
	})
}

const botColumns = `id, name, COALESCE(wallet_id, ''), rate_per_second, in_flight, paused_reason, paused_at, version, created_at, sending, settings,
	COALESCE((SELECT v.blocks FROM bot_version v WHERE v.bot_id = bot.id AND v.version = bot.version), 0), ` + liveVersion

func scanBot(row scanner) (b bot.Bot, err error) {
	var sending, settings string
	err = row.Scan(&b.ID, &b.Name, &b.WalletID, &b.RatePerSecond, &b.InFlight, &b.PausedReason, at(&b.PausedAt), &b.Version,
		at(&b.CreatedAt), &sending, &settings, &b.Blocks, &b.Live)
	if err == nil {
		err = json.Unmarshal([]byte(sending), &b.Sending)
	}
	if err == nil {
		b.Talking, err = talking(settings)
	}
	return b, err
}

// BotDetails reads a bot with its members and channels. It is NotFound when there is none.
func (s *Store) BotDetails(ctx context.Context, id string) (bot.Bot, error) {
	b, err := scanBot(s.read.QueryRowContext(ctx, `SELECT `+botColumns+` FROM bot WHERE id = $1`, id))
	if err != nil {
		return b, orNotFound(err, "bot", id)
	}
	rows, err := s.read.QueryContext(ctx, `SELECT account_id, role FROM bot_member WHERE bot_id = $1 ORDER BY role, account_id`, id)
	b.Members, err = collect(rows, err, func(row scanner) (m bot.Member, err error) {
		err = row.Scan(&m.AccountID, &m.Role)
		return m, err
	})
	if err != nil {
		return b, fmt.Errorf("list the members of bot %s: %w", id, err)
	}
	b.Channels, err = botChannels(ctx, s.read, id)
	return b, err
}

// BotList lists bots by id, those after an id, without their members and channels; a person sees
// those that he may read.
func (s *Store) BotList(ctx context.Context, sight access.Sight, after string, limit int) ([]bot.Bot, error) {
	rows, err := s.read.QueryContext(ctx, `SELECT `+botColumns+` FROM bot WHERE id > $1 AND `+fmt.Sprintf(seesBot, 3, "id")+`
		ORDER BY id LIMIT $2`, after, limit, string(sight))
	return collect(rows, err, scanBot)
}
