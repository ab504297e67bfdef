package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/malgil/malgil/internal/clock"
	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/sandbox"
)

// sandboxCommand serves the stand-ins for Kakao, KakaoPay, a bank, a carrier of tax invoices and the mailbox.
type sandboxCommand struct {
	Listen      string `env:"MALGIL_SANDBOX_LISTEN" default:"127.0.0.1:8081" help:"Address of Kakao, KakaoPay and the admin."`
	SMTPListen  string `name:"smtp-listen" env:"MALGIL_SANDBOX_SMTP_LISTEN" default:"127.0.0.1:8025" help:"Address of the mail server."`
	AllowRemote bool   `env:"MALGIL_SANDBOX_ALLOW_REMOTE" help:"Listen and call beyond loopback, as between containers. Whoever reaches it can do everything with it."`
	PublicURL   string `name:"public-url" env:"MALGIL_SANDBOX_URL" help:"Where payers and callbacks reach it, when that is not where it listens."`
	Secret      string `env:"MALGIL_KAKAOPAY_SECRET" help:"Secret key that its KakaoPay asks for; empty takes any."`
	BankSecret  string `env:"MALGIL_BANK_SECRET" help:"Secret that its bank asks for; empty takes any."`
	TaxSecret   string `env:"MALGIL_TAX_SECRET" help:"Secret that its carrier of tax invoices asks for; empty takes any."`
	KakaoURL    string `hidden:"" name:"kakao-url" env:"MALGIL_KAKAO_URL"`
	Pay         string `hidden:"" name:"kakaopay-url" env:"MALGIL_KAKAOPAY_URL"`
}

// Run serves until the process is told to stop. Beside a configuration of the real Kakao or
// KakaoPay it refuses to start. Its clock cannot be moved: other processes would not follow.
func (c sandboxCommand) Run(e *env) error {
	for name, value := range map[string]string{"MALGIL_KAKAO_URL": c.KakaoURL, "MALGIL_KAKAOPAY_URL": c.Pay} {
		if isReal(value) {
			return fault.Field(name, "names the real service; the sandbox does not run in a production configuration")
		}
	}
	s, err := sandbox.Start(context.WithoutCancel(e.ctx), sandbox.Options{
		Clock: &clock.Clock{}, HTTPAddress: c.Listen, SMTPAddress: c.SMTPListen, AllowRemote: c.AllowRemote,
		PublicURL: c.PublicURL, KakaoPaySecret: c.Secret, BankSecret: c.BankSecret, TaxSecret: c.TaxSecret,
		MoveClock: fixedClock,
	})
	if err != nil {
		return fault.Wrap(fault.Invalid, err, "start the sandbox")
	}
	ready := map[string]string{"sandbox": s.URL(), "smtp": s.SMTPAddress()}
	if err := json.NewEncoder(e.stdout).Encode(ready); err != nil {
		return fmt.Errorf("say where the sandbox is: %w", err)
	}
	<-e.ctx.Done()
	return s.Close(context.WithoutCancel(e.ctx))
}

func fixedClock(context.Context, time.Time) error {
	return fault.New(fault.Conflict, "the clock of a sandbox of its own cannot be moved: other processes would not follow; use malgil demo")
}

// isReal reports whether an address is Kakao's or KakaoPay's own.
func isReal(address string) bool {
	u, err := url.Parse(address)
	if err != nil {
		return false
	}
	host := strings.ToLower(u.Hostname())
	return strings.HasSuffix(host, ".kakao.com") || strings.HasSuffix(host, ".kakaopay.com")
}
