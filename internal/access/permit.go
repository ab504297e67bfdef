package access

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/malgil/malgil/internal/fault"
)

// Principal is who makes a call. The zero value may do nothing and sees nothing.
type Principal struct {
	TokenID   string
	Name      string // of the token
	AccountID string // the person that the token stands for; empty for one of the platform's own
	IssuedBy  string // as of the token
	Admin     bool   // the person is a platform admin
	Scopes    []Scope
	ExpiresAt time.Time // of the token; zero for never
}

// Can reports whether the principal's token has a scope.
func (p Principal) Can(scope Scope) bool { return slices.Contains(p.Scopes, scope) }

// Platform reports whether the principal is a platform admin, within the scopes of his token: a
// token that is bound to no account, or to a person with that role.
func (p Principal) Platform() bool {
	return p.TokenID != "" && (p.AccountID == "" || p.Admin)
}

// Sight is through whose eyes lists are read: a person's account, or everybody's when empty.
type Sight string

// Everything is the sight of the platform.
const Everything Sight = ""

// Sight returns what the principal may see in lists.
func (p Principal) Sight() Sight {
	switch {
	case p.Platform():
		return Everything
	case p.AccountID == "":
		return "nobody"
	}
	return Sight(p.AccountID)
}

// Permit says why a principal may not do something to an object, or nil. An object that he has no
// role on is NotFound, as if it did not exist; where he has a role that does not allow it, it is
// Forbidden.
func (g *Gate) Permit(ctx context.Context, p Principal, right Permission, o Object) error {
	var roles []Role
	switch {
	case p.Platform():
		roles = []Role{PlatformAdmin}
	case p.TokenID == "":
	case o.Kind == Platform:
		roles = []Role{Anybody}
	default:
		var err error
		if roles, err = g.store.Roles(ctx, p.AccountID, o); err != nil {
			return fmt.Errorf("look up the roles on %s %s: %w", o.Kind, o.ID, err)
		}
	}
	switch {
	case len(roles) == 0:
		return fault.New(fault.NotFound, "there is no %s %q", o.Kind, o.ID)
	case slices.ContainsFunc(roles, func(r Role) bool { return r.Allows(right) }):
		return nil
	}
	return fault.New(fault.Forbidden, "your role, %s, lacks the permission %q on this %s", roles[0], right, o.Kind)
}
