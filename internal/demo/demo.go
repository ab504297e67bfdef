package demo

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/malgil/malgil/internal/access"
	"github.com/malgil/malgil/internal/apiclient"
	"github.com/malgil/malgil/internal/app"
	"github.com/malgil/malgil/internal/clock"
	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/kakaopay"
	"github.com/malgil/malgil/internal/sandbox"
	"github.com/malgil/malgil/tasks"
)

// Demo is a whole installation in this process with the sandbox around it, seeded.
type Demo struct {
	World
	Books, Stationery Shop
	Ready             Ready

	app     *app.App
	sandbox *sandbox.Sandbox
	folder  string // of an embedded database, removed at the end
}

// Supplier stands on the demo's tax invoices. There is no such business.
var Supplier = app.Invoicing{
	SupplierNumber: "390-81-00125", SupplierName: "(주)말길데모", SupplierRepresentative: "김말길",
	SupplierAddress: "제주특별자치도 제주시 첨단로 1", SupplierType: "정보통신업", SupplierItem: "챗봇 메시지 발송",
	SupplierEmail: "tax@malgil.example",
}

// Ready is every address and credential that a script needs.
type Ready struct {
	Intake           string `json:"intake"`
	SkillURL         string `json:"skill_url"`
	CallbackSkillURL string `json:"callback_skill_url"` // a block that takes two seconds and calls back
	Sandbox          string `json:"sandbox"`
	Metrics          string `json:"metrics"`
	APIToken         string `json:"api_token"`
	Bot              string `json:"bot"`
	Wallet           string `json:"wallet"`
	Event            string `json:"event"` // event name set on a block of the bot
}

// preferred are the addresses that a demo takes when they are free, so that what a person copied
// yesterday works today.
var preferred = struct{ intake, sandbox, metrics string }{"127.0.0.1:8080", "127.0.0.1:8081", "127.0.0.1:8082"}

// Anywhere is for [app.Config.Listen] of a demo that nobody looks for: it listens on free ports.
const Anywhere = "127.0.0.1:0"

// Start starts a demo. Of config its parts, which must be empty, and its rules are used; without
// parts they are embedded. Secrets are the demo's own, and so are addresses, unless config listens [Anywhere].
func Start(ctx context.Context, config app.Config, log *slog.Logger) (_ *Demo, err error) {
	d := &Demo{}
	defer func() {
		if err != nil {
			err = errors.Join(err, d.Close(context.WithoutCancel(ctx)))
		}
	}()
	clk := &clock.Clock{}
	var running atomic.Pointer[app.App]
	d.sandbox, err = sandbox.Start(context.WithoutCancel(ctx), sandbox.Options{
		Clock:       clk,
		HTTPAddress: address(config, preferred.sandbox),
		MoveClock: func(ctx context.Context, to time.Time) error {
			if a := running.Load(); a != nil {
				return a.MoveClock(ctx, to)
			}
			return fault.New(fault.Unavailable, "the demo is still starting")
		},
		KakaoPaySecret: "demo-kakaopay-secret",
		BankSecret:     "demo-bank-secret",
		TaxSecret:      "demo-tax-secret",
	})
	if err != nil {
		return d, fmt.Errorf("start the sandbox: %w", err)
	}
	if config, err = d.configure(ctx, config); err != nil {
		return d, err
	}
	roles := app.Roles{Intake: true, Scheduler: true, Pools: tasks.Queues}
	if d.app, err = app.Start(ctx, config, roles, clk, log); err != nil {
		return d, fmt.Errorf("start malgil: %w", err)
	}
	running.Store(d.app)
	return d, d.seed(ctx)
}

// configure points a configuration at the sandbox.
func (d *Demo) configure(ctx context.Context, config app.Config) (app.Config, error) {
	var err error
	if config.DB == "" {
		if d.folder, err = os.MkdirTemp("", "malgil-demo-"); err != nil {
			return config, fmt.Errorf("make a folder for the demo's database: %w", err)
		}
		config.DB = "sqlite:" + filepath.Join(d.folder, "demo.db")
	}
	if err := app.MigrateEmpty(ctx, config); err != nil {
		return config, err
	}
	if config.SealKeys == "" || config.HashKey == "" {
		keys, err := app.NewKeys()
		if err != nil {
			return config, err
		}
		config.SealKeys, config.HashKey = keys.Seal, keys.Hash
	}
	config.Listen, config.MetricsListen, config.PublicURL = address(config, preferred.intake), address(config, preferred.metrics), ""
	config.KakaoURL, config.KakaoPayURL, config.KakaoPaySecret = d.sandbox.URL(), d.sandbox.URL(), "demo-kakaopay-secret"
	config.KakaoPayOnceCID, config.KakaoPayRepeatCID = kakaopay.TestCIDOnce, kakaopay.TestCIDRecurring
	config.BankURL, config.BankSecret = d.sandbox.URL(), "demo-bank-secret"
	config.Invoicing = Supplier
	config.TaxURL, config.TaxSecret = d.sandbox.URL(), "demo-tax-secret"
	config.SMTP = "smtp://" + d.sandbox.SMTPAddress() + "?tls=none&from=no-reply@malgil.example"
	config.Sandboxed = true
	config.SettlementSpread = 0 // a clock that is moved need not wait for a turn
	return config, nil
}

// address returns where a part of a demo listens.
func address(config app.Config, preferred string) string {
	if config.Listen == Anywhere {
		return Anywhere
	}
	return free(preferred)
}

// free returns an address when nobody listens on it, else a free port of loopback.
func free(address string) string {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return "127.0.0.1:0"
	}
	_ = listener.Close()
	return address
}

func everyScope() []string {
	words := make([]string, len(access.Scopes))
	for i, scope := range access.Scopes {
		words[i] = string(scope)
	}
	return words
}

func (d *Demo) seed(ctx context.Context) error {
	_, secret, err := d.app.IssueToken(ctx, "demo", everyScope())
	if err != nil {
		return fmt.Errorf("make the demo's token: %w", err)
	}
	d.World = World{API: apiclient.New(d.app.IntakeURL, secret), Sandbox: apiclient.New(d.sandbox.URL(), "")}
	if d.Books, d.Stationery, err = d.World.Seed(ctx); err != nil {
		return err
	}
	d.Ready = Ready{
		Intake: d.app.IntakeURL, SkillURL: d.Books.SkillURL, CallbackSkillURL: d.Books.SlowURL(), Sandbox: d.sandbox.URL(),
		Metrics: d.app.MetricsURL, APIToken: secret, Bot: d.Books.Bot, Wallet: d.Books.Wallet, Event: event,
	}
	return nil
}

// Close ends everything and removes an embedded database.
func (d *Demo) Close(ctx context.Context) error {
	var errs []error
	if d.app != nil {
		errs = append(errs, d.app.Close(ctx))
	}
	if d.sandbox != nil {
		errs = append(errs, d.sandbox.Close(ctx))
	}
	if d.folder != "" {
		errs = append(errs, os.RemoveAll(d.folder))
	}
	return errors.Join(errs...)
}
