package main

import (
	"fmt"
	"net/url"
	"time"
)

// consentCommand keeps who agrees to the advertising of a bot.
type consentCommand struct {
	Add    consentAdd    `cmd:"" help:"Note that somebody agrees to the advertising of a bot, or confirms it."`
	Remove consentRemove `cmd:"" help:"Take a consent back that was noted by mistake."`
	List   consentList   `cmd:"" help:"List who agrees to the advertising of a bot."`
	Show   consentShow   `cmd:"" help:"What somebody said about the messages of a bot, and whether it counts."`
	Import consentImport `cmd:"" help:"Note everybody of a file."`
	Export consentExport `cmd:"" help:"Write everybody who agrees to a file."`
}

type consentAdd struct {
	listOf
	word
	NightAt time.Time `help:"When he agreed to advertising from 21:00 to 08:00; left out, he has not."`
}

// Run notes a consent.
func (c consentAdd) Run(e *env) error {
	body := map[string]any{}
	if !c.NightAt.IsZero() {
		body["night_at"] = c.NightAt
	}
	return c.put(e, c.listOf, consents, body)
}

type consentRemove struct {
	listOf
	aPerson
}

// Run takes a consent back.
func (c consentRemove) Run(e *env) error { return c.remove(e, c.listOf, consents) }

type consentList struct {
	listOf
	list
}

// Run lists consents.
func (c consentList) Run(e *env) error {
	return listAll(c.remote, e, c.list, c.path(consents), []string{"TYPE", "ID", "AT", "AT NIGHT", "SOURCE"}, func(s stanceRow) []string {
		return []string{s.Type, s.ID, when(s.At), when(s.NightAt), s.Source}
	})
}

type consentShow struct {
	listOf
	aPerson
}

// Run shows what somebody said.
func (c consentShow) Run(e *env) error {
	var s struct {
		Refusal *stanceRow `json:"suppression"`
		Consent *stanceRow `json:"consent"`
		Valid   bool       `json:"consent_valid"`
		AtNight bool       `json:"consent_valid_at_night"`
	}
	return c.call(e, "GET", c.path("stance")+"?"+c.query(), nil, &s, func() {
		if s.Refusal != nil {
			facts(e.stdout, "refuses", s.Refusal.Scope+" since "+when(s.Refusal.At), "source", s.Refusal.Source)
		}
		if s.Consent != nil {
			facts(e.stdout, "agreed", agreedAt(s.Consent.At, s.Valid), "for the night", agreedAt(s.Consent.NightAt, s.AtNight), "source", s.Consent.Source)
		}
		if s.Refusal == nil && s.Consent == nil {
			fmt.Fprintln(e.stdout, "he stands on neither list")
		}
	})
}

// agreedAt says when somebody agreed, and whether that counts; nothing for never.
func agreedAt(at time.Time, valid bool) string {
	if at.IsZero() || valid {
		return when(at)
	}
	return when(at) + "; two years are over, it counts no more"
}

type consentImport struct {
	listImport `set:"columns=at, night_at (a time, or Y) and source"`
}

// Run imports consents.
func (c consentImport) Run(e *env) error { return c.take(e, consents) }

type consentExport struct {
	listOf
	export
}

// Run exports consents.
func (c consentExport) Run(e *env) error {
	return c.write(e, c.remote, c.path(consents)+"/export", url.Values{})
}
