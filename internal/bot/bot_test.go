package bot_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/malgil/malgil/internal/bot"
	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/scenario"
)

var noon = time.Date(2026, 11, 24, 3, 0, 0, 0, time.UTC)

const restKey = "4f1c9a7e5b3d2f60"

// store remembers what it is told to keep.
type store struct {
	bots             []bot.Bot
	bot.ChannelStore // what is not below is not called
	bot.PluginStore
	bot.VersionStore
	hashes  [][]byte
	sealed  [][]byte
	changes []bot.SealedChange
	drafts  []bot.Draft
	sides   []bot.Side
	secret  bot.WebhookSecret
}

func (s *store) InsertBot(_ context.Context, b bot.Bot, hash, sealed []byte) error {
	s.bots, s.hashes, s.sealed = append(s.bots, b), append(s.hashes, hash), append(s.sealed, sealed)
	return nil
}

func (s *store) ChangeBot(_ context.Context, _ string, c bot.SealedChange) error {
	s.changes = append(s.changes, c)
	return nil
}

func (s *store) SetSkillKey(_ context.Context, _ string, hash []byte) error {
	s.hashes = append(s.hashes, hash)
	return nil
}

func (s *store) SetWebhookSecret(_ context.Context, _ string, sealed []byte, at time.Time) (bot.WebhookSecret, error) {
	s.secret = bot.WebhookSecret{Current: sealed, Former: s.secret.Current, MadeAt: at}
	return s.secret, nil
}

func (s *store) AddVersion(_ context.Context, _ string, d bot.Draft) (bot.Version, bool, error) {
	s.drafts = append(s.drafts, d)
	d.Number = int64(len(s.drafts))
	return d.Version, true, nil
}

func (s *store) PutChannel(_ context.Context, _ string, side bot.Side, name string, _ time.Time) (bot.Channel, error) {
	s.sides = append(s.sides, side)
	return bot.Channel{Side: side, Name: name, State: bot.Connected}, nil
}

func (s *store) ResumeBot(context.Context, string) error { return nil }

func (s *store) BotDetails(_ context.Context, id string) (bot.Bot, error) {
	return bot.Bot{ID: id}, nil
}

// mirror seals by turning a secret around, so that a test can tell that it was sealed and where.
type mirror struct{}

func (mirror) Seal(plain []byte, table, id string) ([]byte, error) {
	turned := bytes.Clone(plain)
	for i, j := 0, len(turned)-1; i < j; i, j = i+1, j-1 {
		turned[i], turned[j] = turned[j], turned[i]
	}
	return append([]byte(table+":"+id+":"), turned...), nil
}

func newAdmin() (*bot.Admin, *store) {
	s := &store{}
	return bot.NewAdmin(s, mirror{}, scenario.Rules{}, func() time.Time { return noon }, rand.NewChaCha8([32]byte{2})), s
}

// wantField checks that an error is Invalid about a field.
func wantField(t *testing.T, call string, err error, field string) {
	t.Helper()
	var f *fault.Error
	if !errors.As(err, &f) || f.Kind != fault.Invalid || f.Field != field {
		t.Errorf("%s error = %v, want Invalid about %s", call, err, field)
	}
}

func TestAdmin_Create(t *testing.T) {
	admin, s := newAdmin()
	got, key, err := admin.Create(t.Context(), bot.New{ID: "66a1f0c2", Name: " 한빛서점 도우미 ", RestKey: restKey})
	if err != nil {
		t.Fatal(err)
	}
	if got.Name != "한빛서점 도우미" || got.RatePerSecond != 500 || got.InFlight != 8 || !got.CreatedAt.Equal(noon) {
		t.Errorf("Create() = %+v, want a trimmed name, 500 people a second, 8 in flight", got)
	}
	if hash := sha256.Sum256([]byte(key)); len(key) != 32 || !bytes.Equal(s.hashes[0], hash[:]) {
		t.Errorf("Create() key has %d characters and is not kept as its SHA-256", len(key))
	}
	if want := "bot:66a1f0c2:06f2d3b5e7a9c1f4"; string(s.sealed[0]) != want {
		t.Errorf("Create() kept the REST API key as %q, want %q", s.sealed[0], want)
	}

	good := bot.New{ID: "66a1f0c2", Name: "한빛서점", RestKey: restKey}
	with := func(change func(*bot.New)) bot.New {
		n := good
		change(&n)
		return n
	}
	refused := map[string]struct {
		ask   bot.New
		field string
	}{
		"no id":                    {with(func(n *bot.New) { n.ID = "" }), "id"},
		"the development mark":     {with(func(n *bot.New) { n.ID = "66a1f0c2!" }), "id"},
		"an id with a slash":       {with(func(n *bot.New) { n.ID = "../66a1" }), "id"},
		"no name":                  {with(func(n *bot.New) { n.Name = " " }), "name"},
		"no key":                   {with(func(n *bot.New) { n.RestKey = "" }), "rest_api_key"},
		"a key with a line break":  {with(func(n *bot.New) { n.RestKey = "abc\r\nX: y" }), "rest_api_key"},
		"a negative rate":          {with(func(n *bot.New) { n.RatePerSecond = -1 }), "rate_per_second"},
		"too many in flight":       {with(func(n *bot.New) { n.InFlight = 1001 }), "in_flight"},
		"a member without account": {with(func(n *bot.New) { n.Members = []bot.Member{{Role: bot.Master}} }), "members[0].account"},
		"a member without role":    {with(func(n *bot.New) { n.Members = []bot.Member{{AccountID: "a"}} }), "members[0].role"},
		"a member twice": {with(func(n *bot.New) {
			n.Members = []bot.Member{{AccountID: "a", Role: bot.Master}, {AccountID: "a", Role: bot.Operator}}
		}), "members[1].account"},
	}
	for name, tt := range refused {
		t.Run(name, func(t *testing.T) {
			admin, s := newAdmin()
			_, _, err := admin.Create(t.Context(), tt.ask)
			wantField(t, "Create()", err, tt.field)
			if len(s.bots) != 0 {
				t.Error("a refused bot was stored")
			}
			if tt.ask.RestKey != "" && strings.Contains(err.Error(), tt.ask.RestKey) {
				t.Errorf("the error repeats the REST API key: %v", err)
			}
		})
	}
}

func TestAdmin_Change(t *testing.T) {
	admin, s := newAdmin()
	name, key, rate := "  새 이름 ", restKey, 100
	if _, err := admin.Change(t.Context(), "66a1f0c2", bot.Change{Name: &name, RestKey: &key, RatePerSecond: &rate}); err != nil {
		t.Fatal(err)
	}
	got := s.changes[0]
	if *got.Name != "새 이름" || *got.RatePerSecond != 100 || got.InFlight != nil || got.WalletID != nil || got.Members != nil {
		t.Errorf("Change() stored %+v, want the three fields that were given", got)
	}
	if bytes.Contains(got.SealedRestKey, []byte(restKey)) || len(got.SealedRestKey) == 0 {
		t.Error("Change() did not seal the REST API key")
	}
	empty := ""
	_, err := admin.Change(t.Context(), "66a1f0c2", bot.Change{RestKey: &empty})
	wantField(t, "Change(an empty key)", err, "rest_api_key")
}

func TestAdmin_PutChannel(t *testing.T) {
	admin, s := newAdmin()
	for _, side := range []bot.Side{bot.Live, bot.Development} {
		if c, err := admin.PutChannel(t.Context(), "b", side, " 한빛서점 "); err != nil || c.Name != "한빛서점" {
			t.Errorf("PutChannel(%s) = %+v, %v, want the trimmed name", side, c, err)
		}
	}
	if _, err := admin.PutChannel(t.Context(), "b", "test", "한빛서점"); fault.KindOf(err) != fault.NotFound || len(s.sides) != 2 {
		t.Errorf("PutChannel(test) error = %v, want NotFound", err)
	}
	_, err := admin.PutChannel(t.Context(), "b", bot.Live, "")
	wantField(t, "PutChannel(no name)", err, "name")
}

func TestAdmin_RotateWebhookSecret(t *testing.T) {
	admin, s := newAdmin()
	first, until, err := admin.RotateWebhookSecret(t.Context(), "66a1f0c2")
	if err != nil || !strings.HasPrefix(first, "whsec_") || len(first) != len("whsec_")+43 || !until.IsZero() {
		t.Errorf("the first secret = %q, the one before until %v, %v, want 256 bits of which there is none before", first, until, err)
	}
	if sealed, _ := (mirror{}).Seal([]byte(first), bot.WebhookSecretTable, "66a1f0c2"); !bytes.Equal(s.secret.Current, sealed) {
		t.Errorf("it is kept as %q, want it sealed for its bot", s.secret.Current)
	}
	second, until, err := admin.RotateWebhookSecret(t.Context(), "66a1f0c2")
	if err != nil || second == first || !until.Equal(noon.Add(24*time.Hour)) {
		t.Errorf("the second secret = %q, the one before until %v, %v, want another one and a day for the first", second, until, err)
	}
}
