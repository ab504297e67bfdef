package access_test

import (
	"errors"
	"testing"
	"time"

	"github.com/malgil/malgil/internal/access"
	"github.com/malgil/malgil/internal/fault"
)

func TestRole_Allows_deniesByDefault(t *testing.T) {
	for _, role := range []access.Role{access.Anybody, access.Owner, access.ChatbotMaster, access.BotOperator, access.WalletMaster, access.WalletWorker, access.Viewer, access.PlatformAdmin, "", "king"} {
		if role.Allows("") {
			t.Errorf("%q.Allows(nothing) = true", role)
		}
		if admin := role == access.PlatformAdmin; role.Allows("what_nobody_thought_of") != admin || role.Allows(access.KeepPlatform) != admin {
			t.Errorf("%q allows what is not in its list, want that of a platform admin alone", role)
		}
	}
	for role, denied := range map[access.Role][]access.Permission{
		access.Viewer:        {access.TopUp, access.PutCards, access.KeepMembers, access.KeepBot, access.OrderBroadcast, access.SteerBroadcast, access.ReadPeople},
		access.BotOperator:   {access.PutCards, access.TopUp, access.GiveWalletWork, access.ReadWallet, access.KeepBot},
		access.WalletWorker:  {access.KeepMembers, access.GiveWalletWork, access.TakeOthersCards, access.OrderBroadcast, access.BillWallet},
		access.WalletMaster:  {access.KeepBot, access.OrderBroadcast, access.ReadPeople},
		access.ChatbotMaster: {access.KeepMembers, access.PutCards, access.TopUp, access.BillWallet},
		access.Owner:         {access.KeepPlatform, access.ReadWallet},
	} {
		for _, p := range denied {
			if role.Allows(p) {
				t.Errorf("%s.Allows(%s) = true, want false", role, p)
			}
		}
	}
}

func TestGate_Permit(t *testing.T) {
	now := noon
	store := &tokens{roles: map[string][]access.Role{
		"acc_1 wallet wal_1": {access.WalletWorker, access.BotOperator},
		"acc_2 wallet wal_1": {access.BotOperator},
	}}
	gate := newGate(store, &now)
	own := func(id string) access.Object { return access.Object{Kind: access.OfWallet, ID: id} }
	platform := access.Object{Kind: access.Platform}
	of := func(account string) access.Principal { return access.Principal{TokenID: "tok_1", AccountID: account} }
	admin := of("acc_9")
	admin.Admin = true
	for name, tt := range map[string]struct {
		by    access.Principal
		right access.Permission
		on    access.Object
		kind  fault.Kind // of the refusal; Internal for none
	}{
		"one of two roles allows it":         {of("acc_1"), access.PutCards, own("wal_1"), 0},
		"the role does not":                  {of("acc_2"), access.PutCards, own("wal_1"), fault.Forbidden},
		"no role":                            {of("acc_3"), access.PutCards, own("wal_1"), fault.NotFound},
		"a role on another":                  {of("acc_1"), access.PutCards, own("wal_2"), fault.NotFound},
		"everybody on the platform":          {of("acc_3"), access.SeePublic, platform, 0},
		"more than everybody":                {of("acc_3"), access.KeepPlatform, platform, fault.Forbidden},
		"a token of the platform":            {of(""), access.KeepPlatform, platform, 0},
		"a token of the platform on another": {of(""), access.PutCards, own("wal_1"), 0},
		"a platform admin":                   {admin, access.PutCards, own("wal_1"), 0},
		"nobody":                             {access.Principal{}, access.SeePublic, platform, fault.NotFound},
		"nobody who says he is admin":        {access.Principal{Admin: true}, access.SeePublic, platform, fault.NotFound},
		"no permission at all":               {of(""), "", platform, fault.Forbidden},
	} {
		t.Run(name, func(t *testing.T) {
			err := gate.Permit(t.Context(), tt.by, tt.right, tt.on)
			if fault.KindOf(err) != tt.kind || (err == nil) != (tt.kind == 0) {
				t.Errorf("Permit(%s, %v) error = %v, want kind %v", tt.right, tt.on, err, tt.kind)
			}
		})
	}
	store.err = errors.New("the database is gone")
	if err := gate.Permit(t.Context(), of("acc_1"), access.PutCards, own("wal_1")); fault.KindOf(err) != fault.Internal || err == nil {
		t.Errorf("Permit() without a database error = %v, want a failure", err)
	}
}

func TestPrincipal_Sight(t *testing.T) {
	for name, tt := range map[string]struct {
		by   access.Principal
		want access.Sight
	}{
		"a token of the platform": {access.Principal{TokenID: "tok_1"}, access.Everything},
		"a platform admin":        {access.Principal{TokenID: "tok_1", AccountID: "acc_1", Admin: true}, access.Everything},
		"a person":                {access.Principal{TokenID: "tok_1", AccountID: "acc_1"}, "acc_1"},
		"nobody":                  {access.Principal{}, "nobody"},
	} {
		if got := tt.by.Sight(); got != tt.want {
			t.Errorf("%s: Sight() = %q, want %q", name, got, tt.want)
		}
	}
}

func TestGate_IssueBy(t *testing.T) {
	now := noon
	gate := newGate(&tokens{}, &now)
	week := noon.AddDate(0, 0, 7)
	person := access.Principal{TokenID: "tok_1", AccountID: "acc_1", Scopes: []access.Scope{access.Admin, access.Read}, ExpiresAt: week}
	platform := access.Principal{TokenID: "tok_2", Scopes: access.Scopes, ExpiresAt: week}
	admin := access.Principal{TokenID: "tok_3", AccountID: "acc_3", Admin: true, Scopes: access.Scopes}
	hers := access.Principal{TokenID: "tok_4", IssuedBy: "acc_3", Scopes: access.Scopes}
	for name, tt := range map[string]struct {
		by      access.Principal
		ask     access.NewToken
		kind    fault.Kind
		account string
		issuer  string
	}{
		"for himself":              {person, access.NewToken{Scopes: []string{"read"}, ExpiresAt: week}, 0, "acc_1", "acc_1"},
		"for another":              {person, access.NewToken{Scopes: []string{"read"}, ExpiresAt: week, AccountID: "acc_2"}, fault.Forbidden, "", ""},
		"a scope that he lacks":    {person, access.NewToken{Scopes: []string{"read", "send"}, ExpiresAt: week}, fault.Forbidden, "", ""},
		"for longer":               {person, access.NewToken{Scopes: []string{"read"}, ExpiresAt: week.Add(time.Second)}, fault.Invalid, "", ""},
		"for ever":                 {person, access.NewToken{Scopes: []string{"read"}}, fault.Invalid, "", ""},
		"the platform's own":       {platform, access.NewToken{Scopes: []string{"read"}}, 0, "", ""},
		"one of a platform admin":  {admin, access.NewToken{Scopes: []string{"read"}}, 0, "", "acc_3"},
		"the platform for another": {platform, access.NewToken{Scopes: []string{"send"}, AccountID: "acc_2"}, 0, "acc_2", ""},
		"by a token of an admin's": {hers, access.NewToken{Scopes: []string{"read"}}, 0, "", "acc_3"},
		"nobody":                   {access.Principal{}, access.NewToken{Scopes: []string{"read"}}, fault.Forbidden, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			tt.ask.Name = "t"
			got, secret, err := gate.IssueBy(t.Context(), tt.by, tt.ask)
			if fault.KindOf(err) != tt.kind || (err == nil) != (tt.kind == 0) || (secret != "") != (err == nil) || got.AccountID != tt.account || got.IssuedBy != tt.issuer {
				t.Errorf("IssueBy(%+v) = account %q by %q, %v, want %q by %q and kind %v", tt.ask, got.AccountID, got.IssuedBy, err, tt.account, tt.issuer, tt.kind)
			}
		})
	}
}
