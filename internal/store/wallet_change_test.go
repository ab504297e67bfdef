package store

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/malgil/malgil/internal/access"
	"github.com/malgil/malgil/internal/billing"
	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/clock"
	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/testserver"
	"github.com/malgil/malgil/internal/wallet"
)

// setStatus turns a wallet on or off by the platform.
func setStatus(t *testing.T, s *Store, id string, status wallet.Status) {
	t.Helper()
	must(t, s.ChangeWallet(t.Context(), id, access.WalletChange{Status: &status}, true, t0))
}

// A stop takes back what is queued in its own transaction; what is on its way is settled.
func TestChangeWallet_stopRecalls(t *testing.T) {
	for _, off := range []wallet.Status{wallet.Stopped, wallet.Suspended} {
		t.Run(string(off), func(t *testing.T) {
			eachDatabase(t, func(t *testing.T, s *Store) {
				walletID, botID := shop(t, s, "1", 10_000)
				b := running(t, s, order("brd_1", botID), 100, 100, 100)
				dispatch(t, s, t0)
				first := sent(t, s, b.ID, 1, t0)
				setStatus(t, s, walletID, off)
				if w := wantWallet(t, s, walletID); w.Held != 1500 || w.Status != off {
					t.Errorf("the wallet is %s and holds %d, want %s and 1500 for what is at Kakao", w.Status, w.Held, off)
				}
				if rows := dispatch(t, s, t0); len(rows) != 0 {
					t.Errorf("Dispatch() queued %v", rows)
				}
				if b := wantBroadcast(t, s, b.ID); b.Wait != broadcast.WaitStopped || b.PlannedChunks != 2 {
					t.Errorf("the broadcast waits for %q with %d planned, want stopped with 2", b.Wait, b.PlannedChunks)
				}
				settle(t, s, first, 100, t0)
				setStatus(t, s, walletID, wallet.InUse)
				if rows := dispatch(t, s, t0); len(rows) != 2 {
					t.Errorf("Dispatch() after the start queued %d chunks, want 2", len(rows))
				}
				wantWallet(t, s, walletID)
			})
		})
	}
}

func TestChangeWallet(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		newWallet(t, s, "w", 0)
		newWallet(t, s, "p", 0)
		exec(t, s, `UPDATE wallet SET kind = 'personal', business_number = '', invoice_email = '' WHERE id = 'p'`)
		name, email, limit, suspended := "달빛문구", "new@hanbit.example", wallet.KRW(2000), wallet.Suspended
		must(t, s.ChangeWallet(t.Context(), "w", access.WalletChange{Name: &name, InvoiceEmail: &email, DailyLimit: &limit}, false, t0))
		v, err := s.WalletView(t.Context(), "w")
		if err != nil || v.Name != name || v.InvoiceEmail != email || v.DailyLimit != limit || v.Status != wallet.InUse {
			t.Errorf("WalletView() = %+v, %v, want all three changed and nothing else", v, err)
		}
		must(t, s.ChangeWallet(t.Context(), "w", access.WalletChange{Name: &v.BusinessNumber}, false, t0))
		if again, err := s.WalletView(t.Context(), "w"); err != nil || again.InvoiceEmail != email || again.DailyLimit != limit {
			t.Errorf("WalletView() after another name = %+v, %v, want the rest as it was", again, err)
		}
		refused := map[string]struct {
			id     string
			change access.WalletChange
			kind   fault.Kind
		}{
			"an invoice address of a person":    {"p", access.WalletChange{InvoiceEmail: &email}, fault.Invalid},
			"suspended by others":               {"w", access.WalletChange{Status: &suspended}, fault.Forbidden},
			"a name beside what is not allowed": {"p", access.WalletChange{Name: &name, Status: &suspended}, fault.Forbidden},
			"no such wallet":                    {"w9", access.WalletChange{Name: &name}, fault.NotFound},
		}
		for what, tt := range refused {
			if err := s.ChangeWallet(t.Context(), tt.id, tt.change, false, t0); fault.KindOf(err) != tt.kind {
				t.Errorf("%s: ChangeWallet() error = %v, want %v", what, err, tt.kind)
			}
		}
		if p, err := s.WalletView(t.Context(), "p"); err != nil || p.Name != "한빛서점" {
			t.Errorf("the wallet of a refused change is called %q, %v", p.Name, err)
		}
	})
}

// No top-up begins beside the deletion of its wallet.
func TestDeleteWallet_besideATopUp(t *testing.T) {
	s := openTest(t, testserver.Postgres(t))
	owing(t, s, "w", 0)
	c := billing.Checkout{ID: "cko_1", AttemptID: "att_1", Kind: billing.CheckoutTopUp, Method: billing.ByCard, State: billing.CheckoutReady, AccountID: "acc_w", WalletID: "w", Supply: 1000, VAT: 100, CreatedAt: t0}
	err := behind(t, s, `UPDATE wallet SET status = 'stopped', deleted_at = 1 WHERE id = 'w'`, func() error {
		_, err := s.CreateCheckout(t.Context(), c, billing.Request{})
		return err
	})
	if !errors.Is(err, wallet.ErrDeleted) {
		t.Errorf("CreateCheckout() beside DeleteWallet() = %v, want %v", err, wallet.ErrDeleted)
	}
}

func TestDeleteWallet(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		owing(t, s, "w", 0, "c1")
		owing(t, s, "other", 0)
		topUp(t, s, "w", 3000, "cko_1", t0)
		give(t, s, free("w", "grt_1", 500, clock.NextMidnight(t0), t0), true)
		b := running(t, s, order("brd_1", "bot_w"), 100)
		dispatch(t, s, t0)
		err := s.DeleteWallet(t.Context(), "w", t0)
		var f *fault.Error
		if !errors.As(err, &f) || f.Kind != fault.Conflict || len(f.Parts) != 4 {
			t.Fatalf("DeleteWallet() of a wallet in use = %v, want its status, cash, hold and broadcast named", err)
		}
		setStatus(t, s, "w", wallet.Stopped)
		if _, err := s.Cancel(t.Context(), b.ID, t0); err != nil {
			t.Fatal(err)
		}
		if err := s.DeleteWallet(t.Context(), "w", t0); err == nil || !strings.Contains(err.Error(), "wallet.paid_krw is 3000 KRW that can be refunded") || strings.Count(err.Error(), "wallet.") != 1 {
			t.Errorf("DeleteWallet() with paid cash = %v, want that alone named", err)
		}
		post1(t, s, "w", func(w wallet.Wallet) (wallet.Wallet, wallet.Posting) { // as a refund takes it out
			p := wallet.Posting{Kind: "test", Ref: "out", At: t0, Paid: -w.Paid, Clearing: w.Paid}
			w.Paid = 0
			return w, p
		})
		for _, now := range []time.Time{t0, t0.Add(time.Hour)} {
			if err := s.DeleteWallet(t.Context(), "w", now); err != nil {
				t.Fatal(err)
			}
		}

		v, err := s.WalletView(t.Context(), "w")
		if err != nil || v.Status != wallet.Deleted || !v.DeletedAt.Equal(t0) {
			t.Errorf("WalletView() = %s since %v, %v, want deleted since the first call", v.Status, v.DeletedAt, err)
		}
		list, err := s.WalletViews(t.Context(), access.Everything, "", 10)
		if err != nil || len(list) != 1 || list[0].ID != "other" {
			t.Errorf("WalletViews() = %v, %v, want the other alone", list, err)
		}
		name := "x"
		calls := map[string]error{
			"change": s.ChangeWallet(t.Context(), "w", access.WalletChange{Name: &name}, true, t0),
			"give": func() error {
				_, _, err := s.Give(t.Context(), free("w", "grt_2", 1, never, t0), wallet.Request{})
				return err
			}(),
			"put card": s.ChangeCards(t.Context(), "w", "", t0, func([]string) ([]string, error) { return []string{"c1"}, nil }),
		}
		for what, err := range calls {
			if fault.CodeOf(err) != "WALLET_DELETED" {
				t.Errorf("%s on a deleted wallet error = %v, want WALLET_DELETED", what, err)
			}
		}
		want(t, "wallets of bots", texts(t, s, `SELECT id || ' ' || COALESCE(wallet_id, 'none') FROM bot ORDER BY id`), "bot_other other", "bot_w none")
		want(t, "cards on wallets", texts(t, s, `SELECT card_id FROM wallet_card`))
		if gone := vanish(t, s, clock.NextMidnight(t0)); gone != 500 {
			t.Errorf("ExpireFree() = %d, want the 500 that were lost with the wallet", gone)
		}
		wantWallet(t, s, "w")
	})
}

func TestDeleteWallet_waitsForWhatIsOpen(t *testing.T) {
	ties := map[string]struct {
		set  string
		want string
	}{
		"a checkout": {`INSERT INTO checkout (id, kind, account_id, wallet_id, supply_krw, vat_krw, return_key_hash, redirect, state, reason, created_at, closed_at)
			VALUES ('cko', 'topup', 'acc_w', 'w', 1000, 100, '', '', 'ready', '', 1, 0)`, "wallet.payments under way"},
		"a charge": {`INSERT INTO charge (id, wallet_id, supply_krw, vat_krw, state, opened_at, closed_at) VALUES ('chg', 'w', 1, 0, 'review', 1, 0)`, "wallet.payments under way"},
		"a refund": {`INSERT INTO refund (id, wallet_id, supply_krw, vat_krw, state, bank, number_sealed, masked, holder, opened_at, closed_at)
			VALUES ('rfd', 'w', 1, 0, 'open', '', '', '', '', 1, 0)`, "wallet.payments under way"},
		"use of a month": {`UPDATE wallet SET status = 'stopped' WHERE id = 'w'`, "wallet.invoices of November 2026"},
	}
	eachDatabase(t, func(t *testing.T, s *Store) {
		owing(t, s, "w", 0)
		topUp(t, s, "w", 1500, "cko_1", t0)
		b := running(t, s, order("brd_1", "bot_w"), 100)
		settle(t, s, sent(t, s, b.ID, 1, t0), 100, t0)
		setStatus(t, s, "w", wallet.Stopped)
		for name, tt := range ties {
			exec(t, s, tt.set)
			if err := s.DeleteWallet(t.Context(), "w", t0); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("DeleteWallet() beside %s = %v, want %q", name, err, tt.want)
			}
		}
	})
}

// A wallet gets its first card when it has a daily limit.
func TestChangeCards_needDailyLimit(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		owing(t, s, "w", 0)
		newCard(t, s, "c1", "acc_w", "", 0)
		exec(t, s, `UPDATE wallet SET daily_limit_krw = 0`)
		put := func() error {
			return s.ChangeCards(t.Context(), "w", "acc_w", t0, func([]string) ([]string, error) { return []string{"c1"}, nil })
		}
		if err := put(); fault.CodeOf(err) != "DAILY_LIMIT_MISSING" {
			t.Errorf("ChangeCards() without a limit error = %v, want DAILY_LIMIT_MISSING", err)
		}
		limit := wallet.KRW(1000)
		must(t, s.ChangeWallet(t.Context(), "w", access.WalletChange{DailyLimit: &limit}, false, t0))
		must(t, put())
	})
}

// The limit bounds what cards will owe, and nothing else: paid cash goes on.
func TestDailyLimit_governsAutoPayOnly(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		owing(t, s, "w", 0, "c1")
		limit := wallet.KRW(2000)
		must(t, s.ChangeWallet(t.Context(), "w", access.WalletChange{DailyLimit: &limit}, false, t0))
		topUp(t, s, "w", 30_000, "cko_1", t0)
		b := running(t, s, order("brd_1", "bot_w"), 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100)
		for seq := 1; seq <= 21; seq++ {
			settle(t, s, sent(t, s, b.ID, seq, t0), 100, t0)
		}
		dispatch(t, s, t0)
		midnight := clock.NextMidnight(t0)
		if b := wantBroadcast(t, s, b.ID); b.Wait != broadcast.WaitDailyLimit || !b.WaitUntil.Equal(midnight) {
			t.Errorf("the broadcast waits for %q until %v, want daily_limit until %v", b.Wait, b.WaitUntil, midnight)
		}
		if w := wantWallet(t, s, "w"); w.Paid != 0 || w.Accrual != 1500 {
			t.Errorf("the wallet has %d and owes %d, want 0 and 1500", w.Paid, w.Accrual)
		}
		topUp(t, s, "w", 2500, "cko_2", t0) // pays the 1500, and 1000 beside the 500 that the limit leaves
		if rows := dispatch(t, s, t0); len(rows) != 1 {
			t.Errorf("Dispatch() after a top-up queued %d chunks, want the last", len(rows))
		}
	})
}
