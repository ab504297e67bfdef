// Package webhook tells programs of the operator what becomes of the broadcasts of a bot: which event
// tells whom, what it says, how it is signed, and how it gets there at least once. It does no I/O itself.
package webhook

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/malgil/malgil/internal/fault"
)

// Event is something that webhooks are told of. The names are stored and shown.
type Event string

// The events.
const (
	Started  Event = "broadcast.started"
	Paused   Event = "broadcast.paused" // by a person, by itself, or until a second person approves it
	Finished Event = "broadcast.finished"
	Ping     Event = "ping" // a test that somebody asked for; every webhook hears it
)

// Events are those that a webhook may ask for.
var Events = []Event{Started, Paused, Finished}

// Known lists every event.
var Known = append(slices.Clone(Events), Ping)

// Hook is an address at which a program wants to be told of the broadcasts of a bot.
type Hook struct {
	ID        string
	BotID     string
	URL       string
	Events    []Event
	MinPeople int // broadcasts to fewer people are not told of
	CreatedAt time.Time
	Dropped   int       // deliveries for which its line had no room, see [MaxOpen]
	DroppedAt time.Time // the last of them
}

// Shown is the address of a webhook for whoever may not change it, and for the audit log: scheme and host as they are,
// and 8 hexadecimal digits that tell one path and query, which often hold a key, from another.
func (h Hook) Shown() string {
	u, err := url.Parse(h.URL)
	if err != nil || u.Host == "" { // not since it was checked
		return ""
	}
	origin := u.Scheme + "://" + u.Host
	rest, _ := strings.CutPrefix(h.URL, origin)
	if rest == "" || rest == "/" {
		return origin + "/"
	}
	hash := sha256.Sum256([]byte(rest))
	return fmt.Sprintf("%s/…%x", origin, hash[:4])
}

// New asks for a webhook.
type New struct {
	BotID     string
	URL       string
	Events    []Event // all of [Events] when empty
	MinPeople *int    // [DefaultMinPeople] when nil
}

// DefaultMinPeople leaves out what goes to one person: programs that send single messages send many.
const DefaultMinPeople = 2

// Change is what to set of a webhook; nil leaves a field as it is.
type Change struct {
	URL       *string
	Events    *[]Event
	MinPeople *int
}

// Sealer keeps the secret of a row unreadable.
type Sealer interface {
	Seal(plain []byte, table, id string) ([]byte, error)
}

// Table is what the secrets of webhooks are sealed for.
const Table = "webhook"

// Store keeps webhooks.
type Store interface {
	// InsertHook stores a webhook. It is NotFound when there is no such bot, and Refused when the bot has
	// [MaxHooks] already.
	InsertHook(ctx context.Context, h Hook, sealed []byte) error
	// ChangeHook sets what is given and returns the webhook. It is NotFound when there is none.
	ChangeHook(ctx context.Context, id string, c Change) (Hook, error)
	// DeleteHook takes a webhook away; what was to be delivered to it is given up.
	DeleteHook(ctx context.Context, id string, now time.Time) error
	// InsertPing has a webhook told of nothing but itself, and returns what is to be delivered. While a test
	// of it is under way, that one is made now and returned.
	InsertPing(ctx context.Context, hookID, subject string, now time.Time) (Delivery, error)
	// Replay has a delivery that is over made again. It is a Conflict for one that is under way, and for a test while
	// another is.
	Replay(ctx context.Context, hookID, id string, now time.Time) (Delivery, error)
}

// MaxHooks is how many webhooks a bot may have.
const MaxHooks = 10

const (
	maxURL     = 1000
	secretSize = 32
)

// CheckURL says why an address may not be called, by its text alone: [kakao.Guard.Check] does.
type CheckURL func(address string) error

// Admin makes and changes webhooks. It is safe for concurrent use when its source of randomness is.
type Admin struct {
	store  Store
	sealer Sealer
	check  CheckURL
	now    func() time.Time
	newID  func(prefix string) string
	random io.Reader
}

// NewAdmin returns the administration of webhooks. Pass [crypto/rand.Reader] as random outside tests.
func NewAdmin(store Store, sealer Sealer, check CheckURL, now func() time.Time, newID func(prefix string) string, random io.Reader) *Admin {
	return &Admin{store: store, sealer: sealer, check: check, now: now, newID: newID, random: random}
}

// Create stores a webhook and returns the secret that its deliveries are signed with; afterwards nobody is
// shown it again.
func (a *Admin) Create(ctx context.Context, n New) (h Hook, secret string, err error) {
	h = Hook{ID: a.newID("whk"), BotID: n.BotID, URL: n.URL, Events: n.Events, MinPeople: DefaultMinPeople, CreatedAt: a.now()}
	if len(h.Events) == 0 {
		h.Events = slices.Clone(Events)
	}
	if n.MinPeople != nil {
		h.MinPeople = *n.MinPeople
	}
	if err := a.valid(Change{URL: &h.URL, Events: &h.Events, MinPeople: &h.MinPeople}); err != nil {
		return Hook{}, "", err
	}
	raw := make([]byte, secretSize)
	if _, err := io.ReadFull(a.random, raw); err != nil {
		return Hook{}, "", fmt.Errorf("draw a secret: %w", err)
	}
	secret = "whsec_" + base64.RawURLEncoding.EncodeToString(raw)
	sealed, err := a.sealer.Seal([]byte(secret), Table, h.ID)
	if err != nil {
		return Hook{}, "", fmt.Errorf("seal the secret of webhook %s: %w", h.ID, err)
	}
	if err := a.store.InsertHook(ctx, h, sealed); err != nil {
		return Hook{}, "", fmt.Errorf("keep webhook %s: %w", h.ID, err)
	}
	return h, secret, nil
}

// Change sets what is given and returns the webhook.
func (a *Admin) Change(ctx context.Context, id string, c Change) (Hook, error) {
	if err := a.valid(c); err != nil {
		return Hook{}, err
	}
	h, err := a.store.ChangeHook(ctx, id, c)
	if err != nil {
		return Hook{}, fmt.Errorf("change webhook %s: %w", id, err)
	}
	return h, nil
}

// valid checks the fields that are given, and puts events into their order.
func (a *Admin) valid(c Change) error {
	if c.URL != nil {
		if *c.URL == "" || len(*c.URL) > maxURL || !utf8.ValidString(*c.URL) {
			return fault.Field("url", "must be an https:// URL of at most %d bytes", maxURL)
		}
		if err := a.check(*c.URL); err != nil {
			return fault.Field("url", "cannot be called: %s", fault.MessageOf(err))
		}
	}
	if c.Events != nil {
		if len(*c.Events) == 0 {
			return fault.Field("events", "is empty; name at least one, or delete the webhook")
		}
		for i, e := range *c.Events {
			if !slices.Contains(Events, e) {
				return fault.Field(fmt.Sprintf("events[%d]", i), "must be one of %s, %s and %s", Started, Paused, Finished)
			}
		}
		slices.Sort(*c.Events)
		*c.Events = slices.Compact(*c.Events)
	}
	if c.MinPeople != nil && *c.MinPeople < 0 {
		return fault.Field("min_people", "must be 0 or more")
	}
	return nil
}

// Delete takes a webhook away.
func (a *Admin) Delete(ctx context.Context, id string) error {
	return a.store.DeleteHook(ctx, id, a.now())
}

// Ping has a webhook told of nothing but itself; a test that waits for its next try is made now instead.
func (a *Admin) Ping(ctx context.Context, id string) (Delivery, error) {
	return a.store.InsertPing(ctx, id, a.newID("png"), a.now())
}

// Replay has a delivery made once more, as it was.
func (a *Admin) Replay(ctx context.Context, id, delivery string) (Delivery, error) {
	return a.store.Replay(ctx, id, delivery, a.now())
}
