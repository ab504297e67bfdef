package store

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/malgil/malgil/internal/billing"
	"github.com/malgil/malgil/internal/clock"
	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/kakao"
	"github.com/malgil/malgil/internal/reconcile"
	"github.com/malgil/malgil/internal/wallet"
)

// desk is a market whose books are compared.
type desk struct {
	*market
	books  *reconcile.Service
	window reconcile.Window
}

// openDesk makes a wallet with something of everything: top-ups by card and bank, a refund, free cash,
// a broadcast of 100 and 40 people of whom 138 were reached, a charge that a card paid.
func openDesk(t *testing.T, s *Store) *desk {
	t.Helper()
	d := &desk{market: newMarket(t, s)}
	d.books = reconcile.New(s, d.gateway, d.teller, nil, d.clock)
	d.put("w", 0, "hanbit")
	today := clock.Midnight(d.clock())
	d.window = reconcile.Window{From: today.Add(-24 * time.Hour), To: today.Add(48 * time.Hour)}
	d.topUpBy(billing.ByCard, "w", 1_000)
	d.topUpBy(billing.ByBank, "w", 2_000)
	d.refundAccount("w")
	refund, err := d.refund("w", 2_600, "k") // the transfer, and 600 of the card
	if err != nil {
		t.Fatal(err)
	}
	if refund = d.refunded(refund); refund.State != billing.RefundDone {
		t.Fatalf("refund = %s, want done", refund.State)
	}
	newGrant(t, s, "w", "grt_w", 600, d.clock().Add(48*time.Hour), d.clock())
	d.send("brd_w", 15, 100, 38) // 2,070: 600 free, 400 paid, 1,070 owed
	d.send("brd_dear", 10_000, 50, 0)
	d.run()
	if w := wantWallet(t, s, "w"); w.Free != 0 || w.Paid != 0 || w.Accrual != 1_070 || w.Charging != 0 {
		t.Fatalf("wallet = %+v, want its cash used up, 500,000 of 501,070 charged", w)
	}
	return d
}

// send sends a broadcast whose second chunk, of 40 people, reaches so many; 0 for none.
func (d *desk) send(id string, price wallet.KRW, people, second int) {
	d.t.Helper()
	parts := []int{people}
	if second > 0 {
		parts = append(parts, 40)
	}
	now := d.clock()
	b := order(id, "bot_w")
	running(d.t, d.s, b, parts...)
	exec(d.t, d.s, `UPDATE broadcast SET price_krw = $2 WHERE id = $1`, id, price)
	for seq, reached := range []int{people, second} {
		if seq < len(parts) {
			settle(d.t, d.s, sent(d.t, d.s, b.ID, seq+1, now), reached, now)
		}
	}
}

// compare compares everything and tells what differs, sorted, as "kind subject want got".
func (d *desk) compare() (told []string, page reconcile.Page) {
	d.t.Helper()
	o := reconcile.Order{Window: d.window, Providers: true}
	for {
		part, err := d.books.Compare(d.t.Context(), o, page.Next)
		if err != nil {
			d.t.Fatal(err)
		}
		page.Found, page.Wallets, page.Asked = append(page.Found, part.Found...), page.Wallets+part.Wallets, page.Asked+part.Asked
		page.Unasked, page.Next = page.Unasked+part.Unasked, part.Next
		if part.Next == nil {
			break
		}
	}
	for _, f := range page.Found {
		told = append(told, fmt.Sprintf("%s %s %d %d", f.Kind, f.Subject, f.Want, f.Got))
	}
	slices.Sort(told)
	return told, page
}

// correct corrects everything that a posting mends.
func (d *desk) correct(found []reconcile.Finding) (corrected int, errs []string) {
	d.t.Helper()
	for _, f := range found {
		if !f.Correctable {
			continue
		}
		p, err := d.books.Correct(d.t.Context(), reconcile.Correction{WalletID: f.WalletID, Kind: f.Kind, Subject: f.Subject, Difference: f.Difference()})
		if err != nil {
			errs = append(errs, fault.CodeOf(err))
		} else if p != nil {
			corrected++
		}
	}
	return corrected, errs
}

// unlocked lets a test write what no program may: the ledger without its triggers.
func unlocked(t testing.TB, s *Store) {
	t.Helper()
	if s.dialect.embedded {
		exec(t, s, `DROP TRIGGER posting_is_never_changed`)
		exec(t, s, `DROP TRIGGER posting_is_never_deleted`)
		return
	}
	exec(t, s, `DROP TRIGGER posting_is_append_only ON posting`)
}

func (d *desk) attemptOf(kind billing.Kind) string {
	d.t.Helper()
	return texts(d.t, d.s, `SELECT id FROM attempt WHERE kind = $1 AND state = 'done' ORDER BY id`, kind)[0]
}

func TestReconcile_agrees(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		d := openDesk(t, s)
		newWallet(t, s, "empty", 0)
		told, page := d.compare()
		want(t, "differences", told)
		if page.Wallets != 2 || page.Asked != 4 || page.Unasked != 0 { // two top-ups, a transfer back, a charge
			t.Errorf("compared %d wallets, asked %d times, could not %d times, want 2, 4 and 0", page.Wallets, page.Asked, page.Unasked)
		}
	})
}

// Each difference that can be planted is found; what a posting mends is mended, once.
func TestReconcile_finds(t *testing.T) {
	const chunk1, chunk2 = "brd_w-000001", "brd_w-000002"
	tests := map[string]struct {
		plant     func(d *desk)
		want      []string // {charge}, {topup} and {refund} stand for the first attempt of their kind
		corrected int
		code      string // with which corrections are refused
	}{
		"more delivered than captured": {
			plant: func(d *desk) { exec(d.t, d.s, `UPDATE chunk SET delivered = 40, failed = 0 WHERE id = $1`, chunk2) },
			want:  []string{"messages brd_w-000002 600 570"}, corrected: 1,
		},
		"less delivered than captured": {
			plant: func(d *desk) { exec(d.t, d.s, `UPDATE chunk SET delivered = 8, failed = 32 WHERE id = $1`, chunk2) },
			want:  []string{"messages brd_w-000002 120 570"}, corrected: 1,
		},
		"free cash captured too much": {
			plant: func(d *desk) { exec(d.t, d.s, `UPDATE chunk SET delivered = 20, failed = 80 WHERE id = $1`, chunk1) },
			want:  []string{"messages brd_w-000001 300 1500"}, corrected: 1,
		},
		"late evidence": {
			plant: func(d *desk) { d.unnamed(); d.evident(39) },
			want:  []string{"messages brd_w-000002 585 570"}, corrected: 1,
		},
		"skill calls of those whom Kakao names as failed": {plant: func(d *desk) { d.evident(40) }},
		"a capture without a chunk": {
			plant: func(d *desk) {
				post1(d.t, d.s, "w", func(w wallet.Wallet) (wallet.Wallet, wallet.Posting) {
					return w.Capture(0, 15, nil, "brd_gone-000001", d.clock())
				})
			},
			want: []string{"messages capture/brd_gone-000001 0 15"},
		},
		"a top-up without a checkout": {
			plant: func(d *desk) { topUp(d.t, d.s, "w", 100, "cko_gone", d.clock()) },
			want:  []string{"payments topup/cko_gone 0 110"},
		},
		"a capture that was deleted": {
			plant: func(d *desk) { unlocked(d.t, d.s); exec(d.t, d.s, `DELETE FROM posting WHERE ref = $1`, chunk2) },
			want:  []string{"balance accrual 500 1070", "messages brd_w-000002 570 0"}, code: "LEDGER_BROKEN",
		},
		"a balance that was edited": {
			plant: func(d *desk) { exec(d.t, d.s, `UPDATE wallet SET paid_krw = paid_krw + 77 WHERE id = 'w'`) },
			want:  []string{"balance paid 0 77"},
		},
		"a hold that leaked": {
			plant: func(d *desk) { exec(d.t, d.s, `UPDATE wallet SET held_krw = 1500 WHERE id = 'w'`) },
			want:  []string{"held held 0 1500"},
		},
		"a grant that was edited": {
			plant: func(d *desk) { exec(d.t, d.s, `UPDATE free_grant SET remaining_krw = 5 WHERE id = 'grt_w'`) },
			want:  []string{"free free 5 0"},
		},
		"a payment with another amount": {
			plant: func(d *desk) {
				exec(d.t, d.s, `UPDATE attempt SET total_krw = total_krw + 1 WHERE id = $1`, d.attemptOf(billing.ChargeAttempt))
			},
			want: []string{"payments {charge} 550001 550000"},
		},
		"a top-up that the gateway cancelled": {
			plant: func(d *desk) { d.cancel(billing.TopUpAttempt, billing.OneTime, 440) },
			want:  []string{"provider {topup} 0 440"}, corrected: 1,
		},
		"a charge of which the gateway gave a part back": {
			plant: func(d *desk) { d.cancel(billing.ChargeAttempt, billing.Recurring, 1_100) },
			want:  []string{"provider {charge} 548900 550000"}, corrected: 1,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			eachDatabase(t, func(t *testing.T, s *Store) {
				d := openDesk(t, s)
				names := strings.NewReplacer("{charge}", d.attemptOf(billing.ChargeAttempt), "{topup}", d.attemptOf(billing.TopUpAttempt))
				tt.plant(d)
				told, page := d.compare()
				wanted := strings.FieldsFunc(names.Replace(strings.Join(tt.want, "\n")), func(r rune) bool { return r == '\n' })
				want(t, "differences", told, wanted...)
				corrected, refused := d.correct(page.Found)
				if corrected != tt.corrected || (tt.code != "") != (len(refused) > 0) || slices.ContainsFunc(refused, func(c string) bool { return c != tt.code }) {
					t.Errorf("corrected %d, refused %q, want %d and %q", corrected, refused, tt.corrected, tt.code)
				}
				if tt.corrected == 0 {
					return
				}
				told, _ = d.compare()
				want(t, "differences after they were corrected", told)
				wantWallet(t, s, "w")
				if again, refused := d.correct(page.Found); again != 0 || len(refused) > 0 {
					t.Errorf("correcting again posts %d, refused %q, want nothing", again, refused)
				}
				for _, id := range []string{"brd_w", "brd_dear"} {
					b, err := s.Broadcast(t.Context(), "brd_w")
					books, err2 := capturedBy(t.Context(), s.read, "w", b.ID)
					if err != nil || err2 != nil || b.Captured != books {
						t.Errorf("broadcast %s captured %d, %v, %v, its postings %d", id, b.Captured, err, err2, books)
					}
				}
			})
		})
	}
}

// evident records that so many people of the second chunk made the block's skill speak.
func (d *desk) evident(people int) {
	d.t.Helper()
	for i := range people {
		exec(d.t, d.s, `INSERT INTO chunk_evidence (chunk_id, user_hash, at) VALUES ('brd_w-000002', $1, 1)`, []byte{byte(i)})
	}
}

// unnamed has Kakao not name the two who failed in the second chunk.
func (d *desk) unnamed() {
	d.t.Helper()
	exec(d.t, d.s, `UPDATE chunk SET failed = 0, unknown = 2 WHERE id = 'brd_w-000002'`)
	exec(d.t, d.s, `UPDATE broadcast SET failed = 0, unknown = 2 WHERE id = 'brd_w'`)
}

// cancel gives a part of a payment back at the gateway, behind our back.
func (d *desk) cancel(kind billing.Kind, purpose billing.Purpose, total wallet.KRW) {
	d.t.Helper()
	tid := texts(d.t, d.s, `SELECT tid FROM attempt WHERE id = $1`, d.attemptOf(kind))[0]
	order, err := d.gateway.Order(d.t.Context(), purpose, tid)
	if err != nil {
		d.t.Fatal(err)
	}
	_, err = d.gateway.Cancel(d.t.Context(), billing.CancelRequest{Purpose: purpose, TID: tid, Amount: total, VAT: wallet.VATOfTotal(total),
		Left: order.Payment.Total - order.Cancelled})
	if err != nil {
		d.t.Fatalf("cancel %d of %s: %v", total, tid, err)
	}
}

// A correction gives free cash back to its grant while that counts, and never to anybody's paid cash.
func TestReconcile_givesFreeCashBack(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		d := openDesk(t, s)
		exec(t, s, `UPDATE chunk SET delivered = 20, failed = 80 WHERE id = 'brd_w-000001'`) // 1,200 too much: 900 cash, 300 free
		_, page := d.compare()
		if n, refused := d.correct(page.Found); n != 1 {
			t.Fatalf("corrected %d, refused %q, want 1", n, refused)
		}
		w := wantWallet(t, s, "w")
		if w.Free != 300 || w.Paid+w.Accrual == 0 {
			t.Errorf("wallet = %d free, %d paid, %d owed, want 300 of free cash and 900 as cash", w.Free, w.Paid, w.Accrual)
		}
		want(t, "uses of the grant", texts(t, s, `SELECT kind || ' ' || ref || ' ' || CAST(amount_krw AS TEXT) FROM grant_use WHERE grant_id = 'grt_w' ORDER BY kind`),
			"capture brd_w-000001 600", "correction capture/brd_w-000001/1 -300")
	})
}

// Many at once correct once; what changed meanwhile is not corrected by what was seen before.
func TestReconcile_atOnce(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		d := openDesk(t, s)
		exec(t, s, `UPDATE chunk SET delivered = 40, failed = 0 WHERE id = 'brd_w-000002'`)
		c := reconcile.Correction{WalletID: "w", Kind: reconcile.Messages, Subject: "brd_w-000002", Difference: 45}
		if _, err := d.books.Correct(t.Context(), c); fault.CodeOf(err) != "DIFFERENCE_CHANGED" {
			t.Errorf("Correct() of another difference error = %v, want DIFFERENCE_CHANGED", err)
		}
		c.Difference = 30
		var posted sync.Map
		var running sync.WaitGroup
		for range 8 {
			running.Go(func() {
				p, _, err := s.CorrectChunk(context.WithoutCancel(t.Context()), c, nil)
				if err != nil {
					t.Errorf("CorrectChunk() error = %v", err)
				}
				if p != nil {
					if _, twice := posted.LoadOrStore("posted", true); twice {
						t.Error("posted twice")
					}
				}
			})
		}
		running.Wait()
		if _, any := posted.Load("posted"); !any {
			t.Error("nobody posted")
		}
		if n := texts(t, s, `SELECT ref FROM posting WHERE kind = 'correction'`); len(n) != 1 {
			t.Errorf("corrections = %q, want one", n)
		}
		wantWallet(t, s, "w")
	})
}

// The hourly comparison finds what is in the database itself, keeps it, and compares each wallet
// once an hour, whoever runs it.
func TestReconcile_hourly(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		d := openDesk(t, s)
		newWallet(t, s, "other", 0)
		sums := func() string {
			t.Helper()
			v, err := s.Sample(t.Context(), t0)
			if err != nil {
				t.Fatal(err)
			}
			return fmt.Sprint(v.Differences)
		}
		check := func() {
			t.Helper()
			var running sync.WaitGroup
			for range 3 {
				running.Go(func() {
					if err := d.books.Check(context.WithoutCancel(t.Context())); err != nil {
						t.Errorf("Check() error = %v", err)
					}
				})
			}
			running.Wait()
		}
		check()
		const none = "map[balance:0 free:0 held:0 messages:0 payments:0]"
		if got := sums(); got != none {
			t.Errorf("differences = %s, want none", got)
		}
		exec(t, s, `UPDATE wallet SET paid_krw = paid_krw + 77, held_krw = 5 WHERE id = 'w'`)
		exec(t, s, `UPDATE wallet SET free_krw = 3 WHERE id = 'other'`)
		exec(t, s, `UPDATE chunk SET delivered = 8, failed = 32 WHERE id = 'brd_w-000002'`)
		topUp(t, s, "w", 100, "cko_gone", d.clock())
		check()
		if got := sums(); got != none {
			t.Errorf("differences before an hour has passed = %s, want none", got)
		}
		d.pass(61 * time.Minute)
		check()
		if got := sums(); got != "map[balance:80 free:3 held:5 messages:450 payments:110]" {
			t.Errorf("differences = %s, want all that was planted", got)
		}
		// Days later the sums of old postings are kept, and still nothing is lost.
		d.pass(72 * time.Hour)
		check()
		if got := sums(); got != "map[balance:80 free:3 held:5 messages:0 payments:0]" {
			t.Errorf("differences days later = %s, want those of balances", got)
		}
		want(t, "wallets with sums of old postings", texts(t, s, `SELECT wallet_id FROM ledger_check WHERE base_accrual <> 0`), "w")
	})
}

// What the gateway gave back behind our back, and a correction took off the wallet, is not refunded
// again, and no refund takes it for its own.
func TestReconcile_refundsWhatIsLeft(t *testing.T) {
	tests := map[string]struct {
		ask, supply, vat wallet.KRW
	}{
		"as much again":   {400, 400, 40},
		"all of the rest": {0, 600, 60},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			eachDatabase(t, func(t *testing.T, s *Store) {
				d := &desk{market: newMarket(t, s)}
				d.books = reconcile.New(s, d.gateway, d.teller, nil, d.clock)
				d.put("w", 0, "hanbit")
				today := clock.Midnight(d.clock())
				d.window = reconcile.Window{From: today.Add(-24 * time.Hour), To: today.Add(48 * time.Hour)}
				d.topUpBy(billing.ByCard, "w", 1_000)
				d.cancel(billing.TopUpAttempt, billing.OneTime, 440)
				_, page := d.compare()
				if n, refused := d.correct(page.Found); n != 1 {
					t.Fatalf("corrected %d, refused %q, want 1", n, refused)
				}
				refund, err := d.refund("w", tt.ask, "k")
				if err != nil {
					t.Fatal(err)
				}
				refund = d.refunded(refund)
				if refund.State != billing.RefundDone || refund.Supply != tt.supply || refund.VAT != tt.vat {
					t.Errorf("refund = %s, %d and %d of VAT, want done, %d and %d", refund.State, refund.Supply, refund.VAT, tt.supply, tt.vat)
				}
				if w := wantWallet(t, s, "w"); w.Paid != 600-tt.supply || w.Refunding != 0 {
					t.Errorf("wallet has %d, %d of it under way, want %d and none", w.Paid, w.Refunding, 600-tt.supply)
				}
				told, _ := d.compare()
				want(t, "differences after the refund", told)
				if tt.ask != 0 {
					return
				}
				g := wallet.Gift{ID: "grt_1", WalletID: "w", Kind: wallet.PaidCash, Amount: 500, Reason: "보상", CreatedAt: d.clock()}
				if _, _, err := s.Give(t.Context(), g, wallet.Request{}); err != nil {
					t.Fatal(err)
				}
				setStatus(t, s, "w", wallet.Stopped)
				if err := s.DeleteWallet(t.Context(), "w", d.clock()); err != nil {
					t.Errorf("DeleteWallet() error = %v, want none: nothing that it has can be refunded", err)
				}
			})
		})
	}
}

// A correction that began before free cash was over, and got the wallet's lock after it had vanished,
// does not bring it back: it would have to vanish a second time.
func TestCorrectChunk_whileFreeCashVanishes(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		newWallet(t, s, "w", 0)
		newBot(t, s, "bot_w", "w")
		end := clock.NextMidnight(t0)
		newGrant(t, s, "w", "grt_w", 2000, end, t0)
		b := running(t, s, order("brd_w", "bot_w"), 100)
		settle(t, s, sent(t, s, b.ID, 1, t0), 100, t0)
		exec(t, s, `UPDATE chunk SET delivered = 20, failed = 80 WHERE broadcast_id = 'brd_w'`) // 1,200 too much
		if gone := vanish(t, s, end); gone != 500 {
			t.Fatalf("ExpireFree() = %d, want the 500 that were left", gone)
		}
		c := reconcile.Correction{WalletID: "w", Kind: reconcile.Messages, Subject: "brd_w-000001", Difference: -1200, At: end.Add(-time.Millisecond)}
		if p, _, err := s.CorrectChunk(t.Context(), c, nil); err != nil || p.Promotion != 1200 || p.Free != 0 {
			t.Errorf("CorrectChunk() = %+v, %v, want 1,200 gone with the rest", p, err)
		}
		if gone := vanish(t, s, end.Add(time.Second)); gone != 0 {
			t.Errorf("ExpireFree() after the correction = %d, want 0", gone)
		}
		wantWallet(t, s, "w")
	})
}

// unsure is a gateway that has every payment as one that is on its way, or in a status that is new.
type unsure struct{ reconcile.Gateway }

func (g unsure) Order(ctx context.Context, p billing.Purpose, tid string) (billing.Order, error) {
	order, err := g.Gateway.Order(ctx, p, tid)
	order.Status = billing.OrderOpen
	return order, err
}

// forgetful is a bank that knows no account any more.
type forgetful struct{ reconcile.Bank }

func (forgetful) Account(context.Context, string) (billing.BankAccount, error) {
	return billing.BankAccount{}, billing.ErrNoOrder
}

// A payment that was made here and is on its way at the gateway, or that the bank does not know, is
// shown to a person; nothing is taken off the wallet.
func TestReconcile_providerUnsure(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		d := openDesk(t, s)
		d.books = reconcile.New(s, unsure{d.gateway}, forgetful{d.teller}, nil, d.clock)
		told, page := d.compare()
		topup, charge := d.attemptOf(billing.TopUpAttempt), d.attemptOf(billing.ChargeAttempt)
		transfer := texts(t, s, `SELECT a.id FROM attempt a JOIN checkout o ON o.id = a.subject_id WHERE o.method = 'bank'`)[0]
		want(t, "differences", told, "provider "+topup+" 0 440", "provider "+transfer+" 0 2200", "provider "+charge+" 0 550000")
		if n, refused := d.correct(page.Found); n != 0 || len(refused) > 0 {
			t.Errorf("corrected %d, refused %q, want none proposed", n, refused)
		}
		c := reconcile.Correction{WalletID: "w", Kind: reconcile.Provider, Subject: charge, Difference: -550_000}
		if _, err := d.books.Correct(t.Context(), c); fault.CodeOf(err) != "NOT_CORRECTABLE" {
			t.Errorf("Correct() error = %v, want NOT_CORRECTABLE", err)
		}
	})
}

// A call that is repeated gets the answer of the first.
func TestCorrect_repeated(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		d := openDesk(t, s)
		exec(t, s, `UPDATE chunk SET delivered = 40, failed = 0 WHERE id = 'brd_w-000002'`)
		c := reconcile.Correction{WalletID: "w", Kind: reconcile.Messages, Subject: "brd_w-000002", Difference: 30}
		for _, key := range []string{"mends", "mends", "agrees", "agrees"} {
			c.Request = billing.Request{Scope: "tok_1", Key: key, BodyHash: []byte("it")}
			p, err := d.books.Correct(t.Context(), c)
			if mends := key == "mends"; err != nil || (p != nil) != mends || mends && (p.Ref != "capture/brd_w-000002/1" || p.Revenue != 30 || p.Sum() != 0) {
				t.Errorf("Correct() with key %q = %+v, %v, want the first correction for %q alone", key, p, err, "mends")
			}
			d.pass(time.Second)
		}
	})
}

// brokenFor fails to compare the messages of one wallet.
type brokenFor struct {
	reconcile.Store
	walletID string
}

func (b brokenFor) CompareMessages(ctx context.Context, m reconcile.Mark, w reconcile.Window) ([]reconcile.Finding, *reconcile.Mark, error) {
	if m.Wallet == b.walletID {
		return nil, nil, fmt.Errorf("messages of %s cannot be read", m.Wallet)
	}
	return b.Store.CompareMessages(ctx, m, w)
}

// A wallet whose comparison fails keeps no other from its own.
func TestReconcile_hourlyBesideABrokenOne(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		d := openDesk(t, s)
		newWallet(t, s, "a", 0) // before and behind the broken one
		newWallet(t, s, "z", 0)
		exec(t, s, `UPDATE wallet SET held_krw = 5 WHERE id IN ('a', 'z')`)
		d.books = reconcile.New(brokenFor{s, "w"}, d.gateway, d.teller, nil, d.clock)
		if err := d.books.Check(t.Context()); err == nil || !strings.Contains(err.Error(), "messages of w cannot be read") {
			t.Errorf("Check() error = %v, want that of the broken wallet", err)
		}
		want(t, "wallets with what was found", texts(t, s, `SELECT wallet_id FROM ledger_check WHERE held_krw = 5 ORDER BY wallet_id`), "a", "z")
	})
}

// fixedCount is a Kakao that counts the same of every chunk.
type fixedCount kakao.SendResult

func (c fixedCount) Result(context.Context, string, string) (kakao.SendResult, error) {
	return kakao.SendResult(c), nil
}

// A count by Kakao that is below what evidence shows takes nothing back and changes nothing.
func TestReconcile_recountBelowEvidence(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		d := openDesk(t, s)
		d.unnamed()
		d.evident(39)
		_, page := d.compare()
		if n, refused := d.correct(page.Found); n != 1 {
			t.Fatalf("corrected %d, refused %q, want the late evidence", n, refused)
		}
		d.books = reconcile.New(s, d.gateway, d.teller, fixedCount{AllRequestCount: 40, SuccessCount: 38, FailCount: 2}, d.clock)
		exec(t, s, `UPDATE chunk SET task_id = '' WHERE id <> 'brd_w-000002'`)
		page, err := d.books.Compare(t.Context(), reconcile.Order{Window: d.window, WalletID: "w", Recount: true}, nil)
		if err != nil || page.Asked != 1 || len(page.Found) != 0 {
			t.Errorf("Compare() = %+v, %v, want one chunk asked for and nothing found", page, err)
		}
		c := reconcile.Correction{WalletID: "w", Kind: reconcile.Recount, Subject: "brd_w-000002", Difference: -15}
		if p, err := d.books.Correct(t.Context(), c); p != nil || err != nil {
			t.Errorf("Correct() = %+v, %v, want nothing taken back", p, err)
		}
		const people = `CAST(delivered AS TEXT) || ' ' || CAST(failed AS TEXT) || ' ' || CAST(unknown AS TEXT)`
		want(t, "people of the chunk", texts(t, s, `SELECT `+people+` FROM chunk WHERE id = 'brd_w-000002'`), "39 0 1")
		want(t, "people of the broadcast", texts(t, s, `SELECT `+people+` FROM broadcast WHERE id = 'brd_w'`), "139 0 1")
	})
}

// What Kakao says when it counts again is kept, so that nobody who got the message is taken for one who did not.
func TestReconcile_recountNames(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		d := openDesk(t, s)
		now := kakao.SendResult{AllRequestCount: 40, SuccessCount: 39, FailCount: 1, Failures: []kakao.SendFailure{{UserID: "u2-7"}},
			Raw: []byte(`{"allRequestCount":40,"successCount":39,"fail":{"count":1,"list":[{"userId":"u2-7"}]}}`)}
		d.books = reconcile.New(s, d.gateway, d.teller, fixedCount(now), d.clock)
		if _, err := d.books.Correct(t.Context(), reconcile.Correction{WalletID: "w", Kind: reconcile.Recount, Subject: "brd_w-000002", Difference: 15}); err != nil {
			t.Fatal(err)
		}
		d.evident(3)
		missed, err := s.EndedChunks(t.Context(), "brd_w", 0, 10)
		if err != nil || len(missed) != 1 || missed[0].Failed != 1 || string(missed[0].Result) != string(now.Raw) || missed[0].Evident != 3 {
			t.Errorf("EndedChunks() = %+v, %v, want one chunk with one failed, Kakao's newer answer and three skill calls", missed, err)
		}
	})
}
