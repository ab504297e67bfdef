package store

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/malgil/malgil/internal/bank"
	"github.com/malgil/malgil/internal/billing"
	"github.com/malgil/malgil/internal/clock"
	"github.com/malgil/malgil/internal/id"
	"github.com/malgil/malgil/internal/kakaopay"
	"github.com/malgil/malgil/internal/sandbox"
	"github.com/malgil/malgil/internal/wallet"
)

// market is a till whose gateway is the sandbox, over HTTP.
type market struct {
	*till
	sand   *sandbox.Sandbox
	client *http.Client
	cards  map[string]string // our id by the sandbox's name

	gateway  *kakaopay.Gateway
	teller   *bank.Client
	settings billing.Settings
}

func newMarket(t *testing.T, s *Store, changes ...func(*billing.Settings)) *market {
	t.Helper()
	shared := &clock.Clock{}
	sand, err := sandbox.Start(context.Background(), sandbox.Options{Clock: shared, KakaoPaySecret: "secret-key", BankSecret: "bank-secret"})
	if err != nil {
		t.Fatal(err)
	}
	client, err := kakaopay.New(sand.URL(), "secret-key", 0)
	if err != nil {
		t.Fatal(err)
	}
	teller, err := bank.New(sand.URL(), "bank-secret", 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		client.Close()
		teller.Close()
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := sand.Close(ctx); err != nil {
			t.Errorf("Close() of the sandbox = %v", err)
		}
	})
	m := &market{
		till: &till{t: t, s: s, shared: shared}, sand: sand, client: &http.Client{Timeout: 10 * time.Second}, cards: map[string]string{},
		gateway:  kakaopay.NewGateway(client, kakaopay.Merchant{OneTimeCID: kakaopay.TestCIDOnce, RecurringCID: kakaopay.TestCIDRecurring}),
		teller:   teller,
		settings: billing.DefaultSettings,
	}
	t.Cleanup(m.client.CloseIdleConnections)
	m.settings.PublicURL = "http://127.0.0.1:1"
	for _, change := range changes {
		change(&m.settings)
	}
	m.serve()
	return m
}

// impatient makes the calls that follow give up soon, so that a stall costs little, and patient as late
// as ever, so that a busy machine is not taken for a stall.
func (m *market) impatient() { m.waits(600 * time.Millisecond) }
func (m *market) patient()   { m.waits(billing.DefaultSettings.CallLimit) }

func (m *market) waits(most time.Duration) {
	m.settings.CallLimit = most
	m.serve()
}

// serve makes the billing service.
func (m *market) serve() {
	m.Service = billing.New(m.s, m.gateway, testKeys(m.t), id.New(m.clock, rand.Reader), rand.Reader, m.clock, m.settings).WithBank(m.teller)
}

// admin calls the sandbox's admin.
func (m *market) admin(method, path, body string) map[string]any {
	m.t.Helper()
	request, err := http.NewRequestWithContext(m.t.Context(), method, m.sand.URL()+path, strings.NewReader(body))
	if err != nil {
		m.t.Fatal(err)
	}
	request.Header.Set("Authorization", "SECRET_KEY secret-key") // for calls of KakaoPay itself
	response, err := m.client.Do(request)
	if err != nil {
		m.t.Fatal(err)
	}
	defer response.Body.Close()
	var answer map[string]any
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil && response.StatusCode >= 300 {
		m.t.Fatal(err)
	}
	if response.StatusCode >= 300 {
		m.t.Fatalf("%s %s = %d %v", method, path, response.StatusCode, answer)
	}
	return answer
}

// pay acts as the payer at KakaoPay and comes back.
func (m *market) pay(c billing.Checkout, card string) billing.Checkout {
	m.t.Helper()
	answer := m.admin("POST", "/sandbox/pay/"+c.TID, `{"card":"`+card+`"}`)
	back, err := url.Parse(answer["redirect_url"].(string))
	if err != nil {
		m.t.Fatal(err)
	}
	key := back.Path[strings.LastIndex(back.Path, "/")+1:]
	c, result, err := m.Return(m.t.Context(), c.ID, key, back.Query().Get("pg_token"))
	if err != nil {
		m.t.Fatalf("Return() = %v, %v", result, err)
	}
	return c
}

// put registers cards of the wallet's master at KakaoPay, puts them on the wallet, and lets it
// owe an amount since yesterday.
func (m *market) put(walletID string, amount wallet.KRW, cards ...string) {
	m.t.Helper()
	owing(m.t, m.s, walletID, 0)
	for _, name := range cards {
		c, err := m.StartCard(m.t.Context(), "acc_"+walletID, billing.Request{})
		if err != nil {
			m.t.Fatal(err)
		}
		c = m.pay(c, name)
		if c.State != billing.CheckoutDone {
			m.t.Fatalf("registering %s = %s %s, want done", name, c.State, c.Reason)
		}
		m.cards[name] = c.CardID
		if err := m.AttachCard(m.t.Context(), walletID, "acc_"+walletID, c.CardID); err != nil {
			m.t.Fatal(err)
		}
	}
	m.pass(2 * time.Second)
	accrue(m.t, m.s, walletID, amount, m.clock().Add(-24*time.Hour))
}

// tried tells the attempts of a wallet's charges, with the sandbox's names.
func (m *market) tried(walletID string) []string {
	m.t.Helper()
	all := texts(m.t, m.s, `SELECT card_id || ' ' || state || ' ' || reason FROM attempt WHERE wallet_id = $1 AND kind = 'charge' ORDER BY id`, walletID)
	for i := range all {
		for name, id := range m.cards {
			all[i] = strings.TrimSpace(strings.Replace(all[i], id, name, 1))
		}
	}
	return all
}

func TestBilling_stories(t *testing.T) {
	tests := map[string]struct {
		setup   func(m *market)
		after   func(m *market) // once the first run is over
		first   []string        // attempts after the first run
		last    []string        // attempts in the end
		charges []string
		state   wallet.PaymentState
		paid    int64 // what the provider took
		mails   []string
	}{
		"the first card declines, the second is charged once": {
			setup: func(m *market) { m.admin("PUT", "/sandbox/cards/hanbit", `{"personality":"declined"}`) },
			first: []string{"hanbit declined declined", "saebyeok done"}, charges: []string{"paid"}, state: wallet.Active, paid: 1650,
			mails: []string{"auto_pay_success"},
		},
		"nobody knows, and it was paid": {
			setup: func(m *market) { m.admin("PUT", "/sandbox/cards/hanbit", `{"personality":"unknown_paid"}`) },
			first: []string{"hanbit unknown"},
			after: func(m *market) { m.pass(6 * time.Second); m.run() },
			last:  []string{"hanbit done"}, charges: []string{"paid"}, state: wallet.Active, paid: 1650, mails: []string{"auto_pay_success"},
		},
		"nobody knows, and it was not paid": {
			setup: func(m *market) { m.admin("PUT", "/sandbox/cards/hanbit", `{"personality":"unknown_unpaid"}`) },
			first: []string{"hanbit unknown"},
			after: func(m *market) {
				m.pass(30 * time.Second)
				m.run()
				want(m.t, "attempts within a minute", m.tried("w"), "hanbit unknown")
				m.pass(31 * time.Second)
				m.run()
			},
			last: []string{"hanbit declined lost", "saebyeok done"}, charges: []string{"paid"}, state: wallet.Active, paid: 1650,
			mails: []string{"auto_pay_success"},
		},
		"the connection is cut after it paid": {
			setup: func(m *market) {
				m.admin("POST", "/sandbox/faults", `{"target":"kakaopay.subscription","fault":"cut_after"}`)
			},
			first: []string{"hanbit unknown"},
			after: func(m *market) { m.pass(6 * time.Second); m.run() },
			last:  []string{"hanbit done"}, charges: []string{"paid"}, state: wallet.Active, paid: 1650, mails: []string{"auto_pay_success"},
		},
		"every card declines": {
			setup: func(m *market) {
				for _, card := range []string{"hanbit", "saebyeok", "norae"} {
					m.admin("PUT", "/sandbox/cards/"+card, `{"personality":"declined"}`)
				}
			},
			first:   []string{"hanbit declined declined", "saebyeok declined declined", "norae declined declined"},
			charges: []string{"failed"}, state: wallet.Unpaid, mails: []string{"auto_pay_failure", "unpaid"},
		},
		"every card is dormant, then one is revived": {
			setup: func(m *market) {
				for _, card := range []string{"hanbit", "saebyeok", "norae"} {
					m.admin("POST", "/sandbox/cards/"+card+"/dormant", "")
				}
			},
			first: []string{"hanbit declined dormant", "saebyeok declined dormant", "norae declined dormant"},
			after: func(m *market) {
				m.admin("POST", "/sandbox/cards/norae/revive", "")
				m.pass(24 * time.Hour)
				m.run()
			},
			last: []string{"hanbit declined dormant", "saebyeok declined dormant", "norae declined dormant",
				"hanbit declined dormant", "saebyeok declined dormant", "norae done"},
			charges: []string{"failed", "paid"}, state: wallet.AwaitingReconnect, paid: 1650,
			mails: []string{"auto_pay_failure", "unpaid", "auto_pay_success"},
		},
		"the key is not accepted": {
			setup: func(m *market) {
				m.admin("POST", "/sandbox/faults", `{"target":"kakaopay.subscription","fault":"unauthorized"}`)
			},
			first: []string{"hanbit declined config"},
			after: func(m *market) {
				if got := wantWallet(m.t, m.s, "w"); got.PaymentState != wallet.Active || got.Accrual != 1500 {
					m.t.Errorf("wallet = %s owing %d, want ACTIVE owing 1500", got.PaymentState, got.Accrual)
				}
				m.pass(10 * time.Minute)
				m.run()
			},
			last: []string{"hanbit declined config", "hanbit done"}, charges: []string{"halted", "paid"}, state: wallet.Active, paid: 1650,
			mails: []string{"auto_pay_success"},
		},
		"the wrong amount was taken": {
			setup: func(m *market) { m.admin("PUT", "/sandbox/cards/hanbit", `{"personality":"wrong_amount"}`) },
			first: []string{"hanbit done mismatch"}, charges: []string{"review"}, state: wallet.Active, paid: 1660,
		},
		"a card was switched off at KakaoPay": {
			setup: func(m *market) { m.admin("PUT", "/sandbox/cards/hanbit", `{"personality":"dead"}`) },
			first: []string{"hanbit declined dead", "saebyeok done"}, charges: []string{"paid"}, state: wallet.Active, paid: 1650,
			mails: []string{"auto_pay_success"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := openTest(t, sqliteAddress(t))
			m := newMarket(t, s)
			m.put("w", 1500, "hanbit", "saebyeok", "norae")
			tt.setup(m)
			m.run()
			want(t, "attempts of the first run", m.tried("w"), tt.first...)
			last := tt.first
			if tt.after != nil {
				tt.after(m)
				last = tt.last
			}
			want(t, "attempts", m.tried("w"), last...)
			want(t, "charges", m.charges("w"), tt.charges...)
			want(t, "mails", m.mails("w"), tt.mails...)
			if got := wantWallet(t, s, "w"); got.PaymentState != tt.state {
				t.Errorf("wallet = %s, want %s", got.PaymentState, tt.state)
			}
			if got := m.sand.Truth().KakaoPay.PaidKRW; got != tt.paid {
				t.Errorf("the provider took %d, want %d", got, tt.paid)
			}
			books, err := s.Books(t.Context(), "w")
			if err != nil {
				t.Fatal(err)
			}
			if inReview := slices.Contains(m.charges("w"), "review"); !inReview && int64(-books.Clearing) != tt.paid {
				t.Errorf("the ledger says %d came in, the provider %d", -books.Clearing, tt.paid)
			}
		})
	}
}

// A top-up, a lost answer to its approval, and a card that is shown to be dormant and removed.
func TestBilling_checkoutsAtTheSandbox(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		m := newMarket(t, s)
		m.put("w", 1500, "hanbit")
		for i, fault := range []string{"", "cut_after", "cut_before"} {
			if fault != "" {
				m.admin("POST", "/sandbox/faults", `{"target":"kakaopay.approve","fault":"`+fault+`"}`)
			}
			c, err := m.StartTopUp(t.Context(), billing.TopUpOrder{AccountID: "acc_w", WalletID: "w", Supply: 10_000,
				Request: billing.Request{Scope: "tok", Key: fmt.Sprint(i), BodyHash: []byte("x")}})
			if err != nil {
				t.Fatal(err)
			}
			m.pay(c, "saebyeok")
			m.pass(10 * time.Second)
			m.run()
			if c, err = m.Checkout(t.Context(), c.ID); err != nil || c.State != billing.CheckoutDone {
				t.Errorf("top-up with %q = %s %s, %v, want done", fault, c.State, c.Reason, err)
			}
		}
		if got := wantWallet(t, s, "w"); got.Paid != 28_500 || got.Accrual != 0 { // the first paid what was owed
			t.Errorf("wallet = paid %d, owing %d, want 28500, 0", got.Paid, got.Accrual)
		}
		if got := m.sand.Truth().KakaoPay.PaidKRW; got != 33_000 {
			t.Errorf("the provider took %d, want 33000", got)
		}
		want(t, "mails", m.mails("w"), "topup", "topup", "topup")

		m.admin("POST", "/sandbox/cards/hanbit/dormant", "")
		cards, err := m.WalletCards(t.Context(), "w")
		if err != nil || len(cards) != 1 || cards[0].State != billing.CardDormant || cards[0].DormantSince.IsZero() || cards[0].Masked != "9446-01**" {
			t.Errorf("WalletCards() = %+v, %v, want 9446-01** dormant", cards, err)
		}
		if err := m.RemoveCard(t.Context(), "acc_w", m.cards["hanbit"]); err != nil {
			t.Errorf("RemoveCard() error = %v, want nil", err)
		}
		if cards, err := m.AccountCards(t.Context(), "acc_w"); err != nil || len(cards) != 0 {
			t.Errorf("AccountCards() = %v, %v, want none", cards, err)
		}
	})
}
