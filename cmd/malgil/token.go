package main

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/malgil/malgil/internal/app"
)

// tokenCommand makes API tokens.
type tokenCommand struct {
	Create tokenCreate `cmd:"" help:"Make a token; its secret is shown once."`
}

type tokenCreate struct {
	Name   string   `arg:"" help:"What it is for."`
	Scopes []string `default:"send,read,billing,admin" help:"What it may do: send, read, billing, admin."`
	First  bool     `required:"" help:"Write into the database itself, with the server at rest: how the first token is made."`
	DB     string   `name:"db" env:"MALGIL_DB" default:"sqlite:malgil.db" help:"Database."`
	JSON   bool     `help:"As one JSON object."`
}

// Run makes a token.
func (c tokenCreate) Run(e *env) error {
	token, secret, err := app.FirstToken(e.ctx, c.DB, c.Name, c.Scopes)
	if err != nil {
		return err
	}
	if c.JSON {
		return json.NewEncoder(e.stdout).Encode(map[string]any{"id": token.ID, "name": token.Name, "scopes": token.Scopes, "secret": secret})
	}
	fmt.Fprintf(e.stdout, "%s\n", secret)
	fmt.Fprintf(e.stderr, "token %s (%s) may %s; it is not shown again\n", token.ID, token.Name, strings.Join(c.Scopes, ", "))
	return nil
}
