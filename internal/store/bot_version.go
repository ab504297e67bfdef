package store

import (
	"bytes"
	"compress/gzip"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/malgil/malgil/internal/access"
	"github.com/malgil/malgil/internal/bot"
	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/scenario"
)

// liveVersion is the version that the live channel of a bot runs, 0 for none.
const liveVersion = `COALESCE((SELECT d.version FROM bot_deploy d WHERE d.bot_id = bot.id ORDER BY d.seq DESC LIMIT 1), 0)`

// BotHead reads what may change of a bot at any time. It is NotFound when there is none.
func (s *Store) BotHead(ctx context.Context, id string) (scenario.Head, error) {
	var h scenario.Head
	var settings string
	err := s.read.QueryRowContext(ctx, `SELECT id, name, skill_key_hash, settings, version, `+liveVersion+` FROM bot WHERE id = $1`, id).
		Scan(&h.ID, &h.Name, &h.SkillKeyHash, &settings, &h.Newest, &h.Deployed)
	if err != nil {
		return h, orNotFound(err, "bot", id)
	}
	h.Settings, err = talking(settings)
	return h, err
}

// talking reads the settings of a bot: what is not told is as of a new one.
func talking(text string) (scenario.Settings, error) {
	settings := scenario.DefaultSettings
	if err := json.Unmarshal([]byte(text), &settings); err != nil {
		return settings, fmt.Errorf("read the settings of a bot: %w", err)
	}
	return settings, nil
}

// BotContent reads all that a version of a bot holds. It is NotFound when there is none.
func (s *Store) BotContent(ctx context.Context, id string, version int64) (scenario.Content, error) {
	var content scenario.Content
	var packed []byte
	err := s.read.QueryRowContext(ctx, `SELECT content FROM bot_version WHERE bot_id = $1 AND version = $2`, id, version).Scan(&packed)
	if errors.Is(err, sql.ErrNoRows) {
		return content, fault.New(fault.NotFound, "bot %q has no version %d", id, version)
	}
	if err == nil {
		err = unpackContent(packed, &content)
	}
	if err != nil {
		return content, fmt.Errorf("read version %d of bot %s: %w", version, id, err)
	}
	return content, nil
}

func packContent(text []byte) ([]byte, error) {
	var packed bytes.Buffer
	to := gzip.NewWriter(&packed)
	_, err := to.Write(text)
	if err = errors.Join(err, to.Close()); err != nil {
		return nil, fmt.Errorf("pack the content: %w", err)
	}
	return packed.Bytes(), nil
}

// unpackContent reads JSON, gzipped or as a migration wrote it, which has no means to gzip.
func unpackContent(packed []byte, content *scenario.Content) error {
	if bytes.HasPrefix(packed, []byte("{")) {
		return json.Unmarshal(packed, content)
	}
	from, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return err
	}
	text, err := io.ReadAll(from)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, content)
}

// AddVersion stores a draft as the newest version of a bot, unless the newest one is the same, and
// makes it live where that is asked for. It is NotFound when there is no bot, and a Conflict when the
// newest version is not the one that it follows.
func (s *Store) AddVersion(ctx context.Context, id string, d bot.Draft) (v bot.Version, added bool, err error) {
	packed, err := packContent(d.JSON)
	if err != nil {
		return v, false, err
	}
	events, err := json.Marshal(slices.Concat([]string{}, d.Events))
	if err != nil {
		return v, false, fmt.Errorf("encode the events: %w", err)
	}
	err = s.inTx(ctx, func(tx *sql.Tx) error {
		newest, err := s.lockBot(ctx, tx, id)
		if err != nil {
			return err
		}
		if d.Follows != 0 && d.Follows != newest {
			return fault.New(fault.Conflict, "version %d of the bot was just imported; look at it, and try again", newest)
		}
		live, err := lastDeploy(ctx, tx, id)
		if err != nil {
			return err
		}
		if d.OnLive && newest != live.Version {
			return bot.NewestNotLive(newest, live.Version)
		}
		before := map[string]any{"version": newest, "live": live.Version}
		if v, added, err = draftOrSame(ctx, tx, id, newest, d); err != nil {
			return err
		}
		deed := access.DeedOf(ctx)
		if v.Live = v.Number == live.Version; d.OnlyLook || (!added && (v.Live || !d.Deploy)) {
			v.Live = v.Live || d.Deploy
			deed.Nothing()
			return nil
		}
		if added {
			if _, err := tx.ExecContext(ctx, `INSERT INTO bot_version (bot_id, version, made_at, made_by, note, blocks, items, events, hash, content)
				VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
				id, v.Number, millis(v.MadeAt), v.MadeBy, v.Note, v.Blocks, v.Items, string(events), d.Hash, packed); err != nil {
				return fmt.Errorf("insert version: %w", err)
			}
			if _, err := tx.ExecContext(ctx, `UPDATE bot SET version = $2 WHERE id = $1`, id, v.Number); err != nil {
				return fmt.Errorf("set version: %w", err)
			}
		}
		after := map[string]any{"version": v.Number, "live": live.Version, "blocks": v.Blocks, "items": v.Items}
		if d.Deploy {
			deploy := bot.Deploy{Version: v.Number, At: d.MadeAt, By: d.MadeBy, Reason: d.Reason}
			if err := insertDeploy(ctx, tx, id, &deploy, live.Number, live.Number); err != nil {
				return err
			}
			v.Live, after["live"] = true, v.Number
		}
		deed.Did(access.Object{Kind: access.OfBot, ID: id}, before, after)
		return nil
	})
	return v, added, err
}

// draftOrSame returns the version that a draft makes of a locked bot, or its newest where that holds
// the same.
func draftOrSame(ctx context.Context, tx *sql.Tx, id string, newest int64, d bot.Draft) (v bot.Version, added bool, err error) {
	var hash []byte
	err = tx.QueryRowContext(ctx, `SELECT hash FROM bot_version WHERE bot_id = $1 AND version = $2`, id, newest).Scan(&hash)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return v, false, fmt.Errorf("read the newest version: %w", err)
	}
	if err == nil && bytes.Equal(hash, d.Hash) {
		v, err = scanVersion(tx.QueryRowContext(ctx, `SELECT `+versionColumns+` WHERE bot.id = $1 AND v.version = $2`, id, newest))
		return v, false, err
	}
	v = d.Version
	v.Number, v.Newest = newest+1, true
	return v, true, nil
}

const (
	versionColumns = `v.version, v.made_at, v.made_by, v.note, v.blocks, v.items, v.version = bot.version, v.version = ` + liveVersion + `
		FROM bot_version v JOIN bot ON bot.id = v.bot_id`
	deployColumns = `seq, version, at, by_whom, reason, rolled_back`
)

func scanVersion(row scanner) (v bot.Version, err error) {
	err = row.Scan(&v.Number, at(&v.MadeAt), &v.MadeBy, &v.Note, &v.Blocks, &v.Items, &v.Newest, &v.Live)
	return v, err
}

func scanDeploy(row scanner) (d bot.Deploy, err error) {
	var back int64
	err = row.Scan(&d.Number, &d.Version, at(&d.At), &d.By, &d.Reason, &back)
	d.RolledBack = back != 0
	return d, err
}

// lastDeploy reads the deploy that is in force, the zero one where there is none.
func lastDeploy(ctx context.Context, q querier, id string) (bot.Deploy, error) {
	d, err := scanDeploy(q.QueryRowContext(ctx, `SELECT `+deployColumns+` FROM bot_deploy WHERE bot_id = $1 ORDER BY seq DESC LIMIT 1`, id))
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return d, fmt.Errorf("read the last deploy: %w", err)
	}
	return d, nil
}

// insertDeploy puts a deploy behind the last one of a locked bot and gives it its number. backTo is
// the one that a rollback from it returns to.
func insertDeploy(ctx context.Context, tx *sql.Tx, id string, d *bot.Deploy, last, backTo int64) error {
	d.Number = last + 1
	back := 0
	if d.RolledBack {
		back = 1
	}
	_, err := tx.ExecContext(ctx, `INSERT INTO bot_deploy (bot_id, seq, version, at, by_whom, reason, rolled_back, back_to)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`, id, d.Number, d.Version, millis(d.At), d.By, d.Reason, back, backTo)
	if err != nil {
		return fmt.Errorf("insert deploy: %w", err)
	}
	return nil
}

// DeployVersion makes a version live. It is NotFound when there is no such bot or version; one that is
// live stays as it is, and its deploy is returned.
func (s *Store) DeployVersion(ctx context.Context, id string, version int64, d bot.Deploy) (bot.Deploy, error) {
	err := s.inTx(ctx, func(tx *sql.Tx) error {
		if _, err := s.lockBot(ctx, tx, id); err != nil {
			return err
		}
		live, err := lastDeploy(ctx, tx, id)
		if err != nil {
			return err
		}
		if live.Version == version && version != 0 {
			d = live
			access.DeedOf(ctx).Nothing()
			return nil
		}
		var found int
		err = tx.QueryRowContext(ctx, `SELECT 1 FROM bot_version WHERE bot_id = $1 AND version = $2`, id, version).Scan(&found)
		if errors.Is(err, sql.ErrNoRows) {
			return fault.New(fault.NotFound, "bot %q has no version %d", id, version)
		}
		if err != nil {
			return fmt.Errorf("find version: %w", err)
		}
		d.Version = version
		if err := insertDeploy(ctx, tx, id, &d, live.Number, live.Number); err != nil {
			return err
		}
		access.DeedOf(ctx).Did(access.Object{Kind: access.OfBot, ID: id}, map[string]any{"live": live.Version}, map[string]any{"live": version})
		return nil
	})
	return d, err
}

// RollBack makes live what was live before the deploy that is in force; from a rollback it goes back
// further. It is a Conflict when nothing was live before, or when another version than from is live,
// unless that is 0.
func (s *Store) RollBack(ctx context.Context, id string, from int64, d bot.Deploy) (bot.Deploy, error) {
	err := s.inTx(ctx, func(tx *sql.Tx) error {
		if _, err := s.lockBot(ctx, tx, id); err != nil {
			return err
		}
		live, err := lastDeploy(ctx, tx, id)
		if err != nil {
			return err
		}
		if from != 0 && live.Version != from {
			return fault.Coded(fault.Conflict, "NOT_LIVE", "version %d is not live, so there is nothing of it to roll back; version %d is", from, live.Version)
		}
		var backTo int64
		err = tx.QueryRowContext(ctx, `SELECT before.version, before.back_to
			FROM bot_deploy now JOIN bot_deploy before ON before.bot_id = now.bot_id AND before.seq = now.back_to
			WHERE now.bot_id = $1 AND now.seq = $2`, id, live.Number).Scan(&d.Version, &backTo)
		if errors.Is(err, sql.ErrNoRows) {
			return fault.Coded(fault.Conflict, "NOTHING_BEFORE", "there is nothing to roll back to: no other version was live before; deploy one of the versions")
		}
		if err != nil {
			return fmt.Errorf("find the deploy before: %w", err)
		}
		d.RolledBack = true
		if err := insertDeploy(ctx, tx, id, &d, live.Number, backTo); err != nil {
			return err
		}
		access.DeedOf(ctx).Did(access.Object{Kind: access.OfBot, ID: id}, map[string]any{"live": live.Version}, map[string]any{"live": d.Version})
		return nil
	})
	return d, err
}

// Version reads what is told of a version. It is NotFound when there is none.
func (s *Store) Version(ctx context.Context, id string, version int64) (bot.Version, error) {
	v, err := scanVersion(s.read.QueryRowContext(ctx, `SELECT `+versionColumns+` WHERE bot.id = $1 AND v.version = $2`, id, version))
	if errors.Is(err, sql.ErrNoRows) {
		return v, fault.New(fault.NotFound, "bot %q has no version %d", id, version)
	}
	return v, err
}

// Versions lists the versions of a bot, the newest first, those before a number, or all from the
// newest on with 0. It is NotFound when there is no bot.
func (s *Store) Versions(ctx context.Context, id string, before int64, limit int) ([]bot.Version, error) {
	if err := hasBot(ctx, s.read, id); err != nil {
		return nil, err
	}
	rows, err := s.read.QueryContext(ctx, `SELECT `+versionColumns+` WHERE bot.id = $1 AND (v.version < $2 OR $2 = 0)
		ORDER BY v.version DESC LIMIT $3`, id, before, limit)
	return collect(rows, err, scanVersion)
}

// Deploys lists the deploys of a bot, the last first, those before a number, or all from the last on
// with 0. It is NotFound when there is no bot.
func (s *Store) Deploys(ctx context.Context, id string, before int64, limit int) ([]bot.Deploy, error) {
	if err := hasBot(ctx, s.read, id); err != nil {
		return nil, err
	}
	rows, err := s.read.QueryContext(ctx, `SELECT `+deployColumns+` FROM bot_deploy WHERE bot_id = $1 AND (seq < $2 OR $2 = 0)
		ORDER BY seq DESC LIMIT $3`, id, before, limit)
	return collect(rows, err, scanDeploy)
}

// hasEvent reports whether a block on a side of a bot has an event name, as far as is known: where no names are,
// as of a bot whose blocks are not in Malgil, any may be one. Names match exactly, as at Kakao.
func hasEvent(ctx context.Context, q querier, botID string, side broadcast.Side, event string) (bool, error) {
	version := liveVersion
	if bot.Side(side) == bot.Development {
		version = `bot.version`
	}
	var text string
	err := q.QueryRowContext(ctx, `SELECT v.events FROM bot JOIN bot_version v ON v.bot_id = bot.id AND v.version = `+version+`
		WHERE bot.id = $1`, botID).Scan(&text)
	if errors.Is(err, sql.ErrNoRows) {
		return true, nil
	}
	var events []string
	if err == nil {
		err = json.Unmarshal([]byte(text), &events)
	}
	if err != nil {
		return false, fmt.Errorf("look for the event: %w", err)
	}
	return len(events) == 0 || slices.Contains(events, event), nil
}
