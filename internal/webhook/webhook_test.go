package webhook_test

import (
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/webhook"
)

var noon = time.Date(2026, 11, 24, 3, 0, 0, 0, time.UTC)

// shelf keeps one delivery.
type shelf struct {
	webhook.Store
	hook   webhook.Hook
	sealed []byte

	claim    webhook.Claim
	taken    bool
	recorded []webhook.Result
	stamped  []string // bots whose next deliveries were asked for
	stampErr error
}

func (s *shelf) InsertHook(_ context.Context, h webhook.Hook, sealed []byte) error {
	s.hook, s.sealed = h, sealed
	return nil
}

func (s *shelf) ClaimDelivery(context.Context, string, int, time.Time, time.Time) (webhook.Claim, bool, error) {
	return s.claim, !s.taken, nil
}

func (s *shelf) RecordDelivery(_ context.Context, _ string, _ int, _ time.Time, r webhook.Result) error {
	s.recorded = append(s.recorded, r)
	return nil
}

func (s *shelf) StampNext(_ context.Context, botID string, _ time.Time) ([]broadcast.Row, error) {
	s.stamped = append(s.stamped, botID)
	return []broadcast.Row{{ID: "whd_2", Epoch: 1}}, s.stampErr
}

// tape seals by putting a word before.
type tape struct{}

func (tape) Seal(plain []byte, table, id string) ([]byte, error) {
	return append([]byte(table+"/"+id+":"), plain...), nil
}

func (tape) Open(sealed []byte, table, id string) ([]byte, error) {
	plain, ok := strings.CutPrefix(string(sealed), table+"/"+id+":")
	if !ok {
		return nil, errors.New("it does not open")
	}
	return []byte(plain), nil
}

func newAdmin(s *shelf) *webhook.Admin {
	check := func(address string) error {
		if !strings.HasPrefix(address, "https://") {
			return fault.New(fault.Refused, "the address is not https")
		}
		return nil
	}
	return webhook.NewAdmin(s, tape{}, check, func() time.Time { return noon }, func(prefix string) string { return prefix + "_1" }, rand.NewChaCha8([32]byte{}))
}

func TestCreate(t *testing.T) {
	s := &shelf{}
	h, secret, err := newAdmin(s).Create(t.Context(), webhook.New{BotID: "bot", URL: "https://shop.example/hook", Events: []webhook.Event{webhook.Paused, webhook.Finished, webhook.Paused}})
	if err != nil {
		t.Fatal(err)
	}
	if h.MinPeople != 2 || len(h.Events) != 2 || h.Events[0] != webhook.Finished || h.ID != "whk_1" || !h.CreatedAt.Equal(noon) {
		t.Errorf("Create() = %+v, want two events in order of broadcasts to two and more", h)
	}
	if !strings.HasPrefix(secret, "whsec_") || len(secret) != len("whsec_")+43 || string(s.sealed) != "webhook/whk_1:"+secret {
		t.Errorf("the secret is %q and kept as %q, want 256 bits, sealed", secret, s.sealed)
	}
	one, below := 1, -1
	if h, _, err := newAdmin(&shelf{}).Create(t.Context(), webhook.New{BotID: "bot", URL: "https://shop.example/hook", MinPeople: &one}); err != nil || h.MinPeople != 1 || len(h.Events) != 3 {
		t.Errorf("Create() = %+v, %v, want all events of broadcasts to anybody", h, err)
	}
	tests := map[string]struct {
		n     webhook.New
		field string
	}{
		"no address":         {webhook.New{BotID: "bot"}, "url"},
		"plain http":         {webhook.New{URL: "http://shop.example"}, "url"},
		"too long":           {webhook.New{URL: "https://" + strings.Repeat("a", 1000)}, "url"},
		"an unknown event":   {webhook.New{URL: "https://shop.example", Events: []webhook.Event{"broadcast.paused", "ping"}}, "events[1]"},
		"fewer than nobody":  {webhook.New{URL: "https://shop.example", MinPeople: &below}, "min_people"},
		"bytes that are not": {webhook.New{URL: "https://\xff"}, "url"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, _, err := newAdmin(&shelf{}).Create(t.Context(), tt.n)
			var f *fault.Error
			if !errors.As(err, &f) || f.Kind != fault.Invalid || f.Field != tt.field {
				t.Errorf("Create(%+v) error = %v, want invalid %s", tt.n, err, tt.field)
			}
		})
	}
	none := []webhook.Event{}
	if _, err := newAdmin(&shelf{}).Change(t.Context(), "whk_1", webhook.Change{Events: &none}); fault.KindOf(err) != fault.Invalid {
		t.Errorf("Change() to no events error = %v, want invalid", err)
	}
}

// A receiver checks the signature with any HMAC-SHA256 at hand: this one was made with openssl dgst.
func TestSign(t *testing.T) {
	const want = "v1=f7c41bd353143d83978da89ccc32777fece05a80b50c47543c32786d5d21c636"
	if got := webhook.Sign("whsec_test", "1764039600", []byte(`{"id":"whd_1"}`)); got != want {
		t.Errorf("Sign() = %q, want %q", got, want)
	}
}

func TestVerify(t *testing.T) {
	const secret, stamp = "whsec_test", "1764039600"
	body := []byte(`{"id":"whd_1"}`)
	good := webhook.Sign(secret, stamp, body)
	sent := time.Unix(1764039600, 0)
	tests := map[string]struct {
		secret, stamp, signature, body string
		now                            time.Time
		fits                           bool
	}{
		"as it was sent":     {secret, stamp, good, string(body), sent, true},
		"five minutes later": {secret, stamp, good, string(body), sent.Add(webhook.Tolerance), true},
		"kept for longer":    {secret, stamp, good, string(body), sent.Add(webhook.Tolerance + time.Second), false},
		"from the future":    {secret, stamp, good, string(body), sent.Add(-webhook.Tolerance - time.Second), false},
		"another secret":     {"whsec_other", stamp, good, string(body), sent, false},
		"another body":       {secret, stamp, good, `{"id":"whd_2"}`, sent, false},
		"another time stamp": {secret, "1764039601", good, string(body), sent, false},
		"no time stamp":      {secret, "", good, string(body), sent, false},
		"no signature":       {secret, stamp, "", string(body), sent, false},
		"another scheme":     {secret, stamp, strings.Replace(good, "v1", "v0", 1), string(body), sent, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if err := webhook.Verify(tt.secret, tt.stamp, tt.signature, []byte(tt.body), tt.now); (err == nil) != tt.fits {
				t.Errorf("Verify() = %v, want to fit: %v", err, tt.fits)
			}
		})
	}
}

func TestHook_Shown(t *testing.T) {
	tests := map[string]struct{ url, want string }{
		"a host":            {"https://shop.example", "https://shop.example/"},
		"its root":          {"https://shop.example:8443/", "https://shop.example:8443/"},
		"a key in its path": {"https://shop.example/hook/s3cret", "https://shop.example/…a3ce6c52"},
		"in its query":      {"https://shop.example/hook?key=s3cret", "https://shop.example/…cbf1f0a3"},
		"no URL":            {"shop.example/s3cret", ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := (webhook.Hook{URL: tt.url}).Shown(); got != tt.want {
				t.Errorf("Shown() of %s = %q, want %q", tt.url, got, tt.want)
			}
		})
	}
}

func TestOf(t *testing.T) {
	b := broadcast.Broadcast{ID: "brd_1", BotID: "bot", Name: "겨울", State: broadcast.Running, Price: 15, Captured: 150,
		Counts: broadcast.Counts{Audience: 12, Delivered: 10}, StartedAt: noon.Add(-time.Hour)}
	if news := webhook.Of(b, noon); len(news) != 0 {
		t.Errorf("Of() in between = %v, want nothing", news)
	}
	b.StartedAt = noon
	started := webhook.Of(b, noon)
	if len(started) != 1 || started[0].Event != webhook.Started {
		t.Fatalf("Of() as it starts = %+v, want that", started)
	}
	held := b
	held.StartedAt, held.SealedAt, held.State, held.Wait = time.Time{}, noon, broadcast.Paused, broadcast.WaitApproval
	if news := webhook.Of(held, noon); len(news) != 1 || news[0].Event != webhook.Paused || !strings.Contains(string(mustBody(t, news[0])), "approval: a second person") {
		t.Errorf("Of() as it is held back = %+v, want that and why", news)
	}
	if news := webhook.Of(held, noon.Add(time.Second)); len(news) != 0 {
		t.Errorf("Of() while it is held back = %+v, want nothing", news)
	}
	b.StartedAt, b.FinishedAt, b.State, b.Counts.Failed = noon.Add(-time.Hour), noon, broadcast.Finished, 2
	finished := webhook.Of(b, noon)
	if len(finished) != 1 || finished[0].Event != webhook.Finished {
		t.Fatalf("Of() as it finishes = %+v, want that", finished)
	}
	b.FinishedAt = noon.Add(time.Hour)
	if again := webhook.Of(b, noon.Add(time.Hour)); again[0].DeliveryID("whk_1") == finished[0].DeliveryID("whk_1") {
		t.Error("a broadcast that finishes again is told of under the same id, want another")
	}
	paused := webhook.OfPause(b, strings.Repeat("가", 500), noon)
	body, err := paused.Body("whk_1")
	if err != nil {
		t.Fatal(err)
	}
	var told struct {
		ID    string        `json:"id"`
		Event webhook.Event `json:"event"`
		Data  webhook.Told  `json:"data"`
	}
	if err := json.Unmarshal(body, &told); err != nil {
		t.Fatal(err)
	}
	if told.ID != paused.DeliveryID("whk_1") || told.Event != webhook.Paused || told.Data.Reason != strings.Repeat("가", 100) ||
		told.Data.Counts.Delivered != 10 || told.Data.Counts.Failed != 2 || told.Data.Cost.VAT != 15 || len(body) > 2<<10 {
		t.Errorf("the event says %s, want counts, cost and a reason of at most 300 bytes", body)
	}
	if by := webhook.OfPause(b, "", noon); !strings.Contains(string(mustBody(t, by)), "paused by a person") {
		t.Errorf("a person's pause says %s", mustBody(t, by))
	}
}

func mustBody(t *testing.T, n webhook.News) []byte {
	t.Helper()
	body, err := n.Body("whk_1")
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// postman answers what a test says.
type postman struct {
	status int
	err    error
	posted []webhook.Post
	during func()
}

func (p *postman) Post(_ context.Context, post webhook.Post) (int, error) {
	p.posted = append(p.posted, post)
	if p.during != nil {
		p.during()
	}
	return p.status, p.err
}

func TestDeliver(t *testing.T) {
	answers := func(status int) error { return fault.New(fault.Unavailable, "the receiver answers %d", status) }
	tests := map[string]struct {
		attempts int
		status   int
		err      error
		want     webhook.State
		wait     time.Duration
	}{
		"taken":                        {0, 204, nil, webhook.Delivered, 0},
		"not reached":                  {0, 0, fault.New(fault.Unavailable, "no"), webhook.Waiting, 10 * time.Second},
		"not reached for hours":        {7, 0, fault.New(fault.Unavailable, "no"), webhook.Waiting, 13 * time.Hour},
		"not reached for a day":        {8, 0, fault.New(fault.Unavailable, "no"), webhook.Failed, 0},
		"broken":                       {4, 500, answers(500), webhook.Waiting, time.Hour},
		"refused":                      {0, 400, answers(400), webhook.Waiting, 10 * time.Second},
		"refused for half an hour":     {4, 400, answers(400), webhook.Failed, 0},
		"a redirect is not followed":   {4, 302, answers(302), webhook.Failed, 0},
		"too fast":                     {4, 429, answers(429), webhook.Waiting, time.Hour},
		"asked to wait":                {0, 503, &fault.Error{Kind: fault.Unavailable, Message: "busy", RetryAfter: 20 * time.Minute}, webhook.Waiting, 20 * time.Minute},
		"asked to wait for a day":      {0, 503, &fault.Error{Kind: fault.Unavailable, Message: "busy", RetryAfter: 24 * time.Hour}, webhook.Waiting, time.Hour},
		"wants nothing more":           {0, 410, answers(410), webhook.Failed, 0},
		"an address within":            {0, 0, fault.New(fault.Refused, "not public"), webhook.Failed, 0},
		"a cause that quotes a host":   {0, 0, fault.Wrap(fault.Unavailable, errors.New("dial shop.example"), "not reached"), webhook.Waiting, 10 * time.Second},
		"an error of no kind":          {0, 0, errors.New("dial shop.example"), webhook.Waiting, 10 * time.Second},
		"a secret that does not open":  {0, 0, errors.New("sealed"), webhook.Waiting, 10 * time.Second},
		"the last try of a broken one": {8, 500, answers(500), webhook.Failed, 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			sealed := []byte("webhook/whk_1:whsec_test")
			if name == "a secret that does not open" {
				sealed = []byte("other")
			}
			s := &shelf{claim: webhook.Claim{ID: "whd_1", HookID: "whk_1", BotID: "bot", Event: webhook.Paused, URL: "https://shop.example", Sealed: sealed, Body: []byte(`{}`), Attempts: tt.attempts}}
			p := &postman{status: tt.status, err: tt.err}
			got, next, err := webhook.NewDeliverer(s, p, tape{}, func() time.Time { return noon }).Deliver(t.Context(), "whd_1", 1)
			if err != nil || len(s.recorded) != 1 || s.recorded[0] != got {
				t.Fatalf("Deliver() = %+v, %v, recorded %+v, want it recorded", got, err, s.recorded)
			}
			if len(next) != 1 || next[0].ID != "whd_2" || len(s.stamped) != 1 || s.stamped[0] != "bot" {
				t.Errorf("Deliver() is followed by %v, asked for %q, want what is next of its bot", next, s.stamped)
			}
			var nextAt time.Time
			if tt.wait > 0 {
				nextAt = noon.Add(tt.wait)
			}
			if got.State != tt.want || !got.NextAt.Equal(nextAt) || got.Attempts != tt.attempts+1 || got.Status != tt.status || (got.Reason == "") != (tt.want == webhook.Delivered) {
				t.Errorf("Deliver() = %+v, want %s, next at %v", got, tt.want, nextAt)
			}
			if strings.Contains(got.Reason, "shop.example") || strings.Contains(got.Reason, "does not open:") {
				t.Errorf("Deliver() gives the reason %q, want no cause", got.Reason)
			}
			for _, post := range p.posted {
				if err := webhook.Verify("whsec_test", post.Header[webhook.HeaderTimestamp], post.Header[webhook.HeaderSignature], post.Body, noon); err != nil {
					t.Errorf("the signature of %+v: %v", post, err)
				}
				if post.Header[webhook.HeaderID] != "whd_1" || post.Header[webhook.HeaderEvent] != "broadcast.paused" {
					t.Errorf("headers %v, want the delivery and its event", post.Header)
				}
			}
		})
	}
}

func TestDeliver_nothingToDo(t *testing.T) {
	s, p := &shelf{taken: true}, &postman{}
	got, next, err := webhook.NewDeliverer(s, p, tape{}, time.Now).Deliver(t.Context(), "whd_1", 1)
	if err != nil || got.State != "" || len(next) != 0 || len(p.posted) != 0 || len(s.recorded) != 0 {
		t.Errorf("Deliver() of a taken one = %+v, %v after %d posts, want nothing", got, err, len(p.posted))
	}
}

// A store that fails after the outcome is recorded takes nothing of it back.
func TestDeliver_nextUnknown(t *testing.T) {
	s := &shelf{claim: webhook.Claim{ID: "whd_1", HookID: "whk_1", Sealed: []byte("webhook/whk_1:x")}, stampErr: errors.New("away")}
	got, _, err := webhook.NewDeliverer(s, &postman{status: 200}, tape{}, func() time.Time { return noon }).Deliver(t.Context(), "whd_1", 1)
	if !errors.Is(err, s.stampErr) || got.State != webhook.Delivered || len(s.recorded) != 1 {
		t.Errorf("Deliver() = %+v, %v, want it delivered and the error", got, err)
	}
}

// A worker that is stopped while it posts counts no try, and records all the same.
func TestDeliver_whileShuttingDown(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	s := &shelf{claim: webhook.Claim{ID: "whd_1", HookID: "whk_1", Sealed: []byte("webhook/whk_1:x"), Attempts: 2}}
	p := &postman{err: context.Canceled, during: cancel}
	got, next, err := webhook.NewDeliverer(s, p, tape{}, func() time.Time { return noon }).Deliver(ctx, "whd_1", 1)
	if err != nil || len(next) != 0 || got.State != webhook.Waiting || got.Attempts != 2 || !got.NextAt.Equal(noon) || len(s.recorded) != 1 {
		t.Errorf("Deliver() while shutting down = %+v, %v, want it to wait with 2 tries", got, err)
	}
}
