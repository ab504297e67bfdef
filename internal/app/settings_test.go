package app_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/malgil/malgil/internal/app"
	"github.com/malgil/malgil/internal/fault"
)

func TestConfig_Settings_showNoSecret(t *testing.T) {
	const secret = "hunter2hunter2"
	config := app.Config{
		Parts:          app.Parts{DB: "postgres://malgil:" + secret + "@db.example/malgil", Redis: "redis://:" + secret + "@redis.example"},
		KakaoPaySecret: secret, SMTP: "smtp://a:" + secret + "@mail.example", SealKeys: secret, HashKey: secret, BankSecret: secret,
		Invoicing: app.Invoicing{TaxSecret: secret},
	}
	names := map[string]bool{}
	for _, s := range config.Settings() {
		names[s.Name] = true
		if strings.Contains(s.Value, secret) {
			t.Errorf("%s shows %q", s.Name, s.Value)
		}
	}
	for _, name := range []string{"MALGIL_DB", "MALGIL_REDIS", "MALGIL_SMTP", "MALGIL_PRICE_KRW"} {
		if !names[name] {
			t.Errorf("Settings() lacks %s", name)
		}
	}
}

func TestConfig_Settings_ofADatabase(t *testing.T) {
	tests := map[string]struct{ db, want string }{
		"a file":                    {"sqlite:/var/lib/malgil/malgil.db", "sqlite:/var/lib/malgil/malgil.db"},
		"nothing":                   {"", ""},
		"no password":               {"postgres://db.example/malgil?sslmode=require", "postgres://db.example/malgil?sslmode=require"},
		"user and password":         {"postgres://malgil:hunter2@db.example/malgil", "postgres://***@db.example/malgil"},
		"a password in the query":   {"postgres://db.example/malgil?user=malgil&password=hunter2&sslmode=require", "postgres://db.example/malgil?user=malgil&password=***&sslmode=require"},
		"the password of a key":     {"postgres://db.example/malgil?sslpassword=hunter2", "postgres://db.example/malgil?sslpassword=***"},
		"a name that is escaped":    {"postgres://db.example/malgil?p%61ssword=hunter2", "postgres://db.example/malgil?p%61ssword=***"},
		"a port that is a password": {"postgres://malgil:hunter2/9@db.example/malgil", "***"},
		"words of libpq":            {"host=db.example password=hunter2", "***"},
		"no URL":                    {"postgres://malgil:hunter2%zz@db.example", "***"},
		"a query that is none":      {"postgres://db.example/malgil?password=hunter2&x=%zz", "postgres://db.example/malgil?password=***&x=%zz"},
		"a name that is none":       {"postgres://db.example/malgil?%zz=hunter2", "postgres://db.example/malgil?***"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			for _, s := range (app.Config{Parts: app.Parts{DB: tt.db}}).Settings() {
				if s.Name == "MALGIL_DB" && s.Value != tt.want {
					t.Errorf("Settings() shows %q, want %q", s.Value, tt.want)
				}
			}
		})
	}
}

func TestConfig_Check_namesEveryProblem(t *testing.T) {
	wrong := app.Config{Parts: app.Parts{DB: "mysql://x", Redis: "http://x"}, KakaoURL: "http://kakao.example", PublicURL: "nowhere", HashKey: "short", SMTP: "mail",
		SkillPrivateHosts: []string{"http://skill"}}
	err := wrong.Check(app.Roles{Intake: true, Pools: []string{"mail"}})
	if fault.KindOf(unwrapFirst(err)) != fault.Invalid {
		t.Errorf("Check() kind = %v, want invalid", fault.KindOf(unwrapFirst(err)))
	}
	fields := map[string]bool{}
	for _, one := range err.(interface{ Unwrap() []error }).Unwrap() {
		fields[one.(*fault.Error).Field] = true
	}
	for _, field := range []string{"MALGIL_DB", "MALGIL_REDIS", "MALGIL_LISTEN", "MALGIL_KAKAO_URL", "MALGIL_PUBLIC_URL",
		"MALGIL_KAKAOPAY_URL", "MALGIL_KAKAOPAY_SECRET", "MALGIL_SMTP", "MALGIL_SEAL_KEYS", "MALGIL_HASH_KEY", "MALGIL_SEND_LEASE",
		"MALGIL_SKILL_PRIVATE_HOSTS", "MALGIL_SKILL_SERVER_TIME", "MALGIL_SKILL_SERVER_CALLS"} {
		if !fields[field] {
			t.Errorf("Check() does not name %s: %v", field, err)
		}
	}
}

func TestConfig_Check_privateHosts(t *testing.T) {
	for host, good := range map[string]bool{
		"skill.corp.example": true, ".corp.example:8443": true, "10.0.0.7:8080": true,
		"10.0.0.7:": false, "10.0.0.7:0": false, "10.0.0.7:080": false, "10.0.0.7:65536": false, "a:b": false, ":80": false, "::1": false, "http://a": false, "a/b": false, "*": false,
	} {
		named := false
		err := app.Config{SkillPrivateHosts: []string{host}}.Check(app.Roles{})
		for _, one := range err.(interface{ Unwrap() []error }).Unwrap() {
			named = named || one.(*fault.Error).Field == "MALGIL_SKILL_PRIVATE_HOSTS"
		}
		if named == good {
			t.Errorf("Check() with the private host %q refuses it: %v, want %v", host, named, !good)
		}
	}
}

// The name of a setting is put in front of what is wrong with it, once.
func TestConfig_Check_namesASettingOnce(t *testing.T) {
	wrong := app.Config{Parts: app.Parts{DB: "mysql://x", Redis: "http://x"}, SealKeys: "short", SMTP: "mail"}
	for _, one := range wrong.Check(app.Roles{Intake: true, Pools: []string{"mail"}}).(interface{ Unwrap() []error }).Unwrap() {
		if e := one.(*fault.Error); strings.Contains(e.Message, e.Field) {
			t.Errorf("Check() says %q of %s, want the name in front alone", e.Message, e.Field)
		}
	}
}

func TestConfig_Check_embeddedPartsServeOneProcess(t *testing.T) {
	config := app.Config{Parts: app.Parts{DB: "sqlite:/nowhere/malgil.db"}}
	for name, roles := range map[string]app.Roles{
		"intake": {Intake: true}, "worker": {Pools: []string{"mail"}}, "scheduler": {Scheduler: true},
	} {
		err := config.Check(roles)
		if err == nil || !strings.Contains(err.Error(), "SQLite serves one process") || !strings.Contains(err.Error(), "embedded queue serves one process") {
			t.Errorf("%s on embedded parts: Check() = %v, want both refused", name, err)
		}
	}
	if err := config.Check(app.Roles{Intake: true, Scheduler: true}); err != nil && strings.Contains(err.Error(), "one process") {
		t.Errorf("all on embedded parts: Check() = %v, want them allowed", err)
	}
}

func unwrapFirst(err error) error {
	return err.(interface{ Unwrap() []error }).Unwrap()[0]
}

// Bank transfer is set up whole or not at all.
func TestConfig_Check_bank(t *testing.T) {
	base := app.Config{Rules: app.Rules{BankPayee: "(주)카카오", BankDeadline: 168 * time.Hour}}
	tests := map[string]struct {
		change func(*app.Config)
		want   string // the setting that is named; empty for none
	}{
		"none":                  {func(*app.Config) {}, ""},
		"whole":                 {func(c *app.Config) { c.BankURL, c.BankSecret = "https://bank.example", "secret" }, ""},
		"no secret":             {func(c *app.Config) { c.BankURL = "https://bank.example" }, "MALGIL_BANK_SECRET"},
		"no address":            {func(c *app.Config) { c.BankSecret = "secret" }, "MALGIL_BANK_SECRET"},
		"in the open":           {func(c *app.Config) { c.BankURL, c.BankSecret = "http://bank.example", "secret" }, "MALGIL_BANK_URL"},
		"no address at all":     {func(c *app.Config) { c.BankURL, c.BankSecret = "bank", "secret" }, "MALGIL_BANK_URL"},
		"nobody is paid":        {func(c *app.Config) { c.BankPayee = "" }, "MALGIL_BANK_PAYEE"},
		"longer than it may be": {func(c *app.Config) { c.BankDeadline = 31 * 24 * time.Hour }, "MALGIL_BANK_DEADLINE"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			config := base
			tt.change(&config)
			var named []string
			joined, _ := config.Check(app.Roles{Intake: true}).(interface{ Unwrap() []error })
			for _, err := range joined.Unwrap() {
				var e *fault.Error
				if errors.As(err, &e) && strings.HasPrefix(e.Field, "MALGIL_BANK") {
					named = append(named, e.Field)
				}
			}
			if got := strings.Join(named, " "); got != tt.want {
				t.Errorf("Check() names %q of the bank, want %q", got, tt.want)
			}
		})
	}
}
