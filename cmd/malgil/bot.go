package main

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/malgil/malgil/internal/fault"
)

// botCommand keeps bots, their blocks and channels.
type botCommand struct {
	Init       botInit       `cmd:"" help:"Write the folder of an example bot, to begin with. Needs no server."`
	Check      botCheck      `cmd:"" help:"Say everything that is wrong with the folder of a bot; exit 1 with a problem. Needs no server."`
	Create     botCreate     `cmd:"" help:"Take a bot in; prints the skill URL to enter at Kakao, once."`
	List       botList       `cmd:"" help:"List bots."`
	Show       botShow       `cmd:"" help:"People, channels and pause of a bot."`
	Change     botChange     `cmd:"" help:"Change what is given of a bot."`
	Member     botMember     `cmd:"" help:"Give a person a role on a bot, or take it away."`
	Explain    botExplain    `cmd:"" help:"Tell what words lead to, and why."`
	Replay     botReplay     `cmd:"" help:"How the last utterances would be answered at other minimum accuracies, as a table and a picture."`
	Unanswered botUnanswered `cmd:"" help:"What a bot had no answer to, put together by likeness."`
	Utterances botUtterances `cmd:"" help:"What was said to a bot, and how it was answered."`
	Import     botImport     `cmd:"" help:"Make all that a bot can say a new version, which its development channel runs."`
	Export     botExport     `cmd:"" help:"Write a version of a bot into a folder, as import takes it."`
	Teach      botTeach      `cmd:"" help:"Add an item to the knowledge base of a bot, as a new version."`
	Versions   botVersions   `cmd:"" help:"List the versions of a bot, the newest first."`
	Diff       botDiff       `cmd:"" help:"Show what a version changes: for users, where it is not compared with another."`
	Deploy     botDeploy     `cmd:"" help:"Make a version live."`
	Rollback   botRollback   `cmd:"" help:"Make live what was live before; again, to go back further."`
	Deploys    botDeploys    `cmd:"" help:"List what was live and when, the last first."`
	Blocks     botBlocks     `cmd:"" help:"List the blocks that a channel of a bot runs."`
	Channel    botChannel    `cmd:"" help:"Connect, disconnect or rename a channel of a bot, or say what Kakao says of it."`
	Plugin     botPlugin     `cmd:"" help:"Plugins of a bot, and its certification blocks."`
	App        botApp        `cmd:"" help:"Say what Kakao says of an app that channels are linked to."`
	Apps       botApps       `cmd:"" help:"List the apps that channels are linked to."`
	Purges     botPurges     `cmd:"" help:"What was removed of a bot's utterances, and when."`
	Resume     botResume     `cmd:"" help:"End the pause of a bot whose key, or Kakao's balance, was mended."`
	SkillKey   botSkillKey   `cmd:"" help:"Make a new skill URL; the old one ends at once."`

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
	Version  int64        `json:"version"`
	Live     int64        `json:"live_version"`
	Talking  struct {
		MinimumAccuracy int  `json:"minimum_accuracy"`
		ChooseWithin    int  `json:"choose_within"`
		HandoffAfter    int  `json:"handoff_after"`
		SecurityLevel   int  `json:"security_level"`
		PlainUserKeys   bool `json:"plain_user_keys"`
		WebhookCalls    int  `json:"webhook_calls"`
	} `json:"talking"`
	SkillURL string `json:"skill_url"`
}

func (b botRow) pause() string {
	if b.Paused == nil {
		return ""
	}
	return "for " + b.Paused.Reason + " since " + when(b.Paused.At)
}

// versions tells which versions run.
func (b botRow) versions() string {
	if b.Version == 0 {
		return "none"
	}
	live := "none is live"
	if b.Live != 0 {
		live = fmt.Sprintf("%d is live", b.Live)
	}
	return fmt.Sprintf("%d is the newest, with %d blocks; %s", b.Version, b.Blocks, live)
}

// talking tells how it finds its answers.
func (b botRow) talking() string {
	t := b.Talking
	keys := "hashed"
	if t.PlainUserKeys {
		keys = "plain"
	}
	return fmt.Sprintf("minimum accuracy %d, choose within %d, handoff after %d, security level %d, user keys %s, %d webhook calls",
		t.MinimumAccuracy, t.ChooseWithin, t.HandoffAfter, t.SecurityLevel, keys, t.WebhookCalls)
}

func (b botRow) print(e *env) {
	pairs := []string{"bot", b.ID, "name", b.Name, "wallet", b.Wallet, "rate", fmt.Sprintf("%d people/s, %d requests in flight", b.RatePerSecond, b.InFlight),
		"versions", b.versions(), "talking", b.talking(), "paused", b.pause()}
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

// botTalking is how a bot finds its answers, on both channels.
type botTalking struct {
	MinimumAccuracy *int  `help:"Score from which a knowledge item answers, 0 to 100."`
	ChooseWithin    *int  `help:"Answers whose scores are this close are offered to choose from; 0 never."`
	HandoffAfter    *int  `help:"Fallbacks in a row after which a person is offered; 0 never."`
	SecurityLevel   *int  `help:"How long utterances are kept: 1 for 3 days, 2 for 30, 3 for 180, 4 for 3 years."`
	PlainUserKeys   *bool `help:"Record user keys as they are, not hashed."`
	WebhookCalls    *int  `help:"Calls of its skill servers at a time, per process."`
}

// body is what is given of it, as the API takes it.
func (t botTalking) body() map[string]any {
	body := map[string]any{}
	for name, value := range map[string]*int{
		"minimum_accuracy": t.MinimumAccuracy, "choose_within": t.ChooseWithin, "handoff_after": t.HandoffAfter,
		"security_level": t.SecurityLevel, "webhook_calls": t.WebhookCalls,
	} {
		if value != nil {
			body[name] = *value
		}
	}
	if t.PlainUserKeys != nil {
		body["plain_user_keys"] = *t.PlainUserKeys
	}
	return body
}

type botChange struct {
	remote
	restKey
	Bot      string  `arg:"" help:"Bot."`
	Name     *string `help:"Name."`
	Wallet   *string `help:"Wallet that pays for its broadcasts; empty for none."`
	Rate     *int    `help:"People a second."`
	InFlight *int    `help:"Event API requests at a time."`
	botTalking
	Sending *string `help:"When and to whom it sends, a JSON object: hours by weekday, holidays, night, ad_consent, ad_text; {} for a new bot's."`
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
	if talking := c.botTalking.body(); len(talking) > 0 {
		body["talking"] = talking
	}
	if c.RestAPIKey != "" {
		body["rest_api_key"] = c.RestAPIKey
	}
	if len(body) == 0 {
		return fault.New(fault.Invalid, "nothing to change: give --name, --wallet, --rate, --in-flight, --sending, --rest-api-key, --minimum-accuracy or another of its settings")
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
