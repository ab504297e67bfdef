package store

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/malgil/malgil/internal/access"
	"github.com/malgil/malgil/internal/billing"
	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/invoice"
	"github.com/malgil/malgil/internal/notice"
	"github.com/malgil/malgil/internal/wallet"
)

var (
	secondDay = seoul(2026, 12, 2, 10, 0) // business day: the invoices of November are issued
	thirdDay  = seoul(2026, 12, 3, 10, 0)
	fifthDay  = seoul(2026, 12, 7, 10, 0)

	supplier = invoice.Party{Number: "3908100125", Name: "(주)말길데모", Representative: "김말길", Address: "서울", Type: "정보통신업", Item: "소프트웨어", Email: "tax@malgil.example"}
)

const approval = "202612024100012300000001"

// invoiced makes a wallet whose invoice of November, over an amount, waits for its day.
func invoiced(t testing.TB, s *Store, walletID string, supply wallet.KRW) invoice.Invoice {
	t.Helper()
	opened(t, s, walletID, november)
	topUp(t, s, walletID, supply, "cko_"+walletID, november)
	accrue(t, s, walletID, supply, t0)
	closed(t, s, december.Add(tenPast), 1)
	return newestOf(t, s, walletID)
}

func newestOf(t testing.TB, s *Store, walletID string) invoice.Invoice {
	t.Helper()
	all, err := s.Invoices(t.Context(), walletID, "", 1)
	if err != nil || len(all) != 1 {
		t.Fatalf("Invoices(%s) = %d of them, %v, want one at least", walletID, len(all), err)
	}
	return all[0]
}

// attemptUnderWay is the attempt of an invoice that has not ended.
func attemptUnderWay(t testing.TB, s *Store, invoiceID string) billing.Attempt {
	t.Helper()
	ids := texts(t, s, `SELECT id FROM attempt WHERE subject_id = $1 AND state IN ('prepared', 'calling', 'unknown')`, invoiceID)
	if len(ids) != 1 {
		t.Fatalf("%d attempts of invoice %s are open, want one", len(ids), invoiceID)
	}
	a, err := s.Attempt(t.Context(), ids[0], t0)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// calling claims the attempt of an invoice, and returns a report of what its call comes to.
func calling(t testing.TB, s *Store, invoiceID string, now time.Time) billing.Report {
	t.Helper()
	a := attemptUnderWay(t, s, invoiceID)
	ok, err := s.ClaimAttempt(t.Context(), billing.Claim{ID: a.ID, Epoch: a.Epoch, At: now, LeaseUntil: now.Add(30 * time.Second)})
	if err != nil || !ok {
		t.Fatalf("ClaimAttempt(%s) = %v, %v, want true", a.ID, ok, err)
	}
	return billing.Report{ID: a.ID, Epoch: a.Epoch + 1, At: now}
}

// issuedNow has the carrier issue the invoice that waits.
func issuedNow(t testing.TB, s *Store, invoiceID, number string, now time.Time) {
	t.Helper()
	if _, err := s.InvoiceToIssue(t.Context(), invoiceID, supplier); err != nil {
		t.Fatal(err)
	}
	r := calling(t, s, invoiceID, now)
	r.TID, r.PaidAt = number, now
	if result, err := s.InvoiceIssued(t.Context(), r); err != nil || result.Outcome != billing.Invoiced {
		t.Fatalf("InvoiceIssued() = %+v, %v, want it issued", result, err)
	}
}

// failedNow gives the invoice that waits up.
func failedNow(t testing.TB, s *Store, invoiceID string, now time.Time) {
	t.Helper()
	r := calling(t, s, invoiceID, now)
	r.Reason, r.Code = billing.ReasonRefused, invoice.CodeClosed
	if result, err := s.InvoiceRefused(t.Context(), r, "", true); err != nil || result.Outcome != billing.Unissued {
		t.Fatalf("InvoiceRefused() = %+v, %v, want it given up", result, err)
	}
}

// attemptsOf tells the attempts of an invoice as "state reason tid", in order.
func attemptsOf(t testing.TB, s *Store, invoiceID string) []string {
	t.Helper()
	all := texts(t, s, `SELECT state || ' ' || reason || ' ' || tid FROM attempt WHERE subject_id = $1 ORDER BY created_at, id`, invoiceID)
	for n, line := range all {
		all[n] = strings.Join(strings.Fields(line), " ")
	}
	return all
}

// mailed tells the mails of a wallet as "case receiver": its master, its bookkeeper or another address.
func mailed(t testing.TB, s *Store, walletID string) []string {
	t.Helper()
	return texts(t, s, `SELECT mail_case || ' ' || CASE receiver WHEN $2 THEN 'master' WHEN 'tax@hanbit.example' THEN 'bookkeeper' ELSE receiver END
		FROM mail WHERE wallet_id = $1 ORDER BY mail_case, CASE receiver WHEN $2 THEN 0 ELSE 1 END, receiver`, walletID, "acc_"+walletID+"@hanbit.example")
}

// Reports of one attempt come twice and in any order: what came first stands, and people hear of it once.
func TestInvoice_reportsTwiceAndOutOfOrder(t *testing.T) {
	type call func(s *Store, r billing.Report) (billing.Result, error)
	issued := func(number string) call {
		return func(s *Store, r billing.Report) (billing.Result, error) {
			r.TID, r.PaidAt = number, r.At
			return s.InvoiceIssued(background(), r)
		}
	}
	refused := func(final bool) call {
		return func(s *Store, r billing.Report) (billing.Result, error) {
			r.Reason, r.Code, r.Message = billing.ReasonRefused, invoice.CodeClosed, "폐업"
			return s.InvoiceRefused(background(), r, r.ID+"~next", final)
		}
	}
	otherwise := func(s *Store, r billing.Report) (billing.Result, error) {
		r.TID, r.PaidAt, r.Reason, r.Code = approval, r.At, billing.ReasonMismatch, invoice.CodeMismatch
		return s.InvoiceMismatch(background(), r)
	}
	lookedUp := func(c call) call { // by a look-up of the epoch of the call, which counts for that epoch only
		return func(s *Store, r billing.Report) (billing.Result, error) {
			r.Fenced = true
			return c(s, r)
		}
	}
	leaseOver := func(s *Store, r billing.Report) (billing.Result, error) {
		n, err := s.ExpireCalling(background(), r.At.Add(time.Minute))
		if err == nil && n != 1 {
			err = fmt.Errorf("%d leases are over, want 1", n)
		}
		return billing.Result{}, err
	}
	type step struct {
		do   call
		want billing.Outcome
	}
	tests := map[string]struct {
		at       time.Time // of the call; the second business day unless said otherwise
		steps    []step
		invoices string
		number   string
		attempts []string
		mails    []string
	}{
		"issued, twice": {
			steps: []step{{issued(approval), billing.Invoiced}, {issued(approval), billing.Skipped}, {lookedUp(issued(approval)), billing.Skipped}},

			invoices: "2026-11/1 issued 1500+150 0", number: approval, attempts: []string{"done " + approval},
			mails: []string{"invoice_issued master", "invoice_issued bookkeeper"},
		},
		"issued, then everything else": {
			steps: []step{{issued(approval), billing.Invoiced}, {refused(false), billing.Skipped}, {refused(true), billing.Skipped},
				{otherwise, billing.Skipped}, {issued("202612024100012300000002"), billing.Skipped}},
			invoices: "2026-11/1 issued 1500+150 0", number: approval, attempts: []string{"done " + approval},
			mails: []string{"invoice_issued master", "invoice_issued bookkeeper"},
		},
		"refused on the second day, twice": {
			steps:    []step{{refused(false), billing.Postponed}, {refused(false), billing.Skipped}, {refused(true), billing.Skipped}, {otherwise, billing.Review}, {otherwise, billing.Skipped}},
			invoices: "2026-11/1 waiting 1500+150 0 CLOSED_BUSINESS", attempts: []string{"declined late " + approval, "prepared"},
		},
		"refused on the third day, twice": {
			at: thirdDay, steps: []step{{refused(false), billing.Unissued}, {refused(false), billing.Skipped}, {refused(true), billing.Skipped}},
			invoices: "2026-11/1 failed 1500+150 0 CLOSED_BUSINESS", attempts: []string{"declined refused"},
			mails: []string{"invoice_failed master", "invoice_failed bookkeeper"},
		},
		"given up, twice, and then it is issued": {
			steps: []step{{refused(true), billing.Unissued}, {refused(true), billing.Skipped}, {lookedUp(issued(approval)), billing.Skipped},
				{issued(approval), billing.Invoiced}, {issued(approval), billing.Skipped}},
			invoices: "2026-11/1 issued 1500+150 0", number: approval, attempts: []string{"done " + approval},
			mails: []string{"invoice_failed master", "invoice_failed bookkeeper", "invoice_issued master", "invoice_issued bookkeeper"},
		},
		"issued otherwise, twice, then everything else": {
			steps: []step{{otherwise, billing.Review}, {otherwise, billing.Skipped}, {issued("202612024100012300000002"), billing.Skipped}, {refused(true), billing.Skipped}},

			invoices: "2026-11/1 failed 1500+150 0 ISSUED_OTHERWISE", number: approval, attempts: []string{"done mismatch " + approval},
			mails: []string{"invoice_failed master", "invoice_failed bookkeeper"},
		},
		"the answer comes after the lease": { // the answer of the call itself counts all the same, a look-up of its epoch does not
			steps: []step{{leaseOver, ""}, {refused(true), billing.Skipped}, {lookedUp(issued(approval)), billing.Skipped}, {lookedUp(otherwise), billing.Skipped},
				{issued(approval), billing.Invoiced}, {issued(approval), billing.Skipped}},
			invoices: "2026-11/1 issued 1500+150 0", number: approval, attempts: []string{"done " + approval},
			mails: []string{"invoice_issued master", "invoice_issued bookkeeper"},
		},
	}
	eachBook(t, func(t *testing.T, s *Store) {
		for name, tt := range tests {
			t.Run(name, func(t *testing.T) {
				id := "w " + name
				i := invoiced(t, s, id, 1_500)
				if tt.at.IsZero() {
					tt.at = secondDay
				}
				r := calling(t, s, i.ID, tt.at)
				for n, step := range tt.steps {
					got, err := step.do(s, r)
					if err != nil || got.Outcome != step.want {
						t.Errorf("step %d = %s, %v, want %s", n+1, got.Outcome, err, step.want)
					}
				}
				want(t, "invoices", invoicesOf(t, s, id), tt.invoices)
				now := newestOf(t, s, id)
				if now.ApprovalNumber != tt.number || now.State == invoice.Issued != !now.IssuedAt.IsZero() || now.State == invoice.Failed != !now.FailedAt.IsZero() {
					t.Errorf("the invoice is %+v, want it under the number %q", now, tt.number)
				}
				if now.State == invoice.Waiting && !now.NextAt.Equal(thirdDay) {
					t.Errorf("the invoice is handed over at %s, want %s", now.NextAt, thirdDay)
				}
				want(t, "attempts", attemptsOf(t, s, i.ID), tt.attempts...)
				want(t, "mails", mailed(t, s, id), tt.mails...)
			})
		}
	})
}

// An attempt that was not claimed has made no call: nothing can have been issued by it.
func TestInvoiceIssued_unclaimed(t *testing.T) {
	eachBook(t, func(t *testing.T, s *Store) {
		i := invoiced(t, s, "w", 1_500)
		a := attemptUnderWay(t, s, i.ID)
		r := billing.Report{ID: a.ID, Epoch: a.Epoch, At: secondDay, TID: approval, PaidAt: secondDay}
		for _, report := range []func() (billing.Result, error){
			func() (billing.Result, error) { return s.InvoiceIssued(t.Context(), r) },
			func() (billing.Result, error) { return s.InvoiceMismatch(t.Context(), r) },
		} {
			if result, err := report(); err != nil || result.Outcome != billing.Skipped {
				t.Errorf("a report of an attempt that made no call = %s, %v, want it skipped", result.Outcome, err)
			}
		}
		want(t, "invoices", invoicesOf(t, s, "w"), "2026-11/1 waiting 1500+150 0")
		_, err := s.InvoiceIssued(t.Context(), billing.Report{ID: "att_none"})
		refusedAs(t, "InvoiceIssued of no attempt", err, fault.NotFound, "")
	})
}

func refusedAs(t testing.TB, what string, err error, kind fault.Kind, code string) {
	t.Helper()
	if err == nil || fault.KindOf(err) != kind || fault.CodeOf(err) != code {
		t.Errorf("%s error = %s %q %v, want %s %q", what, fault.KindOf(err), fault.CodeOf(err), err, kind, code)
	}
}

// change changes the business data of a wallet.
func change(t testing.TB, s *Store, walletID string, c access.WalletChange) {
	t.Helper()
	if err := s.ChangeWallet(t.Context(), walletID, c, true, t0); err != nil {
		t.Fatal(err)
	}
}

func text(value string) *string { return &value }

// One order has one body: both parties stay as they were when it was first handed over, until it is
// another order.
func TestInvoiceToIssue_keepsItsParties(t *testing.T) {
	eachBook(t, func(t *testing.T, s *Store) {
		i := invoiced(t, s, "w", 1_500)
		is := func(what, number, company, from string) {
			t.Helper()
			got, err := s.InvoiceToIssue(t.Context(), i.ID, supplier)
			if err != nil || got.Recipient.Number != number || got.Recipient.Name != company || got.Supplier.Name != from {
				t.Errorf("%s: InvoiceToIssue() = to %+v from %+v, %v, want %s %s from %s", what, got.Recipient, got.Supplier, err, number, company, from)
			}
		}
		change(t, s, "w", access.WalletChange{BusinessNumber: text("2208162517")})
		is("first", "2208162517", "한빛서점", supplier.Name)
		change(t, s, "w", access.WalletChange{BusinessNumber: text("1248100998"), Company: text("한빛책방")})
		is("changed meanwhile", "2208162517", "한빛서점", supplier.Name)
		r := calling(t, s, i.ID, secondDay)
		r.Reason, r.Code = billing.ReasonRefused, invoice.CodeClosed
		if _, err := s.InvoiceRefused(t.Context(), r, "att_2", false); err != nil {
			t.Fatal(err)
		}
		is("another order", "1248100998", "한빛책방", supplier.Name)
		issuedNow(t, s, i.ID, approval, thirdDay)
		change(t, s, "w", access.WalletChange{BusinessNumber: text("1018176291")})
		is("issued", "1248100998", "한빛책방", supplier.Name)
		_, err := s.InvoiceToIssue(t.Context(), "inv_none", supplier)
		refusedAs(t, "InvoiceToIssue of none", err, fault.NotFound, "")
	})
}

// ask is what a person asks of an invoice, under a key.
func ask(i invoice.Invoice, key string, now time.Time) billing.InvoiceOrder {
	return billing.InvoiceOrder{
		WalletID: i.WalletID, InvoiceID: i.ID, Why: "사업자등록번호 정정", Supplier: supplier, At: now,
		AttemptID: "att_" + key, AmendedID: "inv_~" + key, Request: billing.Request{Scope: "tok_1", Key: key, BodyHash: []byte(i.ID)},
	}
}

func TestReissueInvoice(t *testing.T) {
	eachBook(t, func(t *testing.T, s *Store) {
		i := invoiced(t, s, "w", 1_500)
		other := invoiced(t, s, "other", 30)
		reissue := func(o billing.InvoiceOrder) (invoice.Invoice, []billing.Follow, error) {
			return s.ReissueInvoice(t.Context(), o)
		}
		_, _, err := reissue(ask(i, "k0", secondDay))
		refusedAs(t, "reissue one that waits", err, fault.Conflict, "INVOICE_WAITING")
		failedNow(t, s, i.ID, secondDay)
		_, _, err = reissue(ask(invoice.Invoice{ID: i.ID, WalletID: "other"}, "k1", secondDay))
		refusedAs(t, "reissue by another wallet", err, fault.NotFound, "")
		_, _, err = reissue(ask(invoice.Invoice{ID: "inv_none", WalletID: "w"}, "k2", secondDay))
		refusedAs(t, "reissue none", err, fault.NotFound, "")

		// Refused calls have left their keys free, even for the call that works.
		asked := seoul(2026, 12, 9, 15, 0)
		change(t, s, "w", access.WalletChange{BusinessNumber: text("2208162517")})
		got, next, err := reissue(ask(i, "k0", asked))
		if err != nil || got.State != invoice.Waiting || got.Code != "" || got.Failure != "" || !got.FailedAt.IsZero() || !got.AskedAt.Equal(asked) || got.Recipient.Number != "2208162517" {
			t.Errorf("ReissueInvoice() = %+v, %v, want it waiting under the new number", got, err)
		}
		if len(next) != 1 || next[0] != (billing.Follow{Task: billing.TaskInvoice, Row: billing.Row{ID: "att_k0", Epoch: 1}}) {
			t.Errorf("ReissueInvoice() is followed by %+v, want the attempt att_k0", next)
		}
		again := ask(i, "k0", asked.Add(time.Hour))
		again.AttemptID = "att_k0_again"
		if repeated, next, err := reissue(again); err != nil || repeated.ID != i.ID || len(next) != 0 || !repeated.AskedAt.Equal(asked) {
			t.Errorf("ReissueInvoice() with the same key = %+v, %+v, %v, want the same invoice and nothing that follows", repeated, next, err)
		}
		again.Request.BodyHash = []byte("another")
		_, _, err = reissue(again)
		refusedAs(t, "reissue with the key of another body", err, fault.Invalid, "IDEMPOTENCY_KEY_REUSED")
		_, _, err = reissue(ask(i, "k3", asked))
		refusedAs(t, "reissue one that was just asked for", err, fault.Conflict, "INVOICE_WAITING")
		want(t, "attempts", attemptsOf(t, s, i.ID), "declined refused", "prepared")

		// What a person asked for is answered at once: refused, it has failed, and is told of again.
		r := calling(t, s, i.ID, asked)
		r.Code = invoice.CodeSuspended
		if result, err := s.InvoiceRefused(t.Context(), r, "att_never", false); err != nil || result.Outcome != billing.Unissued {
			t.Errorf("InvoiceRefused() of what was asked for = %+v, %v, want it given up", result, err)
		}
		want(t, "mails", mailed(t, s, "w"), "invoice_failed master", "invoice_failed master", "invoice_failed bookkeeper", "invoice_failed bookkeeper")
		if _, _, err := reissue(ask(i, "k4", asked)); err != nil {
			t.Errorf("ReissueInvoice() of one that failed again error = %v, want nil", err)
		}
		issuedNow(t, s, i.ID, approval, asked)
		_, _, err = reissue(ask(i, "k5", asked))
		refusedAs(t, "reissue an issued one", err, fault.Conflict, "INVOICE_ISSUED")
		want(t, "invoices of the other", invoicesOf(t, s, "other"), fmt.Sprintf("2026-11/1 %s %d+%d 0", other.State, other.Supply, other.VAT))
	})
}

func TestAmendInvoice(t *testing.T) {
	eachBook(t, func(t *testing.T, s *Store) {
		i := invoiced(t, s, "w", 1_504)
		amend := func(o billing.InvoiceOrder) (invoice.Invoice, []billing.Follow, error) {
			return s.AmendInvoice(t.Context(), o)
		}
		_, _, err := amend(ask(i, "k0", secondDay))
		refusedAs(t, "amend one that waits", err, fault.Conflict, "INVOICE_NOT_ISSUED")
		failedNow(t, s, i.ID, secondDay)
		_, _, err = amend(ask(i, "k0", secondDay))
		refusedAs(t, "amend one that failed", err, fault.Conflict, "INVOICE_NOT_ISSUED")
		if _, _, err := s.ReissueInvoice(t.Context(), ask(i, "again", secondDay)); err != nil {
			t.Fatal(err)
		}
		issuedNow(t, s, i.ID, approval, secondDay)
		i = newestOf(t, s, "w")

		_, _, err = amend(ask(i, "k0", thirdDay))
		refusedAs(t, "amend without a change", err, fault.Refused, "INVOICE_NOT_CHANGED")
		change(t, s, "w", access.WalletChange{InvoiceEmail: text("books@hanbit.example")})
		_, _, err = amend(ask(i, "k0", thirdDay))
		refusedAs(t, "amend for another address of mail", err, fault.Refused, "INVOICE_NOT_CHANGED")
		want(t, "invoices after refusals", invoicesOf(t, s, "w"), "2026-11/1 issued 1504+150 0")
		change(t, s, "w", access.WalletChange{BusinessNumber: text("2208162517")})
		_, _, err = amend(ask(invoice.Invoice{ID: i.ID, WalletID: "other"}, "k1", thirdDay))
		refusedAs(t, "amend by another wallet", err, fault.NotFound, "")
		closing := seoul(2027, 1, 10, 0, 0) // of the quarter of November
		_, _, err = amend(ask(i, "k1", closing))
		refusedAs(t, "amend after the closing day", err, fault.Refused, "AMEND_CLOSED")

		lastMoment := closing.Add(-time.Millisecond)
		second, next, err := amend(ask(i, "k0", lastMoment))
		wanted := i
		wanted.ID, wanted.Revision, wanted.Amends, wanted.AmendsNo, wanted.Why = "inv_~k0", 2, i.ID, approval, "사업자등록번호 정정"
		wanted.State, wanted.ClosedAt, wanted.AskedAt, wanted.NextAt = invoice.Waiting, lastMoment, lastMoment, lastMoment
		wanted.IssuedAt, wanted.ApprovalNumber, wanted.Supplier, wanted.LastOrder = time.Time{}, "", invoice.Party{}, "att_k0"
		wanted.Recipient.Number, wanted.Recipient.Email = "2208162517", "books@hanbit.example"
		if diff := cmp.Diff(wanted, second); err != nil || diff != "" {
			t.Errorf("AmendInvoice() error = %v, the invoice differs (-want +got):\n%s", err, diff)
		}
		if len(next) != 1 || next[0] != (billing.Follow{Task: billing.TaskInvoice, Row: billing.Row{ID: "att_k0", Epoch: 1}}) {
			t.Errorf("AmendInvoice() is followed by %+v, want the attempt att_k0", next)
		}
		again := ask(i, "k0", closing.Add(time.Hour))
		again.AttemptID, again.AmendedID = "att_never", "inv_never"
		if repeated, next, err := amend(again); err != nil || repeated.ID != second.ID || len(next) != 0 {
			t.Errorf("AmendInvoice() with the same key = %+v, %+v, %v, want the same revision and nothing that follows", repeated, next, err)
		}
		_, _, err = amend(ask(i, "k2", lastMoment))
		refusedAs(t, "amend what is being amended", err, fault.Conflict, "INVOICE_AMENDED")
		_, _, err = amend(ask(second, "k3", lastMoment))
		refusedAs(t, "amend the revision that waits", err, fault.Conflict, "INVOICE_NOT_ISSUED")
		issuedNow(t, s, second.ID, "202612074100012300000002", lastMoment)
		_, _, err = amend(ask(i, "k4", lastMoment))
		refusedAs(t, "amend what was amended", err, fault.Conflict, "INVOICE_AMENDED")

		// The platform is bound by no day, and the supplier stands on the invoice too.
		second = newestOf(t, s, "w")
		o := ask(second, "k5", closing)
		o.Platform = true
		_, _, err = amend(o)
		refusedAs(t, "amend without a change", err, fault.Refused, "INVOICE_NOT_CHANGED")
		o.Supplier.Address = "제주시"
		third, _, err := amend(o)
		if err != nil || third.Revision != 3 || third.Amends != second.ID || third.AmendsNo != "202612074100012300000002" || third.Total() != i.Total() {
			t.Errorf("AmendInvoice() by the platform = %+v, %v, want revision 3 of %s", third, err, second.ID)
		}
		want(t, "invoices", invoicesOf(t, s, "w"), "2026-11/1 issued 1504+150 0", "2026-11/2 issued 1504+150 0", "2026-11/3 waiting 1504+150 0")
		want(t, "mails", mailed(t, s, "w"), "invoice_failed master", "invoice_failed bookkeeper",
			"invoice_issued master", "invoice_issued master", "invoice_issued books@hanbit.example", "invoice_issued bookkeeper")
		sumsToZero(t, s)
	})
}

func TestSendInvoice(t *testing.T) {
	eachBook(t, func(t *testing.T, s *Store) {
		i := invoiced(t, s, "w", 1_500)
		send := func(key string) error {
			_, err := s.SendInvoice(t.Context(), ask(i, key, thirdDay))
			return err
		}
		refusedAs(t, "send one that waits", send("k0"), fault.Conflict, "INVOICE_NOT_ISSUED")
		failedNow(t, s, i.ID, secondDay)
		refusedAs(t, "send one that failed", send("k0"), fault.Conflict, "INVOICE_NOT_ISSUED")
		if _, _, err := s.ReissueInvoice(t.Context(), ask(i, "again", secondDay)); err != nil {
			t.Fatal(err)
		}
		issuedNow(t, s, i.ID, approval, secondDay)
		exec(t, s, `UPDATE wallet SET invoice_email = ''`)
		refusedAs(t, "send to nobody", send("k0"), fault.Refused, "INVOICE_ADDRESS_MISSING")
		_, err := s.SendInvoice(t.Context(), ask(invoice.Invoice{ID: i.ID, WalletID: "other"}, "k1", thirdDay))
		refusedAs(t, "send by another wallet", err, fault.NotFound, "")
		exec(t, s, `DELETE FROM mail`)

		exec(t, s, `UPDATE wallet SET invoice_email = 'Books@hanbit.example'`)
		exec(t, s, `INSERT INTO refused_address (address, reason, at) VALUES ('books@hanbit.example', '550', 1)`)
		for _, key := range []string{"k0", "k0", "k2", "k2", "k3"} {
			if err := send(key); err != nil {
				t.Errorf("SendInvoice(%s) error = %v, want nil", key, err)
			}
			if waits := texts(t, s, `SELECT id FROM mail WHERE state = 'waiting'`); len(waits) > 0 { // not where the key was used
				refusedAs(t, "send one whose mail waits", send(key+"!"), fault.Conflict, "MAIL_UNDER_WAY")
			}
			exec(t, s, `UPDATE mail SET state = 'sent'`)
		}
		change(t, s, "w", access.WalletChange{InvoiceEmail: text("tax@hanbit.example")})
		if err := send("k4"); err != nil {
			t.Errorf("SendInvoice(k4) error = %v, want nil", err)
		}
		want(t, "mails", texts(t, s, `SELECT receiver || ' ' || REPLACE(subject_id, $1, '') || ' ' || state FROM mail ORDER BY receiver, subject_id`, i.ID),
			"Books@hanbit.example  sent", "Books@hanbit.example #2 sent", "Books@hanbit.example #3 sent", "tax@hanbit.example  waiting")
		want(t, "identifiers of mails", texts(t, s, `SELECT CAST(COUNT(DISTINCT id) AS TEXT) FROM mail`), "4")
		want(t, "refused addresses", texts(t, s, `SELECT address FROM refused_address`))
		for _, body := range texts(t, s, `SELECT data FROM mail WHERE receiver = 'Books@hanbit.example'`) {
			data, err := notice.Decode(notice.CaseInvoiceIssued, []byte(body))
			if d, ok := data.(notice.InvoiceIssued); err != nil || !ok || d.SentTo != "Books@hanbit.example" || d.ApprovalNumber != approval || d.Amount.Total != 1_650 {
				t.Errorf("a mail that was sent again says %+v, %v, want the invoice at its new address", data, err)
			}
		}
		// Nobody is flooded with it, and one that another stands in place of is not sent.
		exec(t, s, `UPDATE mail SET state = 'sent'`)
		for n := range 4 {
			if err := send(fmt.Sprint("more", n)); err != nil && n < 4 {
				t.Errorf("SendInvoice no. %d error = %v, want nil", n+2, err)
			}
			exec(t, s, `UPDATE mail SET state = 'sent'`)
		}
		if err := send("more4"); err != nil {
			t.Errorf("SendInvoice no. 6 error = %v, want nil", err)
		}
		exec(t, s, `UPDATE mail SET state = 'sent'`)
		refusedAs(t, "send it a seventh time", send("more5"), fault.Throttled, "TOO_MANY_MAILS")
		change(t, s, "w", access.WalletChange{BusinessNumber: text("2208162517")})
		if _, _, err := s.AmendInvoice(t.Context(), ask(i, "amend", thirdDay)); err != nil {
			t.Fatal(err)
		}
		refusedAs(t, "send one that is being amended", send("more6"), fault.Conflict, "INVOICE_AMENDED")
	})
}

// A wallet is deleted when every month in which it used something is told of by an invoice that is issued.
func TestDeleteWallet_waitsForItsInvoices(t *testing.T) {
	tied := func(t *testing.T, s *Store, when, months string) {
		t.Helper()
		setStatus(t, s, "w", wallet.Stopped)
		err := s.DeleteWallet(t.Context(), "w", t0)
		if said := "wallet.invoices of " + months + " still to come"; fault.CodeOf(err) != "WALLET_NOT_DELETABLE" || !strings.Contains(err.Error(), said) || strings.Count(err.Error(), "wallet.") != 1 {
			t.Errorf("DeleteWallet() %s = %v, want %q alone", when, err, said)
		}
	}
	untied := func(t *testing.T, s *Store) {
		t.Helper()
		setStatus(t, s, "w", wallet.Stopped)
		if err := s.DeleteWallet(t.Context(), "w", t0); err != nil {
			t.Errorf("DeleteWallet() when every invoice is issued = %v, want nil", err)
		}
		unissued, err := s.UnissuedInvoices(t.Context(), InvoiceMark{}, 10)
		if err != nil || len(unissued) != 0 {
			t.Errorf("UnissuedInvoices() of a deleted wallet = %+v, %v, want none", unissued, err)
		}
	}
	stories := map[string]func(t *testing.T, s *Store){
		"issued at once": func(t *testing.T, s *Store) {
			topUp(t, s, "w", 1_500, "cko_w", november)
			accrue(t, s, "w", 1_500, t0)
			tied(t, s, "in a month with use", "November 2026")
			closed(t, s, december.Add(tenPast), 1)
			tied(t, s, "while its invoice waits", "November 2026")
			issuedNow(t, s, newestOf(t, s, "w").ID, approval, secondDay)
			topUp(t, s, "w", 150, "cko_w2", thirdDay)
			accrue(t, s, "w", 150, thirdDay)
			tied(t, s, "in the next month with use", "December 2026")
			closed(t, s, january.Add(tenPast), 1)
			tied(t, s, "while the next invoice waits", "December 2026")
			issuedNow(t, s, newestOf(t, s, "w").ID, approval, seoul(2027, 1, 5, 10, 0))
		},
		"failed first": func(t *testing.T, s *Store) {
			topUp(t, s, "w", 1_500, "cko_w", november)
			accrue(t, s, "w", 1_500, t0)
			closed(t, s, december.Add(tenPast), 1)
			i := newestOf(t, s, "w")
			failedNow(t, s, i.ID, secondDay)
			tied(t, s, "when its invoice failed", "November 2026")
			if _, _, err := s.ReissueInvoice(t.Context(), ask(i, "k", thirdDay)); err != nil {
				t.Fatal(err)
			}
			tied(t, s, "when it was asked for again", "November 2026")
			issuedNow(t, s, i.ID, approval, thirdDay)
		},
		"issued otherwise and amended": func(t *testing.T, s *Store) {
			topUp(t, s, "w", 1_500, "cko_w", november)
			accrue(t, s, "w", 1_500, t0)
			closed(t, s, december.Add(tenPast), 1)
			i := newestOf(t, s, "w")
			r := calling(t, s, i.ID, secondDay)
			r.TID, r.PaidAt, r.Code = approval, secondDay, invoice.CodeMismatch
			if result, err := s.InvoiceMismatch(t.Context(), r); err != nil || result.Outcome != billing.Review {
				t.Fatalf("InvoiceMismatch() = %+v, %v, want a review", result, err)
			}
			_, _, err := s.ReissueInvoice(t.Context(), ask(i, "k0", thirdDay))
			refusedAs(t, "reissue what the tax office has", err, fault.Conflict, "INVOICE_ISSUED")
			tied(t, s, "when it was issued otherwise", "November 2026")
			amended, _, err := s.AmendInvoice(t.Context(), ask(i, "k1", thirdDay)) // nothing has to change
			if err != nil || amended.AmendsNo != approval {
				t.Fatalf("AmendInvoice() = %+v, %v, want one that names what stands", amended, err)
			}
			tied(t, s, "while the amended one waits", "November 2026")
			failedNow(t, s, amended.ID, thirdDay)
			tied(t, s, "when the amended one failed", "November 2026")
			unissued, err := s.UnissuedInvoices(t.Context(), InvoiceMark{}, 10)
			if err != nil || len(unissued) != 2 {
				t.Errorf("UnissuedInvoices() = %d, %v, want both revisions", len(unissued), err)
			}
			if _, _, err := s.ReissueInvoice(t.Context(), ask(amended, "k2", thirdDay)); err != nil {
				t.Fatal(err)
			}
			issuedNow(t, s, amended.ID, approval, thirdDay)
		},
		"an amended one beside an issued one ties nothing": func(t *testing.T, s *Store) {
			topUp(t, s, "w", 1_500, "cko_w", november)
			accrue(t, s, "w", 1_500, t0)
			closed(t, s, december.Add(tenPast), 1)
			i := newestOf(t, s, "w")
			issuedNow(t, s, i.ID, approval, secondDay)
			exec(t, s, `UPDATE wallet SET business_number = '2208162517'`)
			if _, _, err := s.AmendInvoice(t.Context(), ask(i, "k", thirdDay)); err != nil {
				t.Fatal(err)
			}
			issuedNow(t, s, newestOf(t, s, "w").ID, approval, thirdDay)
		},
		"free cash needs none": func(t *testing.T, s *Store) {
			newGrant(t, s, "w", "grt_w", 1_500, never, november)
			delivers(t, s, "w", "brd_w", 100, t0)
		},
	}
	for name, story := range stories {
		t.Run(name, func(t *testing.T) {
			eachBook(t, func(t *testing.T, s *Store) {
				opened(t, s, "w", november)
				story(t, s)
				untied(t, s)
			})
		})
	}
}

// What a person finds out about an invoice ends it: it is issued under his number, may be asked for again, or
// is let be and ties nothing any more.
func TestSettleInvoice(t *testing.T) {
	settle := func(s *Store, i invoice.Invoice, key string, f billing.InvoiceFinding) (invoice.Invoice, error) {
		o := billing.InvoiceSettlement{InvoiceOrder: ask(i, key, thirdDay), Finding: f, IssuedAt: secondDay}
		o.Why = "asked at Hometax"
		if f == billing.InvoiceFoundIssued {
			o.ApprovalNumber = approval
		}
		return s.SettleInvoice(context.Background(), o)
	}
	eachBook(t, func(t *testing.T, s *Store) {
		// While it waits: it may be issued or not, and is not let be.
		i := invoiced(t, s, "w1", 1_500)
		_, err := settle(s, i, "k0", billing.InvoiceLetBe)
		refusedAs(t, "let one be that waits", err, fault.Conflict, "INVOICE_WAITING")
		r := calling(t, s, i.ID, secondDay)
		_, err = settle(s, i, "k0", billing.InvoiceFoundIssued)
		refusedAs(t, "settle one that is being handed over", err, fault.Conflict, "INVOICE_WAITING")
		if _, err := s.DoubtAttempt(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			got, err := settle(s, i, "k0", billing.InvoiceFoundIssued)
			if err != nil || got.State != invoice.Issued || got.ApprovalNumber != approval || !got.IssuedAt.Equal(secondDay) {
				t.Errorf("SettleInvoice() = %+v, %v, want it issued under %s", got, err, approval)
			}
		}
		want(t, "attempts", attemptsOf(t, s, i.ID), "declined settled")
		want(t, "mails", mailed(t, s, "w1"), "invoice_issued master", "invoice_issued bookkeeper")
		_, err = settle(s, i, "k1", billing.InvoiceFoundNone)
		refusedAs(t, "settle one that is issued", err, fault.Conflict, "INVOICE_ISSUED")

		// One that was never handed over is with the parties of now, and stays with them.
		i = invoiced(t, s, "w4", 1_500)
		failedNow(t, s, i.ID, secondDay)
		o := billing.InvoiceSettlement{InvoiceOrder: ask(i, "k4", thirdDay), Finding: billing.InvoiceFoundIssued, ApprovalNumber: approval, IssuedAt: secondDay}
		o.Supplier = invoice.Party{}
		_, err = s.SettleInvoice(t.Context(), o)
		refusedAs(t, "settle one from nobody", err, fault.Refused, "SUPPLIER_NOT_CONFIGURED")
		if _, err = settle(s, i, "k4", billing.InvoiceFoundIssued); err != nil {
			t.Fatalf("SettleInvoice() error = %v, want nil", err)
		}
		change(t, s, "w4", access.WalletChange{Company: text("한빛책방")})
		if got, err := s.InvoiceByID(t.Context(), i.ID); err != nil || got.Supplier != supplier || got.Recipient.Name != i.Recipient.Name {
			t.Errorf("the invoice is %+v, %v, want it from the supplier to %s as when it was settled", got, err, i.Recipient.Name)
		}

		// One that is known to be issued otherwise is not asked for again under another number.
		i = invoiced(t, s, "w5", 1_500)
		r = calling(t, s, i.ID, secondDay)
		r.TID, r.Code = approval, invoice.CodeMismatch
		if _, err := s.InvoiceMismatch(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		_, err = settle(s, i, "k5", billing.InvoiceFoundNone)
		refusedAs(t, "find none where one is", err, fault.Conflict, "INVOICE_ISSUED")
		if got, err := settle(s, i, "k5", billing.InvoiceLetBe); err != nil || got.Code != invoice.CodeSettled {
			t.Errorf("SettleInvoice() = %+v, %v, want it let be", got, err)
		}

		// What was not issued may be asked for again.
		i = invoiced(t, s, "w2", 1_500)
		if got, err := settle(s, i, "k2", billing.InvoiceFoundNone); err != nil || got.State != invoice.Failed || got.Code != invoice.CodeNotIssued {
			t.Errorf("SettleInvoice() = %+v, %v, want it failed as NOT_ISSUED", got, err)
		}
		if _, _, err := s.ReissueInvoice(t.Context(), ask(i, "again", thirdDay)); err != nil {
			t.Errorf("ReissueInvoice() error = %v, want nil", err)
		}

		// What is let be is outstanding no more.
		i = invoiced(t, s, "w3", 1_500)
		failedNow(t, s, i.ID, secondDay)
		if got, err := settle(s, i, "k3", billing.InvoiceLetBe); err != nil || got.State != invoice.Failed || got.Code != invoice.CodeSettled {
			t.Errorf("SettleInvoice() = %+v, %v, want it let be", got, err)
		}
		unissued, err := s.UnissuedInvoices(t.Context(), InvoiceMark{}, 10)
		if err != nil || len(unissued) != 1 || unissued[0].WalletID != "w2" {
			t.Errorf("UnissuedInvoices() = %+v, %v, want that of w2 alone", unissued, err)
		}
	})
}
