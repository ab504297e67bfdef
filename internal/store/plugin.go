package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/malgil/malgil/internal/access"
	"github.com/malgil/malgil/internal/bot"
	"github.com/malgil/malgil/internal/fault"
)

// Plugins lists every plugin as it stands with a bot. It is NotFound when there is no bot.
func (s *Store) Plugins(ctx context.Context, botID string) ([]bot.BotPlugin, error) {
	if err := hasBot(ctx, s.read, botID); err != nil {
		return nil, err
	}
	return plugins(ctx, s.read, botID)
}

func hasBot(ctx context.Context, q querier, id string) error {
	var found int
	return orNotFound(q.QueryRowContext(ctx, `SELECT 1 FROM bot WHERE id = $1`, id).Scan(&found), "bot", id)
}

func plugins(ctx context.Context, q querier, botID string) ([]bot.BotPlugin, error) {
	facts, err := pluginFacts(ctx, q, botID)
	if err != nil {
		return nil, err
	}
	known := map[bot.Plugin]bot.BotPlugin{}
	rows, err := q.QueryContext(ctx, `SELECT plugin, state, cause, since, reviewed = 1 FROM plugin WHERE bot_id = $1`, botID)
	_, err = collect(rows, err, func(row scanner) (p bot.BotPlugin, err error) {
		err = row.Scan(&p.Plugin, &p.State, &p.Cause, at(&p.Since), &p.Reviewed)
		known[p.Plugin] = p
		return p, err
	})
	if err != nil {
		return nil, fmt.Errorf("list the plugins of bot %s: %w", botID, err)
	}
	list := make([]bot.BotPlugin, len(bot.Plugins))
	for i, name := range bot.Plugins {
		p, is := known[name]
		if !is {
			p = bot.BotPlugin{Plugin: name, State: bot.PluginOff}
		}
		facts.Reviewed = p.Reviewed
		p.Prerequisites = name.Prerequisites(facts)
		list[i] = p
	}
	return list, nil
}

// pluginFacts reads what plugins go by; whether one is reviewed stands with the plugin.
func pluginFacts(ctx context.Context, q querier, botID string) (f bot.PluginFacts, err error) {
	channels, err := botChannels(ctx, q, botID)
	if err != nil {
		return f, err
	}
	for _, c := range channels {
		switch c.Side {
		case bot.Live:
			f.Live = &c
		case bot.Development:
			f.Development = &c
		}
	}
	if f.Live != nil {
		f.App, err = appOf(ctx, q, *f.Live)
	}
	return f, err
}

// lockBotOf locks a bot, and tells the audit log whose wallet it is on.
func (s *Store) lockBotOf(ctx context.Context, tx *sql.Tx, id string) error {
	if _, err := s.lockBot(ctx, tx, id); err != nil {
		return err
	}
	var walletID string
	if err := tx.QueryRowContext(ctx, `SELECT COALESCE(wallet_id, '') FROM bot WHERE id = $1`, id).Scan(&walletID); err != nil {
		return fmt.Errorf("read the wallet: %w", err)
	}
	access.DeedOf(ctx).OnWallet(walletID)
	return nil
}

// changePlugin runs a change of one plugin of a locked bot, and tells the audit log.
func (s *Store) changePlugin(ctx context.Context, id string, p bot.Plugin,
	change func(tx *sql.Tx, before bot.BotPlugin) (bot.BotPlugin, error),
) (after bot.BotPlugin, err error) {
	err = s.inTx(ctx, func(tx *sql.Tx) error {
		if err := s.lockBotOf(ctx, tx, id); err != nil {
			return err
		}
		all, err := plugins(ctx, tx, id)
		if err != nil {
			return err
		}
		before := all[slices.Index(bot.Plugins, p)]
		if after, err = change(tx, before); err != nil {
			return err
		}
		was, is := pluginDeed(before), pluginDeed(after)
		if was == is {
			access.DeedOf(ctx).Nothing()
			return nil
		}
		access.DeedOf(ctx).Did(access.Object{Kind: access.OfBot, ID: id}, was, is)
		if err := putPlugin(ctx, tx, id, after); err != nil {
			return err
		}
		facts, err := pluginFacts(ctx, tx, id)
		facts.Reviewed = after.Reviewed
		after.Prerequisites = p.Prerequisites(facts)
		return err
	})
	return after, err
}

type pluginFacet struct {
	Plugin   bot.Plugin      `json:"plugin"`
	State    bot.PluginState `json:"state"`
	Cause    bot.Breakage    `json:"cause,omitempty"`
	Reviewed bool            `json:"reviewed"`
}

// pluginDeed is what the audit log keeps of a plugin.
func pluginDeed(p bot.BotPlugin) pluginFacet {
	return pluginFacet{p.Plugin, p.State, p.Cause, p.Reviewed}
}

func putPlugin(ctx context.Context, tx *sql.Tx, botID string, p bot.BotPlugin) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO plugin (bot_id, plugin, state, cause, since, reviewed) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (bot_id, plugin) DO UPDATE SET state = excluded.state, cause = excluded.cause, since = excluded.since, reviewed = excluded.reviewed`,
		botID, p.Plugin, p.State, p.Cause, millis(p.Since), asInt(p.Reviewed))
	if err != nil {
		return fmt.Errorf("put plugin: %w", err)
	}
	return nil
}

// SetUpPlugin makes a plugin ready, and reports whether it was off.
func (s *Store) SetUpPlugin(ctx context.Context, id string, p bot.Plugin, now time.Time) (set bot.BotPlugin, fresh bool, err error) {
	set, err = s.changePlugin(ctx, id, p, func(tx *sql.Tx, b bot.BotPlugin) (bot.BotPlugin, error) {
		facts, err := pluginFacts(ctx, tx, id)
		if err != nil {
			return b, err
		}
		facts.Reviewed = b.Reviewed
		if err := p.Check(facts); err != nil {
			return b, err
		}
		fresh = b.State == bot.PluginOff
		if b.State != bot.PluginReady {
			b.State, b.Cause, b.Since = bot.PluginReady, "", now
		}
		return b, nil
	})
	return set, fresh, err
}

// ReviewPlugin says whether Kakao's own review of a plugin has passed.
func (s *Store) ReviewPlugin(ctx context.Context, id string, p bot.Plugin, passed bool) (bot.BotPlugin, error) {
	return s.changePlugin(ctx, id, p, func(_ *sql.Tx, b bot.BotPlugin) (bot.BotPlugin, error) {
		b.Reviewed = passed
		return b, nil
	})
}

// RemovePlugin turns a plugin off.
func (s *Store) RemovePlugin(ctx context.Context, id string, p bot.Plugin, now time.Time) error {
	_, err := s.changePlugin(ctx, id, p, func(tx *sql.Tx, b bot.BotPlugin) (bot.BotPlugin, error) {
		blocks, err := certificationBlocks(ctx, tx, id)
		if err != nil {
			return b, err
		}
		var users []string
		for _, block := range blocks {
			if slices.Contains(block.Plugins, p) {
				users = append(users, block.ID)
			}
		}
		if users != nil {
			return b, fault.Coded(fault.Conflict, "PLUGIN_IN_USE", "certification blocks use it: %s; change or remove them first", strings.Join(users, ", "))
		}
		if b.State != bot.PluginOff {
			b.State, b.Cause, b.Since = bot.PluginOff, "", now
		}
		return b, nil
	})
	return err
}

// letDevelopmentGo breaks the plugins of a locked bot that need its development channel, and returns them. It
// refuses as [bot.Carried] does unless it is forced.
func letDevelopmentGo(ctx context.Context, tx *sql.Tx, botID string, cause bot.Breakage, force bool, now time.Time) ([]bot.Plugin, error) {
	all, err := plugins(ctx, tx, botID)
	if err != nil {
		return nil, err
	}
	blocks, err := certificationBlocks(ctx, tx, botID)
	if err != nil {
		return nil, err
	}
	broken, refusal := bot.Carried(all, blocks)
	if refusal != nil && !force {
		return nil, refusal
	}
	for _, p := range all {
		if !slices.Contains(broken, p.Plugin) {
			continue
		}
		p.State, p.Cause, p.Since = bot.PluginNeedsSetup, cause, now
		if err := putPlugin(ctx, tx, botID, p); err != nil {
			return nil, err
		}
	}
	return broken, nil
}

// CertificationBlocks lists the certification blocks of a bot by id. It is NotFound when there is no bot.
func (s *Store) CertificationBlocks(ctx context.Context, botID string) ([]bot.CertificationBlock, error) {
	if err := hasBot(ctx, s.read, botID); err != nil {
		return nil, err
	}
	return certificationBlocks(ctx, s.read, botID)
}

func certificationBlocks(ctx context.Context, q querier, botID string) ([]bot.CertificationBlock, error) {
	rows, err := q.QueryContext(ctx, `SELECT id, name, plugins, approved = 1 FROM certification_block WHERE bot_id = $1 ORDER BY id`, botID)
	blocks, err := collect(rows, err, func(row scanner) (b bot.CertificationBlock, err error) {
		var names string
		if err := row.Scan(&b.ID, &b.Name, &names, &b.Approved); err != nil {
			return b, err
		}
		return b, json.Unmarshal([]byte(names), &b.Plugins)
	})
	if err != nil {
		return nil, fmt.Errorf("list the certification blocks of bot %s: %w", botID, err)
	}
	return blocks, nil
}

// certificationDeed is what the audit log keeps of a block; nil for none.
func certificationDeed(blocks []bot.CertificationBlock, id string) any {
	for _, b := range blocks {
		if b.ID == id {
			return map[string]any{"block": b.ID, "name": b.Name, "plugins": b.Plugins, "approved": b.Approved}
		}
	}
	return nil
}

// PutCertificationBlock makes or changes a block.
func (s *Store) PutCertificationBlock(ctx context.Context, id string, b bot.CertificationBlock) error {
	names, err := json.Marshal(b.Plugins)
	if err != nil {
		return err
	}
	return s.inTx(ctx, func(tx *sql.Tx) error {
		if err := s.lockBotOf(ctx, tx, id); err != nil {
			return err
		}
		all, err := plugins(ctx, tx, id)
		if err != nil {
			return err
		}
		var off []fault.Part
		for _, p := range all {
			if p.State == bot.PluginOff && slices.Contains(b.Plugins, p.Plugin) {
				off = append(off, fault.Part{Field: "plugins." + string(p.Plugin), Message: "is off; ask for it first"})
			}
		}
		if off != nil {
			return &fault.Error{Kind: fault.Conflict, Code: "PLUGINS_OFF", Message: "the block uses plugins that the bot does not have", Parts: off}
		}
		before, err := certificationBlocks(ctx, tx, id)
		if err != nil {
			return err
		}
		access.DeedOf(ctx).Did(access.Object{Kind: access.OfBot, ID: id}, certificationDeed(before, b.ID), certificationDeed([]bot.CertificationBlock{b}, b.ID))
		_, err = tx.ExecContext(ctx, `INSERT INTO certification_block (bot_id, id, name, plugins, approved) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (bot_id, id) DO UPDATE SET name = excluded.name, plugins = excluded.plugins, approved = excluded.approved`,
			id, b.ID, b.Name, string(names), asInt(b.Approved))
		return err
	})
}

// DropCertificationBlock takes a block away.
func (s *Store) DropCertificationBlock(ctx context.Context, id, block string) error {
	return s.inTx(ctx, func(tx *sql.Tx) error {
		if err := s.lockBotOf(ctx, tx, id); err != nil {
			return err
		}
		before, err := certificationBlocks(ctx, tx, id)
		if err != nil {
			return err
		}
		access.DeedOf(ctx).Did(access.Object{Kind: access.OfBot, ID: id}, certificationDeed(before, block), nil)
		gone, err := changed(tx.ExecContext(ctx, `DELETE FROM certification_block WHERE bot_id = $1 AND id = $2`, id, block))
		if err == nil && !gone {
			err = orNotFound(sql.ErrNoRows, "certification block", block)
		}
		return err
	})
}
