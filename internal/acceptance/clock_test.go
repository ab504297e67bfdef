package acceptance_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestClock(t *testing.T) {
	show(t, map[string]func(*testing.T){"five_midnights": fiveMidnights})
}

// The clock jumps over five midnights at once, and the money jobs run five times in order: a card that
// declines is asked at each of them, free cash that ends on five days vanishes day by day, and what is
// paid at the first is not asked for again.
func fiveMidnights(t *testing.T) {
	h := open(t, plan{})
	declines, pays, gifts := h.openShop(1), h.openShop(1), h.openShop(0)
	declines.behave("declined", declines.cards...)
	declines.deliver(100)
	pays.deliver(100)
	for day := range 5 {
		gifts.use(gifts.give(int64(100*(day+1)), day))
	}
	first := nextMidnight(h.now())
	h.tell("PUT", "/sandbox/clock", map[string]any{"now": first.AddDate(0, 0, 4).Add(time.Minute)}, nil)

	days := func(s *shop, kind string) (days []string) {
		var list struct {
			Items []struct {
				posting
				At time.Time `json:"at"`
			}
		}
		h.get("/api/v1/wallets/"+s.wallet+"/postings?limit=100", &list)
		for _, p := range list.Items {
			if p.Kind != kind {
				continue
			}
			after := p.At.Sub(first)
			day := int(after / (24 * time.Hour))
			if late := after - time.Duration(day)*24*time.Hour; after < 0 || late > 10*time.Second {
				t.Errorf("%s at %s, want it within seconds of a midnight from %s on", kind, p.At, first)
			}
			days = append(days, fmt.Sprintf("midnight %d: %d", day+1, p.Promotion+p.Charging))
		}
		slices.Reverse(days) // oldest first
		return days
	}
	want := func(what string, s *shop, kind string, want ...string) {
		t.Helper()
		if diff := cmp.Diff(want, days(s, kind)); diff != "" {
			t.Errorf("%s differ (-want +got):\n%s", what, diff)
		}
	}
	want("charges that fail", declines, "charge_failed", "midnight 1: 1500", "midnight 2: 1500", "midnight 3: 1500", "midnight 4: 1500", "midnight 5: 1500")
	want("charges that are paid", pays, "charge_paid", "midnight 1: 1500")
	want("free cash that vanishes", gifts, "grant_expired", "midnight 1: 100", "midnight 2: 200", "midnight 3: 300", "midnight 4: 400", "midnight 5: 500")
	if n := h.paidBy(pays.cards[0]).Payments; n != 1 {
		t.Errorf("the card that pays was charged %d times, want once", n)
	}
	if b := gifts.see().Balance; b.Free != 0 {
		t.Errorf("%d of free cash are left, want 0", b.Free)
	}
	h.balance()
}
