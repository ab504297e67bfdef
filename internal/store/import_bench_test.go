package store

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/recipient"
	"github.com/malgil/malgil/internal/stance"
)

// importCSV puts so many people on the list of consents of a bot from CSV, and tells how long that took.
func importCSV(t testing.TB, to stance.Lists, botID string, people int) time.Duration {
	t.Helper()
	began := time.Now()
	file := &csvOf{people: people, header: "수신자유형,수신자ID,동의일시,야간동의,출처", tail: "2026-11-01 12:00:00,Y,회원 가입"}
	rows, err := recipient.Open(file, recipient.CSV, recipient.Options{Fields: stance.Fields(broadcast.Consents)})
	if err != nil {
		t.Fatal(err)
	}
	got, err := stance.Import(t.Context(), to, botID, broadcast.Consents, rows, broadcast.UploadOptions{}, t0)
	if err != nil || got.New+got.Unchanged != people {
		t.Fatalf("Import of %d people = %+v, %v", people, got, err)
	}
	return time.Since(began)
}

// heldByImport is the most memory held, looked at now and then as people are stored.
type heldByImport struct {
	stance.Lists
	heap
	goes int
}

func (h *heldByImport) PutStances(ctx context.Context, botID string, list broadcast.PeopleList, said []broadcast.Stance, tell func(broadcast.Noted) any) (broadcast.Noted, error) {
	if h.goes++; h.goes%20 == 1 {
		h.look()
	}
	return h.Lists.PutStances(ctx, botID, list, said, tell)
}

// noLists keeps nobody: SQLite's own memory is not in question, and slow under the race detector.
type noLists struct{ stance.Lists }

func (noLists) PutStances(_ context.Context, _ string, _ broadcast.PeopleList, said []broadcast.Stance, _ func(broadcast.Noted) any) (broadcast.Noted, error) {
	return broadcast.Noted{New: len(said)}, nil
}

// A file of a million people takes no more memory than one of 10,000 and the run that is sorted at a time.
func TestImport_memoryStaysFlat(t *testing.T) {
	if testing.Short() {
		t.Skip("imports a million people")
	}
	held := map[int]uint64{}
	for _, people := range []int{10_000, 1_000_000} {
		h := &heldByImport{Lists: noLists{}}
		importCSV(t, h, "b1", people)
		held[people] = h.peak
	}
	t.Logf("%d MiB for 10,000 people, %d MiB for 1,000,000", held[10_000]>>20, held[1_000_000]>>20)
	if most := held[10_000] + 12<<20; held[1_000_000] > most {
		t.Errorf("an import of 1,000,000 people holds %d MiB, one of 10,000 %d MiB; want at most %d", held[1_000_000]>>20, held[10_000]>>20, most>>20)
	}
}

// BenchmarkImport measures an import of 100,000 people (or of as many as MALGIL_BENCH_PEOPLE says) from CSV into
// a list (people/s), and once more into the list that has them (again/s); MiB-heap is the most that it held.
func BenchmarkImport(b *testing.B) {
	people := benchPeople(b)
	for name, open := range benchStores {
		b.Run(name, func(b *testing.B) {
			s := open(b)
			var first, again time.Duration
			round := 0
			for b.Loop() {
				round++
				_, botID := shop(b, s, fmt.Sprint(round), 0)
				first += importCSV(b, s, botID, people)
				again += importCSV(b, s, botID, people)
			}
			h := &heldByImport{Lists: s} // another time: looking takes time
			_, botID := shop(b, s, "heap", 0)
			importCSV(b, h, botID, people)
			b.ReportMetric(float64(people*round)/first.Seconds(), "people/s")
			b.ReportMetric(float64(people*round)/again.Seconds(), "again/s")
			b.ReportMetric(float64(h.peak)/(1<<20), "MiB-heap")
		})
	}
}
