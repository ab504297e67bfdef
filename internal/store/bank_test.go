package store

import (
	"fmt"
	"testing"
	"time"

	"github.com/malgil/malgil/internal/billing"
	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/wallet"
)

// transfer begins a top-up by bank transfer.
func (m *market) transfer(walletID string, supply wallet.KRW, key string) billing.Checkout {
	m.t.Helper()
	c, err := m.StartTopUp(m.t.Context(), billing.TopUpOrder{
		AccountID: "acc_" + walletID, WalletID: walletID, Supply: supply, Method: billing.ByBank,
		Request: billing.Request{Scope: "tok", Key: key, BodyHash: []byte(fmt.Sprint(supply))},
	})
	if err != nil {
		m.t.Fatalf("StartTopUp(%d by bank) error = %v", supply, err)
	}
	return c
}

// deposit sends money to the account of a checkout and says why it went back, if it did.
func (m *market) deposit(c billing.Checkout, amount wallet.KRW) string {
	m.t.Helper()
	answer := m.admin("POST", "/sandbox/bank/"+c.Transfer.Number+"/deposit", fmt.Sprintf(`{"amount":%d}`, amount))
	returned, _ := answer["returned"].(string)
	return returned
}

func (m *market) checkout(c billing.Checkout) billing.Checkout {
	m.t.Helper()
	c, err := m.Checkout(m.t.Context(), c.ID)
	if err != nil {
		m.t.Fatal(err)
	}
	return c
}

func (m *market) fault(target, kind string) {
	m.t.Helper()
	m.admin("POST", "/sandbox/faults", fmt.Sprintf(`{"target":%q,"fault":%q}`, target, kind))
}

// agrees compares what came in and went out by the ledger with what the gateway and the bank say.
func (m *market) agrees(walletID string) {
	m.t.Helper()
	wantWallet(m.t, m.s, walletID)
	books, err := m.s.Books(m.t.Context(), walletID)
	if err != nil {
		m.t.Fatal(err)
	}
	truth := m.sand.Truth()
	outside := truth.KakaoPay.PaidKRW - truth.KakaoPay.CancelledKRW + truth.Bank.PaidKRW - truth.Bank.SentKRW
	if int64(-books.Clearing) != outside {
		m.t.Errorf("the ledger took %d in, gateway and bank say %d: %+v", -books.Clearing, outside, truth.Bank)
	}
}

// A wrong amount and a second transfer go back, the right one counts, once.
func TestTransfer(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		m := newMarket(t, s)
		owing(t, s, "w", 0)
		c := m.transfer("w", 100_000, "k")
		if c.State != billing.CheckoutReady || c.Transfer.Number == "" || c.Transfer.Holder != "(주)카카오" || c.Method != billing.ByBank ||
			!c.ExpiresAt().Equal(c.CreatedAt.Add(7*24*time.Hour)) {
			t.Fatalf("StartTopUp(by bank) = %+v, want it ready with an account of (주)카카오 for a week", c)
		}
		if again := m.transfer("w", 100_000, "k"); again.ID != c.ID || again.Transfer != c.Transfer {
			t.Errorf("StartTopUp repeated = %s %v, want %s %v", again.ID, again.Transfer, c.ID, c.Transfer)
		}
		for _, wrong := range []wallet.KRW{109_999, 100_000, 110_001} {
			if why := m.deposit(c, wrong); why != "amount" {
				t.Errorf("deposit of %d goes back as %q, want amount", wrong, why)
			}
		}
		m.pass(2 * time.Minute)
		m.run()
		if got := m.checkout(c); got.State != billing.CheckoutReady {
			t.Errorf("checkout after wrong amounts = %s, want ready", got.State)
		}
		if why := m.deposit(c, 110_000); why != "" {
			t.Errorf("deposit of 110000 goes back as %q, want it kept", why)
		}
		if why := m.deposit(c, 110_000); why != "again" {
			t.Errorf("second deposit goes back as %q, want again", why)
		}
		for range 3 {
			m.pass(time.Minute)
			m.run()
		}
		if got := m.checkout(c); got.State != billing.CheckoutDone {
			t.Errorf("checkout = %s %s, want done", got.State, got.Reason)
		}
		if got := wantWallet(t, s, "w"); got.Paid != 100_000 {
			t.Errorf("paid cash = %d, want 100000", got.Paid)
		}
		want(t, "mails", m.mails("w"), "topup")
		want(t, "method in the mail", texts(t, s, `SELECT data FROM mail WHERE wallet_id = 'w' AND data NOT LIKE '%무통장입금 모래은행%'`))
		m.agrees("w")
	})
}

// A top-up by bank ends with its deadline; what comes later goes back.
func TestTransfer_isLate(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		m := newMarket(t, s)
		owing(t, s, "w", 0)
		c := m.transfer("w", 1_000, "k")
		m.pass(7*24*time.Hour - time.Minute)
		m.run()
		if got := m.checkout(c); got.State != billing.CheckoutReady {
			t.Errorf("checkout a minute before its deadline = %s, want ready", got.State)
		}
		m.pass(2 * time.Minute)
		if why := m.deposit(c, 1_100); why != "late" {
			t.Errorf("deposit after the deadline goes back as %q, want late", why)
		}
		m.run()
		if got := m.checkout(c); got.State != billing.CheckoutCancelled || got.Reason != billing.ReasonExpired {
			t.Errorf("checkout after its deadline = %s %s, want cancelled expired", got.State, got.Reason)
		}
		if got := wantWallet(t, s, "w"); got.Paid != 0 {
			t.Errorf("paid cash = %d, want 0", got.Paid)
		}
		m.agrees("w")
	})
}

// Money that comes for an unpaid wallet settles it, as by card.
func TestTransfer_endsUnpaid(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		m := newMarket(t, s)
		owing(t, s, "w", 0)
		accrue(t, s, "w", 50_000, m.clock().Add(-24*time.Hour))
		m.run()
		if got := wantWallet(t, s, "w"); got.PaymentState != wallet.Unpaid {
			t.Fatalf("wallet = %s, want UNPAID", got.PaymentState)
		}
		c := m.transfer("w", 60_000, "k")
		m.deposit(c, 66_000)
		m.pass(2 * time.Minute)
		m.run()
		if got := wantWallet(t, s, "w"); got.PaymentState != wallet.AwaitingReconnect || got.Accrual != 0 || got.Paid != 10_000 {
			t.Errorf("wallet = %s owing %d with %d paid cash, want AWAITING_RECONNECT, 0, 10000", got.PaymentState, got.Accrual, got.Paid)
		}
	})
}

func TestTransfer_refused(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		owing(t, s, "w", 0)
		owing(t, s, "mine", 0)
		exec(t, s, `UPDATE wallet SET kind = 'personal' WHERE id = 'mine'`)
		b := newTill(t, s, nil)
		order := billing.TopUpOrder{AccountID: "acc_w", WalletID: "w", Supply: 1_000, Method: billing.ByBank}
		if _, err := b.StartTopUp(t.Context(), order); fault.CodeOf(err) != "BANK_NOT_CONFIGURED" {
			t.Errorf("StartTopUp(by bank) without a bank error = %v, want BANK_NOT_CONFIGURED", err)
		}
		m := newMarket(t, s)
		order.AccountID, order.WalletID = "acc_mine", "mine"
		if _, err := m.StartTopUp(t.Context(), order); fault.CodeOf(err) != "BUSINESS_WALLET_ONLY" {
			t.Errorf("StartTopUp(by bank) of a personal wallet error = %v, want BUSINESS_WALLET_ONLY", err)
		}
		if got := m.sand.Truth().Bank.Accounts; got != 0 {
			t.Errorf("the bank opened %d accounts, want none", got)
		}
	})
}

// Whatever becomes of an answer of the bank, one order has one account, and its money counts once.
func TestTransfer_faults(t *testing.T) {
	for _, target := range []string{"bank.issue", "bank.lookup"} {
		for _, kind := range []string{"error_before", "error_after", "cut_before", "cut_after", "garbage", "throttle", "stall", "stall_before"} {
			t.Run(target+" "+kind, func(t *testing.T) {
				m := newMarket(t, openTest(t, sqliteAddress(t)))
				owing(t, m.s, "w", 0)
				m.impatient()
				m.fault(target, kind)
				c := m.transfer("w", 10_000, "k")
				for range 3 { // whoever asks again meets the same order
					c = m.transfer("w", 10_000, "k")
					m.pass(10 * time.Second)
					m.run()
				}
				if c = m.checkout(c); c.Transfer.Number == "" {
					t.Fatalf("checkout = %s %s without an account, want one", c.State, c.Reason)
				}
				if target == "bank.lookup" {
					m.fault(target, kind)
				}
				m.deposit(c, 11_000)
				for range 4 {
					m.pass(time.Minute)
					m.run()
				}
				if got := m.checkout(c); got.State != billing.CheckoutDone {
					t.Errorf("checkout = %s %s, want done", got.State, got.Reason)
				}
				if got := m.sand.Truth().Bank; got.Accounts != 1 || got.Paid != 1 {
					t.Errorf("the bank opened %d accounts and was paid %d times, want 1, 1", got.Accounts, got.Paid)
				}
				m.agrees("w")
			})
		}
	}
}
