package access_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/malgil/malgil/internal/access"
	"github.com/malgil/malgil/internal/fault"
)

var noon = time.Date(2026, 11, 24, 3, 0, 30, 0, time.UTC)

// tokens is a store in memory.
type tokens struct {
	byHash  map[string]access.Token
	touched []time.Time
	err     error                    // of every call, when set
	roles   map[string][]access.Role // by account and object: "acc_1 wallet wal_1"
}

func (s *tokens) InsertToken(_ context.Context, t access.Token, hash []byte) error {
	s.byHash[string(hash)] = t
	return s.err
}

func (s *tokens) TokenByHash(_ context.Context, hash []byte) (access.Token, error) {
	if s.err != nil {
		return access.Token{}, s.err
	}
	t, ok := s.byHash[string(hash)]
	if !ok {
		return access.Token{}, fault.New(fault.NotFound, "no token")
	}
	return t, nil
}

func (s *tokens) TouchToken(_ context.Context, id string, at time.Time) error {
	for hash, t := range s.byHash {
		if t.ID == id {
			t.LastUsedAt = at
			s.byHash[hash] = t
		}
	}
	s.touched = append(s.touched, at)
	return nil
}

func (s *tokens) Roles(_ context.Context, accountID string, o access.Object) ([]access.Role, error) {
	return s.roles[accountID+" "+string(o.Kind)+" "+o.ID], s.err
}

// newGate returns a gate at a time that the test moves.
func newGate(store *tokens, now *time.Time) *access.Gate {
	store.byHash = map[string]access.Token{}
	n := 0
	return access.NewGate(store, func() time.Time { return *now }, func(prefix string) string {
		n++
		return prefix + "_" + strings.Repeat("0", n)
	}, rand.NewChaCha8([32]byte{1}))
}

func TestGate_Issue(t *testing.T) {
	store, now := &tokens{}, noon
	gate := newGate(store, &now)
	token, secret, err := gate.Issue(t.Context(), access.NewToken{Name: " 서점 ", Scopes: []string{"send", "read"}})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(secret, "mlg_") || len(secret) != 47 {
		t.Errorf("Issue() secret has the form %q of %d characters, want mlg_ and 43 more", secret[:4], len(secret))
	}
	if token.Name != "서점" || !token.CreatedAt.Equal(noon) {
		t.Errorf("Issue() = %+v, want the trimmed name and the time", token)
	}
	hash := sha256.Sum256([]byte(secret))
	if _, kept := store.byHash[string(hash[:])]; !kept {
		t.Error("the store has no token under the SHA-256 of the secret")
	}
	for kept, token := range store.byHash {
		if bytes.Contains([]byte(kept), []byte(secret)) || strings.Contains(token.ID+token.Name, secret) {
			t.Error("the secret itself is kept")
		}
	}
	_, other, err := gate.Issue(t.Context(), access.NewToken{Name: "b", Scopes: []string{"read"}})
	if err != nil || other == secret {
		t.Errorf("a second Issue() = the same secret: %v, %v", other == secret, err)
	}

	refused := map[string]struct {
		name    string
		scopes  []string
		expires time.Time
		field   string
	}{
		"no name":            {scopes: []string{"read"}, field: "name"},
		"a name too long":    {name: strings.Repeat("가", 101), scopes: []string{"read"}, field: "name"},
		"no scope":           {name: "a", field: "scopes"},
		"expired when made":  {name: "a", scopes: []string{"read"}, expires: noon, field: "expires_at"},
		"expired yesterday":  {name: "a", scopes: []string{"read"}, expires: noon.AddDate(0, 0, -1), field: "expires_at"},
		"a name not of text": {name: "a\xff", scopes: []string{"read"}, field: "name"},
	}
	for name, tt := range refused {
		t.Run(name, func(t *testing.T) {
			_, _, err := gate.Issue(t.Context(), access.NewToken{Name: tt.name, Scopes: tt.scopes, ExpiresAt: tt.expires})
			var f *fault.Error
			if !errors.As(err, &f) || f.Kind != fault.Invalid || f.Field != tt.field {
				t.Errorf("Issue(%q, %v, %v) error = %v, want Invalid about %s", tt.name, tt.scopes, tt.expires, err, tt.field)
			}
		})
	}
}

func TestGate_Authenticate(t *testing.T) {
	store, now := &tokens{}, noon
	gate := newGate(store, &now)
	token, secret, err := gate.Issue(t.Context(), access.NewToken{Name: "서점", Scopes: []string{"read"}, ExpiresAt: noon.Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	refuse := func(t *testing.T, secret, why string) {
		t.Helper()
		p, err := gate.Authenticate(t.Context(), secret)
		if fault.KindOf(err) != fault.Unauthenticated || p.TokenID != "" {
			t.Errorf("Authenticate(%s) = %+v, %v, want nobody, Unauthenticated", why, p, err)
		}
	}

	got, err := gate.Authenticate(t.Context(), secret)
	if err != nil || got.TokenID != token.ID || got.Name != "서점" || !got.Can(access.Read) || got.Can(access.Send) {
		t.Errorf("Authenticate(the secret) = %+v, %v, want the token with read alone", got, err)
	}
	refuse(t, "", "nothing")
	refuse(t, "mlg_", "the prefix alone")
	refuse(t, secret[:len(secret)-1]+"~", "a changed secret")
	refuse(t, secret+"A", "a longer secret")
	refuse(t, strings.TrimPrefix(secret, "mlg_"), "a secret without its prefix")

	now = noon.Add(time.Hour - time.Millisecond)
	if _, err := gate.Authenticate(t.Context(), secret); err != nil {
		t.Errorf("Authenticate() just before its end = %v, want success", err)
	}
	now = noon.Add(time.Hour)
	refuse(t, secret, "an expired token")

	now = noon
	for hash, kept := range store.byHash {
		kept.RevokedAt = noon
		store.byHash[hash] = kept
	}
	refuse(t, secret, "a revoked token")

	store.err = errors.New("disk on fire")
	if _, err := gate.Authenticate(t.Context(), secret); fault.KindOf(err) != fault.Internal {
		t.Errorf("Authenticate() with a broken store = %v, want Internal: nobody is turned away for our mistake", err)
	}
}

func TestGate_Authenticate_remembersUseByTheMinute(t *testing.T) {
	store, now := &tokens{}, noon
	gate := newGate(store, &now)
	_, secret, err := gate.Issue(t.Context(), access.NewToken{Name: "서점", Scopes: []string{"read"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, later := range []time.Duration{0, time.Second, 29 * time.Second, 30 * time.Second, 31 * time.Second} {
		now = noon.Add(later)
		if _, err := gate.Authenticate(t.Context(), secret); err != nil {
			t.Fatal(err)
		}
	}
	want := []time.Time{noon.Truncate(time.Minute), noon.Truncate(time.Minute).Add(time.Minute)}
	if len(store.touched) != 2 || !store.touched[0].Equal(want[0]) || !store.touched[1].Equal(want[1]) {
		t.Errorf("five uses over a minute were written at %v, want %v", store.touched, want)
	}
}
