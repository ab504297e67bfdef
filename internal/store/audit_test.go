package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/malgil/malgil/internal/access"
)

// doing returns a context in which something is done to a wallet.
func doing(t testing.TB, action string) context.Context {
	return access.WithDeed(t.Context(), access.Deed{TokenID: "tok_1", AccountID: "acc_1", Action: action, Reason: "연습", At: t0},
		access.Object{Kind: access.OfWallet, ID: "wal_1"})
}

// audited returns the audit log, newest first.
func audited(t testing.TB, s *Store, f AuditFilter) []access.Entry {
	t.Helper()
	entries, err := s.Audit(t.Context(), f, 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	return entries
}

func wantChain(t testing.TB, s *Store, entries int64) {
	t.Helper()
	r, err := s.VerifyAudit(t.Context())
	if err != nil || r.Broken != 0 || r.Entries != entries || len(r.Head) != 64 {
		t.Errorf("VerifyAudit() = %+v, %v, want %d entries that hold", r, err, entries)
	}
}

// busyWallet has a master, a worker with a card, and four entries in the log.
func busyWallet(t *testing.T, s *Store) {
	t.Helper()
	newAccount(t, s, "acc_1")
	newAccount(t, s, "acc_2")
	newWallet(t, s, "wal_1", 0)
	for _, err := range []error{
		s.PutMember(doing(t, "put-member"), "wal_1", "acc_1", access.Master, true),
		s.PutMember(doing(t, "put-member"), "wal_1", "acc_2", access.Worker, true),
	} {
		must(t, err)
	}
	newCard(t, s, "crd_1", "acc_2", "wal_1", 1)
	must(t, s.DropMember(doing(t, "delete-member"), "wal_1", "acc_2"))
	must(t, s.SetAdmin(doing(t, "make-admin"), "acc_2", true))
}

func TestAudit_isWrittenWithItsEffect(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		wantChain(t, s, 0)
		busyWallet(t, s)
		wantChain(t, s, 4)
		all := audited(t, s, AuditFilter{})
		drop := all[1]
		want := access.Entry{
			Seq: 3, At: t0, TokenID: "tok_1", AccountID: "acc_1", Action: "delete-member", Reason: "연습", WalletID: "wal_1",
			Subject: access.Object{Kind: access.OfWallet, ID: "wal_1"},
			Before:  `{"account":"acc_2","cards":["crd_1"],"role":"worker"}`, After: `{"account":"acc_2","cards":null,"role":""}`,
			Hash: drop.Hash,
		}
		if drop != want {
			t.Errorf("the entry of a member who leaves = %+v, want %+v", drop, want)
		}
		if admin := all[0]; admin.Subject != (access.Object{Kind: access.OfAccount, ID: "acc_2"}) || admin.WalletID != "" {
			t.Errorf("the entry of a new admin is about %v on wallet %q, want the account and none", admin.Subject, admin.WalletID)
		}

		// What fails, what had no effect, and what nobody does is not written.
		if err := s.DropMember(doing(t, "delete-member"), "wal_1", "acc_1"); err == nil {
			t.Error("DropMember() of the master error = nil, want a refusal")
		}
		must(t, s.SetAdmin(doing(t, "make-admin"), "acc_2", true))
		must(t, s.SetAdmin(t.Context(), "acc_2", false))
		wantChain(t, s, 4)

		// One deed is one entry, however many transactions it takes.
		ctx := doing(t, "many")
		for range 3 {
			must(t, s.inTx(ctx, func(*sql.Tx) error { return nil }))
		}
		wantChain(t, s, 5)
		failed := errors.New("failed")
		ctx = doing(t, "late")
		if err := s.inTx(ctx, func(*sql.Tx) error { access.DeedOf(ctx).Nothing(); return failed }); !errors.Is(err, failed) {
			t.Fatal(err)
		}
		must(t, s.inTx(ctx, func(*sql.Tx) error { return nil }))
		wantChain(t, s, 6)
	})
}

func TestAudit_listsByWhatOneAsksFor(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		busyWallet(t, s)
		for name, tt := range map[string]struct {
			filter AuditFilter
			want   string
		}{
			"everything":                {want: "4 3 2 1"},
			"of a wallet":               {filter: AuditFilter{WalletID: "wal_1"}, want: "3 2 1"},
			"of an action":              {filter: AuditFilter{Action: "put-member"}, want: "2 1"},
			"of a subject":              {filter: AuditFilter{Subject: access.Object{Kind: access.OfAccount, ID: "acc_2"}}, want: "4"},
			"by somebody else":          {filter: AuditFilter{AccountID: "acc_2"}},
			"what the one who did sees": {filter: AuditFilter{Sight: "acc_1"}, want: "4 3 2 1"},
			"what another sees":         {filter: AuditFilter{Sight: "acc_2"}},
			"of both":                   {filter: AuditFilter{WalletID: "wal_1", Action: "delete-member"}, want: "3"},
		} {
			var got []string
			for _, e := range audited(t, s, tt.filter) {
				got = append(got, fmt.Sprint(e.Seq))
			}
			if strings.Join(got, " ") != tt.want {
				t.Errorf("%s: entries %v, want %s", name, got, tt.want)
			}
		}
		if page, err := s.Audit(t.Context(), AuditFilter{}, 3, 1); err != nil || len(page) != 1 || page[0].Seq != 2 {
			t.Errorf("Audit(before 3, 1) = %v, %v, want entry 2", page, err)
		}
	})
}

func TestAudit_isNeverEditedOrShortened(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		busyWallet(t, s)
		for _, statement := range []string{`UPDATE audit SET reason = 'x'`, `DELETE FROM audit`, `DELETE FROM audit_head`} {
			if _, err := s.write.ExecContext(t.Context(), statement); err == nil {
				t.Errorf("%s error = nil, want a refusal", statement)
			}
		}
		wantChain(t, s, 4)
	})
}

// Somebody who may do everything to the database, triggers and all, is found by the chain.
func TestVerifyAudit_findsWhatWasTamperedWith(t *testing.T) {
	drops := map[string][]string{
		"sqlite":   {`DROP TRIGGER audit_is_never_changed`, `DROP TRIGGER audit_is_never_deleted`},
		"postgres": {`DROP TRIGGER audit_is_append_only ON audit`},
	}
	for name, tt := range map[string]struct {
		tamper string
		broken int64
	}{
		"another reason":        {`UPDATE audit SET reason = 'x' WHERE seq = 2`, 2},
		"another time":          {`UPDATE audit SET at = at + 1 WHERE seq = 1`, 1},
		"another account":       {`UPDATE audit SET account_id = 'acc_2' WHERE seq = 4`, 4},
		"another content":       {`UPDATE audit SET before_json = '' WHERE seq = 3`, 3},
		"another hash":          {`UPDATE audit SET hash = (SELECT hash FROM audit WHERE seq = 1) WHERE seq = 2`, 2},
		"one is gone":           {`DELETE FROM audit WHERE seq = 2`, 2},
		"the first is gone":     {`DELETE FROM audit WHERE seq = 1`, 1},
		"the last is gone":      {`DELETE FROM audit WHERE seq = 4`, 4},
		"the last two are gone": {`DELETE FROM audit WHERE seq > 2`, 3},
		"all are gone":          {`DELETE FROM audit`, 1},
		"two changed places":    {`UPDATE audit SET seq = CASE seq WHEN 2 THEN 30 ELSE 20 END WHERE seq IN (2, 3)`, 2},
		"the end is another":    {`UPDATE audit_head SET hash = (SELECT hash FROM audit WHERE seq = 1)`, 4},
	} {
		t.Run(name, func(t *testing.T) {
			eachDatabase(t, func(t *testing.T, s *Store) {
				busyWallet(t, s)
				for _, drop := range drops[s.dialect.name] {
					exec(t, s, drop)
				}
				exec(t, s, tt.tamper)
				r, err := s.VerifyAudit(t.Context())
				if err != nil || r.Broken != tt.broken || r.Why == "" {
					t.Errorf("VerifyAudit() = %+v, %v, want entry %d found and a reason", r, err, tt.broken)
				}
			})
		})
	}
}

// Many write at once, each under locks of his own: the log has every deed once, in one chain.
func TestAudit_manyAtOnce(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		const people, times = 8, 10
		for i := range people {
			newAccount(t, s, fmt.Sprintf("acc_%d", i))
		}
		var group sync.WaitGroup
		for i := range people {
			group.Go(func() {
				for n := range times {
					if err := s.SetAdmin(doing(t, "make-admin"), fmt.Sprintf("acc_%d", i), n%2 == 0); err != nil {
						t.Errorf("SetAdmin(%d) error = %v", i, err)
					}
				}
			})
		}
		group.Wait()
		wantChain(t, s, people*times)
	})
}
