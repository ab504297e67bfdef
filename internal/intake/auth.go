package intake

import (
	"context"
	"net/http"
	"strings"

	"github.com/malgil/malgil/internal/access"
	"github.com/malgil/malgil/internal/fault"
)

// admit tells who calls a route of the API, when he may. A route without a scope admits nobody.
func (s *Server) admit(r *http.Request, pattern string) (access.Principal, error) {
	scheme, secret, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		secret = ""
	}
	principal, err := s.services.Gate.Authenticate(r.Context(), strings.TrimSpace(secret))
	if err != nil {
		return access.Principal{}, err
	}
	scope, known := scopes[pattern]
	switch {
	case !known:
		return access.Principal{}, fault.New(fault.Forbidden, "this route is closed")
	case scope != anyToken && !principal.Can(scope):
		return access.Principal{}, fault.New(fault.Forbidden, "the token lacks the scope %q", scope)
	}
	return principal, nil
}

type principalKey struct{}

func withPrincipal(ctx context.Context, p access.Principal) context.Context {
	return context.WithValue(ctx, principalKey{}, p)
}

// principalOf returns who calls; it may do nothing outside of the API's routes.
func principalOf(ctx context.Context) access.Principal {
	p, _ := ctx.Value(principalKey{}).(access.Principal)
	return p
}
