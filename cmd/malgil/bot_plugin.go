package main

import (
	"fmt"
	"net/url"
	"strings"
	"time"
)

// botPlugin keeps the plugins of a bot.
type botPlugin struct {
	List    pluginList    `cmd:"" help:"Every plugin of a bot, and what it waits for."`
	Request pluginRequest `cmd:"" help:"Ask for a plugin, or set it up again; it says everything that is missing."`
	Review  pluginReview  `cmd:"" help:"Say that Kakao has checked the location business, or accepted the request form."`
	Remove  pluginRemove  `cmd:"" help:"Do without a plugin."`
	Blocks  pluginBlocks  `cmd:"" help:"The certification blocks of a bot, and what of them is broken."`
	Certify pluginCertify `cmd:"" help:"Say which plugins a certification block uses, and whether Kakao has approved it."`
}

type pluginRow struct {
	Plugin        string    `json:"plugin"`
	State         string    `json:"state"`
	Cause         string    `json:"cause"`
	Since         time.Time `json:"since"`
	Prerequisites []struct {
		Field string `json:"field"`
		Met   bool   `json:"met"`
		Do    string `json:"do"`
		Days  *struct {
			From, To int
		} `json:"business_days"`
	} `json:"prerequisites"`
}

// line tells how a plugin stands.
func (p pluginRow) line() string { return stands(p.State, p.Cause, p.Since) }

func stands(state, cause string, since time.Time) string {
	words := []string{strings.ReplaceAll(state, "_", " ")}
	if cause != "" {
		words = append(words, "("+strings.ReplaceAll(cause, "_", " ")+")")
	}
	if !since.IsZero() {
		words = append(words, "since "+when(since))
	}
	return strings.Join(words, " ")
}

// missing tells what a plugin waits for.
func (p pluginRow) missing() string {
	var fields []string
	for _, q := range p.Prerequisites {
		if q.Met {
			continue
		}
		field := q.Field
		if q.Days != nil {
			field += fmt.Sprintf(" (%d-%d days)", q.Days.From, q.Days.To)
		}
		fields = append(fields, field)
	}
	return strings.Join(fields, ", ")
}

type certificationRow struct {
	ID       string   `json:"id"`
	Name     string   `json:"name"`
	Plugins  []string `json:"plugins"`
	Approved bool     `json:"approved"`
	Broken   []struct {
		Plugin string    `json:"plugin"`
		Cause  string    `json:"cause"`
		Since  time.Time `json:"since"`
	} `json:"broken"`
}

// line tells how a certification block stands.
func (c certificationRow) line() string {
	words := []string{"not approved"}
	if c.Approved {
		words[0] = "approved"
	}
	for _, b := range c.Broken {
		words = append(words, b.Plugin+" "+stands("needs_setup", b.Cause, b.Since))
	}
	return strings.Join(words, "; ")
}

type pluginList struct {
	remote
	Bot string `arg:"" help:"Bot."`
}

// Run lists plugins.
func (c pluginList) Run(e *env) error {
	var plugins struct{ Items []pluginRow }
	return c.call(e, "GET", botPath(c.Bot)+"/plugins", nil, &plugins, func() {
		var rows [][]string
		for _, p := range plugins.Items {
			rows = append(rows, []string{p.Plugin, p.line(), p.missing()})
		}
		_ = table(e.stdout, []string{"PLUGIN", "STATE", "MISSING"}, rows) // as any print to a terminal
	})
}

type pluginBlocks struct {
	remote
	Bot string `arg:"" help:"Bot."`
}

// Run lists certification blocks.
func (c pluginBlocks) Run(e *env) error {
	var blocks struct{ Items []certificationRow }
	return c.call(e, "GET", botPath(c.Bot)+"/certification-blocks", nil, &blocks, func() {
		var rows [][]string
		for _, b := range blocks.Items {
			rows = append(rows, []string{b.ID, b.Name, strings.Join(b.Plugins, ", "), b.line()})
		}
		_ = table(e.stdout, []string{"ID", "NAME", "PLUGINS", "STATE"}, rows)
	})
}

// aPlugin names a plugin of a bot.
type aPlugin struct {
	Bot    string `arg:"" help:"Bot."`
	Plugin string `arg:"" help:"kakao_sync, profile, location, secure_image, payment, task_chain or consult."`
}

func (p aPlugin) path() string { return botPath(p.Bot) + "/plugins/" + url.PathEscape(p.Plugin) }

type pluginRequest struct {
	remote
	aPlugin
}

// Run asks for a plugin.
func (c pluginRequest) Run(e *env) error {
	var p pluginRow
	return c.call(e, "POST", botPath(c.Bot)+"/plugins", map[string]string{"plugin": c.Plugin}, &p, func() { fmt.Fprintln(e.stdout, p.Plugin, p.line()) })
}

type pluginReview struct {
	remote
	aPlugin
	Passed bool `negatable:"" default:"true" help:"It has passed."`
}

// Run says what Kakao says of a plugin.
func (c pluginReview) Run(e *env) error {
	var p pluginRow
	return c.call(e, "PATCH", c.path(), map[string]bool{"reviewed": c.Passed}, &p, func() { fmt.Fprintln(e.stdout, p.Plugin, p.line()) })
}

type pluginRemove struct {
	remote
	aPlugin
}

// Run removes a plugin.
func (c pluginRemove) Run(e *env) error { return c.call(e, "DELETE", c.path(), nil, nil, nil) }

type pluginCertify struct {
	remote
	Bot      string   `arg:"" help:"Bot."`
	Block    string   `arg:"" help:"Block id that Kakao shows."`
	Name     string   `arg:"" optional:"" help:"Name of the block."`
	Plugins  []string `name:"plugin" help:"A plugin that it uses: kakao_sync, profile or location; may be given again."`
	Approved bool     `help:"Kakao has approved it."`
	Remove   bool     `help:"Take the block away."`
}

// Run says what Kakao says of a certification block.
func (c pluginCertify) Run(e *env) error {
	path := botPath(c.Bot) + "/certification-blocks/" + url.PathEscape(c.Block)
	if c.Remove {
		return c.call(e, "DELETE", path, nil, nil, nil)
	}
	plugins := c.Plugins
	if plugins == nil {
		plugins = []string{}
	}
	var b certificationRow
	body := map[string]any{"name": c.Name, "plugins": plugins, "approved": c.Approved}
	return c.call(e, "PUT", path, body, &b, func() { fmt.Fprintln(e.stdout, b.ID, b.line()) })
}
