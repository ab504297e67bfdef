package access_test

import (
	"slices"
	"testing"

	"github.com/malgil/malgil/internal/access"
	"github.com/malgil/malgil/internal/fault"
)

func TestParseScopes(t *testing.T) {
	tests := map[string]struct {
		words []string
		want  []access.Scope
		kind  fault.Kind
	}{
		"one":                       {words: []string{"send"}, want: []access.Scope{access.Send}},
		"several, in their order":   {words: []string{"admin", "read", "send"}, want: []access.Scope{access.Send, access.Read, access.Admin}},
		"a word twice":              {words: []string{"read", "read"}, want: []access.Scope{access.Read}},
		"none":                      {kind: fault.Invalid},
		"an unknown word":           {words: []string{"read", "root"}, kind: fault.Invalid},
		"a word in capitals":        {words: []string{"READ"}, kind: fault.Invalid},
		"an empty word with others": {words: []string{"read", ""}, kind: fault.Invalid},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := access.ParseScopes(tt.words)
			if tt.want == nil {
				if fault.KindOf(err) != tt.kind || err == nil {
					t.Fatalf("ParseScopes(%q) error = %v, want kind %v", tt.words, err, tt.kind)
				}
				return
			}
			if err != nil || !slices.Equal(got, tt.want) {
				t.Errorf("ParseScopes(%q) = %v, %v, want %v", tt.words, got, err, tt.want)
			}
		})
	}
}

func TestPrincipal_Can(t *testing.T) {
	everything := access.Principal{Scopes: access.Scopes}
	admin := access.Principal{Scopes: []access.Scope{access.Admin}}
	for _, scope := range access.Scopes {
		if (access.Principal{}).Can(scope) {
			t.Errorf("the zero principal can %s, want nothing", scope)
		}
		if !everything.Can(scope) {
			t.Errorf("a principal with every scope cannot %s", scope)
		}
		if admin.Can(scope) != (scope == access.Admin) {
			t.Errorf("Can(%s) with admin alone = %v: no scope includes another", scope, admin.Can(scope))
		}
	}
}
