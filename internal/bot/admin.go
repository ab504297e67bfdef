package bot

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/scenario"
)

// Sealer keeps the secret of a row unreadable.
type Sealer interface {
	Seal(plain []byte, table, id string) ([]byte, error)
}

// table is what a REST API key is sealed for.
const table = "bot"

// Store keeps bots.
type Store interface {
	// InsertBot stores a new bot. It is a Conflict when there is one of this id, and Invalid
	// when its wallet or a member does not exist.
	InsertBot(ctx context.Context, b Bot, skillKeyHash, sealedRestKey []byte) error
	// ChangeBot sets what is given. It is NotFound without the bot, Invalid as InsertBot.
	ChangeBot(ctx context.Context, id string, c SealedChange) error
	// SetSkillKey replaces the key in the bot's skill URL.
	SetSkillKey(ctx context.Context, id string, hash []byte) error
	// SetWebhookSecret puts a sealed secret in the place of the one in use, which becomes the former
	// one, and returns both. It is NotFound without the bot.
	SetWebhookSecret(ctx context.Context, id string, sealed []byte, at time.Time) (WebhookSecret, error)
	VersionStore
	ChannelStore
	PluginStore
	// ResumeBot ends a pause. A bot that is not paused stays as it is.
	ResumeBot(ctx context.Context, id string) error
	// BotDetails reads a bot with its members and channels, NotFound when there is none.
	BotDetails(ctx context.Context, id string) (Bot, error)
}

// New asks for a bot.
type New struct {
	ID            string
	Name          string
	RestKey       string // Kakao REST API key
	WalletID      string // may be empty
	RatePerSecond int    // 0 for the default
	InFlight      int    // 0 for the default
	Members       []Member
}

// Change is what to set of a bot; nil leaves a field as it is.
type Change struct {
	Name          *string
	RestKey       *string
	WalletID      *string
	RatePerSecond *int
	InFlight      *int
	Sending       *Sending
	Talking       *TalkingChange
	Members       *[]Member // the whole list
}

// SealedChange is a change as it is stored.
type SealedChange struct {
	Name          *string
	SealedRestKey []byte // nil to leave it
	WalletID      *string
	RatePerSecond *int
	InFlight      *int
	Sending       *Sending
	Talking       *TalkingChange
	Members       *[]Member
	At            time.Time
}

// Admin changes bots. It is safe for concurrent use when its source of randomness is.
type Admin struct {
	store  Store
	sealer Sealer
	now    func() time.Time
	random io.Reader
	rules  scenario.Rules
}

// NewAdmin returns the administration of bots, whose versions are held to the rules. Pass
// [crypto/rand.Reader] as random outside tests.
func NewAdmin(store Store, sealer Sealer, rules scenario.Rules, now func() time.Time, random io.Reader) *Admin {
	return &Admin{store: store, sealer: sealer, rules: rules, now: now, random: random}
}

// Create stores a bot and returns the key of its skill URL, which is kept nowhere.
func (a *Admin) Create(ctx context.Context, n New) (b Bot, skillKey string, err error) {
	b = Bot{
		ID: n.ID, Name: strings.TrimSpace(n.Name), WalletID: n.WalletID, RatePerSecond: n.RatePerSecond, InFlight: n.InFlight,
		Members: n.Members, CreatedAt: a.now(),
	}
	if b.RatePerSecond == 0 {
		b.RatePerSecond = DefaultRate
	}
	if b.InFlight == 0 {
		b.InFlight = DefaultInFlight
	}
	if err := CheckID(n.ID); err != nil {
		return Bot{}, "", err
	}
	if err := check(Change{Name: &b.Name, RestKey: &n.RestKey, RatePerSecond: &b.RatePerSecond, InFlight: &b.InFlight, Members: &b.Members}); err != nil {
		return Bot{}, "", err
	}
	sealed, err := a.sealer.Seal([]byte(n.RestKey), table, n.ID)
	if err != nil {
		return Bot{}, "", fmt.Errorf("seal the REST API key of bot %s: %w", n.ID, err)
	}
	key, hash, err := a.newKey()
	if err != nil {
		return Bot{}, "", err
	}
	if err := a.store.InsertBot(ctx, b, hash, sealed); err != nil {
		return Bot{}, "", fmt.Errorf("keep bot %s: %w", n.ID, err)
	}
	return b, key, nil
}

// Change sets what is given and returns the bot.
func (a *Admin) Change(ctx context.Context, id string, c Change) (Bot, error) {
	if c.Name != nil {
		name := strings.TrimSpace(*c.Name)
		c.Name = &name
	}
	if err := check(c); err != nil {
		return Bot{}, err
	}
	sealed := SealedChange{Name: c.Name, WalletID: c.WalletID, RatePerSecond: c.RatePerSecond, InFlight: c.InFlight, Sending: c.Sending, Talking: c.Talking, Members: c.Members, At: a.now()}
	if c.RestKey != nil {
		var err error
		if sealed.SealedRestKey, err = a.sealer.Seal([]byte(*c.RestKey), table, id); err != nil {
			return Bot{}, fmt.Errorf("seal the REST API key of bot %s: %w", id, err)
		}
	}
	if err := a.store.ChangeBot(ctx, id, sealed); err != nil {
		return Bot{}, fmt.Errorf("change bot %s: %w", id, err)
	}
	return a.store.BotDetails(ctx, id)
}

// check checks the fields that are given.
func check(c Change) error {
	if c.Name != nil {
		if err := CheckName(*c.Name); err != nil {
			return err
		}
	}
	if c.RestKey != nil {
		if err := checkRestKey(*c.RestKey); err != nil {
			return err
		}
	}
	if c.RatePerSecond != nil {
		if err := checkRange("rate_per_second", *c.RatePerSecond, maxRate); err != nil {
			return err
		}
	}
	if c.InFlight != nil {
		if err := checkRange("in_flight", *c.InFlight, maxInFlight); err != nil {
			return err
		}
	}
	if c.Sending != nil {
		if err := c.Sending.check(); err != nil {
			return err
		}
	}
	if c.Talking != nil {
		if err := c.Talking.check(); err != nil {
			return err
		}
	}
	if c.Members != nil {
		return checkMembers(*c.Members)
	}
	return nil
}

func checkMembers(members []Member) error {
	seen := map[string]bool{}
	for i, m := range members {
		switch {
		case m.AccountID == "":
			return fault.Field(fmt.Sprintf("members[%d].account", i), "is missing")
		case m.Role != Master && m.Role != Operator && m.Role != Viewer:
			return fault.Field(fmt.Sprintf("members[%d].role", i), "must be master, operator or viewer")
		case seen[m.AccountID]:
			return fault.Field(fmt.Sprintf("members[%d].account", i), "stands twice in the list")
		}
		seen[m.AccountID] = true
	}
	return nil
}

// RotateKey gives a bot a new key for its skill URL and returns it; the old one ends at once.
func (a *Admin) RotateKey(ctx context.Context, id string) (skillKey string, err error) {
	key, hash, err := a.newKey()
	if err != nil {
		return "", err
	}
	if err := a.store.SetSkillKey(ctx, id, hash); err != nil {
		return "", fmt.Errorf("set the skill key of bot %s: %w", id, err)
	}
	return key, nil
}

func (a *Admin) newKey() (key string, hash []byte, err error) {
	raw := make([]byte, 24) // 192 bits: nobody guesses it
	if _, err := io.ReadFull(a.random, raw); err != nil {
		return "", nil, fmt.Errorf("draw a skill key: %w", err)
	}
	key = base64.RawURLEncoding.EncodeToString(raw)
	sum := sha256.Sum256([]byte(key))
	return key, sum[:], nil
}

// Resume ends the pause of a bot whose key, or Kakao's balance, was mended.
func (a *Admin) Resume(ctx context.Context, id string) (Bot, error) {
	if err := a.store.ResumeBot(ctx, id); err != nil {
		return Bot{}, fmt.Errorf("resume bot %s: %w", id, err)
	}
	return a.store.BotDetails(ctx, id)
}
