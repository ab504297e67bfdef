package store

import (
	"sync"
	"testing"
	"time"

	"github.com/malgil/malgil/internal/clock"
	"github.com/malgil/malgil/internal/notice"
	"github.com/malgil/malgil/internal/wallet"
)

// reminded runs the reminders and checks of how many things they told.
func reminded(t *testing.T, s *Store, now time.Time, want int) {
	t.Helper()
	if told, err := s.Remind(t.Context(), now); err != nil || told != want {
		t.Errorf("Remind(%s) = %d, %v, want %d", now.In(clock.Seoul).Format(korean), told, err, want)
	}
}

// mailsOf lists the mails of a case as their subjects, in order.
func mailsOf(t *testing.T, s *Store, c notice.Case) []string {
	t.Helper()
	return texts(t, s, `SELECT subject_id FROM mail WHERE mail_case = $1 ORDER BY subject_id`, string(c))
}

// lowData reads what the mail of a day says of low balance.
func lowData(t *testing.T, s *Store, walletID, day string) notice.LowBalance {
	t.Helper()
	body := texts(t, s, `SELECT data FROM mail WHERE mail_case = 'low_balance' AND wallet_id = $1 AND subject_id = $2`, walletID, day)
	if len(body) != 1 {
		t.Fatalf("%d mails about low balance of %s on %s, want one", len(body), walletID, day)
	}
	data, err := notice.Decode(notice.CaseLowBalance, []byte(body[0]))
	if err != nil {
		t.Fatal(err)
	}
	return data.(notice.LowBalance)
}

// What waits for funds is told at once, then at 09:00 of each day, one mail a day.
func TestRemind_waitsForFunds(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		now := seoul(2026, 12, 7, 20, 0)
		reminded(t, s, now, 0) // the reminders of this day are over
		owing(t, s, "w", 0)
		topUp(t, s, "w", 100*price, "cko_w", t0)
		first := running(t, s, order("brd_1", "bot_w"), 100, 60)
		second := running(t, s, order("brd_2", "bot_w"), 100)
		dispatch(t, s, now) // sends 100
		dispatch(t, s, now) // and finds too little for the rest
		reminded(t, s, now, 2)
		reminded(t, s, now.Add(time.Minute), 0)
		want(t, "mails", mailsOf(t, s, notice.CaseLowBalance), "2026-12-07")
		got := lowData(t, s, "w", "2026-12-07")
		wanted := notice.LowBalance{WalletName: "한빛서점", Broadcast: first.Name, People: 60, Cost: 60 * price, Balance: 100 * price, Path: got.Path}
		if got != wanted {
			t.Errorf("the mail says %+v, want %+v", got, wanted)
		}
		reminded(t, s, seoul(2026, 12, 8, 8, 59), 0)
		reminded(t, s, seoul(2026, 12, 8, 9, 0), 1)
		reminded(t, s, seoul(2026, 12, 8, 18, 0), 0)
		want(t, "mails", mailsOf(t, s, notice.CaseLowBalance), "2026-12-07", "2026-12-08")

		// With cash it goes on, and when that is used up its people hear of it at once.
		now = seoul(2026, 12, 9, 8, 0)
		topUp(t, s, "w", 60*price, "cko_w2", now)
		dispatch(t, s, now)
		reminded(t, s, now, 0)
		dispatch(t, s, now)
		if b, err := s.Broadcast(t.Context(), second.ID); err != nil || b.Wait != "funds" {
			t.Fatalf("broadcast %s waits for %q, %v, want funds", b.ID, b.Wait, err)
		}
		reminded(t, s, now, 0) // it waited before and waits on
		reminded(t, s, seoul(2026, 12, 9, 9, 0), 1)

		// A wallet that pays for nothing hears of no low balance.
		exec(t, s, `UPDATE wallet SET status = 'stopped' WHERE id = 'w'`)
		reminded(t, s, seoul(2026, 12, 10, 9, 0), 0)
	})
}

// A broadcast that moved and waits again is told of again.
func TestRemind_waitsAnew(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		owing(t, s, "w", 0)
		b := running(t, s, order("brd_1", "bot_w"), 100, 60)
		dispatch(t, s, t0)
		reminded(t, s, seoul(2026, 12, 7, 20, 0), 1+1) // with the daily one, of the same mail
		want(t, "mails", mailsOf(t, s, notice.CaseLowBalance), "2026-12-07")
		topUp(t, s, "w", 100*price, "cko_w", t0)
		now := seoul(2026, 12, 8, 3, 0)
		dispatch(t, s, now)
		reminded(t, s, now, 0)
		dispatch(t, s, now)
		if b, err := s.Broadcast(t.Context(), b.ID); err != nil || b.Wait != "funds" {
			t.Fatalf("broadcast %s waits for %q, %v, want funds", b.ID, b.Wait, err)
		}
		reminded(t, s, now, 1)
		want(t, "mails", mailsOf(t, s, notice.CaseLowBalance), "2026-12-07", "2026-12-08")
	})
}

// A broadcast that is to begin is told of at 09:00 where the wallet cannot pay for all of it.
func TestRemind_beginsSoon(t *testing.T) {
	nine := seoul(2026, 12, 8, 9, 0)
	eachDatabase(t, func(t *testing.T, s *Store) {
		for name, tt := range map[string]struct {
			starts time.Time
			paid   wallet.KRW
			card   bool
			limit  wallet.KRW // a day
			used   wallet.KRW // of the limit, the day before the start
			want   []string
		}{
			"short":                                  {starts: nine.Add(6 * time.Hour), paid: 159 * price, want: []string{"2026-12-08"}},
			"enough":                                 {starts: nine.Add(6 * time.Hour), paid: 160 * price},
			"no cash but a card":                     {starts: nine.Add(6 * time.Hour), card: true, limit: 100_000_000},
			"later than a day":                       {starts: nine.Add(24*time.Hour + time.Millisecond)},
			"at the end of the day":                  {starts: nine.Add(24 * time.Hour), want: []string{"2026-12-08"}},
			"begun, not tried yet":                   {starts: nine},
			"the daily limit is low":                 {starts: nine.Add(6 * time.Hour), card: true, limit: 100 * price},
			"the limit of the day before is reached": {starts: nine.Add(16 * time.Hour), card: true, limit: 1000 * price, used: 1000 * price},
		} {
			t.Run(name, func(t *testing.T) {
				id := "w-" + name
				if tt.card {
					owing(t, s, id, 0, "card-"+name)
					exec(t, s, `UPDATE wallet SET daily_limit_krw = $2 WHERE id = $1`, id, int64(tt.limit))
				} else {
					owing(t, s, id, 0)
				}
				if tt.paid > 0 {
					topUp(t, s, id, tt.paid, "cko-"+id, t0)
				}
				if tt.used > 0 {
					accrue(t, s, id, tt.used, nine.Add(-time.Hour))
				}
				o := order("brd-"+id, "bot_"+id)
				o.StartAt = tt.starts
				running(t, s, o, 100, 60)
				exec(t, s, `DELETE FROM job_run`)
				if _, err := s.Remind(t.Context(), nine); err != nil {
					t.Fatal(err)
				}
				want(t, "mails", texts(t, s, `SELECT subject_id FROM mail WHERE mail_case = 'low_balance' AND wallet_id = $1`, id), tt.want...)
				if len(tt.want) > 0 {
					got := lowData(t, s, id, tt.want[0])
					if !got.StartsAt.Equal(tt.starts) || got.Cost != 160*price || got.Spendable != tt.paid || got.Missing() != 160*price-tt.paid {
						t.Errorf("the mail says %+v, want that 160 messages of %s are short", got, tt.starts)
					}
				}
				exec(t, s, `DELETE FROM mail`)
				exec(t, s, `UPDATE broadcast SET state = 'cancelled'`)
			})
		}
	})
}

// Free cash that ends is told of 7 days before its last day and on it, once each, and not when it
// is used up, gone, or a jump passed both days.
func TestRemind_freeCashEnds(t *testing.T) {
	given := seoul(2026, 12, 1, 12, 0)
	eachDatabase(t, func(t *testing.T, s *Store) {
		owing(t, s, "w", 0)
		give(t, s, free("w", "grt_started", 1000, seoul(2026, 12, 16, 0, 0), given), true)
		give(t, s, free("w", "grt_unused", 500, seoul(2026, 12, 16, 0, 0), given), false)
		give(t, s, free("w", "grt_used_up", 300, seoul(2026, 12, 15, 0, 0), given), true)
		give(t, s, free("w", "grt_passed", 300, seoul(2026, 12, 11, 0, 0), given), true)
		exec(t, s, `UPDATE free_grant SET remaining_krw = 0 WHERE id = 'grt_used_up'`)
		exec(t, s, `UPDATE free_grant SET remaining_krw = 400 WHERE id = 'grt_started'`)
		for _, step := range []struct {
			now  time.Time
			want int
		}{
			{seoul(2026, 12, 2, 9, 0), 0},
			{seoul(2026, 12, 8, 8, 59), 0},
			{seoul(2026, 12, 12, 9, 0), 2}, // nobody ran on the 8th, when both were due, nor on the 10th
			{seoul(2026, 12, 12, 9, 1), 0},
			{seoul(2026, 12, 13, 9, 0), 0},
			{seoul(2026, 12, 15, 9, 0), 2},
			{seoul(2026, 12, 15, 23, 59), 0},
			{seoul(2026, 12, 16, 9, 0), 0},
		} {
			reminded(t, s, step.now, step.want)
		}
		want(t, "mails", mailsOf(t, s, notice.CaseFreeCashExpiring), "grt_started/soon", "grt_started/today", "grt_unused/soon", "grt_unused/today")
		body := texts(t, s, `SELECT data FROM mail WHERE subject_id = 'grt_started/today'`)
		data, err := notice.Decode(notice.CaseFreeCashExpiring, []byte(body[0]))
		if err != nil {
			t.Fatal(err)
		}
		d := data.(notice.FreeCashExpiring)
		wanted := notice.FreeCashExpiring{WalletName: "한빛서점", Amount: 400, Granted: 1000, Reason: "첫 이용 축하", ExpiresAt: seoul(2026, 12, 16, 0, 0), Today: true, Path: d.Path}
		if d != wanted {
			t.Errorf("the mail of the last day says %+v, want %+v", d, wanted)
		}
	})
}

// Several schedulers look at the same time: each mail is written once, the daily job runs once.
func TestRemind_manyAtOnce(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		owing(t, s, "w", 0)
		give(t, s, free("w", "grt_1", 1000, seoul(2026, 12, 9, 0, 0), seoul(2026, 12, 1, 12, 0)), false)
		running(t, s, order("brd_1", "bot_w"), 100)
		dispatch(t, s, t0)
		var wg sync.WaitGroup
		var mu sync.Mutex
		told := 0
		for range 8 {
			wg.Go(func() {
				n, err := s.Remind(t.Context(), seoul(2026, 12, 8, 9, 0))
				if err != nil {
					t.Errorf("Remind error = %v", err)
				}
				mu.Lock()
				defer mu.Unlock()
				told += n
			})
		}
		wg.Wait()
		if told != 3 { // the broadcast at once, and both daily ones
			t.Errorf("eight schedulers told of %d things, want 3", told)
		}
		want(t, "mails", mailsOf(t, s, notice.CaseLowBalance), "2026-12-08")
		want(t, "mails", mailsOf(t, s, notice.CaseFreeCashExpiring), "grt_1/today")
	})
}
