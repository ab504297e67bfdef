package intake

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"strings"

	"github.com/malgil/malgil/internal/access"
	"github.com/malgil/malgil/internal/fault"
)

// guarded is a route of the API behind its guard: who calls, has his token the scope, has he the
// permission on the object. A route without a guard is closed.
func (s *Server) guarded(pattern string, handle http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		principal, err := s.admit(r, pattern)
		if err == nil {
			r = r.WithContext(withPrincipal(r.Context(), principal))
			r, err = s.audited(r, pattern, principal)
		}
		if err == nil { // strangers neither begin traces nor go on with those of others
			var traced func(status int)
			r, traced = s.traced(r, pattern, r.Header.Get("traceparent"))
			defer func() {
				a, _ := w.(*answer)
				traced(a.answered())
			}()
		}
		if err != nil {
			s.logMistake(r.Context(), pattern, err)
			s.refusal(pattern)(w, problemOf(err))
			return
		}
		handle(w, r)
	}
}

// kakaoScheme is how Kakao's own addresses are told a key.
const kakaoScheme = "KakaoAK"

// admit tells who calls a route of the API, when he may. An object that the body names is checked
// by [Server.add], when the body is read.
func (s *Server) admit(r *http.Request, pattern string) (access.Principal, error) {
	scheme, secret, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	wanted := "Bearer"
	if ofKakao(pattern) {
		wanted = kakaoScheme
	}
	if !strings.EqualFold(scheme, wanted) {
		secret = ""
	}
	principal, err := s.services.Gate.Authenticate(r.Context(), strings.TrimSpace(secret))
	if err != nil {
		return access.Principal{}, err
	}
	g, known := routes[pattern]
	switch {
	case !known || g.right == "":
		return access.Principal{}, fault.New(fault.Forbidden, "this route is closed")
	case g.scope != anyToken && !principal.Can(g.scope):
		return access.Principal{}, fault.New(fault.Forbidden, "the token lacks the scope %q", g.scope)
	}
	if _, later := g.on.inBody(); later {
		return principal, nil
	}
	return principal, s.services.Gate.Permit(r.Context(), principal, g.right, g.on.named(r))
}

// reasonHeader is where a caller says why he does something, percent-encoded where it is not ASCII.
const reasonHeader = "Malgil-Reason"

// audited puts what a call does into its context, for the audit log.
func (s *Server) audited(r *http.Request, pattern string, p access.Principal) (*http.Request, error) {
	g := routes[pattern]
	if r.Method == http.MethodGet || g.quiet {
		return r, nil
	}
	reason, err := url.PathUnescape(r.Header.Get(reasonHeader))
	if err == nil {
		reason, err = access.ParseReason(reason)
	}
	if err != nil {
		return r, fault.Field("header."+reasonHeader, "%s", err)
	}
	deed := access.Deed{TokenID: p.TokenID, AccountID: p.AccountID, Action: s.actions[pattern], Reason: reason, At: s.config.Now()}
	return r.WithContext(access.WithDeed(r.Context(), deed, g.on.named(r))), nil
}

// bodyCheck returns the check of what a route's guard says of objects that the body names, in the
// input of the route. It panics when the input has no such field: a mistake of whoever wrote the
// guard.
func bodyCheck[I any](s *Server, g guard) func(ctx context.Context, in *I) error {
	type check struct {
		right access.Permission
		kind  access.Kind
		field []int
		main  bool
	}
	var checks []check
	demands := []demand{{g.right, g.on}}
	if g.and != nil {
		demands = append(demands, *g.and)
	}
	for i, d := range demands {
		if name, is := d.on.inBody(); is {
			checks = append(checks, check{d.right, d.on.kind, bodyField(reflect.TypeFor[I](), name), i == 0})
		}
	}
	return func(ctx context.Context, in *I) error {
		for _, c := range checks {
			value := reflect.ValueOf(in).Elem().FieldByIndex(c.field)
			if value.Kind() == reflect.Pointer {
				if value.IsNil() {
					continue
				}
				value = value.Elem()
			}
			if value.String() == "" {
				continue
			}
			object := access.Object{Kind: c.kind, ID: value.String()}
			if c.main {
				access.DeedOf(ctx).About(object)
			}
			if err := s.services.Gate.Permit(ctx, principalOf(ctx), c.right, object); err != nil {
				return err
			}
		}
		return nil
	}
}

// bodyField finds the text field of an input's body by its JSON name.
func bodyField(input reflect.Type, name string) []int {
	body, ok := input.FieldByName("Body")
	if ok && body.Type.Kind() == reflect.Struct {
		for i := range body.Type.NumField() {
			field := body.Type.Field(i)
			kind := field.Type
			if kind.Kind() == reflect.Pointer {
				kind = kind.Elem()
			}
			if tag, _, _ := strings.Cut(field.Tag.Get("json"), ","); tag == name && kind.Kind() == reflect.String {
				return append(append([]int{}, body.Index...), i)
			}
		}
	}
	panic(fmt.Sprintf("%v has no text %q in its body", input, name))
}

// permit says why the caller may not do something to an object, or nil: for what a guard cannot
// know before the call is understood.
func (s *Server) permit(ctx context.Context, right access.Permission, kind access.Kind, id string) error {
	return s.services.Gate.Permit(ctx, principalOf(ctx), right, access.Object{Kind: kind, ID: id})
}

// onBehalf returns the account for whom the caller acts with cards: his own, or anybody's when it
// is empty, as for the platform's own.
func onBehalf(ctx context.Context) string { return string(principalOf(ctx).Sight()) }

// actorOf is who calls: the person, or the token where it stands for none.
func actorOf(ctx context.Context) string {
	p := principalOf(ctx)
	return cmp.Or(p.AccountID, p.TokenID)
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
