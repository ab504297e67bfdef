package intake

import (
	"context"
	"crypto/sha256"
	"net/http"

	"github.com/malgil/malgil/internal/broadcast"
)

// Keyed is the input of a call that changes money or sends messages.
type Keyed struct {
	Key string `header:"Idempotency-Key" doc:"Your name for this order, 1 to 255 printable ASCII characters: repeating the call with it is safe. Required."`
}

const (
	maxKey    = 255
	keyHeader = "header.Idempotency-Key"
	keyReused = "IDEMPOTENCY_KEY_REUSED" // as the store says it
)

// request returns what makes a call repeatable: who calls, his key, and a hash of what he asks
// for: the call and the thing it is about, and the body, nil where the call has none.
func (k Keyed) request(ctx context.Context, about string, text []byte) (broadcast.Request, error) {
	refuse := func(code, detail string) error {
		p := problem(http.StatusUnprocessableEntity, detail)
		p.Code, p.Errors = code, []ProblemField{{Location: keyHeader, Message: detail}}
		return p
	}
	if k.Key == "" {
		return broadcast.Request{}, refuse("IDEMPOTENCY_KEY_MISSING",
			"this call moves money or messages: send an Idempotency-Key header, a new one for each order, so that repeating it is safe")
	}
	if len(k.Key) > maxKey {
		return broadcast.Request{}, refuse("INVALID", "must be at most 255 characters")
	}
	for _, c := range []byte(k.Key) {
		if c < '!' || c > '~' {
			return broadcast.Request{}, refuse("INVALID", "must be printable ASCII without spaces")
		}
	}
	hash := sha256.New()
	hash.Write([]byte(about + "\n"))
	hash.Write(canonical(text))
	return broadcast.Request{Scope: principalOf(ctx).TokenID, Key: k.Key, BodyHash: hash.Sum(nil)}, nil
}
