package store

import (
	"database/sql"
	"errors"
	"maps"
	"testing"
	"time"

	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/clock"
	"github.com/malgil/malgil/internal/reconcile"
	"github.com/malgil/malgil/internal/wallet"
)

// posts counts what is posted.
type posts map[string]int64

func (p posts) Posted(kind string, krw int64) {
	if krw != 0 {
		p[kind] += krw
	}
}

// inLedger sums up what was posted, by kind.
func inLedger(t testing.TB, s *Store) posts {
	t.Helper()
	rows, err := s.read.QueryContext(t.Context(), `SELECT kind, CAST(SUM(ABS(CASE
		WHEN kind IN ('capture', 'correction') AND revenue <> 0 THEN revenue
		WHEN kind IN ('topup', 'paid_granted', 'correction') THEN accrual + paid
		WHEN kind IN ('grant_started', 'grant_expired') THEN free
		WHEN kind = 'charge_opened' THEN accrual
		WHEN kind IN ('charge_paid', 'charge_failed') THEN charging
		WHEN kind IN ('refund_opened', 'refund', 'refund_failed') THEN refunding
		WHEN kind = 'month_rounded' THEN rounding END)) AS BIGINT) FROM posting GROUP BY kind`)
	sums := posts{}
	_, err = collect(rows, err, func(row scanner) (struct{}, error) {
		var kind string
		var krw int64
		err := row.Scan(&kind, &krw)
		sums.Posted(kind, krw)
		return struct{}{}, err
	})
	if err != nil {
		t.Fatal(err)
	}
	return sums
}

// What is counted is what the ledger tells, whoever posted it: a charge, a top-up, a refund, a result, a person who
// decides, the end of a doubt, a correction, a gift or the end of a month.
func TestCountPostings(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		counted := posts{}
		s.CountPostings(counted)
		d := openDesk(t, s)

		exec(t, s, `UPDATE chunk SET delivered = 40, failed = 0 WHERE id = 'brd_w-000002'`)
		if _, err := d.books.Correct(t.Context(), reconcile.Correction{WalletID: "w", Kind: reconcile.Messages, Subject: "brd_w-000002", Difference: 30}); err != nil {
			t.Fatal(err)
		}
		now := d.clock()
		give(t, s, free("w", "grt_gone", 700, now.Add(time.Minute), now), true)
		vanish(t, s, now.Add(time.Hour))
		if _, _, err := s.Give(t.Context(), wallet.Gift{ID: "grt_paid", WalletID: "w", Kind: wallet.PaidCash, Amount: 900, Reason: "보상", CreatedAt: now}, wallet.Request{}); err != nil {
			t.Fatal(err)
		}
		_, known := inDoubt(t, s, "known", 7)
		decide(t, s, broadcast.Decision{Broadcast: known.ID, Finding: broadcast.FoundSent})
		_, proven := inDoubt(t, s, "proven", 5)
		exec(t, s, `INSERT INTO chunk_evidence (chunk_id, user_hash, at) VALUES ($1, $2, $3)`, string(chunkOf(t, s, proven.ID, 1).ID), []byte{1}, millis(t0))
		if _, err := s.EndDoubt(t.Context(), t0.Add(DoubtTerm)); err != nil {
			t.Fatal(err)
		}
		post1(t, s, "w", func(w wallet.Wallet) (wallet.Wallet, wallet.Posting) {
			p, _ := w.RoundMonth(wallet.Month{Start: clock.Midnight(now), VAT: 3}, now)
			return w, p
		})

		want := inLedger(t, s)
		if !maps.Equal(counted, want) {
			t.Errorf("counted %v, the ledger tells %v", counted, want)
		}
		for _, kind := range []wallet.PostingKind{wallet.Capture, wallet.TopUp, wallet.GrantStarted, wallet.GrantExpired, wallet.PaidGranted, wallet.ChargeOpened,
			wallet.ChargePaid, wallet.RefundOpened, wallet.Refund, wallet.Correction, wallet.MonthRounded} {
			if want[string(kind)] == 0 {
				t.Errorf("the ledger tells of no %s", kind)
			}
		}
	})
}

// What a transaction takes back, in a part or as a whole, is not counted.
func TestCountPostings_takenBack(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		counted := posts{}
		s.CountPostings(counted)
		newWallet(t, s, "w", 0)
		broken := errors.New("broken")
		topUp := func(tx *sql.Tx, supply wallet.KRW, ref string) error {
			return s.post(t.Context(), tx, "w", wallet.Posting{Kind: wallet.TopUp, Ref: ref, At: t0, Paid: supply, Clearing: -supply})
		}
		err := s.inTx(t.Context(), func(tx *sql.Tx) error {
			if err := topUp(tx, 100, "kept"); err != nil {
				return err
			}
			failure, err := s.apart(t.Context(), tx, func() error { return errors.Join(topUp(tx, 20, "part"), broken) })
			if !errors.Is(failure, broken) {
				t.Errorf("apart() = %v, want what the part returned", failure)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.inTx(t.Context(), func(tx *sql.Tx) error { return errors.Join(topUp(tx, 3, "whole"), broken) }); !errors.Is(err, broken) {
			t.Fatalf("inTx() = %v, want what the work returned", err)
		}
		if want := (posts{"topup": 100}); !maps.Equal(counted, want) || len(s.ledger.open) != 0 {
			t.Errorf("counted %v with %d transactions open, want %v and none", counted, len(s.ledger.open), want)
		}
	})
}
