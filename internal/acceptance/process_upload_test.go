package acceptance_test

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"strconv"
	"testing"

	"github.com/malgil/malgil/internal/apiclient"
)

// An intake that takes a large file stays as small as one that takes a small one. MALGIL_BENCH_PEOPLE says how many
// people the large one has; 128 MiB are for a million.
func TestUpload_peakOfTheIntake(t *testing.T) {
	people, err := strconv.Atoi(cmp.Or(os.Getenv("MALGIL_BENCH_PEOPLE"), "200000"))
	if err != nil {
		t.Fatalf("MALGIL_BENCH_PEOPLE: %v", err)
	}
	town := settle(t, 0)
	s := town.openShop(0)
	upload := func(people int) (peak int64) {
		b := s.uploading()
		file, rows := io.Pipe()
		go func() {
			_, err := fmt.Fprintln(rows, "type,id,grade")
			for i := 0; i < people && err == nil; i++ {
				_, err = fmt.Fprintf(rows, "botUserKey,7c1e5d90aa43%08x,gold\n", i)
			}
			rows.CloseWithError(err)
		}()
		town.do("PUT", "/api/v1/broadcasts/"+b.ID+"/recipients", file, nil, apiclient.ContentType("text/csv"))
		if town.get("/api/v1/broadcasts/"+b.ID, &b); b.Counts.Audience != people {
			t.Fatalf("%d people were taken, want %d", b.Counts.Audience, people)
		}
		return town.intake.PeakMemory()
	}
	small, large := upload(10_000), upload(people)
	t.Logf("at most: %d MiB with 10,000 people, %d MiB with %d", small>>20, large>>20, people)
	const most = 128 << 20
	if large > most {
		t.Errorf("the intake has had %d MiB, want %d at most", large>>20, most>>20)
	}
}
