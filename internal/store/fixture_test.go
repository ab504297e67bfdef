package store

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/wallet"
)

const price wallet.KRW = 15

// never is a time that no test reaches.
var never = t0.AddDate(10, 0, 0)

// order is a broadcast as a desk hands it over, to be sent at once.
func order(id, botID string) broadcast.Broadcast {
	return broadcast.Broadcast{
		ID: broadcast.ID(id), BotID: botID, Side: broadcast.Live, Name: "겨울 재입고",
		Message: broadcast.Message{
			Event: "restock_alert", Data: map[string]string{"title": "겨울 바다"}, Params: map[string]any{"campaign": "winter"},
			Option: map[string]any{"quiet": true},
		},
		Personal: broadcast.Personal{Variables: map[string]string{"campaign": "겨울"}, Properties: map[string]string{"greeting": "#{name|고객}님"}},
		Price:    price, State: broadcast.Uploading, Wait: broadcast.WaitUploading, OnDoubt: broadcast.HoldDoubt, StartAt: t0, CreatedAt: t0,
		Purpose: broadcast.Info, Caution: broadcast.Caution{StopAbove: broadcast.DefaultStopAbove},
	}
}

func create(t testing.TB, s *Store, b broadcast.Broadcast) broadcast.Broadcast {
	t.Helper()
	b, repeated, err := s.CreateBroadcast(t.Context(), b, nil, 0, broadcast.Request{})
	if err != nil || repeated {
		t.Fatalf("CreateBroadcast(%s) = repeated %v, %v, want a new one", b.ID, repeated, err)
	}
	return b
}

// packed makes chunks of so many people each.
func packed(people ...int) []broadcast.Packed {
	chunks := make([]broadcast.Packed, len(people))
	for i, n := range people {
		list := make([]string, n)
		for j := range n {
			list[j] = fmt.Sprintf(`{"type":"botUserKey","id":"u%d-%d"}`, i+1, j+1)
		}
		chunks[i] = broadcast.Packed{Seq: i + 1, People: n, Recipients: "[" + strings.Join(list, ",") + "]"}
	}
	return chunks
}

// upload gives a broadcast an audience in chunks of so many people each.
func upload(t testing.TB, s *Store, id broadcast.ID, people ...int) {
	t.Helper()
	uploadFirst(t, s, id, 0, people...)
}

// uploadFirst is upload of an audience whose first chunks are the canary.
func uploadFirst(t testing.TB, s *Store, id broadcast.ID, canary int, people ...int) {
	t.Helper()
	epoch, err := s.BeginUpload(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.StoreChunks(t.Context(), id, epoch, packed(people...)); err != nil {
		t.Fatal(err)
	}
	report := broadcast.Report{CanaryChunks: canary}
	for _, n := range people {
		report.Audience += n
	}
	if err := s.EndUpload(t.Context(), id, epoch, len(people), report); err != nil {
		t.Fatal(err)
	}
}

// running stores a sealed broadcast in chunks of so many people each.
func running(t testing.TB, s *Store, b broadcast.Broadcast, people ...int) broadcast.Broadcast {
	t.Helper()
	b = create(t, s, b)
	upload(t, s, b.ID, people...)
	b, err := s.Seal(t.Context(), b.ID, broadcast.Sealing{}, t0)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// shop is a wallet with money and a bot that speaks for it.
func shop(t testing.TB, s *Store, name string, paid wallet.KRW) (walletID, botID string) {
	t.Helper()
	return newWallet(t, s, "wal_"+name, paid), newBot(t, s, "bot_"+name, "wal_"+name)
}

// dispatch dispatches once at the default pace.
func dispatch(t testing.TB, s *Store, now time.Time) []broadcast.Row {
	t.Helper()
	done, err := s.Dispatch(t.Context(), broadcast.DefaultPace, broadcast.Turn{}, now)
	if err != nil {
		t.Fatal(err)
	}
	return done.Rows
}

// chunkRow is a chunk as the database has it.
type chunkRow struct {
	broadcast.Chunk
	Seq                              int
	NextAt, EnqueuedAt, LeaseUntil   time.Time
	DoubtAt                          time.Time
	Dead, Unconfirmed                int
	Delivered, Failed, Unknown, Skip int
	Recipients, Result, Error        string
}

const chunkRowColumns = chunkColumns + `, c.seq, c.next_at, c.enqueued_at, c.lease_until, c.doubt_at, c.dead, c.unconfirmed,
	c.delivered, c.failed, c.unknown, c.skipped, c.recipients, c.result, c.error`

func scanChunkRow(row scanner) (r chunkRow, err error) {
	r.Chunk, err = scanChunk(row, &r.Seq, at(&r.NextAt), at(&r.EnqueuedAt), at(&r.LeaseUntil), at(&r.DoubtAt), &r.Dead, &r.Unconfirmed,
		&r.Delivered, &r.Failed, &r.Unknown, &r.Skip, &r.Recipients, &r.Result, &r.Error)
	return r, err
}

func chunksOf(s *Store, id broadcast.ID) ([]chunkRow, error) {
	rows, err := s.read.QueryContext(context.Background(), `SELECT `+chunkRowColumns+` FROM chunk c WHERE c.broadcast_id = $1 ORDER BY c.seq`, id)
	return collect(rows, err, scanChunkRow)
}

// chunkOf reads a chunk of a broadcast by its place, counted from 1.
func chunkOf(t testing.TB, s *Store, id broadcast.ID, seq int) chunkRow {
	t.Helper()
	chunks, err := chunksOf(s, id)
	if err != nil || len(chunks) < seq {
		t.Fatalf("chunks of %s: %d, %v, want at least %d", id, len(chunks), err, seq)
	}
	return chunks[seq-1]
}

// claim claims a queued chunk with a lease of 30 s.
func claim(t testing.TB, s *Store, c chunkRow, now time.Time) bool {
	t.Helper()
	ok, err := s.ClaimChunk(t.Context(), c.ID, c.Epoch, now, now.Add(30*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	return ok
}

// record records an outcome for a chunk's epoch.
func record(t testing.TB, s *Store, c chunkRow, v broadcast.Verdict, now time.Time) bool {
	t.Helper()
	ok, err := s.RecordSend(t.Context(), c.ID, c.Epoch, v, now)
	if err != nil {
		t.Fatalf("RecordSend(%s, %s) error = %v", c.ID, v.Outcome, err)
	}
	return ok
}

// giveBack gives a chunk back by a task of its epoch, because of the rate.
func giveBack(t testing.TB, s *Store, c chunkRow, delay time.Duration, now time.Time) bool {
	t.Helper()
	ok, err := s.GiveBack(t.Context(), c.ID, c.Epoch, broadcast.WaitRate, delay, now)
	if err != nil {
		t.Fatalf("GiveBack(%s) error = %v", c.ID, err)
	}
	return ok
}

func accepted(taskID string) broadcast.Verdict {
	return broadcast.Verdict{Outcome: broadcast.Accepted, TaskID: taskID}
}

// settle settles a chunk of which so many were delivered, the rest named as failed.
func settle(t testing.TB, s *Store, c chunkRow, delivered int, now time.Time) bool {
	t.Helper()
	people, err := recipientsOf(t.Context(), s.read, c.ID)
	if err != nil {
		t.Fatal(err)
	}
	ok, err := s.SettleChunk(t.Context(), c.Chunk, broadcast.Settlement{
		Tally: broadcast.Tally{Delivered: delivered, Failed: c.People - delivered}, Missed: people[delivered:], Result: []byte(`{}`),
	}, now)
	if err != nil {
		t.Fatal(err)
	}
	return ok
}

// sent takes the first planned chunk of a broadcast to sent.
func sent(t testing.TB, s *Store, id broadcast.ID, seq int, now time.Time) chunkRow {
	t.Helper()
	c := chunkOf(t, s, id, seq)
	if c.State == broadcast.Planned {
		dispatch(t, s, now)
		c = chunkOf(t, s, id, seq)
	}
	if !claim(t, s, c, now) || !record(t, s, c, accepted("task-"+string(c.ID)), now) {
		t.Fatalf("chunk %s is %s and cannot be sent", c.ID, c.State)
	}
	return chunkOf(t, s, id, seq)
}

// wantBroadcast reads a broadcast whose counts agree with its chunks.
func wantBroadcast(t testing.TB, s *Store, id broadcast.ID) broadcast.Broadcast {
	t.Helper()
	b, err := s.Broadcast(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	if err := countsAgree(s, b); err != nil {
		t.Error(err)
	}
	return b
}

// countsAgree says where the counters of a sealed broadcast are not what its chunks add up to,
// and where its end is not what the counters say.
func countsAgree(s *Store, b broadcast.Broadcast) error {
	chunks, err := chunksOf(s, b.ID)
	if err != nil {
		return err
	}
	var revenue wallet.KRW
	err = s.read.QueryRowContext(context.Background(), `SELECT CAST(COALESCE(SUM(revenue), 0) AS BIGINT) FROM posting
		WHERE kind = 'capture' AND ref IN (SELECT id FROM chunk WHERE broadcast_id = $1)`, b.ID).Scan(&revenue)
	if err != nil {
		return err
	}
	return countsFit(b, chunks, revenue)
}

// countsFit is countsAgree with the chunks of a broadcast and what its postings captured.
func countsFit(b broadcast.Broadcast, chunks []chunkRow, revenue wallet.KRW) error {
	want := broadcast.Broadcast{Captured: 0}
	for _, c := range chunks {
		n := &want.Counts
		n.Audience += c.People
		n.Delivered += c.Delivered
		n.Failed += c.Failed
		n.Unknown += c.Unknown
		n.Skipped += c.Skip
		outcomes := c.Delivered + c.Failed + c.Unknown + c.Skip
		switch c.State {
		case broadcast.Planned:
			want.PlannedChunks++
		case broadcast.InDoubt:
			n.InDoubt += c.People - outcomes
			outcomes = c.People
		}
		if open := c.State.Holds() && c.State != broadcast.InDoubt || c.State == broadcast.Planned; open != (outcomes == 0) || !open && outcomes != c.People {
			return fmt.Errorf("chunk %s of %d people is %s with %d outcomes", c.ID, c.People, c.State, outcomes)
		}
		if c.State.Holds() && c.State != broadcast.InDoubt && c.Hold != b.Price*wallet.KRW(c.People) {
			return fmt.Errorf("chunk %s of %d people is %s and holds %d", c.ID, c.People, c.State, c.Hold)
		}
		want.Captured += b.Price * wallet.KRW(c.Delivered)
	}
	want.Counts.Duplicates, want.Counts.BadRows, want.Counts.Excluded = b.Counts.Duplicates, b.Counts.BadRows, b.Counts.Excluded
	if b.Counts != want.Counts || b.PlannedChunks != want.PlannedChunks || b.Captured != want.Captured {
		return fmt.Errorf("broadcast %s counts %+v, %d planned, %d captured; its chunks give %+v, %d, %d",
			b.ID, b.Counts, b.PlannedChunks, b.Captured, want.Counts, want.PlannedChunks, want.Captured)
	}
	done := b.Counts.Done() == b.Counts.Audience
	if done != !b.FinishedAt.IsZero() || done && b.State != broadcast.Finished && b.State != broadcast.Cancelled || !done && b.State == broadcast.Finished {
		return fmt.Errorf("broadcast %s is %s, finished at %v, with %d of %d done", b.ID, b.State, b.FinishedAt, b.Counts.Done(), b.Counts.Audience)
	}
	if revenue != b.Captured {
		return fmt.Errorf("broadcast %s captured %d, its postings say %d", b.ID, b.Captured, revenue)
	}
	return nil
}
