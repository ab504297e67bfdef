package access

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/malgil/malgil/internal/fault"
)

const (
	// tokenPrefix marks a secret as ours, so that a scanner of leaked secrets knows it.
	tokenPrefix = "mlg_"
	// tokenBytes of randomness make guessing hopeless, so that one SHA-256 is enough to keep.
	tokenBytes = 32
	// maxName bounds what people call their tokens and accounts, in characters.
	maxName = 100
)

// Token is a credential as it is kept. Its secret is not in it.
type Token struct {
	ID         string
	Name       string
	AccountID  string // empty for one of the platform's own
	IssuedBy   string // account of who made it, or made the token of the platform that did; empty at the terminal of the machine
	Admin      bool   // its person is a platform admin; read, not stored
	Scopes     []Scope
	CreatedAt  time.Time
	ExpiresAt  time.Time // zero for never
	LastUsedAt time.Time // to the minute; zero for never
	RevokedAt  time.Time // zero while it is good
}

// TokenStore keeps tokens.
type TokenStore interface {
	InsertToken(ctx context.Context, t Token, hash []byte) error
	// TokenByHash finds a token by the SHA-256 of its secret, NotFound when there is none.
	TokenByHash(ctx context.Context, hash []byte) (Token, error)
	// TouchToken sets when a token was last used.
	TouchToken(ctx context.Context, id string, at time.Time) error
	// Roles lists what an account is to an object; nothing when there is no such object.
	Roles(ctx context.Context, accountID string, o Object) ([]Role, error)
}

// Gate issues tokens and checks them. It is safe for concurrent use when its source of
// randomness is.
type Gate struct {
	store  TokenStore
	now    func() time.Time
	newID  func(prefix string) string
	random io.Reader
}

// NewGate returns a gate. Pass [crypto/rand.Reader] as random outside tests.
func NewGate(store TokenStore, now func() time.Time, newID func(prefix string) string, random io.Reader) *Gate {
	return &Gate{store: store, now: now, newID: newID, random: random}
}

// NewToken asks for a token.
type NewToken struct {
	Name      string
	AccountID string // the person that it stands for; empty for one of the platform's own
	Scopes    []string
	ExpiresAt time.Time // zero for never

	issuedBy string // as of a token
}

// Issue makes a token and returns its secret, which is kept nowhere.
func (g *Gate) Issue(ctx context.Context, n NewToken) (t Token, secret string, err error) {
	now := g.now()
	granted, err := ParseScopes(n.Scopes)
	if err != nil {
		return Token{}, "", err
	}
	if n.Name, err = checkName("name", n.Name); err != nil {
		return Token{}, "", err
	}
	if !n.ExpiresAt.IsZero() && !n.ExpiresAt.After(now) {
		return Token{}, "", fault.Field("expires_at", "is in the past; leave it out for a token that does not expire")
	}
	raw := make([]byte, tokenBytes)
	if _, err := io.ReadFull(g.random, raw); err != nil {
		return Token{}, "", fmt.Errorf("draw a token: %w", err)
	}
	secret = tokenPrefix + base64.RawURLEncoding.EncodeToString(raw)
	t = Token{ID: g.newID("tok"), Name: n.Name, AccountID: n.AccountID, IssuedBy: n.issuedBy, Scopes: granted, CreatedAt: now, ExpiresAt: n.ExpiresAt}
	if err := g.store.InsertToken(ctx, t, hashSecret(secret)); err != nil {
		return Token{}, "", fmt.Errorf("keep token %s: %w", t.ID, err)
	}
	return t, secret, nil
}

// IssueBy makes a token on behalf of somebody, who may hand out no more than he has: no scope that
// his own token lacks (Forbidden), nor, unless he is a platform admin, a longer life (Invalid). A
// person's token stands for him when it names nobody.
func (g *Gate) IssueBy(ctx context.Context, by Principal, n NewToken) (t Token, secret string, err error) {
	if n.AccountID == "" && !by.Platform() {
		n.AccountID = by.AccountID
	}
	if n.AccountID != by.AccountID && !by.Platform() {
		return Token{}, "", fault.New(fault.Forbidden, "your token makes tokens for yourself only")
	}
	granted, err := ParseScopes(n.Scopes)
	if err != nil {
		return Token{}, "", err
	}
	for _, scope := range granted {
		if !by.Can(scope) {
			return Token{}, "", fault.New(fault.Forbidden, "your token lacks the scope %q, so it cannot hand it out", scope)
		}
	}
	if longer := n.ExpiresAt.IsZero() || n.ExpiresAt.After(by.ExpiresAt); longer && !by.ExpiresAt.IsZero() && !by.Platform() {
		return Token{}, "", fault.Field("expires_at", "must not be later than the end of your own token")
	}
	n.issuedBy = cmp.Or(by.AccountID, by.IssuedBy)
	return g.Issue(ctx, n)
}

// Authenticate tells who presents a secret. It is Unauthenticated for a secret that is not of a
// token, or of one that is expired or revoked.
func (g *Gate) Authenticate(ctx context.Context, secret string) (Principal, error) {
	if !strings.HasPrefix(secret, tokenPrefix) || len(secret) != len(tokenPrefix)+base64.RawURLEncoding.EncodedLen(tokenBytes) {
		return Principal{}, errNoToken
	}
	t, err := g.store.TokenByHash(ctx, hashSecret(secret))
	if fault.KindOf(err) == fault.NotFound {
		return Principal{}, errNoToken
	}
	if err != nil {
		return Principal{}, fmt.Errorf("look a token up: %w", err)
	}
	now := g.now()
	switch {
	case !t.RevokedAt.IsZero():
		return Principal{}, fault.New(fault.Unauthenticated, "the token was revoked; ask for a new one")
	case !t.ExpiresAt.IsZero() && !now.Before(t.ExpiresAt):
		return Principal{}, fault.New(fault.Unauthenticated, "the token has expired; ask for a new one")
	}
	if minute := now.Truncate(time.Minute); t.LastUsedAt.Before(minute) {
		// The call is as good without it, and the next call writes it again.
		_ = g.store.TouchToken(ctx, t.ID, minute)
	}
	return Principal{TokenID: t.ID, Name: t.Name, AccountID: t.AccountID, IssuedBy: t.IssuedBy, Admin: t.Admin, Scopes: t.Scopes, ExpiresAt: t.ExpiresAt}, nil
}

var errNoToken = fault.New(fault.Unauthenticated, "send a token that is valid here, mlg_…, in the header Authorization: as Bearer, or as KakaoAK at Kakao's own addresses")

func hashSecret(secret string) []byte {
	sum := sha256.Sum256([]byte(secret))
	return sum[:]
}

// checkName trims a name for people and checks that something sensible is left.
func checkName(field, name string) (string, error) {
	name = strings.TrimSpace(name)
	switch {
	case name == "":
		return "", fault.Field(field, "is missing")
	case !fault.OneLine(name):
		return "", fault.Field(field, "must be one line of text, without control characters")
	case utf8.RuneCountInString(name) > maxName:
		return "", fault.Field(field, "must be at most %d characters", maxName)
	}
	return name, nil
}
