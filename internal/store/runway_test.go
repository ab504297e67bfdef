package store

import (
	"maps"
	"testing"
	"time"

	"github.com/malgil/malgil/internal/reconcile"
	"github.com/malgil/malgil/internal/wallet"
)

func TestRunwayOf(t *testing.T) {
	for name, tt := range map[string]struct {
		cash, used wallet.KRW
		want       Runway
	}{
		"nothing used":        {0, 0, ""},
		"nothing left":        {0, 700, "under_1"},
		"less than nothing":   {-5, 700, "under_1"}, // what is held is more than the cash
		"almost a day":        {99, 700, "under_1"},
		"a day":               {100, 700, "under_3"},
		"almost three":        {299, 700, "under_3"},
		"three":               {300, 700, "under_7"},
		"a week":              {700, 700, "over_7"},
		"a year":              {36500, 700, "over_7"},
		"a little in a week":  {1, 1, "over_7"},
		"almost three by one": {428, 1000, "under_3"},
	} {
		if got := runwayOf(tt.cash, tt.used); got != tt.want {
			t.Errorf("%s: runwayOf(%d, %d) = %q, want %q", name, tt.cash, tt.used, got, tt.want)
		}
	}
}

// A wallet is told of when its books are compared: not one with a card, nor one that used none for a week.
func TestKeepCheck_runway(t *testing.T) {
	const day = 24 * time.Hour
	eachDatabase(t, func(t *testing.T, s *Store) {
		exec(t, s, `INSERT INTO account (id, name, email, created_at) VALUES ('acc_1', 'a', 'a@b.example', 1)`)
		for id, used := range map[string]time.Duration{"soon": 6 * day, "quiet": 7 * day, "card": day, "held": day} {
			newWallet(t, s, id, 1000)
			exec(t, s, `INSERT INTO posting (wallet_id, kind, ref, at, free, paid, accrual, charging, revenue, clearing, vat, rounding, promotion, refunding)
				VALUES ($1, 'capture', 'c', $2, -100, -600, 0, 0, 700, 0, 0, 0, 0, 0)`, id, millis(t0.Add(-used)))
			exec(t, s, `UPDATE wallet SET free_krw = 50, paid_krw = 150 WHERE id = $1`, id)
		}
		exec(t, s, `UPDATE wallet SET held_krw = 101 WHERE id = 'held'`)
		newCard(t, s, "crd_1", "acc_1", "card", 1)
		keep := func(now time.Time) {
			t.Helper()
			claimed, err := s.ClaimChecks(t.Context(), now, 10)
			if err != nil || len(claimed) != 4 {
				t.Fatalf("ClaimChecks() = %v, %v, want all four", claimed, err)
			}
			for _, id := range claimed {
				must(t, s.KeepCheck(t.Context(), id, nil, now))
			}
		}
		keep(t0)
		want := map[Runway]int64{"under_3": 1, "under_1": 1}
		if got := sampled(t, s, t0).Runways; !maps.Equal(got, want) {
			t.Errorf("Sample() has runways %v, want %v", got, want)
		}
		keep(t0.Add(7 * day)) // nobody has used anything since
		if got := sampled(t, s, t0).Runways; len(got) != 0 {
			t.Errorf("Sample() a week later has runways %v, want none", got)
		}
	})
}

// A difference that was found is kept, also when it cannot be told how long the cash lasts.
func TestKeepCheck_withoutRunway(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		newWallet(t, s, "wal_1", 1000)
		if _, err := s.ClaimChecks(t.Context(), t0, 10); err != nil {
			t.Fatal(err)
		}
		exec(t, s, `ALTER TABLE wallet_card RENAME TO lost`)
		if err := s.KeepCheck(t.Context(), "wal_1", map[reconcile.Kind]wallet.KRW{reconcile.Balance: 7}, t0); err == nil {
			t.Error("KeepCheck() without the cards of wallets = nil, want an error")
		}
		var checked, difference int64
		must(t, s.read.QueryRowContext(t.Context(), `SELECT checked_at, balance_krw FROM ledger_check WHERE wallet_id = 'wal_1'`).Scan(&checked, &difference))
		if checked != millis(t0) || difference != 7 {
			t.Errorf("the check of %d found %d KRW, want %d and 7", checked, difference, millis(t0))
		}
	})
}
