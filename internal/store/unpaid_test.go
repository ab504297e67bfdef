package store

import (
	"strings"
	"testing"
	"time"

	"github.com/malgil/malgil/internal/billing"
	"github.com/malgil/malgil/internal/clock"
	"github.com/malgil/malgil/internal/wallet"
)

// A long failure is told after five days by the clock, once per spell, however often the sweep
// looks and however late.
func TestTellLongUnpaid(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		b := newTill(t, s, nil)
		owing(t, s, "w", 1_500, "c1")
		owing(t, s, "other", 0)
		tell := func(want int) {
			t.Helper()
			told, err := s.TellLongUnpaid(t.Context(), b.clock())
			if err != nil || told != want {
				t.Errorf("TellLongUnpaid(%s) = %d, %v, want %d", b.clock().In(clock.Seoul), told, err, want)
			}
		}
		b.g.charge = func(billing.ChargeRequest) (billing.Payment, error) {
			tell(0) // the card is about to answer
			return billing.Payment{}, failed(billing.CardDeclined, "한도초과")
		}
		long := func() []string {
			return texts(t, s, `SELECT subject_id FROM mail WHERE mail_case = 'long_term_failure' ORDER BY subject_id`)
		}
		b.now = clock.NextMidnight(b.now)
		for day := range 9 {
			b.run() // the daily try at 00:00, declined
			expected := 0
			if day == 5 {
				expected = 1
			}
			tell(expected)
			tell(0)
			if day == 5 && len(long()) != 1 {
				t.Errorf("mails on day 5 = %q, want one", long())
			}
			if day == 4 {
				b.pass(24*time.Hour - time.Millisecond)
				tell(0)
				b.pass(time.Millisecond)
			} else {
				b.pass(24 * time.Hour)
			}
		}
		want(t, "charges", b.charges("w"), "failed", "failed", "failed", "failed", "failed", "failed", "failed", "failed", "failed")

		// It pays, and a new spell is told again, also when nobody looked for nine days.
		b.g.charge = nil
		b.run()
		if got := wantWallet(t, s, "w").PaymentState; got != wallet.AwaitingReconnect {
			t.Fatalf("wallet = %s, want AWAITING_RECONNECT", got)
		}
		tell(0)
		must(t, s.Reconnect(t.Context(), "w"))
		accrue(t, s, "w", 1_500, b.clock())
		b.g.statusIs = func(string) (billing.CardStatus, error) { return billing.CardStatus{Active: true}, nil }
		b.now = clock.NextMidnight(b.now)
		b.run()
		b.pass(9 * 24 * time.Hour)
		b.g.statusIs = nil
		b.g.charge = func(r billing.ChargeRequest) (billing.Payment, error) {
			p := paidFor(r)
			p.Total += 10
			return p, nil
		}
		b.run()
		want(t, "charges under way", texts(t, s, `SELECT state FROM charge WHERE state IN ('open', 'review')`), "review")
		tell(1) // until people find out what became of it, it is owed
		told := texts(t, s, `SELECT data FROM mail WHERE mail_case = 'long_term_failure' ORDER BY created_at DESC LIMIT 1`)
		if len(told) != 1 || !strings.Contains(told[0], "1500") || !strings.Contains(told[0], "150,") {
			t.Errorf("the mail tells %s, want 1,500 KRW and 150 of VAT due", told)
		}
		if got := long(); len(got) != 2 || got[0] == got[1] {
			t.Errorf("mails of two spells = %q, want one each", got)
		}
	})
}
