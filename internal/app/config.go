package app

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"log/slog"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/mail"
	"github.com/malgil/malgil/internal/queue"
	"github.com/malgil/malgil/internal/seal"
	"github.com/malgil/malgil/internal/skillserver"
	"github.com/malgil/malgil/internal/trace"
	"github.com/malgil/malgil/internal/wallet"
)

// Config is everything that can be set, by flag or environment (MALGIL_…). Secrets may come from
// a file named by MALGIL_…_FILE instead.
type Config struct {
	Parts `embed:""`

	Listen        string `env:"MALGIL_LISTEN" default:"127.0.0.1:8080" help:"Address of the HTTP intake."`
	MetricsListen string `env:"MALGIL_METRICS_LISTEN" default:"127.0.0.1:9100" help:"Address of /metrics; empty for none."`
	PublicURL     string `name:"public-url" env:"MALGIL_PUBLIC_URL" url:"" default:"http://127.0.0.1:8080" help:"Where people and Kakao reach the intake; goes into skill URLs and payment returns."`

	KakaoURL          string   `name:"kakao-url" env:"MALGIL_KAKAO_URL" url:"" default:"https://bot-api.kakao.com" help:"Event API."`
	SkillPrivateHosts []string `env:"MALGIL_SKILL_PRIVATE_HOSTS" placeholder:"HOST" help:"Hosts of skill servers that may be on a private network, and be spoken to over plain HTTP, for every bot; a leading dot means any host below. At the ports 80 and 443, or at the one of HOST:PORT."`
	CallbackHosts     []string `env:"MALGIL_CALLBACK_HOSTS" default:".kakao.com" help:"Hosts that callback URLs may name; a leading dot means any host below."`

	KakaoPayURL       string `name:"kakaopay-url" env:"MALGIL_KAKAOPAY_URL" url:"" default:"https://open-api.kakaopay.com" help:"Card gateway."`
	KakaoPaySecret    string `name:"kakaopay-secret" env:"MALGIL_KAKAOPAY_SECRET" secret:"" help:"Secret key of the card gateway."`
	KakaoPayOnceCID   string `name:"kakaopay-cid" env:"MALGIL_KAKAOPAY_CID" default:"TC0ONETIME" help:"Merchant code for top-ups."`
	KakaoPayRepeatCID string `name:"kakaopay-recurring-cid" env:"MALGIL_KAKAOPAY_RECURRING_CID" default:"TCSUBSCRIP" help:"Merchant code for registered cards."`

	BankURL    string `name:"bank-url" env:"MALGIL_BANK_URL" url:"" placeholder:"URL" help:"Bank for top-ups by transfer and their refunds; without it wallets pay by card only."`
	BankSecret string `name:"bank-secret" env:"MALGIL_BANK_SECRET" secret:"" help:"Secret of the bank."`

	Invoicing `embed:""`

	SMTP string `name:"smtp" env:"MALGIL_SMTP" secret:"" placeholder:"URL" help:"Mail server: smtp://user:password@host:587?tls=starttls&from=address ."`

	SealKeys string `env:"MALGIL_SEAL_KEYS" secret:"" help:"Keys that seal card keys and API keys; made beside a SQLite file when empty."`
	HashKey  string `env:"MALGIL_HASH_KEY" secret:"" help:"Key under which user keys are hashed, 32 bytes in base64; made beside a SQLite file when empty."`

	Trace      string  `env:"MALGIL_TRACE" url:"" placeholder:"URL" help:"Where traces go: file:<path>, or the URL of an OpenTelemetry collector such as http://localhost:4318/v1/traces; empty for none."`
	TraceShare float64 `env:"MALGIL_TRACE_SHARE" default:"1" help:"Share of the traces that are kept, 0 to 1."`

	SettlementSpread time.Duration `env:"MALGIL_SETTLEMENT_SPREAD" default:"10m" help:"Over which the charges of a settlement are spread; 0 for all at once."`
	Rules            `embed:""`

	// Sandboxed widens what only the demo and tests may do: callbacks to loopback over plain HTTP,
	// and a public URL that is where the intake listens.
	Sandboxed bool `kong:"-"`
}

// Parts are where an installation keeps everything.
type Parts struct {
	DB    string `name:"db" env:"MALGIL_DB" url:"" placeholder:"URL" help:"Database: sqlite:<path> for one process, or postgres://… ."`
	Redis string `name:"redis" env:"MALGIL_REDIS" placeholder:"URL" secret:"" help:"Queue: redis://…, redis-sentinel://… or redis-cluster://…; empty for one inside the process."`
}

// Rules are how an installation works, wherever its parts and the services around it are.
type Rules struct {
	Price            wallet.KRW    `env:"MALGIL_PRICE_KRW" default:"15" help:"First price of a delivered message, without VAT; afterwards the price list decides (malgil price set)."`
	ChargeThreshold  wallet.KRW    `env:"MALGIL_CHARGE_THRESHOLD_KRW" default:"500000" help:"Accrual from which on a card is charged at once."`
	SettlementPolicy wallet.Policy `env:"MALGIL_SETTLEMENT_POLICY" default:"threshold_or_daily" help:"When less than the threshold is charged: threshold_or_daily at 00:00 in Korea, threshold_or_month_end at 00:00 of the 1st."`
	ChargeSlice      wallet.KRW    `env:"MALGIL_CHARGE_SLICE_KRW" default:"500000" help:"Most supply value of one charge."`
	LongUnpaid       time.Duration `env:"MALGIL_LONG_UNPAID" default:"120h" help:"How long a wallet is unpaid before its people are told of a long failure."`
	CardAmount       wallet.KRW    `env:"MALGIL_CARD_AMOUNT_KRW" default:"0" help:"What the registration of a card costs, with VAT; above 0 it is given back at once."`
	StormAttempts    int           `env:"MALGIL_STORM_ATTEMPTS" default:"30" help:"How many attempts of the last hour the storm guard looks at."`
	StormDeclines    int           `env:"MALGIL_STORM_DECLINES" default:"20" help:"Declines among them after which nobody is charged for a while; 0 for no guard."`
	StormPause       time.Duration `env:"MALGIL_STORM_PAUSE" default:"10m" help:"For how long."`
	AccrualCap       wallet.KRW    `env:"MALGIL_ACCRUAL_CAP_KRW" default:"10000000" help:"Most that a wallet may owe, holds included."`
	ReplyBudget      time.Duration `env:"MALGIL_REPLY_BUDGET" default:"4s" help:"How long an utterance without a callback waits for its answer."`
	CallbackBudget   time.Duration `env:"MALGIL_CALLBACK_BUDGET" default:"1500ms" help:"How long one with a callback waits before it is called back."`
	SkillServerTime  time.Duration `env:"MALGIL_SKILL_SERVER_TIME" default:"50s" help:"How long the skill server of a block may take where Kakao can be called back; without a callback it has the reply budget."`
	SkillServerCalls int           `env:"MALGIL_SKILL_SERVER_CALLS" default:"2048" help:"Calls of skill servers at a time in one process, of all bots, those in line included."`
	SendLease        time.Duration `env:"MALGIL_SEND_LEASE" default:"30s" help:"After this, a request that nobody reported on is in doubt."`
	ConfirmAbove     int           `env:"MALGIL_CONFIRM_ABOVE" default:"10000" help:"Above so many people, who seals a broadcast says how many they are; 0 for never."`
	ApproveAbove     wallet.KRW    `env:"MALGIL_APPROVE_ABOVE_KRW" default:"0" help:"Above this cost, without VAT, a second person approves a broadcast; 0 for never."`
	ReportAbove      int           `env:"MALGIL_REPORT_ABOVE" default:"1000" help:"Above so many people, a mail tells what a broadcast came to when it is finished; 0 for never."`
	SweepAge         time.Duration `env:"MALGIL_SWEEP_AGE" default:"60s" help:"After this, the queue is asked whether it still knows a task."`
	QueuedChunks     int           `env:"MALGIL_QUEUED_CHUNKS" default:"500" help:"Most send tasks in the queue at a time: what all workers together send in a second is enough, and more makes other customers wait."`
	SendConcurrency  int           `env:"MALGIL_SEND_CONCURRENCY" default:"64" help:"Event API requests at a time in one process."`
	BankPayee        string        `name:"bank-payee" env:"MALGIL_BANK_PAYEE" default:"(주)카카오" help:"Whom payers read as the holder of a one-time account."`
	Holidays         string        `env:"MALGIL_HOLIDAYS" placeholder:"PATH" help:"File of holidays that stands in place of the years that it names; see malgil config holidays."`
	BankDeadline     time.Duration `name:"bank-deadline" env:"MALGIL_BANK_DEADLINE" default:"168h" help:"How long a transfer may take before its account closes."`
}

// Roles are the parts that one process plays.
type Roles struct {
	Intake    bool
	Pools     []string // queues served by workers here; none for no workers
	Scheduler bool
}

// Alone reports whether one process plays every part, as embedded parts require.
func (r Roles) Alone() bool { return r.Intake && r.Scheduler }

// Check returns everything that is wrong with a configuration for the roles, each line naming a
// setting and what to do.
func (c Config) Check(r Roles) error {
	var wrong []error
	bad := func(name, format string, args ...any) {
		wrong = append(wrong, fault.Field(name, format, args...))
	}
	embedded := strings.HasPrefix(c.DB, "sqlite:")
	switch {
	case c.DB == "":
		bad("MALGIL_DB", "is missing; use sqlite:<path> or postgres://user:password@host/database")
	case !embedded && !strings.HasPrefix(c.DB, "postgres://") && !strings.HasPrefix(c.DB, "postgresql://"):
		bad("MALGIL_DB", "must be sqlite:<path> or a postgres:// URL")
	case embedded && !r.Alone():
		bad("MALGIL_DB", "SQLite serves one process; use PostgreSQL for separate roles, or run malgil all")
	}
	if c.Redis == "" && !r.Alone() {
		bad("MALGIL_REDIS", "is missing; the embedded queue serves one process, separate roles need Redis")
	}
	if c.Redis != "" {
		if _, err := queue.ParseAddress(c.Redis); err != nil {
			bad("MALGIL_REDIS", "%s", fault.MessageOf(err))
		}
	}
	if r.Intake {
		checkListen(bad, "MALGIL_LISTEN", c.Listen)
	}
	if c.MetricsListen != "" {
		checkListen(bad, "MALGIL_METRICS_LISTEN", c.MetricsListen)
	}
	c.checkURLs(bad)
	c.checkSecrets(bad, embedded, r)
	c.checkNumbers(bad)
	if err := c.traces(nil).Check(); err != nil {
		wrong = append(wrong, err)
	}
	wrong = append(wrong, c.Invoicing.check()...)
	if _, err := Holidays(c.Holidays); err != nil {
		wrong = append(wrong, err.(interface{ Unwrap() []error }).Unwrap()...)
	}
	return errors.Join(wrong...)
}

// traces says where spans go.
func (c Config) traces(log *slog.Logger) trace.Export {
	return trace.Export{To: c.Trace, Share: c.TraceShare, Version: Version, Log: log}
}

func checkListen(bad func(name, format string, args ...any), name, address string) {
	if _, _, err := net.SplitHostPort(address); err != nil {
		bad(name, "must be host:port, such as 127.0.0.1:8080")
	}
}

func (c Config) checkURLs(bad func(name, format string, args ...any)) {
	for _, setting := range []struct{ name, value string }{
		{"MALGIL_PUBLIC_URL", c.PublicURL}, {"MALGIL_KAKAO_URL", c.KakaoURL}, {"MALGIL_KAKAOPAY_URL", c.KakaoPayURL},
		{"MALGIL_BANK_URL", c.BankURL}, {"MALGIL_TAX_URL", c.TaxURL},
	} {
		if setting.value == "" && (setting.name == "MALGIL_BANK_URL" || setting.name == "MALGIL_TAX_URL") {
			continue // bank transfer, or tax invoices, are not set up
		}
		if setting.value == "" && setting.name == "MALGIL_PUBLIC_URL" && c.Sandboxed {
			continue // where the intake listens
		}
		u, err := url.Parse(setting.value)
		switch {
		case err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http"):
			bad(setting.name, "must be an http(s):// URL")
		case u.Scheme == "http" && !isLoopback(u.Hostname()) && !c.Sandboxed:
			bad(setting.name, "must be https unless the host is loopback")
		}
	}
	checkHosts(bad, "MALGIL_CALLBACK_HOSTS", c.CallbackHosts, ".kakao.com")
	for _, host := range c.SkillPrivateHosts {
		name, port, given := strings.Cut(host, ":")
		if n, err := strconv.ParseUint(port, 10, 16); given && (err != nil || strconv.FormatUint(max(n, 1), 10) != port) {
			name = host
		}
		checkHosts(bad, "MALGIL_SKILL_PRIVATE_HOSTS", []string{name}, "skill.corp.example or 10.0.0.7:8080")
	}
}

func checkHosts(bad func(name, format string, args ...any), name string, hosts []string, example string) {
	for _, host := range hosts {
		if strings.Trim(host, ".") == "" || strings.ContainsAny(host, "/:* ") {
			bad(name, "%q is not a host such as %s", host, example)
		}
	}
}

// kakaoIsSandbox reports whether Kakao is a stand-in on this machine, whose callbacks then lead
// back to it.
func (c Config) kakaoIsSandbox() bool {
	u, err := url.Parse(c.KakaoURL)
	return err == nil && u.Scheme == "http" && isLoopback(u.Hostname())
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || (ip != nil && ip.IsLoopback())
}

func (c Config) checkSecrets(bad func(name, format string, args ...any), embedded bool, r Roles) {
	if c.SealKeys == "" && !embedded {
		bad("MALGIL_SEAL_KEYS", "is missing; make one with: malgil config keys")
	}
	if c.SealKeys != "" {
		if _, err := seal.New(c.SealKeys, rand.Reader); err != nil {
			bad("MALGIL_SEAL_KEYS", "%s", fault.MessageOf(err))
		}
	}
	if c.HashKey == "" && !embedded {
		bad("MALGIL_HASH_KEY", "is missing; make one with: malgil config keys")
	}
	if c.HashKey != "" {
		if key, err := base64.StdEncoding.DecodeString(c.HashKey); err != nil || len(key) != 32 {
			bad("MALGIL_HASH_KEY", "must be 32 bytes in base64; make one with: malgil config keys")
		}
	}
	if c.KakaoPaySecret == "" && (r.Intake || len(r.Pools) > 0) {
		bad("MALGIL_KAKAOPAY_SECRET", "is missing; it is on the KakaoPay developer page")
	}
	if (c.BankURL == "") != (c.BankSecret == "") {
		bad("MALGIL_BANK_SECRET", "and MALGIL_BANK_URL belong together; set both for bank transfer, or neither")
	}
	if c.SMTP == "" && len(r.Pools) > 0 {
		bad("MALGIL_SMTP", "is missing; use smtp://user:password@host:587?tls=starttls&from=address")
	}
	if c.SMTP != "" {
		if _, err := mail.ParseConfig(c.SMTP); err != nil {
			bad("MALGIL_SMTP", "%s", fault.MessageOf(err))
		}
	}
}

func (c Config) checkNumbers(bad func(name, format string, args ...any)) {
	if c.Price < 0 || c.Price > wallet.MaxPrice {
		bad("MALGIL_PRICE_KRW", "must be 0 to 10000")
	}
	if c.ChargeThreshold <= 0 {
		bad("MALGIL_CHARGE_THRESHOLD_KRW", "must be above 0")
	}
	if _, known := wallet.Policies[c.SettlementPolicy]; !known {
		bad("MALGIL_SETTLEMENT_POLICY", "must be threshold_or_daily or threshold_or_month_end")
	}
	if c.SettlementSpread < 0 || c.SettlementSpread > 6*time.Hour {
		bad("MALGIL_SETTLEMENT_SPREAD", "must be 0s to 6h")
	}
	if c.LongUnpaid < 24*time.Hour {
		bad("MALGIL_LONG_UNPAID", "must be at least 24h")
	}
	if c.CardAmount < 0 || c.CardAmount > 1_000 {
		bad("MALGIL_CARD_AMOUNT_KRW", "must be 0 to 1000")
	}
	if c.StormDeclines < 0 || c.StormAttempts < c.StormDeclines || c.StormAttempts > 1000 {
		bad("MALGIL_STORM_ATTEMPTS", "must be at least MALGIL_STORM_DECLINES, which is 0 or more, and at most 1000")
	}
	if c.StormPause < time.Minute || c.StormPause > 24*time.Hour {
		bad("MALGIL_STORM_PAUSE", "must be 1m to 24h")
	}
	if c.ApproveAbove < 0 {
		bad("MALGIL_APPROVE_ABOVE_KRW", "must be 0 or more")
	}
	if c.ConfirmAbove < 0 {
		bad("MALGIL_CONFIRM_ABOVE", "must be 0 or more")
	}
	if c.ReportAbove < 0 {
		bad("MALGIL_REPORT_ABOVE", "must be 0 or more")
	}
	if c.BankPayee == "" || len(c.BankPayee) > 100 {
		bad("MALGIL_BANK_PAYEE", "must be a name of at most 100 bytes")
	}
	if c.BankDeadline < time.Hour || c.BankDeadline > 30*24*time.Hour { // Kakao help centre: an account is usable for 30 days
		bad("MALGIL_BANK_DEADLINE", "must be 1h to 720h")
	}
	if c.ChargeSlice <= 0 {
		bad("MALGIL_CHARGE_SLICE_KRW", "must be above 0")
	}
	if c.AccrualCap < c.ChargeThreshold {
		bad("MALGIL_ACCRUAL_CAP_KRW", "must be at least the charge threshold")
	}
	if c.ReplyBudget < 100*time.Millisecond || c.ReplyBudget > 4100*time.Millisecond {
		bad("MALGIL_REPLY_BUDGET", "must be 100ms to 4.1s; Kakao waits 5 seconds and the answer needs its way")
	}
	if c.CallbackBudget < 100*time.Millisecond || c.CallbackBudget > c.ReplyBudget {
		bad("MALGIL_CALLBACK_BUDGET", "must be 100ms to the reply budget")
	}
	if c.SkillServerTime < time.Second || c.SkillServerTime > skillserver.Longest {
		bad("MALGIL_SKILL_SERVER_TIME", "must be 1s to %s; a callback URL lives for a minute", skillserver.Longest)
	}
	if c.SkillServerCalls < 1 || c.SkillServerCalls > 100_000 {
		bad("MALGIL_SKILL_SERVER_CALLS", "must be 1 to 100000")
	}
	if c.SendLease < 30*time.Second {
		bad("MALGIL_SEND_LEASE", "must be at least 30s: half of it for the claim, and a request may take 15")
	}
	if c.SweepAge < time.Second {
		bad("MALGIL_SWEEP_AGE", "must be at least 1s")
	}
	if c.QueuedChunks < 1 || c.QueuedChunks > 100_000 {
		bad("MALGIL_QUEUED_CHUNKS", "must be 1 to 100000")
	}
	if c.SendConcurrency < 1 || c.SendConcurrency > 4096 {
		bad("MALGIL_SEND_CONCURRENCY", "must be 1 to 4096")
	}
}
