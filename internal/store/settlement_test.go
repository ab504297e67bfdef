package store

import (
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/malgil/malgil/internal/billing"
	"github.com/malgil/malgil/internal/clock"
	"github.com/malgil/malgil/internal/wallet"
)

const korean = "2006-01-02 15:04:05.999"

func korea(t testing.TB, text string) time.Time {
	t.Helper()
	at, err := time.ParseInLocation(korean, text, clock.Seoul)
	if err != nil {
		t.Fatal(err)
	}
	return at.UTC()
}

// A calendar is a list of moments at which a wallet uses something or the scheduler runs. What
// was used is charged once, at the first run after its settlement moment, however long nobody ran.
func TestSettlement_calendar(t *testing.T) {
	const daily, monthly = wallet.ThresholdOrDaily, wallet.ThresholdOrMonthEnd
	tests := map[string]struct {
		policy wallet.Policy
		steps  []string
		want   []string
	}{
		"midnight": {daily, []string{
			"2026-11-23 23:59:59.999 use 100", "2026-11-23 23:59:59.999 run", "2026-11-24 00:00:00 use 7",
			"2026-11-24 00:00:00 run", "2026-11-24 00:00:01 run", "2026-11-24 23:59:59.999 run", "2026-11-25 00:00:00 run",
		}, []string{"2026-11-24 00:00:00 100", "2026-11-25 00:00:00 7"}},
		"the threshold does not wait for midnight": {daily, []string{
			"2026-11-24 12:00:00 use 499999", "2026-11-24 12:00:00 run", "2026-11-24 12:00:01 use 1", "2026-11-24 12:00:01 run",
			"2026-11-24 12:00:02 run", "2026-11-25 00:00:00 run",
		}, []string{"2026-11-24 12:00:01 500000"}},
		"end of a month, daily": {daily, []string{
			"2026-11-29 12:00:00 use 30", "2026-11-30 00:00:00 run", "2026-11-30 23:59:59.999 use 40", "2026-12-01 00:00:00 run",
		}, []string{"2026-11-30 00:00:00 30", "2026-12-01 00:00:00 40"}},
		"end of a month, monthly": {monthly, []string{
			"2026-11-01 00:00:00 use 10", "2026-11-02 00:00:00 run", "2026-11-29 12:00:00 use 30", "2026-11-30 00:00:00 run",
			"2026-11-30 23:59:59.999 use 40", "2026-11-30 23:59:59.999 run", "2026-12-01 00:00:00 use 5",
			"2026-12-01 00:00:00 run", "2026-12-02 00:00:00 run", "2026-12-31 23:59:59 run",
		}, []string{"2026-12-01 00:00:00 80"}},
		"the threshold does not wait for the end of the month": {monthly, []string{
			"2026-11-10 12:00:00 use 400000", "2026-11-11 00:00:00 run", "2026-11-12 12:00:00 use 150000", "2026-11-12 12:00:01 run",
			"2026-11-12 12:00:05 run", "2026-11-13 00:00:00 run", "2026-12-01 00:00:00 run",
		}, []string{"2026-11-12 12:00:01 500000", "2026-12-01 00:00:00 50000"}},
		"end of a year, daily": {daily, []string{
			"2026-12-31 23:59:59.999 use 40", "2026-12-31 23:59:59.999 run", "2027-01-01 00:00:00 use 2", "2027-01-01 00:00:00 run",
			"2027-01-02 00:00:00 run",
		}, []string{"2027-01-01 00:00:00 40", "2027-01-02 00:00:00 2"}},
		"end of a year, monthly": {monthly, []string{
			"2026-12-02 10:00:00 use 3", "2026-12-31 23:59:59.999 use 40", "2026-12-31 23:59:59.999 run", "2027-01-01 00:00:00 use 2",
			"2027-01-01 00:00:00 run", "2027-01-31 23:59:59 run", "2027-02-01 00:00:00 run",
		}, []string{"2027-01-01 00:00:00 43", "2027-02-01 00:00:00 2"}},
		"leap day, daily": {daily, []string{
			"2028-02-28 12:00:00 use 28", "2028-02-29 00:00:00 run", "2028-02-29 12:00:00 use 29", "2028-03-01 00:00:00 run",
			"2028-03-01 12:00:00 use 1", "2028-03-02 00:00:00 run",
		}, []string{"2028-02-29 00:00:00 28", "2028-03-01 00:00:00 29", "2028-03-02 00:00:00 1"}},
		"leap day, monthly": {monthly, []string{
			"2028-02-28 12:00:00 use 28", "2028-02-29 00:00:00 run", "2028-02-29 12:00:00 use 29", "2028-03-01 00:00:00 run",
		}, []string{"2028-03-01 00:00:00 57"}},
		"down for three days, daily": {daily, []string{
			"2026-11-24 12:00:00 use 24", "2026-11-24 23:00:00 run", "2026-11-25 12:00:00 use 25", "2026-11-26 12:00:00 use 26",
			"2026-11-27 12:00:00 use 27", "2026-11-27 13:00:00 run", "2026-11-27 13:00:01 run", "2026-11-28 00:00:00 run", "2026-11-28 00:00:01 run",
		}, []string{"2026-11-27 13:00:00 75", "2026-11-28 00:00:00 27"}},
		"down over the end of a month, monthly": {monthly, []string{
			"2026-11-30 12:00:00 use 30", "2026-11-30 13:00:00 run", "2026-12-01 12:00:00 use 1", "2026-12-02 12:00:00 use 2",
			"2026-12-03 13:00:00 run", "2026-12-03 13:00:01 run", "2027-01-01 00:00:00 run",
		}, []string{"2026-12-03 13:00:00 30", "2027-01-01 00:00:00 3"}},
		"down for three days and over the threshold": {daily, []string{
			"2026-11-24 12:00:00 use 300000", "2026-11-25 12:00:00 use 300000", "2026-11-26 12:00:00 use 300000", "2026-11-27 13:00:00 run",
			"2026-11-27 13:00:05 run", "2026-11-27 13:00:10 run", "2026-11-28 00:00:00 run",
		}, []string{"2026-11-27 13:00:00 500000", "2026-11-27 13:00:00 400000"}},
	}
	eachDatabase(t, func(t *testing.T, s *Store) {
		for name, tt := range tests {
			t.Run(name, func(t *testing.T) {
				s.settlement.Policy = tt.policy
				b := newTill(t, s, nil)
				w := strings.NewReplacer(" ", "_", ",", "").Replace(name)
				owing(t, s, w, 0, "card_"+w)
				var used wallet.KRW
				for _, step := range tt.steps {
					fields := strings.Fields(step)
					b.now = korea(t, fields[0]+" "+fields[1])
					switch fields[2] {
					case "use":
						var amount wallet.KRW
						if _, err := fmt.Sscan(fields[3], &amount); err != nil {
							t.Fatal(err)
						}
						accrue(t, s, w, amount, b.now)
						used += amount
					case "run":
						b.run()
					}
				}
				rows, err := s.read.QueryContext(t.Context(), `SELECT opened_at, supply_krw FROM charge WHERE state = 'paid' AND wallet_id = $1 ORDER BY id`, w)
				got, err := collect(rows, err, func(row scanner) (string, error) {
					var when time.Time
					var supply wallet.KRW
					err := row.Scan(at(&when), &supply)
					used -= supply
					return fmt.Sprint(when.In(clock.Seoul).Format("2006-01-02 15:04:05 "), supply), err
				})
				if err != nil {
					t.Fatal(err)
				}
				want(t, "charges", got, tt.want...)
				if w := wantWallet(t, s, w); w.Accrual != used || w.Charging != 0 {
					t.Errorf("wallet owes %d with %d under way, want what was not charged, %d, and 0", w.Accrual, w.Charging, used)
				}
				exec(t, s, `UPDATE wallet SET next_charge_at = $1`, millis(never)) // it stays out of the other calendars
			})
		}
	})
}

// A spread run asks wallets in their turn, each once; a wallet over the threshold and an unpaid
// one with a new card do not wait.
func TestSettlement_spread(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		s.settlement.Spread = 10 * time.Minute
		b := newTill(t, s, nil)
		places := map[string]int{"first": 0, "middle": wallet.Places / 2, "last": wallet.Places - 1, "rich": wallet.Places - 1, "late": wallet.Places - 1}
		b.now = korea(t, "2026-11-23 12:00:00")
		for name, place := range places {
			if name != "late" {
				owing(t, s, name, 0, "card-"+name)
			} else {
				owing(t, s, name, 0)
			}
			exec(t, s, `UPDATE wallet SET place = $2 WHERE id = $1`, name, place)
			accrue(t, s, name, 1_500, b.now)
		}
		accrue(t, s, "rich", 498_499, b.now)
		// A day before, the last one failed for want of a card.
		b.now = korea(t, "2026-11-24 00:00:00")
		exec(t, s, `UPDATE wallet SET next_charge_at = $1 WHERE id <> 'late'`, millis(korea(t, "2026-11-25 00:00:00")))
		b.pass(10 * time.Minute)
		b.run()
		if got := wantWallet(t, s, "late").PaymentState; got != wallet.Unpaid {
			t.Fatalf("wallet late = %s, want UNPAID", got)
		}
		newCard(t, s, "card-late", "acc_late", "", 0)

		var asked []string
		check := func(when string, cards ...string) {
			t.Helper()
			b.now = korea(t, when)
			b.run()
			calls := b.g.calls()
			want(t, "cards asked at "+when, slices.Sorted(slices.Values(calls[len(asked):])), cards...)
			asked = calls
		}
		check("2026-11-25 00:00:00")
		accrue(t, s, "rich", 1, b.now)
		check("2026-11-25 00:00:00.100", "card-first", "card-rich")
		if err := b.AttachCard(t.Context(), "late", "", "card-late"); err != nil {
			t.Fatal(err)
		}
		check("2026-11-25 00:00:01", "card-late")
		check("2026-11-25 00:04:59")
		check("2026-11-25 00:05:01", "card-middle")
		check("2026-11-25 00:09:59.500")
		check("2026-11-25 00:10:00", "card-last")
		check("2026-11-25 23:59:59")
	})
}

// One issuer after another declines: charging stops for everyone before everyone is unpaid, and
// goes on by itself.
func TestStormGuard(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		b := newTill(t, s, nil)
		const wallets = 40
		for i := range wallets {
			owing(t, s, fmt.Sprintf("w%02d", i), 1_500, fmt.Sprintf("c%02d", i))
		}
		b.g.charge = func(billing.ChargeRequest) (billing.Payment, error) {
			return billing.Payment{}, failed(billing.CardDeclined, "시스템 오류")
		}
		b.run()
		if n := len(b.g.calls()); n != 20 {
			t.Errorf("%d cards were asked in a storm, want 20 and then none", n)
		}
		states := func() (active, unpaid int) {
			sample, err := s.Sample(t.Context(), t0)
			if err != nil {
				t.Fatal(err)
			}
			return int(sample.Wallets["ACTIVE"]), int(sample.Wallets["UNPAID"])
		}
		if active, unpaid := states(); active != 21 || unpaid != 19 {
			t.Errorf("wallets = %d active, %d unpaid, want 21 and 19: the decline that was too many makes nobody unpaid", active, unpaid)
		}
		want(t, "charges of the wallet of that decline", texts(t, s, `SELECT state FROM charge WHERE state NOT IN ('failed', 'open')`), "halted")
		if last := b.outcomes[len(b.outcomes)-1]; last != billing.Halted && last != billing.Postponed {
			t.Errorf("last outcome = %s, want halted or postponed", last)
		}

		b.pass(9*time.Minute + 59*time.Second)
		b.run()
		if n := len(b.g.calls()); n != 20 {
			t.Errorf("%d cards were asked within 10 minutes, want still 20", n)
		}
		b.g.charge = nil
		b.pass(time.Second)
		b.run()
		if n := len(b.g.calls()); n != 41 {
			t.Errorf("%d cards were asked after 10 minutes, want 21 more than 20", n)
		}
		if active, unpaid := states(); active != 21 || unpaid != 19 {
			t.Errorf("wallets = %d active, %d unpaid, want 21 and 19", active, unpaid)
		}
	})
}

func TestStormGuard_whatMakesOne(t *testing.T) {
	declined := func(billing.ChargeRequest) (billing.Payment, error) {
		return billing.Payment{}, failed(billing.CardDeclined, "한도초과")
	}
	tests := map[string]struct {
		guard  billing.StormGuard
		play   func(b *till)
		halted bool
	}{
		"declines among payments": {billing.StormGuard{Attempts: 6, Declines: 4, Pause: time.Minute}, func(b *till) {
			for i := range 12 { // three declines of any six
				b.g.charge = declined
				if i%2 == 0 {
					b.g.charge = nil
				}
				b.chargeNew(i)
			}
		}, false},
		"four declines of six": {billing.StormGuard{Attempts: 6, Declines: 4, Pause: time.Minute}, func(b *till) {
			for i := range 6 {
				b.g.charge = declined
				if i < 2 {
					b.g.charge = nil
				}
				b.chargeNew(i)
			}
		}, true},
		"declines of more than an hour": {billing.StormGuard{Attempts: 6, Declines: 4, Pause: time.Minute}, func(b *till) {
			b.g.charge = declined
			for i := range 8 {
				b.chargeNew(i)
				b.pass(21 * time.Minute)
			}
		}, false},
		"dormant cards are not asked": {billing.StormGuard{Attempts: 6, Declines: 4, Pause: time.Minute}, func(b *till) {
			b.g.statusIs = func(string) (billing.CardStatus, error) { return billing.CardStatus{Active: true}, nil }
			for i := range 8 {
				b.chargeNew(i)
			}
		}, false},
		"the daily try of wallets that are unpaid": {billing.StormGuard{Attempts: 6, Declines: 4, Pause: time.Minute}, func(b *till) {
			b.g.charge = declined
			for i := range 3 {
				b.chargeNew(i)
			}
			for range 3 {
				b.now = clock.NextMidnight(b.now)
				b.run()
			}
		}, false},
		"no guard": {billing.StormGuard{}, func(b *till) {
			b.g.charge = declined
			for i := range 10 {
				b.chargeNew(i)
			}
		}, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := openTest(t, sqliteAddress(t))
			b := newTill(t, s, func(settings *billing.Settings) { settings.Storm = tt.guard })
			tt.play(b)
			storms := texts(t, s, `SELECT name FROM halt`)
			if tt.halted {
				want(t, "halts", storms, haltStorm)
			} else {
				want(t, "halts", storms)
			}
		})
	}
}

// chargeNew charges a new wallet with one card.
func (b *till) chargeNew(i int) {
	b.t.Helper()
	owing(b.t, b.s, fmt.Sprintf("w%02d", i), 1_500, fmt.Sprintf("c%02d", i))
	b.run()
}

// Two declines that are recorded at the same time are two: the second waits for the first and counts it.
func TestStormGuard_declinesAtOnce(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		b := newTill(t, s, func(settings *billing.Settings) { settings.Storm = billing.StormGuard{} })
		b.g.charge = func(billing.ChargeRequest) (billing.Payment, error) {
			return billing.Payment{}, failed(billing.CardDeclined, "시스템 오류")
		}
		owing(t, s, "w1", 1_500, "c1")
		owing(t, s, "w2", 1_500, "c2")
		b.run()
		exec(t, s, `UPDATE attempt SET closed_at = 0`) // to be recorded once more
		decline := func(walletID string, recorded chan<- bool, end <-chan struct{}) error {
			return s.inTx(t.Context(), func(tx *sql.Tx) error {
				if _, err := tx.ExecContext(t.Context(), `UPDATE attempt SET closed_at = $2 WHERE wallet_id = $1`, walletID, millis(b.clock())); err != nil {
					close(recorded)
					return err
				}
				report := billing.Report{Reason: billing.ReasonDeclined, At: b.clock()}
				began, _, err := s.haltInStorm(t.Context(), tx, report, billing.StormGuard{Attempts: 3, Declines: 2, Pause: time.Minute})
				recorded <- began
				<-end
				return err
			})
		}
		ended := make(chan struct{})
		close(ended)
		began1, began2, end1, errs := make(chan bool, 1), make(chan bool, 1), make(chan struct{}), make(chan error, 2)
		go func() { errs <- decline("w1", began1, end1) }()
		if <-began1 {
			t.Error("one decline made a storm, want two")
		}
		go func() { errs <- decline("w2", began2, ended) }()
		select {
		case <-began2:
			t.Error("a decline was counted beside another that was not recorded yet")
			close(end1)
		case <-time.After(100 * time.Millisecond): // long enough to be seen where nothing holds it up
			close(end1)
			if !<-began2 {
				t.Error("the second of two declines at once made no storm")
			}
		}
		for range cap(errs) {
			if err := <-errs; err != nil {
				t.Error(err)
			}
		}
	})
}

// A decline that comes back while charging is halted makes nobody unpaid either.
func TestStormGuard_declineUnderWay(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		b := newTill(t, s, nil)
		owing(t, s, "w", 1_500, "c1")
		b.g.charge = func(billing.ChargeRequest) (billing.Payment, error) {
			exec(t, s, `INSERT INTO halt (name, reason, at, until) VALUES ('storm', 'elsewhere', $1, $2)`, millis(b.clock()), millis(b.clock().Add(10*time.Minute)))
			return billing.Payment{}, failed(billing.CardDeclined, "시스템 오류")
		}
		b.run()
		want(t, "charges", b.charges("w"), "halted")
		if got := wantWallet(t, s, "w"); got.PaymentState != wallet.Active || got.Accrual != 1_500 {
			t.Errorf("wallet = %s owing %d, want ACTIVE owing 1500", got.PaymentState, got.Accrual)
		}
		want(t, "mails", b.mails("w"))
		b.g.charge = nil
		b.pass(10 * time.Minute)
		b.run()
		want(t, "charges", b.charges("w"), "halted", "paid")
	})
}
