package main

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/malgil/malgil/internal/app"
	"github.com/malgil/malgil/internal/fault"
)

// tokenCommand keeps API tokens.
type tokenCommand struct {
	Create tokenCreate `cmd:"" help:"Make a token; its secret is shown once."`
	List   tokenList   `cmd:"" help:"List tokens."`
	Revoke tokenRevoke `cmd:"" help:"End a token."`
}

type tokenCreate struct {
	remote
	Name      string    `arg:"" help:"What it is for."`
	Account   string    `help:"Person whom it stands for: it may what he may. Left out, yourself; the platform, with a token of its own."`
	Scopes    []string  `default:"send,read,billing,admin" help:"What it may do: send, read, billing, admin."`
	ExpiresAt time.Time `help:"When it ends, such as 2027-11-24T00:00:00+09:00; never, when left out."`
	First     bool      `help:"Write into the database itself, with the server at rest: how the first token is made."`
	DB        string    `name:"db" env:"MALGIL_DB" default:"sqlite:malgil.db" help:"Database, with --first."`
}

type tokenRow struct {
	ID         string    `json:"id"`
	Name       string    `json:"name"`
	Account    string    `json:"account"`
	Scopes     []string  `json:"scopes"`
	Secret     string    `json:"secret"`
	CreatedAt  time.Time `json:"created_at"`
	ExpiresAt  time.Time `json:"expires_at"`
	LastUsedAt time.Time `json:"last_used_at"`
	RevokedAt  time.Time `json:"revoked_at"`
}

// Run makes a token.
func (c tokenCreate) Run(e *env) error {
	if c.First {
		return c.first(e)
	}
	body := map[string]any{"name": c.Name, "scopes": c.Scopes}
	if c.Account != "" {
		body["account"] = c.Account
	}
	if !c.ExpiresAt.IsZero() {
		body["expires_at"] = c.ExpiresAt
	}
	var made tokenRow
	return c.call(e, "POST", "/api/v1/tokens", body, &made, func() { made.print(e) })
}

// first makes a token without a server.
func (c tokenCreate) first(e *env) error {
	if !c.ExpiresAt.IsZero() {
		return fault.Field("--expires-at", "does not go with --first; make tokens that expire through the server")
	}
	if c.Account != "" {
		return fault.Field("--account", "does not go with --first; the first token is the platform's own")
	}
	token, secret, err := app.FirstToken(e.ctx, c.DB, c.Name, c.Scopes)
	if err != nil {
		return err
	}
	if c.JSON {
		return json.NewEncoder(e.stdout).Encode(map[string]any{"id": token.ID, "name": token.Name, "scopes": token.Scopes, "secret": secret})
	}
	tokenRow{ID: token.ID, Name: token.Name, Scopes: c.Scopes, Secret: secret}.print(e)
	return nil
}

// print prints the secret alone on stdout, so that a script can take it.
func (t tokenRow) print(e *env) {
	fmt.Fprintln(e.stdout, t.Secret)
	fmt.Fprintf(e.stderr, "token %s (%s) may %s; it is not shown again\n", t.ID, t.Name, strings.Join(t.Scopes, ", "))
}

type tokenList struct {
	remote
	list
}

// Run lists tokens.
func (c tokenList) Run(e *env) error {
	header := []string{"ID", "NAME", "STANDS FOR", "MAY", "MADE", "EXPIRES", "LAST USED", "REVOKED"}
	return listAll(c.remote, e, c.list, "/api/v1/tokens", header, func(t tokenRow) []string {
		return []string{t.ID, t.Name, t.Account, strings.Join(t.Scopes, ","), when(t.CreatedAt), when(t.ExpiresAt), when(t.LastUsedAt), when(t.RevokedAt)}
	})
}

type tokenRevoke struct {
	remote
	ID string `arg:"" name:"token-id" help:"Id of the token, as the list shows it."`
}

// Run ends a token.
func (c tokenRevoke) Run(e *env) error {
	return c.call(e, "DELETE", "/api/v1/tokens/"+url.PathEscape(c.ID), nil, nil, nil)
}
