package store

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/malgil/malgil/internal/billing"
	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/clock"
	"github.com/malgil/malgil/internal/wallet"
)

// midnight is a 00:00 in Korea, and a house with everything in it that waits for one: accrual of two
// days, free cash that ends with a part of it held, a daily limit that is reached, a price that begins,
// and a wallet that becomes unpaid for long.
type midnight struct {
	*till
	at                                           time.Time
	price                                        wallet.KRW // until then; one won more from then on
	use, gift, limited, unpaid, before, heldCash string
	seen                                         int // charges
	tried                                        int // times the unpaid wallet's card was asked
	events                                       []string
}

func newMidnight(t *testing.T, s *Store, n int, at time.Time) *midnight {
	t.Helper()
	m := &midnight{till: newTill(t, s, nil), at: at, price: price + wallet.KRW(n)}
	name := func(what string) string { return fmt.Sprintf("%s-%d", what, n) }
	m.use, m.gift, m.limited, m.unpaid = name("use"), name("gift"), name("limited"), name("unpaid")
	m.g.charge = func(r billing.ChargeRequest) (billing.Payment, error) {
		if strings.HasPrefix(r.SID, "sid-of-bad") {
			return billing.Payment{}, failed(billing.CardDeclined, "한도초과")
		}
		return paidFor(r), nil
	}
	must(t, s.PutPrice(t.Context(), wallet.Price{Item: wallet.EventMessage, KRW: m.price + 1, ValidFrom: at}))

	// A bad card made a wallet unpaid five days before to the millisecond.
	m.now = at.AddDate(0, 0, -5)
	owing(t, s, m.unpaid, 0, name("bad"))
	accrue(t, s, m.unpaid, 900, m.now.Add(-24*time.Hour))
	exec(t, s, `UPDATE wallet SET place = 0`)
	m.spread(0)
	m.run()
	m.spread(10 * time.Minute)

	m.now = at.Add(-2 * time.Hour)
	m.run() // the daily tries up to here
	owing(t, s, m.use, 0, name("card-use"))
	exec(t, s, `UPDATE wallet SET place = $2 WHERE id = $1`, m.use, wallet.Places/2)
	owing(t, s, m.gift, 0)
	give(t, s, free(m.gift, name("grt"), 1000, at, m.now), true)
	owing(t, s, m.limited, 0, name("card-limited"))
	exec(t, s, `UPDATE wallet SET place = 0, daily_limit_krw = $2 WHERE id = $1`, m.limited, int64(100*m.price))
	m.heldCash = m.send("held", m.gift, 20)
	m.before = m.send("limited", m.limited, 100, 100)
	m.tick("before")
	m.accept(m.heldCash, 1)
	m.accept(m.before, 1)
	m.arrive(m.before, 1)
	m.tick("before") // finds the limit reached
	accrue(t, s, m.use, 100, at.Add(-time.Millisecond))
	m.events, m.tried, m.seen = nil, len(m.attempts(m.unpaid)), len(m.paid())
	return m
}

func (m *midnight) spread(over time.Duration) { m.s.settlement.Spread = over }

// send lets a wallet's bot send to so many people in each chunk.
func (m *midnight) send(name, walletID string, people ...int) string {
	o := order("brd-"+name+"-"+walletID, "bot_"+walletID)
	o.StartAt, o.CreatedAt = m.now, m.now
	create(m.t, m.s, o)
	upload(m.t, m.s, o.ID, people...)
	if _, err := m.s.Seal(m.t.Context(), o.ID, broadcast.Sealing{}, m.now); err != nil {
		m.t.Fatal(err)
	}
	return string(o.ID)
}

// accept is the work of Kakao and a worker on a chunk that is queued.
func (m *midnight) accept(id string, seq int) {
	m.t.Helper()
	c := chunkOf(m.t, m.s, broadcast.ID(id), seq)
	if !claim(m.t, m.s, c, m.now) || !record(m.t, m.s, c, accepted("task"), m.now) {
		m.t.Fatalf("chunk %s is %s and cannot be sent", c.ID, c.State)
	}
}

// arrive settles a chunk that was sent: half of it arrived.
func (m *midnight) arrive(id string, seq int) {
	m.t.Helper()
	if c := chunkOf(m.t, m.s, broadcast.ID(id), seq); !settle(m.t, m.s, c, c.People/2, m.now) {
		m.t.Fatalf("chunk %s is %s and cannot be settled", c.ID, c.State)
	}
}

func (m *midnight) paid() []string {
	return texts(m.t, m.s, `SELECT wallet_id || ' ' || supply_krw FROM charge WHERE state = 'paid' AND wallet_id IN ($1, $2, $3) ORDER BY id`,
		m.use, m.gift, m.limited)
}

// tick runs every loop of the scheduler twice and writes down what came of it.
func (m *midnight) tick(label string) {
	m.t.Helper()
	for range 2 {
		if gone := vanish(m.t, m.s, m.now); gone > 0 {
			m.events = append(m.events, fmt.Sprintf("%s: %d vanish", label, gone))
		}
		m.run()
		told, err := m.s.TellLongUnpaid(m.t.Context(), m.now)
		if err != nil {
			m.t.Fatal(err)
		}
		if told > 0 {
			m.events = append(m.events, fmt.Sprintf("%s: long unpaid", label))
		}
		if n := len(m.attempts(m.unpaid)); n > m.tried {
			m.events, m.tried = append(m.events, fmt.Sprintf("%s: the unpaid one is tried %d times", label, n-m.tried)), n
		}
		all := m.paid()
		for _, charge := range slices.Sorted(slices.Values(all[m.seen:])) {
			m.events = append(m.events, label+": charged "+charge)
		}
		m.seen = len(all)
		for _, row := range dispatch(m.t, m.s, m.now) {
			m.events = append(m.events, label+": queued "+row.ID)
		}
	}
}

// Every kind of midnight there is, with a scheduler that runs and with one that is down for three
// days: what waits for it happens once, at the first tick after it, and nothing is passed over.
func TestCalendar_everythingThatWaitsForMidnight(t *testing.T) {
	midnights := []struct {
		name string
		at   time.Time
	}{
		{"a day in the month", seoul(2026, 12, 15, 0, 0)},
		{"month end", seoul(2027, 2, 1, 0, 0)},
		{"28 February", seoul(2027, 3, 1, 0, 0)},
		{"year end", seoul(2028, 1, 1, 0, 0)},
		{"before a leap day", seoul(2028, 2, 29, 0, 0)},
		{"29 February", seoul(2028, 3, 1, 0, 0)},
	}
	for _, down := range []bool{false, true} {
		name := map[bool]string{false: "the scheduler runs", true: "it is down for three days"}[down]
		t.Run(name, func(t *testing.T) {
			eachDatabase(t, func(t *testing.T, s *Store) {
				for n, one := range midnights {
					t.Run(one.name, func(t *testing.T) {
						m := newMidnight(t, s, n, one.at)
						if down {
							m.downForThreeDays()
						} else {
							m.day()
						}
						for _, id := range []string{m.use, m.gift, m.limited, m.unpaid} {
							wantWallet(t, s, id)
						}
						exec(t, s, `UPDATE wallet SET next_charge_at = $1, long_term_at = 1`, millis(never)) // they stay out of the next
					})
				}
			})
		})
	}
}

// prices checks what messages cost that are ordered now.
func (m *midnight) prices(want wallet.KRW) {
	m.t.Helper()
	id := m.send(fmt.Sprint("price-", m.now.UnixMilli()), m.gift, 1)
	b, err := m.s.Broadcast(m.t.Context(), broadcast.ID(id))
	if err != nil || b.Price != want {
		m.t.Errorf("a broadcast of %s costs %d a message, %v, want %d", m.now.In(clock.Seoul).Format(korean), b.Price, err, want)
	}
	if _, err := m.s.Cancel(m.t.Context(), b.ID, m.now); err != nil {
		m.t.Fatal(err)
	}
}

func (m *midnight) day() {
	p := m.price
	m.now = m.at.Add(-time.Millisecond)
	m.prices(p)
	m.tick("a moment before")
	m.now = m.at
	accrue(m.t, m.s, m.use, 7, m.now)
	m.prices(p + 1)
	m.tick("00:00")
	m.accept(m.before, 2)
	m.arrive(m.before, 2)
	m.now = m.at.Add(4 * time.Minute)
	m.tick("00:04")
	m.now = m.at.Add(5*time.Minute + time.Second)
	m.tick("00:05")
	m.arrive(m.heldCash, 1)
	m.now = m.at.Add(time.Hour)
	m.tick("01:00")
	m.now = m.at.Add(24*time.Hour - time.Millisecond)
	m.tick("23:59")
	m.now = m.at.Add(24 * time.Hour)
	m.tick("the next 00:00")
	m.now = m.at.Add(24*time.Hour + 10*time.Minute)
	m.tick("the next 00:10")
	want(m.t, "events", m.events,
		fmt.Sprintf("00:00: %d vanish", 1000-20*p),
		"00:00: long unpaid",
		"00:00: the unpaid one is tried 1 times",
		fmt.Sprintf("00:00: queued %s-000002", m.before),
		fmt.Sprintf("00:04: charged %s %d", m.limited, 50*p),
		fmt.Sprintf("00:05: charged %s 100", m.use),
		fmt.Sprintf("01:00: %d vanish", 10*p),
		"the next 00:00: the unpaid one is tried 1 times",
		fmt.Sprintf("the next 00:10: charged %s %d", m.limited, 50*p),
		fmt.Sprintf("the next 00:10: charged %s 7", m.use),
	)
}

func (m *midnight) downForThreeDays() {
	p := m.price
	m.now = m.at.Add(-time.Millisecond)
	m.tick("a moment before")
	m.now = m.at.Add(time.Minute)
	accrue(m.t, m.s, m.use, 7, m.now)
	m.prices(p + 1)
	m.arrive(m.heldCash, 1) // workers go on
	m.now = m.at.Add(73 * time.Hour)
	m.tick("three days later")
	m.accept(m.before, 2)
	m.arrive(m.before, 2)
	for range 3 {
		m.pass(time.Minute)
		m.tick("then")
	}
	m.now = clock.NextMidnight(m.now)
	m.tick("the next 00:00")
	m.pass(10 * time.Minute)
	m.tick("the next 00:10")
	want(m.t, "events", m.events,
		fmt.Sprintf("three days later: %d vanish", 1000-10*p),
		"three days later: long unpaid",
		"three days later: the unpaid one is tried 1 times",
		fmt.Sprintf("three days later: charged %s %d", m.limited, 50*p),
		fmt.Sprintf("three days later: charged %s 107", m.use),
		fmt.Sprintf("three days later: queued %s-000002", m.before),
		"the next 00:00: the unpaid one is tried 1 times",
		fmt.Sprintf("the next 00:10: charged %s %d", m.limited, 50*p),
	)
}
