package store

import (
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/clock"
	"github.com/malgil/malgil/internal/holiday"
	"github.com/malgil/malgil/internal/invoice"
	"github.com/malgil/malgil/internal/testserver"
	"github.com/malgil/malgil/internal/wallet"
)

func TestSample_empty(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		want := Sample{Wallets: map[string]int64{"ACTIVE": 0, "UNPAID": 0, "AWAITING_RECONNECT": 0}, Differences: agreeing(), Unpaid: allPaid()}
		got, err := s.Sample(t.Context(), t0)
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); err != nil || diff != "" {
			t.Errorf("Sample() error = %v (-want +got):\n%s", err, diff)
		}
	})
}

// What indexes and sums say is what counting every row says.
func TestSample_chunks(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		for state := range ways {
			newSubject(t, s, string(state), state)
		}
		exec(t, s, `UPDATE chunk SET doubt_at = $1 WHERE state = 'in_doubt'`, millis(t0.Add(time.Minute)))
		sampled, err := s.Sample(t.Context(), t0)
		if err != nil {
			t.Fatal(err)
		}
		got := map[broadcast.ChunkState]int64{
			broadcast.Planned: sampled.Planned, broadcast.Queued: sampled.Queued, broadcast.Sending: sampled.Sending,
			broadcast.Sent: sampled.Sent, broadcast.InDoubt: sampled.InDoubt, broadcast.Parked: sampled.Parked,
		}
		for state, n := range got {
			var counted int64
			if err := s.read.QueryRowContext(t.Context(), `SELECT COUNT(*) FROM chunk WHERE state || '' = $1`, string(state)).Scan(&counted); err != nil {
				t.Fatal(err)
			}
			if n != counted || n == 0 {
				t.Errorf("Sample() has %d chunks %s, want %d and not 0", n, state, counted)
			}
		}
		if want := t0.Add(time.Minute); !sampled.DoubtSince.Equal(want) || sampled.DoubtHeld != 3*price {
			t.Errorf("Sample() doubt = %d KRW since %v, want %d since %v", sampled.DoubtHeld, sampled.DoubtSince, 3*price, want)
		}
	})
}

// A doubt whose money is settled stays a doubt, but its age is nobody's worry any more.
func TestSample_doubtWithoutMoney(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		newSubject(t, s, "old", broadcast.InDoubt)
		if n, err := s.EndDoubt(t.Context(), t0.Add(DoubtTerm+time.Hour)); err != nil || n != 1 {
			t.Fatalf("EndDoubt() = %d, %v, want 1, nil", n, err)
		}
		got, err := s.Sample(t.Context(), t0)
		if err != nil || got.InDoubt != 1 || got.DoubtHeld != 0 || !got.DoubtSince.IsZero() {
			t.Errorf("Sample() after the term = %d in doubt, %d KRW since %v, error %v, want 1, 0 and no time", got.InDoubt, got.DoubtHeld, got.DoubtSince, err)
		}
	})
}

func TestSample_money(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		for id, state := range map[string]string{"wal_1": "ACTIVE", "wal_2": "ACTIVE", "wal_3": "UNPAID", "wal_4": "AWAITING_RECONNECT"} {
			newWallet(t, s, id, 0)
			exec(t, s, `UPDATE wallet SET payment_state = $2, unpaid_since = CASE $2 WHEN 'UNPAID' THEN CAST($3 AS BIGINT) ELSE 0 END, invoiced_to = $3 WHERE id = $1`, id, state, millis(t0))
		}
		for _, charge := range [][2]string{{"wal_1", "open"}, {"wal_2", "review"}, {"wal_3", "failed"}, {"wal_4", "paid"}} {
			exec(t, s, `INSERT INTO charge (id, wallet_id, supply_krw, vat_krw, state, opened_at, closed_at) VALUES ($1, $2, 100, 10, $3, 1, 0)`,
				"chg_"+charge[0], charge[0], charge[1])
		}
		exec(t, s, `INSERT INTO account (id, name, email, created_at) VALUES ('acc_1', 'a', 'a@b.example', 1)`)
		for _, state := range []string{"ready", "review", "failed"} {
			exec(t, s, `INSERT INTO checkout (id, kind, account_id, wallet_id, supply_krw, vat_krw, state, return_key_hash, redirect, reason, created_at, closed_at)
				VALUES ($1, 'topup', 'acc_1', 'wal_1', 1000, 100, $2, $3, '', '', 1, 0)`, "cko_"+state, state, []byte{})
		}
		for i, state := range []string{"unknown", "unknown", "calling", "done"} {
			id := string(rune('a' + i))
			exec(t, s, `INSERT INTO attempt (id, kind, subject_id, wallet_id, card_id, slot, total_krw, state, epoch, next_at, enqueued_at,
				attempts, lease_until, called_at, card_approved_at, tid, token_sealed, reason, provider_code, provider_message, created_at, closed_at)
				VALUES ($1, 'charge', $1, 'wal_1', '', 1, 110, $2, 0, 0, 0, 0, 0, $3, 0, '', $4, '', '', '', 1, 0)`,
				id, state, millis(t0.Add(time.Duration(i)*time.Hour)), []byte{})
		}
		exec(t, s, `INSERT INTO halt (name, reason, at, until) VALUES ('charge', 'a key is wrong', $1, $2)`, millis(t0), millis(t0.Add(time.Hour)))
		want := Sample{
			Wallets: map[string]int64{"ACTIVE": 2, "UNPAID": 1, "AWAITING_RECONNECT": 1},
			Unknown: 2, UnknownSince: t0, InReview: 2, HaltedUntil: t0.Add(time.Hour), Differences: agreeing(),
			Unpaid: map[UnpaidAge]int64{"under_1d": 1, "under_5d": 0, "over_5d": 0}, UnpaidSince: t0,
		}
		got, err := s.Sample(t.Context(), t0)
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); err != nil || diff != "" {
			t.Errorf("Sample() error = %v (-want +got):\n%s", err, diff)
		}
	})
}

// sampleInvoice writes an invoice of a wallet for November, as a test changes it.
func sampleInvoice(t *testing.T, s *Store, walletID, id string, change func(i *invoice.Invoice)) {
	t.Helper()
	i := invoice.Invoice{ID: id, WalletID: walletID, Month: clock.MonthStart(t0), Revision: 1, Supply: 1000, VAT: 100, State: invoice.Waiting, Deadline: t0.Add(48 * time.Hour)}
	change(&i)
	must(t, s.inTx(t.Context(), func(tx *sql.Tx) error { return putInvoice(t.Context(), tx, i) }))
	exec(t, s, `UPDATE invoice SET approval_number = $2 WHERE id = $1`, id, i.ApprovalNumber)
}

func TestSample_invoices(t *testing.T) {
	due, over := t0.Add(time.Millisecond), t0 // the legal date is the first moment that is too late
	failed := func(deadline time.Time, code string) func(i *invoice.Invoice) {
		return func(i *invoice.Invoice) { i.State, i.Deadline, i.Code = invoice.Failed, deadline, code }
	}
	negative := func(deadline time.Time) func(i *invoice.Invoice) {
		return func(i *invoice.Invoice) {
			failed(deadline, invoice.CodeNegative)(i)
			i.Supply, i.VAT = -1000, -100
		}
	}
	issued := func(i *invoice.Invoice) { i.State, i.Deadline, i.ApprovalNumber = invoice.Issued, over, "1" }
	otherwise := func(i *invoice.Invoice) {
		failed(over, invoice.CodeMismatch)(i)
		i.ApprovalNumber = "1"
	}
	amended := func(state invoice.State) func(i *invoice.Invoice) {
		return func(i *invoice.Invoice) { i.State, i.Revision, i.Amends, i.Deadline = state, 2, "inv_1", over }
	}
	type made []func(i *invoice.Invoice)
	tests := map[string]struct {
		invoices              made // of one wallet in one month, in the order of their revisions
		waiting, failed, late int64
		deadline              time.Time
	}{
		"none":                                    {},
		"one that waits":                          {invoices: made{func(i *invoice.Invoice) { i.Deadline = due }}, waiting: 1, deadline: due},
		"one that waits and is late":              {invoices: made{func(i *invoice.Invoice) { i.Deadline = over }}, waiting: 1, late: 1, deadline: over},
		"one that failed":                         {invoices: made{failed(due, invoice.CodeClosed)}, failed: 1, deadline: due},
		"one that was closed too late":            {invoices: made{failed(over, invoice.CodeLate)}, failed: 1, late: 1, deadline: over},
		"an issued one":                           {invoices: made{issued}},
		"a negative one until its date":           {invoices: made{negative(due)}, failed: 1, deadline: due},
		"and from then on":                        {invoices: made{negative(over)}, failed: 1, late: 1, deadline: over},
		"until a person lets it be":               {invoices: made{failed(over, invoice.CodeSettled)}},
		"closed without a carrier":                {invoices: made{failed(over, invoice.CodeNoCarrier)}},
		"issued otherwise":                        {invoices: made{otherwise}, failed: 1},
		"issued otherwise, and it is amended":     {invoices: made{otherwise, amended(invoice.Waiting)}, waiting: 1},
		"issued otherwise, and it was amended":    {invoices: made{otherwise, amended(invoice.Issued)}},
		"an amended one that fails":               {invoices: made{issued, amended(invoice.Failed)}, failed: 1},
		"an amended one of what was not as asked": {invoices: made{otherwise, amended(invoice.Failed)}, failed: 1},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			eachDatabase(t, func(t *testing.T, s *Store) {
				newWallet(t, s, "wal_1", 0)
				for n, change := range tt.invoices {
					sampleInvoice(t, s, "wal_1", fmt.Sprintf("inv_%d", n+1), change)
				}
				got, err := s.Sample(t.Context(), t0)
				if err != nil {
					t.Fatal(err)
				}
				if got.InvoicesWaiting != tt.waiting || got.InvoicesFailed != tt.failed || got.InvoicesLate != tt.late || !got.InvoiceDeadline.Equal(tt.deadline) {
					t.Errorf("Sample() has %d waiting, %d failed, %d late, due until %v, want %d, %d, %d, %v",
						got.InvoicesWaiting, got.InvoicesFailed, got.InvoicesLate, got.InvoiceDeadline, tt.waiting, tt.failed, tt.late, tt.deadline)
				}
			})
		})
	}
}

// The invoice that is due first is told of, whichever wallet's it is and however many are issued.
func TestSample_dueFirst(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		for n, state := range []invoice.State{invoice.Waiting, invoice.Failed, invoice.Issued} {
			walletID := newWallet(t, s, fmt.Sprintf("wal_%d", n), 0)
			sampleInvoice(t, s, walletID, fmt.Sprintf("inv_%d", n), func(i *invoice.Invoice) {
				i.State, i.Deadline = state, t0.Add(-time.Duration(n)*time.Hour)
			})
		}
		got, err := s.Sample(t.Context(), t0)
		if want := t0.Add(-time.Hour); err != nil || !got.InvoiceDeadline.Equal(want) || got.InvoicesLate != 2 {
			t.Errorf("Sample() has %d late, first %v, error %v, want 2 and %v", got.InvoicesLate, got.InvoiceDeadline, err, want)
		}
	})
}

func TestSample_months(t *testing.T) {
	november := clock.MonthStart(t0)
	december := clock.NextMonth(november)
	closable := december.Add(10 * time.Minute)
	eachDatabase(t, func(t *testing.T, s *Store) {
		for id, to := range map[string]time.Time{"open": november, "closed": december, "old": {}, "personal": november, "deleted": november} {
			newWallet(t, s, id, 0)
			exec(t, s, `UPDATE wallet SET invoiced_to = $2 WHERE id = $1`, id, millis(to))
		}
		exec(t, s, `UPDATE wallet SET kind = 'personal' WHERE id = 'personal'`)
		exec(t, s, `UPDATE wallet SET deleted_at = 1 WHERE id = 'deleted'`)
		for _, step := range []struct {
			at   time.Time
			want int64
		}{{closable.Add(-time.Minute), 1}, {closable.Add(time.Hour - time.Millisecond), 1}, {closable.Add(time.Hour), 2}} {
			got, err := s.Sample(t.Context(), step.at)
			if err != nil || got.MonthsUnclosed != step.want {
				t.Errorf("Sample(%v) has %d wallets with an open month, error %v, want %d", step.at, got.MonthsUnclosed, err, step.want)
			}
		}
		s.UseClosing(Closing{Dates: func(month time.Time) invoice.Dates { return invoice.DatesOf(month, holiday.Default()) }, NewID: func(string) string { return "" }})
		if n, err := s.CloseMonths(t.Context(), closable); err != nil || n != 2 {
			t.Fatalf("CloseMonths() = %d, %v, want 2", n, err)
		}
		if got, err := s.Sample(t.Context(), closable.Add(time.Hour)); err != nil || got.MonthsUnclosed != 0 {
			t.Errorf("Sample() after they were closed has %d, error %v, want 0", got.MonthsUnclosed, err)
		}
	})
}

func TestSample_refusedAddresses(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		exec(t, s, `INSERT INTO refused_address (address, reason, at) VALUES ('a@b.example', '550', 1), ('c@b.example', '550', 1)`)
		if got, err := s.Sample(t.Context(), t0); err != nil || got.RefusedAddresses != 2 {
			t.Errorf("Sample() has %d addresses at which nobody is, error %v, want 2", got.RefusedAddresses, err)
		}
	})
}

func TestSample_timesLost(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		a := newAlmanac(t, s)
		a.order(nil)
		exec(t, s, `UPDATE audience SET people = 0`)
		found := t0.AddDate(0, 0, 2).Add(time.Hour) // the third time, which waits: two are missed
		a.turn(found)
		for _, step := range []struct {
			at             time.Time
			missed, failed int64
		}{{found, 2, 0}, {found.Add(time.Hour + time.Second), 2, 1}, {found.Add(24*time.Hour - time.Millisecond), 2, 1}, {found.Add(24 * time.Hour), 0, 1}, {found.Add(26 * time.Hour), 0, 0}} {
			if step.failed > 0 && step.missed > 0 {
				a.turn(found.Add(time.Hour + time.Second))
			}
			if got, err := s.Sample(t.Context(), step.at); err != nil || got.TimesMissed != step.missed || got.TimesFailed != step.failed {
				t.Errorf("Sample(%s) has %d missed and %d failed, error %v, want %d and %d", step.at, got.TimesMissed, got.TimesFailed, err, step.missed, step.failed)
			}
		}
	})
}

// A scrape comes every few seconds: tables that grow are read by their indexes.
func TestSample_readsIndexes(t *testing.T) {
	queries := []string{sampleChunks, sampleDoubt, sampleMoney, sampleChecks,
		sampleWaits, sampleStill, sampleCards, sampleRunways, sampleDead, strings.NewReplacer("$1", "2", "$2", "1").Replace(sampleUnpaid),
		strings.NewReplacer("$1", "1", "$2", "1").Replace(sampleInvoices), strings.ReplaceAll(sampleTimes, "$1", "1")}
	t.Run("sqlite", func(t *testing.T) {
		steps := plan(t, openTest(t, sqliteAddress(t)), `EXPLAIN QUERY PLAN `, queries)
		wantUnissued(t, steps)
		for _, step := range steps {
			if scans(step, "SCAN ", "SEARCH ") && !strings.Contains(step, " INDEX ") {
				t.Errorf("the plan has %q, want an index", step)
			}
		}
	})
	t.Run("postgres", func(t *testing.T) {
		s := openTest(t, testserver.Postgres(t))
		s.read.SetMaxOpenConns(1) // the setting below is the connection's
		exec(t, s, `SET enable_seqscan = off`)
		steps := plan(t, s, `EXPLAIN `, queries)
		wantUnissued(t, steps)
		for _, step := range steps {
			if scans(step, "Seq Scan on ") {
				t.Errorf("the plan has %q, want an index", step)
			}
		}
	})
}

// wantUnissued fails unless each look at invoices passes over those that are issued, which is nearly all.
func wantUnissued(t *testing.T, steps []string) {
	t.Helper()
	n := 0
	for _, step := range steps {
		if strings.Contains(step, "invoice_unissued") {
			n++
		}
	}
	if n != 4 {
		t.Errorf("the plan uses invoice_unissued %d times, want 4:\n%s", n, strings.Join(steps, "\n"))
	}
}

// scans reports whether a step of a plan reads a table that grows in one of these ways.
func scans(step string, ways ...string) bool {
	return slices.ContainsFunc(ways, func(way string) bool {
		return slices.ContainsFunc([]string{"broadcast", "chunk", "wallet", "charge", "attempt", "ledger_check", "invoice", "i ", "a ", "refused_address", "schedule_run", "bot", "card", "mail", "dead_task"}, func(table string) bool {
			return strings.Contains(step, way+table)
		})
	})
}

// plan returns the steps in which a database runs queries.
func plan(t *testing.T, s *Store, explain string, queries []string) []string {
	t.Helper()
	var steps []string
	for _, query := range queries {
		rows, err := s.read.QueryContext(t.Context(), explain+query)
		found, err := collect(rows, err, func(row scanner) (step string, err error) {
			if s.Embedded() {
				var id, parent, unused int
				err = row.Scan(&id, &parent, &unused, &step)
			} else {
				err = row.Scan(&step)
			}
			return step, err
		})
		if err != nil {
			t.Fatal(err)
		}
		steps = append(steps, found...)
	}
	if len(steps) == 0 {
		t.Fatal("the database told no plan")
	}
	return steps
}

// allPaid is nobody unpaid.
func allPaid() map[UnpaidAge]int64 {
	return map[UnpaidAge]int64{"under_1d": 0, "under_5d": 0, "over_5d": 0}
}

// agreeing is the differences of books that agree.
func agreeing() map[string]wallet.KRW {
	return map[string]wallet.KRW{"balance": 0, "held": 0, "free": 0, "messages": 0, "payments": 0}
}
