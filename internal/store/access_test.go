package store

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/malgil/malgil/internal/access"
	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/testserver"
	"github.com/malgil/malgil/internal/wallet"
)

func TestToken_isKeptByItsHash(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		in := access.Token{ID: "tok_1", Name: "서점", IssuedBy: "acc_9", Scopes: []access.Scope{access.Send, access.Read}, CreatedAt: t0, ExpiresAt: t0.Add(time.Hour)}
		hash := []byte("thirty-two bytes of a hash, or so")
		must(t, s.InsertToken(t.Context(), in, hash))

		got, err := s.TokenByHash(t.Context(), hash)
		if err != nil || got.ID != in.ID || got.Name != in.Name || !slices.Equal(got.Scopes, in.Scopes) ||
			!got.CreatedAt.Equal(t0) || !got.ExpiresAt.Equal(in.ExpiresAt) || !got.LastUsedAt.IsZero() || !got.RevokedAt.IsZero() || got.AccountID != "" || got.IssuedBy != "acc_9" {
			t.Errorf("TokenByHash() = %+v, %v, want %+v", got, err, in)
		}
		if _, err := s.TokenByHash(t.Context(), []byte("another")); fault.KindOf(err) != fault.NotFound {
			t.Errorf("TokenByHash(another) error = %v, want NotFound", err)
		}

		minute := t0.Add(time.Minute)
		must(t, s.TouchToken(t.Context(), "tok_1", minute))
		must(t, s.TouchToken(t.Context(), "tok_1", t0)) // an older use that is written later
		must(t, s.RevokeToken(t.Context(), "tok_1", minute))
		must(t, s.RevokeToken(t.Context(), "tok_1", minute.Add(time.Hour)))
		got, err = s.TokenByHash(t.Context(), hash)
		if err != nil || !got.LastUsedAt.Equal(minute) || !got.RevokedAt.Equal(minute) {
			t.Errorf("after use and two revocations TokenByHash() = %+v, %v, want used and revoked at %v", got, err, minute)
		}
		if err := s.RevokeToken(t.Context(), "tok_9", t0); fault.KindOf(err) != fault.NotFound {
			t.Errorf("RevokeToken(tok_9) error = %v, want NotFound", err)
		}
	})
}

func TestInsertAccount_addressIsOnePersons(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		must(t, s.InsertAccount(t.Context(), access.Account{ID: "acc_1", Name: "김하늘", Email: "haneul@hanbit.example", CreatedAt: t0}))
		err := s.InsertAccount(t.Context(), access.Account{ID: "acc_2", Name: "다른 사람", Email: "Haneul@Hanbit.example", CreatedAt: t0})
		if fault.KindOf(err) != fault.Conflict || fault.CodeOf(err) != "EMAIL_TAKEN" {
			t.Errorf("InsertAccount(the same address in capitals) error = %v, want a Conflict", err)
		}
		all, err := s.Accounts(t.Context(), access.Everything, "", 10)
		if err != nil || len(all) != 1 || all[0].Email != "haneul@hanbit.example" {
			t.Errorf("Accounts() = %+v, %v, want the first alone", all, err)
		}
	})
}

func openWallet(t *testing.T, s *Store, id, master string) {
	t.Helper()
	must(t, s.InsertWallet(t.Context(), access.OpenedWallet{ID: id, CreatedAt: t0, NewWallet: access.NewWallet{
		Name: "한빛서점", Kind: access.Business, BusinessNumber: "9998100015", InvoiceEmail: "tax@hanbit.example", Master: master, DailyLimit: 1000,
	}}))
}

func TestInsertWallet(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		newAccount(t, s, "acc_1")
		openWallet(t, s, "wal_1", "acc_1")
		v, err := s.WalletView(t.Context(), "wal_1")
		if err != nil || v.Status != wallet.InUse || v.PaymentState != wallet.Active || v.DailyLimit != 1000 || v.Paid != 0 || v.HasCard {
			t.Errorf("WalletView() = %+v, %v, want an empty wallet in use", v, err)
		}
		if len(v.Members) != 1 || v.Members[0].AccountID != "acc_1" || v.Members[0].Role != access.Master {
			t.Errorf("WalletView() members = %+v, want acc_1 as master", v.Members)
		}
		err = s.InsertWallet(t.Context(), access.OpenedWallet{ID: "wal_2", NewWallet: access.NewWallet{Kind: access.Personal, Master: "acc_9"}})
		var f *fault.Error
		if !errors.As(err, &f) || f.Field != "master" {
			t.Errorf("InsertWallet(no such master) error = %v, want Invalid about master", err)
		}
		if all, err := s.WalletViews(t.Context(), access.Everything, "", 10); err != nil || len(all) != 1 {
			t.Errorf("WalletViews() = %d, %v, want the first alone", len(all), err)
		}
	})
}

// roles lists who is what on a wallet, as "acc_1 master".
func roles(t *testing.T, s *Store, walletID string) []string {
	t.Helper()
	v, err := s.WalletView(t.Context(), walletID)
	must(t, err)
	var all []string
	for _, m := range v.Members {
		all = append(all, fmt.Sprintf("%s %s", m.AccountID, m.Role))
	}
	return all
}

func TestMembers(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		for _, id := range []string{"acc_1", "acc_2", "acc_3"} {
			newAccount(t, s, id)
		}
		openWallet(t, s, "wal_1", "acc_1")
		steps := []struct {
			name string
			do   func() error
			kind fault.Kind // of a refusal; Internal for none
			want []string
		}{
			{"a worker joins", func() error { return s.PutMember(t.Context(), "wal_1", "acc_2", access.Worker, true) }, 0, []string{"acc_1 master", "acc_2 worker"}},
			{"again", func() error { return s.PutMember(t.Context(), "wal_1", "acc_2", access.Worker, true) }, 0, []string{"acc_1 master", "acc_2 worker"}},
			{"the master steps back", func() error { return s.PutMember(t.Context(), "wal_1", "acc_1", access.Worker, true) }, fault.Conflict, []string{"acc_1 master", "acc_2 worker"}},
			{"the master leaves", func() error { return s.DropMember(t.Context(), "wal_1", "acc_1") }, fault.Conflict, []string{"acc_1 master", "acc_2 worker"}},
			{"the worker becomes master", func() error { return s.PutMember(t.Context(), "wal_1", "acc_2", access.Master, true) }, 0, []string{"acc_2 master", "acc_1 worker"}},
			{"somebody new becomes master", func() error { return s.PutMember(t.Context(), "wal_1", "acc_3", access.Master, true) }, 0, []string{"acc_3 master", "acc_1 worker", "acc_2 worker"}},
			{"the first one leaves", func() error { return s.DropMember(t.Context(), "wal_1", "acc_1") }, 0, []string{"acc_3 master", "acc_2 worker"}},
			{"and leaves again", func() error { return s.DropMember(t.Context(), "wal_1", "acc_1") }, fault.NotFound, []string{"acc_3 master", "acc_2 worker"}},
			{"nobody joins", func() error { return s.PutMember(t.Context(), "wal_1", "acc_9", access.Worker, true) }, fault.NotFound, []string{"acc_3 master", "acc_2 worker"}},
			{"on no wallet", func() error { return s.PutMember(t.Context(), "wal_9", "acc_1", access.Worker, true) }, fault.NotFound, []string{"acc_3 master", "acc_2 worker"}},
		}
		for _, step := range steps {
			err := step.do()
			if fault.KindOf(err) != step.kind || (err == nil) != (step.kind == fault.Internal) {
				t.Errorf("%s: error = %v, want kind %v", step.name, err, step.kind)
			}
			if got := roles(t, s, "wal_1"); !slices.Equal(got, step.want) {
				t.Errorf("%s: members = %v, want %v", step.name, got, step.want)
			}
		}
	})
}

func TestDropMember_takesHisCardsOffAndLeavesTheDebt(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		newAccount(t, s, "acc_1")
		newAccount(t, s, "acc_2")
		openWallet(t, s, "wal_1", "acc_1")
		must(t, s.PutMember(t.Context(), "wal_1", "acc_2", access.Worker, true))
		newCard(t, s, "crd_worker1", "acc_2", "wal_1", 1)
		newCard(t, s, "crd_master", "acc_1", "wal_1", 2)
		newCard(t, s, "crd_worker2", "acc_2", "wal_1", 3)
		post1(t, s, "wal_1", func(w wallet.Wallet) (wallet.Wallet, wallet.Posting) {
			return w.Capture(0, 1500, nil, "chunk", t0)
		})
		must(t, s.DropMember(t.Context(), "wal_1", "acc_2"))
		cards, err := s.WalletCards(t.Context(), "wal_1")
		if err != nil || len(cards) != 1 || cards[0].ID != "crd_master" || cards[0].Slot != 1 {
			t.Errorf("WalletCards() = %+v, %v, want the master's card as the payment card", cards, err)
		}
		if w := wantWallet(t, s, "wal_1"); w.Accrual != 1500 {
			t.Errorf("accrual = %d, want 1500 as before", w.Accrual)
		}
		if cards, err := s.AccountCards(t.Context(), "acc_2"); err != nil || len(cards) != 2 {
			t.Errorf("AccountCards(acc_2) = %d, %v, want his two cards still registered", len(cards), err)
		}
	})
}

// Two people are made master at once: one of them is, and the wallet never has two or none.
func TestPutMember_mastersAtOnce(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		newAccount(t, s, "acc_0")
		openWallet(t, s, "wal_1", "acc_0")
		var group sync.WaitGroup
		for i := range 6 {
			id := newAccount(t, s, fmt.Sprintf("acc_%d", i+1))
			group.Go(func() {
				if err := s.PutMember(t.Context(), "wal_1", id, access.Master, true); err != nil {
					t.Errorf("PutMember(%s) error = %v", id, err)
				}
			})
		}
		group.Wait()
		masters := 0
		for _, role := range roles(t, s, "wal_1") {
			if role[len(role)-6:] == "master" {
				masters++
			}
		}
		if masters != 1 || len(roles(t, s, "wal_1")) != 7 {
			t.Errorf("members = %v, want seven and one master", roles(t, s, "wal_1"))
		}
	})
}

// Two people take one address at the same time: the second, who looked before the first was done, is told.
func TestChangeAccount_atOnce(t *testing.T) {
	s := openTest(t, testserver.Postgres(t))
	for _, id := range []string{"acc_1", "acc_2"} {
		if err := s.InsertAccount(t.Context(), access.Account{ID: id, Name: id, Email: id + "@b.example", CreatedAt: t0}); err != nil {
			t.Fatal(err)
		}
	}
	same := "same@b.example"
	err := behind(t, s, `UPDATE account SET email = 'same@b.example' WHERE id = 'acc_1'`, func() error {
		return s.ChangeAccount(t.Context(), "acc_2", access.AccountChange{Email: &same})
	})
	if fault.CodeOf(err) != "EMAIL_TAKEN" {
		t.Errorf("ChangeAccount() beside another = %v, want EMAIL_TAKEN", err)
	}
}

func TestChangeAccount(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		for _, id := range []string{"acc_1", "acc_2"} {
			if err := s.InsertAccount(t.Context(), access.Account{ID: id, Name: id, Email: id + "@b.example", CreatedAt: t0}); err != nil {
				t.Fatal(err)
			}
		}
		taken, own, name := "ACC_2@b.example", "ACC_1@b.example", "이바다"
		for _, tt := range []struct {
			id     string
			change access.AccountChange
			want   access.Account
			code   string
			kind   fault.Kind
		}{
			{id: "acc_1", change: access.AccountChange{Email: &taken}, code: "EMAIL_TAKEN", kind: fault.Conflict},
			{id: "acc_1", change: access.AccountChange{Email: &own}, want: access.Account{ID: "acc_1", Name: "acc_1", Email: own, CreatedAt: t0}},
			{id: "acc_1", change: access.AccountChange{Name: &name}, want: access.Account{ID: "acc_1", Name: name, Email: own, CreatedAt: t0}},
			{id: "none", change: access.AccountChange{Name: &name}, kind: fault.NotFound},
		} {
			err := s.ChangeAccount(t.Context(), tt.id, tt.change)
			if tt.want.ID == "" {
				if fault.KindOf(err) != tt.kind || fault.CodeOf(err) != tt.code {
					t.Errorf("ChangeAccount(%s) error = %v, want %v %s", tt.id, err, tt.kind, tt.code)
				}
				continue
			}
			if got, readErr := s.Account(t.Context(), tt.id); err != nil || readErr != nil || got != tt.want {
				t.Errorf("ChangeAccount(%s) = %v, %v; the account is %+v, want %+v", tt.id, err, readErr, got, tt.want)
			}
		}
	})
}
