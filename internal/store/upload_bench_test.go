package store

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"io"
	"os"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/recipient"
	"github.com/malgil/malgil/internal/testserver"
)

// csvOf is a CSV of so many people, made as it is read.
type csvOf struct {
	people, made int
	header, tail string // of the file and of each line; those of recipients when empty
	rest         []byte
}

func (c *csvOf) Read(p []byte) (int, error) {
	if len(c.rest) == 0 {
		if c.made > c.people {
			return 0, io.EOF
		}
		var text []byte
		for ; len(text) < 32<<10 && c.made <= c.people; c.made++ {
			if c.made == 0 {
				text = append(text, cmp.Or(c.header, "type,id,grade")+"\n"...)
			} else {
				// Written by hand: a file costs nothing to make when it is uploaded.
				text = append(append(text, "botUserKey,7c1e5d90aa43"...), "00000000"[len(strconv.FormatInt(int64(c.made), 16)):]...)
				text = append(strconv.AppendInt(text, int64(c.made), 16), ',')
				text = append(append(text, cmp.Or(c.tail, "gold")...), '\n')
			}
		}
		c.rest = text
	}
	n := copy(p, c.rest)
	c.rest = c.rest[n:]
	return n, nil
}

// heap is the most memory held, looked at whenever chunks are stored. What the collector would free is
// not held, so it runs first.
type heap struct {
	broadcast.Uploads
	peak uint64
}

func (h *heap) StoreChunks(ctx context.Context, id broadcast.ID, epoch int, chunks []broadcast.Packed) error {
	h.look()
	return h.Uploads.StoreChunks(ctx, id, epoch, chunks)
}

func (h *heap) look() {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	h.peak = max(h.peak, m.HeapAlloc)
}

// uploadCSV uploads a CSV of so many people to a broadcast.
func uploadCSV(t testing.TB, s *Store, to broadcast.Uploads, id broadcast.ID, people int) {
	t.Helper()
	rows, err := recipient.Open(&csvOf{people: people}, recipient.CSV, recipient.Options{})
	if err != nil {
		t.Fatal(err)
	}
	desk := broadcast.NewDesk(s, to, s, s, func() time.Time { return t0 }, nil)
	report, err := desk.Upload(t.Context(), id, rows, broadcast.UploadOptions{})
	if err != nil || report.Audience != people {
		t.Fatalf("Upload of %d people = %+v, %v", people, report, err)
	}
}

// benchPeople is how many people a benchmark takes.
func benchPeople(b *testing.B) int {
	b.Helper()
	people := 100_000
	if text := os.Getenv("MALGIL_BENCH_PEOPLE"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			b.Fatal(err)
		}
		people = n
	}
	return people
}

// benchStores are the databases of a benchmark.
var benchStores = map[string]func(b *testing.B) *Store{
	"sqlite":   func(b *testing.B) *Store { return openTest(b, sqliteAddress(b)) },
	"postgres": func(b *testing.B) *Store { s := openTest(b, testserver.Postgres(b)); syncCommits(b, s); return s },
}

// BenchmarkUpload measures an upload of 100,000 people (or of as many as MALGIL_BENCH_PEOPLE says) from CSV to
// planned chunks, beside a bare bulk insert of the same rows over the same pool. ratio is the one to the
// other; MiB-heap the most that the upload held.
func BenchmarkUpload(b *testing.B) {
	people := benchPeople(b)
	for name, open := range benchStores {
		b.Run(name, func(b *testing.B) {
			s := open(b)
			_, bot := shop(b, s, "1", 0)
			var ours, bare time.Duration
			round := 0
			for b.Loop() {
				round++
				id := create(b, s, order(fmt.Sprint("brd_", round), bot)).ID
				began := time.Now()
				uploadCSV(b, s, s, id, people)
				ours += time.Since(began)
				bare += copyRows(b, s, id, fmt.Sprint("brd_bare_", round), bot)
			}
			h := &heap{Uploads: s} // another time: looking takes time
			uploadCSV(b, s, h, create(b, s, order("brd_heap", bot)).ID, people)
			b.ReportMetric(ours.Seconds()/bare.Seconds(), "ratio")
			b.ReportMetric(float64(people*round)/ours.Seconds(), "people/s")
			b.ReportMetric(float64(people*round)/bare.Seconds(), "bare/s")
			b.ReportMetric(float64(h.peak)/(1<<20), "MiB-heap")
		})
	}
}

// copyRows inserts the chunks of a broadcast once more under another, which are in memory already, in as
// many rows a statement and statements a transaction, and returns how long that took.
func copyRows(b *testing.B, s *Store, id broadcast.ID, as, bot string) (took time.Duration) {
	b.Helper()
	other := create(b, s, order(as, bot))
	for after := 0; ; {
		rows, err := s.read.QueryContext(b.Context(), `SELECT seq, people, recipients FROM chunk WHERE broadcast_id = $1 AND seq > $2 ORDER BY seq LIMIT 1000`, id, after)
		chunks, err := collect(rows, err, func(row scanner) (c broadcast.Packed, err error) {
			err = row.Scan(&c.Seq, &c.People, &c.Recipients)
			return c, err
		})
		if err != nil {
			b.Fatal(err)
		}
		if len(chunks) == 0 {
			return took
		}
		after = chunks[len(chunks)-1].Seq
		began := time.Now()
		tx, err := s.write.BeginTx(b.Context(), nil)
		if err != nil {
			b.Fatal(err)
		}
		if err := insertBare(b.Context(), tx, other, chunks); err != nil {
			b.Fatal(err)
		}
		if err := tx.Commit(); err != nil {
			b.Fatal(err)
		}
		took += time.Since(began)
	}
}

func insertBare(ctx context.Context, tx *sql.Tx, b broadcast.Broadcast, chunks []broadcast.Packed) error {
	for len(chunks) > 0 {
		n := min(len(chunks), chunkRows)
		args := []any{string(b.ID), 1, b.WalletID, b.BotID}
		for _, c := range chunks[:n] {
			args = append(args, fmt.Sprintf("%s-%06d", b.ID, c.Seq), c.Seq, c.People, c.Recipients)
		}
		if _, err := tx.ExecContext(ctx, insertChunks(n), args...); err != nil {
			return err
		}
		chunks = chunks[n:]
	}
	return nil
}

// However many people there are, they are never all in memory: an upload of a million holds what one of
// 10,000 does, and the 16 bytes a person by which duplicates are found, in a table that is half full at worst.
func TestUpload_memoryStaysFlat(t *testing.T) {
	if testing.Short() {
		t.Skip("uploads a million people")
	}
	s := openTest(t, sqliteAddress(t))
	_, bot := shop(t, s, "1", 0)
	held := map[int]uint64{}
	for _, people := range []int{10_000, 1_000_000} {
		id := create(t, s, order(fmt.Sprint("brd_", people), bot)).ID
		h := &heap{Uploads: discard{s}}
		uploadCSV(t, s, h, id, people)
		held[people] = h.peak
	}
	t.Logf("%d MiB for 10,000 people, %d MiB for 1,000,000", held[10_000]>>20, held[1_000_000]>>20)
	if most := held[10_000] + 1_000_000*36 + 24<<20; held[1_000_000] > most {
		t.Errorf("an upload of 1,000,000 people holds %d MiB, one of 10,000 %d MiB; want at most %d", held[1_000_000]>>20, held[10_000]>>20, most>>20)
	}
}

// discard stores no chunks: SQLite's own memory is not in question, and slow under the race detector.
type discard struct{ broadcast.Uploads }

func (discard) StoreChunks(context.Context, broadcast.ID, int, []broadcast.Packed) error { return nil }
