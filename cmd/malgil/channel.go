package main

import (
	"fmt"
	"net/url"
	"strings"
	"time"
)

// channelRow is one side of a bot.
type channelRow struct {
	Side     string `json:"side"`
	Name     string `json:"name"`
	State    string `json:"state"`
	Cause    string `json:"cause"`
	App      string `json:"app"`
	Verified bool   `json:"verified"`
	Deployed bool   `json:"deployed"`
}

// line tells a channel in one line.
func (c channelRow) line() string {
	words := []string{c.Side, c.Name, c.State}
	if c.Cause != "" {
		words = append(words, "by "+c.Cause)
	}
	if c.Verified {
		words = append(words, "verified")
	}
	if c.Deployed {
		words = append(words, "deployed")
	}
	if c.App != "" {
		words = append(words, "app "+c.App)
	}
	return strings.Join(words, " ")
}

type botChannel struct {
	remote
	Bot        string  `arg:"" help:"Bot."`
	Side       string  `arg:"" enum:"live,development" help:"live or development."`
	Name       string  `arg:"" optional:"" help:"Name of the KakaoTalk channel; it connects a new one."`
	Connect    bool    `help:"Connect it again." xor:"connection"`
	Disconnect bool    `help:"Disconnect it: broadcasts on it wait." xor:"connection"`
	Verified   *bool   `negatable:"" help:"It is a business channel."`
	Deployed   *bool   `negatable:"" help:"The blocks were deployed to it."`
	App        *string `help:"Kakao app that it is linked to; an empty one unlinks it."`
	Force      bool    `help:"Disconnect or unlink a development channel although that breaks plugins of an approved certification block."`
}

// Run changes what is given of a channel, and shows it.
func (c botChannel) Run(e *env) error {
	path := botPath(c.Bot) + "/channels/" + c.Side
	change := map[string]any{}
	for name, value := range map[string]*bool{"verified": c.Verified, "deployed": c.Deployed} {
		if value != nil {
			change[name] = *value
		}
	}
	if c.App != nil {
		change["app"] = *c.App
		if c.Force {
			change["force"] = true
		}
	}
	type call struct {
		method, path string
		in           any
	}
	var calls []call
	if c.Name != "" {
		calls = append(calls, call{"PUT", path, map[string]string{"name": c.Name}})
	}
	if c.Connect {
		calls = append(calls, call{"POST", path + "/connect", nil})
	}
	if c.Disconnect {
		calls = append(calls, call{"POST", path + "/disconnect", map[string]bool{"force": c.Force}})
	}
	if len(change) > 0 || len(calls) == 0 { // without a change it says how things stand
		calls = append(calls, call{"PATCH", path, change})
	}
	for i, one := range calls {
		var channel channelRow
		show := func() { fmt.Fprintln(e.stdout, channel.line()) }
		r := c.remote
		if i < len(calls)-1 {
			show, r.JSON = nil, false
		}
		if err := r.call(e, one.method, one.path, one.in, &channel, show); err != nil {
			return err
		}
	}
	return nil
}

// appRow is a Kakao app.
type appRow struct {
	ID        string    `json:"id"`
	Name      string    `json:"name"`
	Verified  bool      `json:"verified"`
	KakaoSync bool      `json:"kakao_sync"`
	CreatedAt time.Time `json:"created_at"`

	TermsReviewed        bool `json:"terms_reviewed"`
	PersonalDataNeeded   bool `json:"personal_data_needed"`
	PersonalDataReviewed bool `json:"personal_data_reviewed"`
}

type botApp struct {
	remote
	App       string `arg:"" help:"Kakao's app id."`
	Name      string `arg:"" help:"Its name."`
	Verified  bool   `help:"It is a biz-app: business certification passed."`
	KakaoSync bool   `help:"Kakao Sync is linked."`

	TermsReviewed        bool `help:"Kakao has reviewed the terms of the simple signup."`
	PersonalDataNeeded   bool `help:"It uses personal-data items of Kakao Login that Kakao reviews."`
	PersonalDataReviewed bool `help:"Kakao has reviewed them."`
}

// Run says what Kakao says of an app.
func (c botApp) Run(e *env) error {
	var app appRow
	body := map[string]any{"name": c.Name, "verified": c.Verified, "kakao_sync": c.KakaoSync,
		"terms_reviewed": c.TermsReviewed, "personal_data_needed": c.PersonalDataNeeded, "personal_data_reviewed": c.PersonalDataReviewed}
	return c.call(e, "PUT", "/api/v1/apps/"+url.PathEscape(c.App), body, &app, func() { fmt.Fprintln(e.stdout, app.ID) })
}

type botApps struct {
	remote
	list
}

// Run lists apps.
func (c botApps) Run(e *env) error {
	yes := map[bool]string{true: "yes"}
	return listAll(c.remote, e, c.list, "/api/v1/apps", []string{"ID", "NAME", "VERIFIED", "KAKAO SYNC", "TERMS", "PERSONAL DATA"}, func(a appRow) []string {
		personal := yes[a.PersonalDataReviewed]
		if a.PersonalDataNeeded && personal == "" {
			personal = "needed"
		}
		return []string{a.ID, a.Name, yes[a.Verified], yes[a.KakaoSync], yes[a.TermsReviewed], personal}
	})
}
