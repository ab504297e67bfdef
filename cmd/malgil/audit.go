package main

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/malgil/malgil/internal/fault"
)

// auditCommand reads the audit log.
type auditCommand struct {
	List   auditList   `cmd:"" help:"List who did what, newest first."`
	Verify auditVerify `cmd:"" help:"Walk along the chain of the log; exits 1 and names the first entry that does not hold."`
}

type auditRow struct {
	Seq     int64     `json:"seq"`
	At      time.Time `json:"at"`
	Token   string    `json:"token"`
	Account string    `json:"account"`
	Action  string    `json:"action"`
	Subject struct {
		Kind string `json:"kind"`
		ID   string `json:"id"`
	} `json:"subject"`
	Reason string          `json:"reason"`
	Before json.RawMessage `json:"before"`
	After  json.RawMessage `json:"after"`
}

type auditList struct {
	remote
	list
	Wallet  string `help:"Only what concerns a wallet."`
	Account string `help:"Only what a person did."`
	Action  string `help:"Only an action, such as put-member."`
	Kind    string `help:"Only what was done to a kind of thing, such as bot."`
	Subject string `help:"Only what was done to one thing, by its id."`
}

// Run lists the audit log.
func (c auditList) Run(e *env) error {
	narrow := url.Values{}
	for name, value := range map[string]string{"wallet": c.Wallet, "account": c.Account, "action": c.Action, "kind": c.Kind, "subject": c.Subject} {
		if value != "" {
			narrow.Set(name, value)
		}
	}
	header := []string{"NUMBER", "AT", "WHO", "ACTION", "WHAT", "BEFORE", "AFTER", "WHY"}
	return listAll(c.remote, e, c.list, "/api/v1/audit?"+narrow.Encode(), header, func(a auditRow) []string {
		who := a.Account
		if who == "" {
			who = a.Token
		}
		return []string{fmt.Sprint(a.Seq), when(a.At), who, a.Action, strings.TrimSpace(a.Subject.Kind + " " + a.Subject.ID), string(a.Before), string(a.After), a.Reason}
	})
}

type auditVerify struct {
	remote
}

// Run walks along the chain.
func (c auditVerify) Run(e *env) error {
	var report struct {
		Holds   bool   `json:"holds"`
		Entries int64  `json:"entries"`
		Head    string `json:"head"`
		Broken  int64  `json:"broken"`
		Why     string `json:"why"`
	}
	client, err := c.client()
	if err != nil {
		return err
	}
	var answer json.RawMessage
	if err := client.Call(e.ctx, "GET", "/api/v1/audit/verify", nil, &answer); err != nil {
		return err
	}
	if err := json.Unmarshal(answer, &report); err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	if c.JSON {
		fmt.Fprintln(e.stdout, string(answer))
	} else if report.Holds {
		fmt.Fprintf(e.stdout, "%d entries hold; keep the hash of the last elsewhere: %s\n", report.Entries, report.Head)
	}
	if !report.Holds {
		return fault.New(fault.Conflict, "entry %d does not hold: %s; the %d before it do", report.Broken, report.Why, report.Entries)
	}
	return nil
}
