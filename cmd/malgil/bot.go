package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/malgil/malgil/internal/fault"
)

// botCommand keeps bots, their blocks and channels.
type botCommand struct {
	Init     botInit     `cmd:"" help:"Write the folder of an example bot, to begin with. Needs no server."`
	Check    botCheck    `cmd:"" help:"Say everything that is wrong with the folder of a bot; exit 1 with a problem. Needs no server."`
	Create   botCreate   `cmd:"" help:"Take a bot in; prints the skill URL to enter at Kakao, once."`
	List     botList     `cmd:"" help:"List bots."`
	Show     botShow     `cmd:"" help:"People, channels and pause of a bot."`
	Change   botChange   `cmd:"" help:"Change what is given of a bot."`
	Member   botMember   `cmd:"" help:"Give a person a role on a bot, or take it away."`
	Blocks   botBlocks   `cmd:"" help:"List the blocks of a bot, or replace them from a file."`
	Explain  botExplain  `cmd:"" help:"Tell what words lead to, and why."`
	Channel  botChannel  `cmd:"" help:"Connect, disconnect or rename a channel of a bot, or say what Kakao says of it."`
	Plugin   botPlugin   `cmd:"" help:"Plugins of a bot, and its certification blocks."`
	App      botApp      `cmd:"" help:"Say what Kakao says of an app that channels are linked to."`
	Apps     botApps     `cmd:"" help:"List the apps that channels are linked to."`
	Purges   botPurges   `cmd:"" help:"What was removed of a bot's utterances, and when."`
	Resume   botResume   `cmd:"" help:"End the pause of a bot whose key, or Kakao's balance, was mended."`
	SkillKey botSkillKey `cmd:"" help:"Make a new skill URL; the old one ends at once."`

	WebhookSecret botWebhookSecret `cmd:"" help:"Make a new secret that calls of the bot's skill servers are signed with; prints it, this once."`
}

type botRow struct {
	ID            string `json:"id"`
	Name          string `json:"name"`
	Wallet        string `json:"wallet"`
	RatePerSecond int    `json:"rate_per_second"`
	InFlight      int    `json:"in_flight"`
	Paused        *struct {
		Reason string    `json:"reason"`
		At     time.Time `json:"at"`
	} `json:"paused"`
	Members []struct {
		Account string `json:"account"`
		Role    string `json:"role"`
	} `json:"members"`
	Channels []channelRow `json:"channels"`
	Blocks   int          `json:"blocks"`
	Version  int          `json:"version"`
	SkillURL string       `json:"skill_url"`
}

func (b botRow) pause() string {
	if b.Paused == nil {
		return ""
	}
	return "for " + b.Paused.Reason + " since " + when(b.Paused.At)
}

func (b botRow) print(e *env) {
	pairs := []string{"bot", b.ID, "name", b.Name, "wallet", b.Wallet, "rate", fmt.Sprintf("%d people/s, %d requests in flight", b.RatePerSecond, b.InFlight),
		"blocks", fmt.Sprintf("%d, version %d", b.Blocks, b.Version), "paused", b.pause()}
	for _, c := range b.Channels {
		pairs = append(pairs, c.Side, strings.TrimPrefix(c.line(), c.Side+" "))
	}
	for _, m := range b.Members {
		pairs = append(pairs, m.Role, m.Account)
	}
	facts(e.stdout, pairs...)
}

func botPath(id string) string { return "/api/v1/bots/" + url.PathEscape(id) }

// restKey is a REST API key as a command takes it: not as an argument, which others on the
// machine can read.
type restKey struct {
	RestAPIKey string `name:"rest-api-key" env:"MALGIL_BOT_REST_API_KEY" secret:"" help:"REST API key of the app that the channel is linked to; better set in the environment."`
}

type botCreate struct {
	remote
	restKey
	Bot      string   `arg:"" help:"Kakao's bot id, without the ! of the development channel."`
	Name     string   `arg:"" help:"Name of the bot."`
	Wallet   string   `help:"Wallet that pays for its broadcasts."`
	Rate     int      `help:"People a second; 500, when left out."`
	InFlight int      `help:"Event API requests at a time; 8, when left out."`
	Masters  []string `name:"master" help:"Accounts of its masters."`
	Workers  []string `name:"operator" help:"Accounts of its operators."`
}

// Run takes a bot in.
func (c botCreate) Run(e *env) error {
	body := map[string]any{"id": c.Bot, "name": c.Name, "rest_api_key": c.RestAPIKey}
	if c.Wallet != "" {
		body["wallet"] = c.Wallet
	}
	if c.Rate != 0 {
		body["rate_per_second"] = c.Rate
	}
	if c.InFlight != 0 {
		body["in_flight"] = c.InFlight
	}
	members := []map[string]string{}
	for _, account := range c.Masters {
		members = append(members, map[string]string{"account": account, "role": "master"})
	}
	for _, account := range c.Workers {
		members = append(members, map[string]string{"account": account, "role": "operator"})
	}
	if len(members) > 0 {
		body["members"] = members
	}
	var made botRow
	return c.call(e, "POST", "/api/v1/bots", body, &made, func() {
		fmt.Fprintln(e.stdout, made.SkillURL)
		fmt.Fprintln(e.stderr, "enter this skill URL at Kakao; it is not shown again")
	})
}

type botList struct {
	remote
	list
}

// Run lists bots.
func (c botList) Run(e *env) error {
	return listAll(c.remote, e, c.list, "/api/v1/bots", []string{"ID", "NAME", "WALLET", "BLOCKS", "PAUSED"}, func(b botRow) []string {
		return []string{b.ID, b.Name, b.Wallet, fmt.Sprint(b.Blocks), b.pause()}
	})
}

type botShow struct {
	remote
	Bot string `arg:"" help:"Bot."`
}

// Run shows a bot.
func (c botShow) Run(e *env) error {
	var b botRow
	return c.call(e, "GET", botPath(c.Bot), nil, &b, func() { b.print(e) })
}

type botChange struct {
	remote
	restKey
	Bot      string  `arg:"" help:"Bot."`
	Name     *string `help:"Name."`
	Wallet   *string `help:"Wallet that pays for its broadcasts; empty for none."`
	Rate     *int    `help:"People a second."`
	InFlight *int    `help:"Event API requests at a time."`
	Sending  *string `help:"When and to whom it sends, a JSON object: hours by weekday, holidays, night, ad_consent, ad_text; {} for a new bot's."`
}

// Run changes a bot.
func (c botChange) Run(e *env) error {
	body := map[string]any{}
	if c.Name != nil {
		body["name"] = *c.Name
	}
	if c.Wallet != nil {
		body["wallet"] = *c.Wallet
	}
	if c.Rate != nil {
		body["rate_per_second"] = *c.Rate
	}
	if c.InFlight != nil {
		body["in_flight"] = *c.InFlight
	}
	if c.Sending != nil {
		if !json.Valid([]byte(*c.Sending)) {
			return fault.Field("--sending", `is not JSON; such as {"hours": {"mon": "09:00-18:00"}}`)
		}
		body["sending"] = json.RawMessage(*c.Sending)
	}
	if c.RestAPIKey != "" {
		body["rest_api_key"] = c.RestAPIKey
	}
	if len(body) == 0 {
		return fault.New(fault.Invalid, "nothing to change: give --name, --wallet, --rate, --in-flight, --sending or --rest-api-key")
	}
	var b botRow
	return c.call(e, "PATCH", botPath(c.Bot), body, &b, func() { b.print(e) })
}

type botMember struct {
	remote
	Bot     string `arg:"" help:"Bot."`
	Account string `arg:"" help:"Account."`
	Role    string `enum:"master,operator,viewer" default:"operator" help:"master, operator or viewer."`
	Remove  bool   `help:"Take the person off the bot, and with him the wallet permission that rests on it."`
}

// Run changes one member in the list of all; of two people who do that at once, the later one wins.
func (c botMember) Run(e *env) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	var b botRow
	if err := client.Call(e.ctx, "GET", botPath(c.Bot), nil, &b); err != nil {
		return err
	}
	members, was := []map[string]string{}, false
	for _, m := range b.Members {
		if m.Account == c.Account {
			was = true
			continue
		}
		members = append(members, map[string]string{"account": m.Account, "role": m.Role})
	}
	if c.Remove && !was {
		return fault.New(fault.NotFound, "%s has no role on bot %s", c.Account, c.Bot)
	}
	if !c.Remove {
		members = append(members, map[string]string{"account": c.Account, "role": c.Role})
	}
	return c.call(e, "PATCH", botPath(c.Bot), map[string]any{"members": members}, &b, func() { b.print(e) })
}

type botBlocks struct {
	remote
	Bot  string `arg:"" help:"Bot."`
	File string `arg:"" optional:"" help:"JSON file with the whole list, as the list with --json prints it; - for standard input."`
}

// Run lists or replaces blocks.
func (c botBlocks) Run(e *env) error {
	path := botPath(c.Bot) + "/blocks"
	if c.File == "" {
		var blocks struct {
			Items []struct {
				ID, Name, Kind string
				Event          string `json:"event_name"`
				Callback       bool   `json:"callback"`
				DelayMS        int64  `json:"delay_ms"`
			}
		}
		return c.call(e, "GET", path, nil, &blocks, func() {
			var rows [][]string
			for _, b := range blocks.Items {
				how := ""
				if b.Callback {
					how = "callback"
				}
				if b.DelayMS > 0 {
					how = strings.TrimSpace(how + " after " + (time.Duration(b.DelayMS) * time.Millisecond).String())
				}
				rows = append(rows, []string{b.ID, b.Name, b.Kind, b.Event, how})
			}
			_ = table(e.stdout, []string{"ID", "NAME", "KIND", "EVENT", "ANSWERS"}, rows) // as any print to a terminal
		})
	}
	blocks, err := readBlocks(c.File)
	if err != nil {
		return err
	}
	var put struct{ Version, Blocks int }
	return c.call(e, "PUT", path, map[string]any{"blocks": blocks}, &put, func() {
		fmt.Fprintf(e.stdout, "%d blocks, version %d\n", put.Blocks, put.Version)
	})
}

// readBlocks reads a list of blocks: alone, or under "blocks" or "items".
func readBlocks(name string) (json.RawMessage, error) {
	in := os.Stdin
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, fault.Field("file", "cannot be opened: %v", err)
		}
		defer f.Close()
		in = f
	}
	text, err := io.ReadAll(in)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	var under struct{ Blocks, Items json.RawMessage }
	if err := json.Unmarshal(text, &under); err == nil {
		if under.Blocks != nil {
			return under.Blocks, nil
		}
		if under.Items != nil {
			return under.Items, nil
		}
	}
	if !json.Valid(text) {
		return nil, fault.Field("file", "%s is not JSON", name)
	}
	return text, nil
}

type botResume struct {
	remote
	Bot string `arg:"" help:"Bot."`
}

// Run ends a pause.
func (c botResume) Run(e *env) error {
	var b botRow
	return c.call(e, "POST", botPath(c.Bot)+"/resume", nil, &b, func() { b.print(e) })
}

type botSkillKey struct {
	remote
	Bot string `arg:"" help:"Bot."`
}

// Run makes a new skill URL.
func (c botSkillKey) Run(e *env) error {
	var made struct {
		SkillURL string `json:"skill_url"`
	}
	return c.call(e, "POST", botPath(c.Bot)+"/skill-key", nil, &made, func() { fmt.Fprintln(e.stdout, made.SkillURL) })
}

type botWebhookSecret struct {
	remote
	Bot string `arg:"" help:"Bot."`
}

// Run makes a new secret.
func (c botWebhookSecret) Run(e *env) error {
	var made struct {
		Secret      string    `json:"secret"`
		FormerUntil time.Time `json:"former_until"`
	}
	return c.call(e, "POST", botPath(c.Bot)+"/webhook-secret", nil, &made, func() {
		fmt.Fprintln(e.stdout, made.Secret)
		if !made.FormerUntil.IsZero() {
			fmt.Fprintln(e.stderr, "calls are signed with the one before too until "+when(made.FormerUntil))
		}
	})
}
