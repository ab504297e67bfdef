package store

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/wallet"
)

func TestChunkWork(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		_, botID := shop(t, s, "1", 1000)
		o := order("brd_1", botID)
		o.Side = broadcast.Development
		b := running(t, s, o, 2)
		dispatch(t, s, t0)
		c := chunkOf(t, s, b.ID, 1)
		got, ok, err := s.ChunkWork(t.Context(), c.ID, c.Epoch)
		want := broadcast.Work{
			Chunk: c.Chunk, Message: o.Message, Side: broadcast.Development, RestKey: "rest-key-of-" + botID, Rate: 500, InFlight: 8,
			Recipients: []broadcast.Recipient{{Type: "botUserKey", ID: "u1-1"}, {Type: "botUserKey", ID: "u1-2"}},
		}
		if diff := cmp.Diff(want, got); err != nil || !ok || diff != "" {
			t.Errorf("ChunkWork = %v, %v (-want +got):\n%s", ok, err, diff)
		}
		if _, ok, err := s.ChunkWork(t.Context(), "brd_none-000001", 1); ok || err != nil {
			t.Errorf("ChunkWork of no chunk = %v, %v, want nothing to do", ok, err)
		}
	})
}

func TestClaimChunk_onlyOnce(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		_, botID := shop(t, s, "1", 1000)
		b := running(t, s, order("brd_1", botID), 2)
		dispatch(t, s, t0)
		c := chunkOf(t, s, b.ID, 1)
		claims := make(chan bool)
		for range 8 {
			go func() {
				ok, err := s.ClaimChunk(t.Context(), c.ID, c.Epoch, t0, t0.Add(30*time.Second))
				if err != nil {
					t.Error(err)
				}
				claims <- ok
			}()
		}
		won := 0
		for range 8 {
			if <-claims {
				won++
			}
		}
		if won != 1 {
			t.Errorf("%d of 8 claims succeeded, want 1", won)
		}
	})
}

func TestRecordSend_delaysWhatWasNotSent(t *testing.T) {
	tests := []struct {
		asked, want time.Duration
	}{{0, 500 * time.Millisecond}, {0, time.Second}, {time.Hour, time.Hour}, {time.Second, 4 * time.Second}, {0, 8 * time.Second}}
	eachDatabase(t, func(t *testing.T, s *Store) {
		walletID, botID := shop(t, s, "1", 1000)
		b := running(t, s, order("brd_1", botID), 2)
		now := t0
		for n, tt := range tests {
			dispatch(t, s, now)
			c := chunkOf(t, s, b.ID, 1)
			if !claim(t, s, c, now) {
				t.Fatalf("try %d: chunk is %s", n+1, c.State)
			}
			record(t, s, c, broadcast.Verdict{Outcome: broadcast.NotSent, Delay: tt.asked, Reason: "busy"}, now)
			c = chunkOf(t, s, b.ID, 1)
			if got := c.NextAt.Sub(now); got != tt.want || c.Error != "busy" {
				t.Errorf("try %d asked to wait %v: it waits %v for %q, want %v for busy", n+1, tt.asked, got, c.Error, tt.want)
			}
			if rows := dispatch(t, s, c.NextAt.Add(-time.Millisecond)); len(rows) != 0 {
				t.Errorf("try %d was dispatched before its time", n+1)
			}
			if b := wantBroadcast(t, s, b.ID); b.Wait != broadcast.WaitKakao || !b.WaitUntil.Equal(c.NextAt) {
				t.Errorf("try %d: it waits for %q until %v, want kakao until %v", n+1, b.Wait, b.WaitUntil, c.NextAt)
			}
			wantWallet(t, s, walletID)
			now = c.NextAt
		}
	})
}

func TestGiveBack(t *testing.T) {
	tests := map[string]struct {
		delay, wait time.Duration // wait is until it is dispatched again
		reason      broadcast.Wait
	}{
		"at once, to another worker": {0, 0, broadcast.NotWaiting},
		"until the rate allows":      {16 * time.Second, 16 * time.Second, broadcast.WaitRate},
		"looked at in a minute":      {time.Hour, time.Minute, broadcast.WaitRate},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			eachDatabase(t, func(t *testing.T, s *Store) {
				walletID, botID := shop(t, s, "1", 1000)
				exec(t, s, `UPDATE bot SET rate_per_second = 6 WHERE id = $1`, botID)
				b := running(t, s, order("brd_1", botID), 2, 3)
				dispatch(t, s, t0)
				c := chunkOf(t, s, b.ID, 1)
				if !giveBack(t, s, c, tt.delay, t0) || giveBack(t, s, c, tt.delay, t0) {
					t.Error("GiveBack did not take it once and once only")
				}
				if claim(t, s, c, t0) {
					t.Error("a chunk that was given back was claimed by its old task")
				}
				after := chunkOf(t, s, b.ID, 1)
				if after.State != broadcast.Planned || after.Epoch != c.Epoch+1 || after.Attempts != 0 || after.Hold != 0 || !after.EnqueuedAt.IsZero() {
					t.Errorf("given back it is %+v, want planned under the next epoch, no attempt, no hold, no task", after)
				}
				b = wantBroadcast(t, s, b.ID)
				if b.PlannedChunks != 2 || b.Wait != tt.reason || tt.delay > 0 && !b.WaitUntil.Equal(t0.Add(tt.delay)) {
					t.Errorf("broadcast has %d planned and waits for %q until %v, want 2, %q until %v", b.PlannedChunks, b.Wait, b.WaitUntil, tt.reason, t0.Add(tt.delay))
				}
				if w := wantWallet(t, s, walletID); w.Held != 0 {
					t.Errorf("it holds %d, want 0", w.Held)
				}
				if tt.wait > 0 {
					if rows := dispatch(t, s, t0.Add(tt.wait-time.Millisecond)); len(rows) != 0 {
						t.Errorf("Dispatch before its time = %v, want nothing: the next chunk would come back too", rows)
					}
				}
				if rows := dispatch(t, s, t0.Add(tt.wait)); len(rows) != 1 {
					t.Errorf("Dispatch at its time = %v, want 1 chunk", rows)
				}
				if b := wantBroadcast(t, s, b.ID); b.Wait != broadcast.NotWaiting {
					t.Errorf("after Dispatch it waits for %q, want nothing", b.Wait)
				}
			})
		})
	}
}

func TestRecordSend_refusalsInARowPause(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		walletID, botID := shop(t, s, "1", 10_000)
		exec(t, s, `UPDATE bot SET rate_per_second = 1000 WHERE id = $1`, botID) // ten chunks at a time
		people := make([]int, 12)
		for i := range people {
			people[i] = 2
		}
		exec(t, s, `UPDATE bot SET rate_per_second = 5000 WHERE id = $1`, botID) // all of them at once
		b := running(t, s, order("brd_1", botID), people...)
		dispatch(t, s, t0)
		refuse := func(seq int) {
			t.Helper()
			c := chunkOf(t, s, b.ID, seq)
			if !claim(t, s, c, t0) {
				t.Fatalf("chunk %d is %s", seq, c.State)
			}
			record(t, s, c, broadcast.Verdict{Outcome: broadcast.Refused, Reason: "unknown event"}, t0)
		}
		for seq := 1; seq <= 4; seq++ {
			refuse(seq)
		}
		sent(t, s, b.ID, 5, t0) // the row is broken
		for seq := 6; seq <= 9; seq++ {
			refuse(seq)
		}
		if b := wantBroadcast(t, s, b.ID); b.State != broadcast.Running || b.Refusals != 4 {
			t.Errorf("after 4, an acceptance and 4 = %s with %d in a row, want running with 4", b.State, b.Refusals)
		}
		refuse(10)
		b = wantBroadcast(t, s, b.ID)
		if b.State != broadcast.Paused || b.Wait != broadcast.WaitPaused || b.Note != "5 requests in a row were refused: unknown event" || b.PlannedChunks != 2 {
			t.Errorf("after 5 in a row = %s, %q, %q, %d planned, want paused, a note and 2", b.State, b.Wait, b.Note, b.PlannedChunks)
		}
		if w := wantWallet(t, s, walletID); w.Held != 2*price {
			t.Errorf("it holds %d, want %d for the accepted chunk", w.Held, 2*price)
		}
		resumed, err := s.Resume(t.Context(), b.ID, t0)
		if err != nil || resumed.Refusals != 0 || resumed.Note != "" {
			t.Errorf("Resume = %d in a row, %q, %v, want a new start", resumed.Refusals, resumed.Note, err)
		}
	})
}

// A wrong event name is told also where too few requests are refused to pause the broadcast.
func TestRecordSend_refusalIsNoted(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		_, botID := shop(t, s, "1", 1000)
		b := running(t, s, order("brd_1", botID), 2, 3)
		dispatch(t, s, t0)
		for i, reason := range []string{"a quota is used up", "there is no event restok_alert"} {
			seq := i + 1
			c := chunkOf(t, s, b.ID, seq)
			if !claim(t, s, c, t0) {
				t.Fatalf("chunk %d is %s", seq, c.State)
			}
			record(t, s, c, broadcast.Verdict{Outcome: broadcast.Refused, Reason: reason}, t0)
			if got, want := wantBroadcast(t, s, b.ID).Note, "a request was refused: "+reason; got != want {
				t.Errorf("note after chunk %d = %q, want %q", seq, got, want)
			}
		}
		if b := wantBroadcast(t, s, b.ID); b.State != broadcast.Finished || b.Counts.Failed != 5 {
			t.Errorf("broadcast = %s with %d failed, want finished with 5", b.State, b.Counts.Failed)
		}
	})
}

func TestRecordSend_badKeyPausesTheBot(t *testing.T) {
	for outcome, want := range map[broadcast.Outcome]broadcast.Wait{
		broadcast.BadConfig: broadcast.WaitConfig, broadcast.ProviderEmpty: broadcast.WaitProvider,
	} {
		t.Run(string(outcome), func(t *testing.T) {
			eachDatabase(t, func(t *testing.T, s *Store) {
				walletID, botID := shop(t, s, "1", 10_000)
				b := running(t, s, order("brd_1", botID), 2, 2, 2)
				dispatch(t, s, t0)
				first, second := chunkOf(t, s, b.ID, 1), chunkOf(t, s, b.ID, 2)
				if !claim(t, s, first, t0) || !claim(t, s, second, t0) {
					t.Fatal("cannot claim")
				}
				record(t, s, first, broadcast.Verdict{Outcome: outcome, Reason: "no"}, t0)
				b = wantBroadcast(t, s, b.ID)
				if b.PlannedChunks != 2 || b.Counts.Done() != 0 {
					t.Errorf("%d planned, %d done, want 2 and 0: one request is still open", b.PlannedChunks, b.Counts.Done())
				}
				if rows := dispatch(t, s, t0.Add(time.Minute)); len(rows) != 0 {
					t.Errorf("Dispatch() for a paused bot = %v", rows)
				}
				if b := wantBroadcast(t, s, b.ID); b.Wait != want {
					t.Errorf("broadcast waits for %q, want %q", b.Wait, want)
				}
				record(t, s, second, accepted("task-2"), t0) // was already at Kakao's door
				if w := wantWallet(t, s, walletID); w.Held != 2*price {
					t.Errorf("it holds %d, want %d", w.Held, 2*price)
				}
				exec(t, s, `UPDATE bot SET paused_reason = ''`)
				if rows := dispatch(t, s, t0.Add(time.Minute)); len(rows) != 2 {
					t.Errorf("Dispatch() afterwards = %v, want 2 chunks", rows)
				}
			})
		})
	}
}

// Lease over, then the worker's own answer: it is believed as long as the money is still held.
func TestRecordSend_lateAnswers(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		walletID, botID := shop(t, s, "1", 10_000)
		b := running(t, s, order("brd_1", botID), 2, 3)
		dispatch(t, s, t0)
		first, second := chunkOf(t, s, b.ID, 1), chunkOf(t, s, b.ID, 2)
		if !claim(t, s, first, t0) || !claim(t, s, second, t0) {
			t.Fatal("cannot claim")
		}
		over := t0.Add(30 * time.Second)
		if n, err := s.ExpireSending(t.Context(), over); n != 2 || err != nil {
			t.Errorf("ExpireSending = %d, %v, want 2", n, err)
		}
		if b := wantBroadcast(t, s, b.ID); b.State != broadcast.Finished || b.Counts.InDoubt != 5 {
			t.Errorf("broadcast = %s with %d in doubt, want finished with 5", b.State, b.Counts.InDoubt)
		}
		if record(t, s, first, broadcast.Verdict{Outcome: broadcast.NotSent}, over) {
			t.Error("a late \"not sent\" was taken, want nothing in doubt to be sent again by itself")
		}
		if !record(t, s, first, accepted("task-1"), over) {
			t.Error("a late acceptance was not taken")
		}
		if b := wantBroadcast(t, s, b.ID); b.State != broadcast.Running || b.Counts.InDoubt != 3 || !b.FinishedAt.IsZero() {
			t.Errorf("broadcast = %s, finished %v, %d in doubt, want running again with 3", b.State, b.FinishedAt, b.Counts.InDoubt)
		}
		if record(t, s, first, accepted("task-1"), over) {
			t.Error("the same acceptance was taken twice")
		}
		settle(t, s, chunkOf(t, s, b.ID, 1), 2, over)
		if n, err := s.EndDoubt(t.Context(), over.Add(DoubtTerm)); n != 1 || err != nil {
			t.Errorf("EndDoubt = %d, %v, want 1", n, err)
		}
		if record(t, s, second, accepted("task-2"), over.Add(DoubtTerm)) {
			t.Error("an acceptance was taken when the money was let go")
		}
		if b := wantBroadcast(t, s, b.ID); b.State != broadcast.Finished || b.Captured != 2*price {
			t.Errorf("broadcast = %s, captured %d, want finished, %d", b.State, b.Captured, 2*price)
		}
		if w := wantWallet(t, s, walletID); w.Held != 0 {
			t.Errorf("it holds %d, want 0", w.Held)
		}
	})
}

func TestSettleChunk(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		walletID, botID := shop(t, s, "1", 40)
		newGrant(t, s, walletID, "grt_late", 10, t0.AddDate(0, 2, 0), t0)
		newGrant(t, s, walletID, "grt_soon", 20, t0.AddDate(0, 1, 0), t0)
		newCard(t, s, "crd_1", newAccount(t, s, "acc_1"), walletID, 1)
		b := running(t, s, order("brd_1", botID), 6)
		c := sent(t, s, b.ID, 1, t0)
		looked, ok, err := s.SentChunk(t.Context(), c.ID, c.Epoch)
		if err != nil || !ok || looked.RestKey != "rest-key-of-"+botID || looked.Chunk != c.Chunk {
			t.Errorf("SentChunk = %+v, %v, %v, want the chunk with key", looked, ok, err)
		}
		settlement := broadcast.Settlement{Tally: broadcast.Tally{Delivered: 5, Unknown: 1}, Result: []byte("{\"status\":\"1 FAIL\"}\x00\xff")}
		for n := range 2 {
			ok, err := s.SettleChunk(t.Context(), c.Chunk, settlement, t0.Add(time.Minute))
			if err != nil || ok != (n == 0) {
				t.Errorf("SettleChunk no. %d = %v, %v, want %v", n+1, ok, err, n == 0)
			}
		}
		w := wantWallet(t, s, walletID)
		if w.Held != 0 || w.Free != 0 || w.Paid != 0 || w.Accrual != 75-30-40 {
			t.Errorf("75 KRW used of 30 free and 40 paid leave %+v, want 5 owed", w)
		}
		books, err := s.Books(t.Context(), walletID)
		if err != nil || books.Revenue != 75 {
			t.Errorf("Books = %+v, %v, want 75 revenue", books, err)
		}
		b = wantBroadcast(t, s, b.ID)
		want := broadcast.Counts{Audience: 6, Delivered: 5, Unknown: 1}
		if b.Counts != want || b.State != broadcast.Finished {
			t.Errorf("broadcast = %s, %+v, want finished, %+v", b.State, b.Counts, want)
		}
		if got := chunkOf(t, s, b.ID, 1).Result; got != "{\"status\":\"1 FAIL\"}\uFFFD\uFFFD" {
			t.Errorf("stored result = %q, want what both databases can keep of it", got)
		}
	})
}

func TestSettleChunk_nothingDelivered(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		walletID, botID := shop(t, s, "1", 1000)
		b := running(t, s, order("brd_1", botID), 6)
		settle(t, s, sent(t, s, b.ID, 1, t0), 0, t0)
		if w := wantWallet(t, s, walletID); w.Paid != 1000 || w.Held != 0 {
			t.Errorf("wallet = %d paid, %d held, want 1000 and 0", w.Paid, w.Held)
		}
		wantBroadcast(t, s, b.ID)
	})
}

// Money that was held is captured also from a wallet that has become unpaid meanwhile.
func TestSettleChunk_ofAnUnpaidWallet(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		walletID, botID := shop(t, s, "1", 1000)
		b := running(t, s, order("brd_1", botID), 6)
		c := sent(t, s, b.ID, 1, t0)
		exec(t, s, `UPDATE wallet SET payment_state = 'UNPAID'`)
		settle(t, s, c, 6, t0)
		if w := wantWallet(t, s, walletID); w.Paid != 1000-6*price || w.PaymentState != wallet.Unpaid {
			t.Errorf("wallet = %d paid, %s, want %d, UNPAID", w.Paid, w.PaymentState, 1000-6*price)
		}
	})
}

func TestPostponeResult(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		walletID, botID := shop(t, s, "1", 1000)
		b := running(t, s, order("brd_1", botID), 6)
		c := sent(t, s, b.ID, 1, t0)
		steps := []struct {
			p          broadcast.Postponement
			wantResult string
			wantFlag   int
		}{
			{broadcast.Postponement{NextAt: t0.Add(5 * time.Second), Reason: "Kakao did not answer"}, "", 0},
			{broadcast.Postponement{NextAt: t0.Add(time.Hour), Answered: true, Result: []byte(`{"a":1}`)}, `{"a":1}`, 0},
			{broadcast.Postponement{NextAt: t0.Add(25 * time.Hour), Answered: true, Unconfirmed: true, Result: []byte(`{"a":2}`)}, `{"a":2}`, 1},
			{broadcast.Postponement{NextAt: t0.Add(26 * time.Hour), Reason: "Kakao did not answer"}, `{"a":2}`, 1},
		}
		for n, step := range steps {
			if err := s.PostponeResult(t.Context(), c.ID, c.Epoch, step.p); err != nil {
				t.Fatal(err)
			}
			got := chunkOf(t, s, b.ID, 1)
			if got.State != broadcast.Sent || !got.NextAt.Equal(step.p.NextAt) || got.Attempts != n+1 || got.Result != step.wantResult ||
				got.Unconfirmed != step.wantFlag || got.Error != step.p.Reason || !got.EnqueuedAt.IsZero() {
				t.Errorf("after step %d = %+v, want sent, next at %v, result %s, unconfirmed %d", n+1, got, step.p.NextAt, step.wantResult, step.wantFlag)
			}
		}
		if err := s.PostponeResult(t.Context(), c.ID, c.Epoch-1, broadcast.Postponement{NextAt: never}); err != nil {
			t.Fatal(err)
		}
		if got := chunkOf(t, s, b.ID, 1); got.NextAt.Equal(never) {
			t.Error("a task of an older epoch set the next look-up")
		}
		settle(t, s, chunkOf(t, s, b.ID, 1), 6, t0.Add(26*time.Hour))
		if got := chunkOf(t, s, b.ID, 1); got.Unconfirmed != 0 || got.State != broadcast.Settled {
			t.Errorf("settled = %s, unconfirmed %d, want settled, 0", got.State, got.Unconfirmed)
		}
		wantWallet(t, s, walletID)
	})
}

// What Kakao says may hold bytes that PostgreSQL refuses; an outcome is recorded all the same.
func TestRecordSend_storesAnyReason(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		_, botID := shop(t, s, "1", 1000)
		for n, v := range []broadcast.Verdict{
			{Outcome: broadcast.Refused, Reason: "no\x00thing\xff"},
			{Outcome: broadcast.OutcomeInDoubt, Reason: "\x00"},
			{Outcome: broadcast.Accepted, TaskID: "task\x00\xfe"},
		} {
			b := running(t, s, order(fmt.Sprintf("brd_%d", n), botID), 2)
			dispatch(t, s, t0)
			c := chunkOf(t, s, b.ID, 1)
			if !claim(t, s, c, t0) || !record(t, s, c, v, t0) {
				t.Errorf("RecordSend(%q, %q) was not taken", v.Reason, v.TaskID)
			}
		}
	})
}

func TestUploadedRecipients_comeBackAsTheyWere(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		_, botID := shop(t, s, "1", 1000)
		people := []broadcast.Recipient{{Type: "appUserId", ID: "quote\" 한글 \x01", Properties: map[string]string{"등급": "금\n"}}}
		text, err := json.Marshal(people)
		if err != nil {
			t.Fatal(err)
		}
		b := create(t, s, order("brd_1", botID))
		epoch, err := s.BeginUpload(t.Context(), b.ID)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.StoreChunks(t.Context(), b.ID, epoch, []broadcast.Packed{{Seq: 1, People: 1, Recipients: string(text)}}); err != nil {
			t.Fatal(err)
		}
		if err := s.EndUpload(t.Context(), b.ID, epoch, 1, broadcast.Report{Audience: 1}); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Seal(t.Context(), b.ID, broadcast.Sealing{}, t0); err != nil {
			t.Fatal(err)
		}
		dispatch(t, s, t0)
		c := chunkOf(t, s, b.ID, 1)
		work, _, err := s.ChunkWork(t.Context(), c.ID, c.Epoch)
		if diff := cmp.Diff(people, work.Recipients); err != nil || diff != "" {
			t.Errorf("ChunkWork recipients, %v (-want +got):\n%s", err, diff)
		}
	})
}
