package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/malgil/malgil/internal/access"
	"github.com/malgil/malgil/internal/billing"
	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/invoice"
	"github.com/malgil/malgil/internal/notice"
)

// fakeCarrier is a carrier of tax invoices that does what a test says. Unless told otherwise it issues,
// once for an order, and finds what it issued.
type fakeCarrier struct {
	clock func() time.Time

	mu     sync.Mutex
	answer func(order string, i invoice.Invoice) (billing.Issue, error) // of the call; nil issues
	look   func(order string) (billing.Issue, error)                    // of the look-up; nil finds what is there
	orders map[string]billing.Issue
	bodies map[string]invoice.Invoice
	asked  []string // order ids of the calls
	looked int
}

// issue does what a good carrier does.
func (c *fakeCarrier) issue(order string, i invoice.Invoice) billing.Issue {
	done, known := c.orders[order]
	if !known {
		done = billing.Issue{OrderID: order, Number: i.Recipient.Number, Total: i.Total(), State: billing.IssueDone, At: c.clock(),
			ApprovalNumber: fmt.Sprintf("%024d", len(c.orders)+1)}
		c.orders[order] = done
	}
	return done
}

func (c *fakeCarrier) IssueInvoice(_ context.Context, order string, i invoice.Invoice) (billing.Issue, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked = append(c.asked, order)
	if before, known := c.bodies[order]; known {
		before.Code, before.Failure, before.NextAt, before.FailedAt = i.Code, i.Failure, i.NextAt, i.FailedAt // none of it is on the paper
		if before != i {
			return billing.Issue{}, fmt.Errorf("order %s came with another body: %+v, before %+v", order, i, before)
		}
	}
	c.bodies[order] = i
	if c.answer != nil {
		return c.answer(order, i)
	}
	return c.issue(order, i), nil
}

func (c *fakeCarrier) Issue(_ context.Context, order string) (billing.Issue, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.looked++
	if c.look != nil {
		return c.look(order)
	}
	if found, known := c.orders[order]; known {
		return found, nil
	}
	return billing.Issue{}, billing.ErrNoOrder
}

// answers says what the next calls come to.
func (c *fakeCarrier) answers(answer func(order string, i invoice.Invoice) (billing.Issue, error)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.answer = answer
}

func (c *fakeCarrier) finds(look func(order string) (billing.Issue, error)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.look = look
}

func (c *fakeCarrier) fails(class billing.Class, code string) {
	c.answers(func(string, invoice.Invoice) (billing.Issue, error) {
		return billing.Issue{}, &billing.GatewayError{Class: class, Code: code, Message: "the carrier's words"}
	})
}

func (c *fakeCarrier) refuses(code string) {
	c.answers(func(order string, i invoice.Invoice) (billing.Issue, error) {
		no := billing.Issue{OrderID: order, Number: i.Recipient.Number, Total: i.Total(), State: billing.IssueRefused, Code: code, Message: "the carrier's words"}
		c.orders[order] = no
		return no, nil
	})
}

// calls returns how often it was called and for how many orders.
func (c *fakeCarrier) calls() (times, orders int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.asked), len(c.bodies)
}

// bureau is a till that hands tax invoices to a carrier.
type bureau struct {
	*till
	c *fakeCarrier
	w string // the wallet
	i invoice.Invoice
}

// newBureau has an invoice of November over 1,500 KRW wait for its day, of a wallet of its own. Nothing of
// it goes on after the test.
func newBureau(t *testing.T, s *Store, walletID string) *bureau {
	b := &bureau{till: newTill(t, s, nil), w: walletID, i: invoiced(t, s, walletID, 1_500)}
	t.Cleanup(func() {
		exec(t, s, `UPDATE attempt SET state = 'declined' WHERE state IN ('prepared', 'calling', 'unknown')`)
	})
	b.c = &fakeCarrier{clock: b.clock, orders: map[string]billing.Issue{}, bodies: map[string]invoice.Invoice{}}
	b.WithInvoices(b.c, supplier)
	b.outcomes = nil
	return b
}

// runAt runs what is due at a moment.
func (b *bureau) runAt(when time.Time) {
	b.t.Helper()
	b.until(when)
	b.run()
}

// is checks the invoice, its attempts, and the mails about it.
func (b *bureau) is(when, line string, attempts ...string) {
	b.t.Helper()
	b.t.Log(when)
	want(b.t, "invoices "+when, invoicesOf(b.t, b.s, b.w), line)
	want(b.t, "attempts "+when, attemptsOf(b.t, b.s, b.i.ID), attempts...)
	var mails []string
	switch {
	case strings.Contains(line, "issued"):
		mails = []string{"invoice_issued master", "invoice_issued bookkeeper"}
	case strings.Contains(line, "failed"):
		mails = []string{"invoice_failed master", "invoice_failed bookkeeper"}
	}
	want(b.t, "mails "+when, mailed(b.t, b.s, b.w), mails...)
}

func (b *bureau) called(when string, times, orders int) {
	b.t.Helper()
	if gotTimes, gotOrders := b.c.calls(); gotTimes != times || gotOrders != orders {
		b.t.Errorf("%s the carrier was called %d times for %d orders, want %d for %d", when, gotTimes, gotOrders, times, orders)
	}
}

const (
	waits    = "2026-11/1 waiting 1500+150 0"
	isIssued = "2026-11/1 issued 1500+150 0"
	one      = "000000000000000000000001"
)

func TestIssueInvoice(t *testing.T) {
	stories := map[string]func(b *bureau){
		"at ten of the second business day": func(b *bureau) {
			b.runAt(secondDay.Add(-time.Millisecond))
			b.is("before", waits, "prepared")
			b.called("before", 0, 0)
			b.runAt(secondDay)
			b.is("then", isIssued, "done "+one)
			got := newestOf(b.t, b.s, b.w)
			if got.ApprovalNumber != one || !got.IssuedAt.Equal(secondDay) || got.Supplier != supplier || got.Recipient.Number != "9998100015" {
				b.t.Errorf("the invoice is %+v, want it issued from the supplier under %s", got, one)
			}
			for _, body := range b.c.bodies {
				if body.Total() != 1_650 || body.Supplier != supplier || body.WrittenOn.Format(time.DateOnly) != "2026-11-29" || body.Revision != 1 {
					b.t.Errorf("the carrier was handed %+v, want 1,650 KRW of 30 November in Korea", body)
				}
			}
			b.runAt(fifthDay.Add(30 * 24 * time.Hour))
			b.called("ever", 1, 1)
			b.is("a month later", isIssued, "done "+one)
		},
		"the carrier is down until the fourth day": func(b *bureau) {
			b.c.fails(billing.NotSent, "THROTTLED")
			b.runAt(secondDay)
			b.is("down", waits, "prepared")
			for h := range 40 {
				b.runAt(secondDay.Add(time.Duration(h+1) * time.Hour))
			}
			times, orders := b.c.calls()
			if orders != 1 || times < 30 || times > 50 {
				b.t.Errorf("within 40 hours the carrier was called %d times for %d orders, want about hourly for one", times, orders)
			}
			b.c.answers(nil)
			b.runAt(secondDay.Add(44 * time.Hour))
			b.is("up again", isIssued, "done "+one)
		},
		"the carrier stays down": func(b *bureau) {
			b.c.fails(billing.NotSent, "THROTTLED")
			for at := secondDay; at.Before(fifthDay); at = at.Add(time.Hour) {
				b.runAt(at)
			}
			b.runAt(fifthDay.Add(-time.Millisecond))
			b.is("before the fifth day", waits, "prepared")
			b.runAt(fifthDay.Add(time.Hour))
			b.is("after the fifth day", "2026-11/1 failed 1500+150 0 CARRIER_UNREACHABLE", "declined lost")
			times, _ := b.c.calls()
			b.runAt(fifthDay.Add(48 * time.Hour))
			b.called("when it was given up", times, 1)
			for _, body := range texts(b.t, b.s, `SELECT data FROM mail WHERE wallet_id = $1`, b.w) {
				data, err := notice.Decode(notice.CaseInvoiceFailed, []byte(body))
				d, _ := data.(notice.InvoiceFailed)
				if err != nil || !d.Ours || d.Reason != invoice.Failure(invoice.CodeUnreachable) || !d.Deadline.Equal(seoul(2026, 12, 10, 23, 59)) {
					b.t.Errorf("the mail says %+v, %v, want that it is ours and has time until the 10th", data, err)
				}
			}

			// A person asks: it is tried for a day, then they are told again.
			o := billing.InvoiceOrder{WalletID: b.w, InvoiceID: b.i.ID}
			if _, next, err := b.ReissueInvoice(b.t.Context(), o); err != nil || len(next) != 1 {
				b.t.Fatalf("ReissueInvoice() = %+v, %v, want an attempt", next, err)
			} else {
				b.note(b.attempt(next[0].Row))
			}
			asked := b.clock()
			for h := range 24 {
				b.runAt(asked.Add(time.Duration(h) * time.Hour))
			}
			want(b.t, "attempts within a day", attemptsOf(b.t, b.s, b.i.ID), "declined lost", "prepared")
			b.runAt(asked.Add(25 * time.Hour))
			want(b.t, "attempts after a day", attemptsOf(b.t, b.s, b.i.ID), "declined lost", "declined lost")
			want(b.t, "mails", mailed(b.t, b.s, b.w), "invoice_failed master", "invoice_failed master", "invoice_failed bookkeeper", "invoice_failed bookkeeper")
		},
		"our secret is wrong": func(b *bureau) {
			b.c.fails(billing.BadConfig, "WRONG_SECRET")
			b.runAt(secondDay)
			b.runAt(secondDay.Add(10*time.Minute - time.Second))
			b.called("within ten minutes", 1, 1)
			b.runAt(secondDay.Add(10 * time.Minute))
			b.called("after ten minutes", 2, 1)
			b.is("with a wrong secret", waits, "prepared")
			b.runAt(fifthDay)
			b.is("on the fifth day", "2026-11/1 failed 1500+150 0 CARRIER_UNREACHABLE", "declined lost")
			if got := texts(b.t, b.s, `SELECT provider_message FROM attempt WHERE wallet_id = $1`, b.w); len(got) != 1 || !strings.Contains(got[0], "WRONG_SECRET") {
				b.t.Errorf("the attempt says %q, want the carrier's code", got)
			}
		},
		"our secret is mended": func(b *bureau) {
			b.c.fails(billing.BadConfig, "WRONG_SECRET")
			b.runAt(secondDay)
			b.c.answers(nil)
			b.runAt(secondDay.Add(10 * time.Minute))
			b.is("mended", isIssued, "done "+one)
		},
		"the quota is used up": func(b *bureau) {
			b.c.fails(billing.QuotaUsedUp, "QUOTA")
			b.runAt(secondDay)
			b.is("used up", waits, "prepared")
			b.c.answers(nil)
			b.runAt(secondDay.Add(time.Hour))
			b.is("later", isIssued, "done "+one)
		},
		"there is no carrier any more": func(b *bureau) {
			b.WithInvoices(nil, supplier)
			b.runAt(secondDay)
			b.is("without a carrier", waits, "prepared")
			b.runAt(fifthDay.Add(-time.Millisecond))
			b.is("before the fifth day", waits, "prepared")
			b.runAt(fifthDay.Add(10 * time.Minute))
			b.is("on the fifth day", "2026-11/1 failed 1500+150 0 NO_CARRIER", "declined lost")
			if _, _, err := b.ReissueInvoice(b.t.Context(), billing.InvoiceOrder{WalletID: b.w, InvoiceID: b.i.ID}); fault.CodeOf(err) != "TAX_NOT_CONFIGURED" {
				b.t.Errorf("ReissueInvoice() without a carrier error = %v, want TAX_NOT_CONFIGURED", err)
			}
			if _, _, err := b.AmendInvoice(b.t.Context(), billing.InvoiceOrder{WalletID: b.w, InvoiceID: b.i.ID, Why: "상호 정정"}); fault.CodeOf(err) != "TAX_NOT_CONFIGURED" {
				b.t.Errorf("AmendInvoice() without a carrier error = %v, want TAX_NOT_CONFIGURED", err)
			}
		},
		"the business is closed": func(b *bureau) {
			b.c.refuses(invoice.CodeClosed)
			b.runAt(secondDay)
			b.is("refused", waits+" CLOSED_BUSINESS", "declined refused", "prepared")
			b.runAt(thirdDay.Add(-time.Millisecond))
			b.called("before the third day", 1, 1)
			b.runAt(thirdDay)
			b.is("refused again", "2026-11/1 failed 1500+150 0 CLOSED_BUSINESS", "declined refused", "declined refused")
			b.runAt(fifthDay)
			b.called("ever", 2, 2)
		},
		"the number is put right between": func(b *bureau) {
			b.c.refuses(invoice.CodeBadNumber)
			b.runAt(secondDay)
			change(b.t, b.s, b.w, access.WalletChange{BusinessNumber: text("2208162517")})
			b.c.answers(nil)
			b.runAt(thirdDay)
			b.is("put right", isIssued, "declined refused", "done "+"000000000000000000000002")
			if got := newestOf(b.t, b.s, b.w); got.Recipient.Number != "2208162517" || got.Code != "" || got.Failure != "" {
				b.t.Errorf("the invoice is %+v, want it on the new number without a failure", got)
			}
		},
		"a bad request, and the carrier has no order": func(b *bureau) {
			b.c.fails(billing.BadRequest, "BAD_ORDER")
			b.runAt(secondDay)
			b.is("refused", waits+" CARRIER_REJECTED", "declined refused", "prepared")
			b.runAt(thirdDay)
			b.is("refused again", "2026-11/1 failed 1500+150 0 CARRIER_REJECTED", "declined refused", "declined refused")
			if got := newestOf(b.t, b.s, b.w).Failure; strings.Contains(got, "the carrier's words") || !invoice.Ours(invoice.CodeRejected) {
				b.t.Errorf("the failure is %q, want words of ours: the carrier's are for the operator", got)
			}
			want(b.t, "what the operator reads", texts(b.t, b.s, `SELECT DISTINCT provider_message FROM attempt WHERE wallet_id = $1`, b.w), "BAD_ORDER the carrier's words")
		},
		"a bad request, but an earlier call of the order was taken": func(b *bureau) {
			b.c.answers(func(order string, i invoice.Invoice) (billing.Issue, error) {
				b.c.issue(order, i)
				return billing.Issue{}, failed(billing.BadRequest, "the order is there already")
			})
			b.runAt(secondDay)
			b.is("in doubt", waits, "unknown")
			b.runAt(secondDay.Add(time.Minute))
			b.is("found", isIssued, "done "+one)
			b.called("ever", 1, 1)
		},
		"a bad request, and nobody answers the look-up": func(b *bureau) {
			b.c.fails(billing.BadRequest, "BAD_ORDER")
			b.c.finds(func(string) (billing.Issue, error) { return billing.Issue{}, failed(billing.MayHaveMoved, "") })
			b.runAt(secondDay)
			b.runAt(thirdDay)
			b.is("in doubt", waits, "unknown")
			b.called("while in doubt", 1, 1)
			b.c.finds(nil)
			b.c.answers(nil)
			b.runAt(thirdDay.Add(time.Minute))
			b.runAt(thirdDay.Add(2 * time.Minute))
			b.is("asked again", isIssued, "done "+one)
			b.called("ever", 2, 1)
		},
		"the answer is lost, and it was issued": func(b *bureau) {
			b.c.answers(func(order string, i invoice.Invoice) (billing.Issue, error) {
				b.c.issue(order, i)
				return billing.Issue{}, failed(billing.MayHaveMoved, "cut")
			})
			b.runAt(secondDay)
			b.is("in doubt", waits, "unknown")
			b.runAt(secondDay.Add(5*time.Second - time.Millisecond))
			b.is("too soon", waits, "unknown")
			b.runAt(secondDay.Add(5 * time.Second))
			b.is("looked up", isIssued, "done "+one)
			b.called("ever", 1, 1)
		},
		"the call is lost": func(b *bureau) {
			b.c.fails(billing.MayHaveMoved, "")
			b.runAt(secondDay)
			b.c.answers(nil)
			for s := range 59 {
				b.runAt(secondDay.Add(time.Duration(s+1) * time.Second))
			}
			b.is("within a minute", waits, "unknown")
			b.called("within a minute", 1, 1)
			b.runAt(secondDay.Add(time.Minute))
			b.is("after a minute", isIssued, "done "+one)
			b.called("after a minute", 2, 1)
		},
		"nobody answers for a week": func(b *bureau) {
			b.c.fails(billing.MayHaveMoved, "")
			b.c.finds(func(string) (billing.Issue, error) { return billing.Issue{}, failed(billing.NotSent, "") })
			b.runAt(secondDay)
			for h := range 7 * 24 {
				b.runAt(secondDay.Add(time.Duration(h+1) * time.Hour))
			}
			b.is("in doubt", waits+" UNCONFIRMED", "unknown") // it may be issued: it is never given up
			if n := len(slices.DeleteFunc(slices.Clone(b.outcomes), func(o billing.Outcome) bool { return o != billing.Review })); n < 1 {
				b.t.Errorf("outcomes are %v, want a person asked", b.outcomes)
			}
			b.called("while in doubt", 1, 1)
			b.c.finds(nil)
			b.c.answers(nil)
			b.runAt(secondDay.Add(7*24*time.Hour + time.Hour))
			b.runAt(secondDay.Add(7*24*time.Hour + 2*time.Hour))
			b.is("answered again", isIssued, "done "+one)
		},
		"it comes up too late, and an earlier call had arrived": func(b *bureau) {
			b.c.answers(func(order string, i invoice.Invoice) (billing.Issue, error) {
				b.c.issue(order, i)
				return billing.Issue{}, failed(billing.NotSent, "THROTTLED") // which it was not
			})
			b.runAt(secondDay)
			b.is("tried once", waits, "prepared")
			b.runAt(newestOf(b.t, b.s, b.w).Deadline) // nobody worked in between
			b.is("too late", waits, "unknown")
			b.runAt(b.clock().Add(time.Minute))
			b.is("looked up", isIssued, "done "+one)
			b.called("ever", 1, 1)
		},
		"it comes up too late, and no call had arrived": func(b *bureau) {
			b.c.fails(billing.NotSent, "THROTTLED")
			b.runAt(secondDay)
			b.runAt(newestOf(b.t, b.s, b.w).Deadline)
			b.runAt(b.clock().Add(time.Minute))
			b.is("looked up", "2026-11/1 failed 1500+150 0 LATE", "declined lost")
			b.called("ever", 1, 1)
		},
		"it comes up too late, and was never tried": func(b *bureau) {
			b.runAt(newestOf(b.t, b.s, b.w).Deadline)
			b.is("too late", "2026-11/1 failed 1500+150 0 LATE", "declined lost")
			b.called("ever", 0, 0)
		},
		"the tax office is slow": func(b *bureau) {
			b.c.answers(func(order string, i invoice.Invoice) (billing.Issue, error) {
				done := b.c.issue(order, i)
				pending := done
				pending.State, pending.ApprovalNumber, pending.At = billing.IssuePending, "", time.Time{}
				b.c.orders[order] = pending
				return pending, nil
			})
			b.runAt(secondDay)
			b.runAt(secondDay.Add(time.Hour))
			b.is("pending", waits, "unknown")
			for order, o := range b.c.orders {
				o.State, o.ApprovalNumber, o.At = billing.IssueDone, one, b.clock()
				b.c.orders[order] = o
			}
			b.runAt(secondDay.Add(2*time.Hour + time.Minute))
			b.is("answered", isIssued, "done "+one)
			b.called("ever", 1, 1)
		},
		"the tax office is slow, and refuses": func(b *bureau) {
			b.c.answers(func(order string, i invoice.Invoice) (billing.Issue, error) {
				pending := billing.Issue{OrderID: order, Number: i.Recipient.Number, Total: i.Total(), State: billing.IssuePending}
				b.c.orders[order] = pending
				return pending, nil
			})
			b.runAt(secondDay)
			for order, o := range b.c.orders {
				o.State, o.Code = billing.IssueRefused, invoice.CodeSuspended
				b.c.orders[order] = o
			}
			b.runAt(secondDay.Add(time.Minute))
			b.is("refused", waits+" SUSPENDED_BUSINESS", "declined refused", "prepared")
			b.c.answers(nil)
			b.runAt(thirdDay)
			b.is("issued", isIssued, "declined refused", "done 000000000000000000000002")
		},
		"pending for days asks a person, once a day": func(b *bureau) {
			b.c.answers(func(order string, i invoice.Invoice) (billing.Issue, error) {
				pending := billing.Issue{OrderID: order, Number: i.Recipient.Number, Total: i.Total(), State: billing.IssuePending}
				b.c.orders[order] = pending
				return pending, nil
			})
			for h := range 3*24 + 1 {
				b.runAt(secondDay.Add(time.Duration(h) * time.Hour))
			}
			b.is("pending", waits, "unknown")
			reviews := 0
			for _, o := range b.outcomes {
				if o == billing.Review {
					reviews++
				}
			}
			if reviews < 2 || reviews > 3 {
				b.t.Errorf("a person was asked %d times within three days, want once a day", reviews)
			}
		},
		"another total is issued": func(b *bureau) { b.otherwise(func(o *billing.Issue) { o.Total++ }) },
		"it is issued on another number": func(b *bureau) {
			b.otherwise(func(o *billing.Issue) { o.Number = "2208162517" })
		},
		"another total is found by the look-up": func(b *bureau) {
			b.c.answers(func(order string, i invoice.Invoice) (billing.Issue, error) {
				wrong := b.c.issue(order, i)
				wrong.Total--
				b.c.orders[order] = wrong
				return billing.Issue{}, failed(billing.MayHaveMoved, "cut")
			})
			b.runAt(secondDay)
			b.is("in doubt", waits, "unknown")
			b.runAt(secondDay.Add(time.Minute))
			b.is("found", "2026-11/1 failed 1500+150 0 ISSUED_OTHERWISE", "done mismatch "+one)
		},
		"the worker dies in the call, which arrived": func(b *bureau) {
			b.until(secondDay)
			i, err := b.s.InvoiceToIssue(b.t.Context(), b.i.ID, supplier)
			if err != nil {
				b.t.Fatal(err)
			}
			r := calling(b.t, b.s, b.i.ID, secondDay)
			if _, err := b.c.IssueInvoice(b.t.Context(), r.ID, i); err != nil {
				b.t.Fatal(err)
			}
			b.runAt(secondDay.Add(29 * time.Second))
			b.is("within the lease", waits, "calling")
			b.runAt(secondDay.Add(30 * time.Second))
			b.is("after the lease", isIssued, "done "+one)
			b.called("ever", 1, 1)
		},
		"the worker dies before the call": func(b *bureau) {
			b.until(secondDay)
			if _, err := b.s.InvoiceToIssue(b.t.Context(), b.i.ID, supplier); err != nil {
				b.t.Fatal(err)
			}
			change(b.t, b.s, b.w, access.WalletChange{Company: text("한빛책방")}) // it has been on its way: the order keeps its body
			calling(b.t, b.s, b.i.ID, secondDay)
			b.runAt(secondDay.Add(30 * time.Second))
			b.is("after the lease", waits, "unknown")
			b.runAt(secondDay.Add(time.Minute))
			b.is("after a minute", isIssued, "done "+one)
			b.called("ever", 1, 1)
			if got := newestOf(b.t, b.s, b.w).Recipient.Name; got != "한빛서점" {
				b.t.Errorf("the invoice is to %s, want 한빛서점 as when it was first handed over", got)
			}
		},
		"tasks that come again": func(b *bureau) {
			a := attemptUnderWay(b.t, b.s, b.i.ID)
			skips := func(what string, epoch int, run func(context.Context, string, int) (billing.Result, error)) {
				b.t.Helper()
				if result, err := run(b.t.Context(), a.ID, epoch); err != nil || result.Outcome != billing.Skipped {
					b.t.Errorf("%s = %s, %v, want it skipped", what, result.Outcome, err)
				}
			}
			skips("a run before its time", a.Epoch, b.RunAttempt)
			b.until(secondDay)
			skips("a run of another epoch", a.Epoch+1, b.RunAttempt)
			skips("a look-up of what was not called", a.Epoch, b.ResolveAttempt)
			b.called("before", 0, 0)
			var group sync.WaitGroup
			var mu sync.Mutex
			var outcomes []string
			for range 8 {
				group.Go(func() {
					result, err := b.RunAttempt(b.t.Context(), a.ID, a.Epoch)
					if err != nil {
						b.t.Errorf("RunAttempt error = %v", err)
					}
					mu.Lock()
					defer mu.Unlock()
					outcomes = append(outcomes, string(result.Outcome))
				})
			}
			group.Wait()
			slices.Sort(outcomes)
			want(b.t, "outcomes of eight workers", outcomes, append([]string{string(billing.Invoiced)}, slices.Repeat([]string{string(billing.Skipped)}, 7)...)...)
			for epoch := range 5 {
				skips("a run of what is done", epoch, b.RunAttempt)
				skips("a look-up of what is done", epoch, b.ResolveAttempt)
			}
			b.called("ever", 1, 1)
			b.is("in the end", isIssued, "done "+one)
		},
	}
	eachBook(t, func(t *testing.T, s *Store) {
		for name, story := range stories {
			t.Run(name, func(t *testing.T) {
				story(newBureau(t, s, "w "+name))
				sumsToZero(t, s)
			})
		}
	})
}

// otherwise has the carrier issue something else than it was asked for, and has it amended.
func (b *bureau) otherwise(change func(*billing.Issue)) {
	b.t.Helper()
	b.c.answers(func(order string, i invoice.Invoice) (billing.Issue, error) {
		wrong := b.c.issue(order, i)
		change(&wrong)
		b.c.orders[order] = wrong
		return wrong, nil
	})
	b.runAt(secondDay)
	b.is("issued otherwise", "2026-11/1 failed 1500+150 0 ISSUED_OTHERWISE", "done mismatch "+one)
	if !slices.Contains(b.outcomes, billing.Review) {
		b.t.Errorf("outcomes are %v, want a review among them", b.outcomes)
	}
	got := newestOf(b.t, b.s, b.w)
	if got.ApprovalNumber != one || !got.IssuedAt.IsZero() || got.Failure != invoice.Failure(invoice.CodeMismatch) {
		b.t.Errorf("the invoice is %+v, want it known under %s and not issued", got, one)
	}
	b.c.answers(nil)
	o := billing.InvoiceOrder{WalletID: b.w, InvoiceID: b.i.ID, Why: "  공급가액 정정 "}
	amended, next, err := b.AmendInvoice(b.t.Context(), o)
	if err != nil || len(next) != 1 || amended.AmendsNo != one || amended.Why != "공급가액 정정" {
		b.t.Fatalf("AmendInvoice() = %+v, %+v, %v, want an attempt that names %s", amended, next, err, one)
	}
	b.note(b.attempt(next[0].Row))
	want(b.t, "invoices", invoicesOf(b.t, b.s, b.w), "2026-11/1 failed 1500+150 0 ISSUED_OTHERWISE", "2026-11/2 issued 1500+150 0")
}

// A reason is one line of a cell.
func TestAmendInvoice_reasons(t *testing.T) {
	s := openTest(t, sqliteAddress(t))
	s.UseClosing(closings())
	b := newBureau(t, s, "w")
	b.runAt(secondDay)
	change(t, s, "w", access.WalletChange{Company: text("한빛책방")})
	for name, reason := range map[string]string{
		"none": "", "spaces": " \t ", "two lines": "상호 정정\r\nBcc: x@y.example", "a NUL": "상호\x00정정", "121 bytes": strings.Repeat("a", 121),
	} {
		_, _, err := b.AmendInvoice(t.Context(), billing.InvoiceOrder{WalletID: "w", InvoiceID: b.i.ID, Why: reason})
		var f *fault.Error
		if !errors.As(err, &f) || f.Kind != fault.Invalid || f.Field != "reason" {
			t.Errorf("AmendInvoice() for %s = %v, want Invalid for the reason", name, err)
		}
	}
	longest := strings.Repeat("가", 40) // of 3 bytes each
	if got, _, err := b.AmendInvoice(t.Context(), billing.InvoiceOrder{WalletID: "w", InvoiceID: b.i.ID, Why: longest}); err != nil || got.Why != longest {
		t.Errorf("AmendInvoice() for 120 bytes = %q, %v, want it taken", got.Why, err)
	}
}
