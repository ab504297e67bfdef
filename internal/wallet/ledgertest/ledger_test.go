package ledgertest_test

import (
	"strings"
	"testing"
	"time"

	"github.com/malgil/malgil/internal/clock"
	"github.com/malgil/malgil/internal/wallet"
	"github.com/malgil/malgil/internal/wallet/ledgertest"
)

func on(month time.Month, day, hour int) time.Time {
	return time.Date(2026, month, day, hour, 0, 0, 0, clock.Seoul).UTC()
}

// november is the ledger of a wallet that three times paid 1,005 KRW with a VAT of 101: 303 in all,
// where the VAT of 3,015 is 302.
func november(t *testing.T) *ledgertest.Ledger {
	t.Helper()
	l := ledgertest.New(wallet.Settlement{Threshold: 500_000})
	for n, ref := range []string{"cko_1", "cko_2", "cko_3"} {
		add(t, l, wallet.Posting{Kind: wallet.TopUp, Ref: ref, At: on(11, 10+n, 12), Paid: 1_005, VAT: 101, Clearing: -1_106})
	}
	return l
}

func add(t *testing.T, l *ledgertest.Ledger, p wallet.Posting) {
	t.Helper()
	if err := l.Add(p); err != nil {
		t.Fatal(err)
	}
}

func TestLedger_monthRounded(t *testing.T) {
	tests := map[string]struct {
		rounding wallet.Posting
		want     string // in the error; empty for none
	}{
		"as its payments are":      {rounding: wallet.Posting{Ref: "2026-11", VAT: -1, Rounding: 1}},
		"the other way":            {rounding: wallet.Posting{Ref: "2026-11", VAT: 1, Rounding: -1}, want: "want legs"},
		"too much":                 {rounding: wallet.Posting{Ref: "2026-11", VAT: -2, Rounding: 2}, want: "want legs"},
		"by nothing":               {rounding: wallet.Posting{Ref: "2026-10"}, want: "rounds nothing"},
		"a month without payments": {rounding: wallet.Posting{Ref: "2026-10", VAT: -1, Rounding: 1}, want: "want legs"},
		"a month that goes on":     {rounding: wallet.Posting{Ref: "2026-11", VAT: -1, Rounding: 1, At: on(11, 30, 23)}, want: "no month that had ended"},
		"no month":                 {rounding: wallet.Posting{Ref: "November", VAT: -1, Rounding: 1}, want: "want legs"},
		"out of balance":           {rounding: wallet.Posting{Ref: "2026-11", VAT: -1}, want: "legs sum to"},
		"from paid cash":           {rounding: wallet.Posting{Ref: "2026-11", Paid: -1, Rounding: 1}, want: "want legs"},
		"with paid cash beside":    {rounding: wallet.Posting{Ref: "2026-11", VAT: -1, Rounding: 1, Paid: 5, Clearing: -5}, want: "want legs"},
		"with revenue beside":      {rounding: wallet.Posting{Ref: "2026-11", VAT: -2, Rounding: 1, Revenue: 1}, want: "want legs"},
		"with free cash beside":    {rounding: wallet.Posting{Ref: "2026-11", VAT: -1, Rounding: 1, Free: 1, Promotion: -1}, want: "want legs"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			l := november(t)
			tt.rounding.Kind = wallet.MonthRounded
			if tt.rounding.At.IsZero() {
				tt.rounding.At = on(12, 1, 0)
			}
			err := l.Add(tt.rounding)
			if tt.want == "" {
				if err != nil || l.Legs.VAT != 302 || l.Legs.Rounding != 1 || l.Legs.Sum() != 0 {
					t.Errorf("Add(%+v) = %v and legs %+v, want nil, the VAT of 3,015 and 1 of rounding", tt.rounding, err, l.Legs)
				}
				if err := l.Add(tt.rounding); err == nil || !strings.Contains(err.Error(), "posted twice") {
					t.Errorf("Add(%+v) again = %v, want posted twice", tt.rounding, err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Add(%+v) = %v, want %q", tt.rounding, err, tt.want)
			}
		})
	}
}

// Parts of a payment that go back in the month carry their own rounding along.
func TestLedger_monthRoundedWithRefunds(t *testing.T) {
	l := november(t)
	add(t, l, wallet.Posting{Kind: wallet.RefundOpened, Ref: "rfd_1", At: on(11, 20, 12), Paid: -1_005, Refunding: 1_005})
	add(t, l, wallet.Posting{Kind: wallet.Refund, Ref: "rfd_1-1", At: on(11, 20, 13), Refunding: -5, VAT: -1, Clearing: 6})
	add(t, l, wallet.Posting{Kind: wallet.Refund, Ref: "rfd_1-2", At: on(11, 20, 14), Refunding: -1_000, VAT: -100, Clearing: 1_100})
	// 3,015 - 1,005 = 2,010 came in for good, with a VAT of 303 - 101 = 202 where 201 is right.
	add(t, l, wallet.Posting{Kind: wallet.MonthRounded, Ref: "2026-11", At: on(12, 1, 0), VAT: -1, Rounding: 1})

	// More goes back than comes in: -2,010 with a VAT of -202 where -201 is right.
	add(t, l, wallet.Posting{Kind: wallet.RefundOpened, Ref: "rfd_2", At: on(12, 20, 12), Paid: -2_010, Refunding: 2_010})
	for _, ref := range []string{"rfd_2-1", "rfd_2-2"} {
		add(t, l, wallet.Posting{Kind: wallet.Refund, Ref: ref, At: on(12, 20, 13), Refunding: -1_005, VAT: -101, Clearing: 1_106})
	}
	for _, wrong := range []wallet.KRW{1, -2} {
		if err := l.Add(wallet.Posting{Kind: wallet.MonthRounded, Ref: "2026-12", At: on(12, 31, 24), VAT: -wrong, Rounding: wrong}); err == nil {
			t.Errorf("December is rounded by %d, want -1 alone", wrong)
		}
	}
	add(t, l, wallet.Posting{Kind: wallet.MonthRounded, Ref: "2026-12", At: on(12, 31, 24), VAT: 1, Rounding: -1})
	if s := l.Legs; s.Clearing != 0 || s.VAT != 0 || s.Rounding != 0 {
		t.Errorf("everything went back, and the legs are %+v, want no VAT, rounding or money outside left", s)
	}
}
