package store

import (
	"testing"
	"time"

	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/testserver"
)

// Somebody who stands in the oldest of a million messages is looked for in all of them.
func BenchmarkMessages(b *testing.B) {
	const chunks = 10_000
	for name, address := range map[string]func(testing.TB) string{"sqlite": sqliteAddress, "postgres": testserver.Postgres} {
		b.Run(name, func(b *testing.B) {
			s := openTest(b, address(b))
			_, botID := shop(b, s, "1", 100_000_000)
			made := create(b, s, order("brd_1", botID))
			epoch, err := s.BeginUpload(b.Context(), made.ID)
			people := packed(broadcast.MaxPeople)[0]
			all := make([]broadcast.Packed, chunks)
			for i := range all {
				all[i] = people
				all[i].Seq = i + 1
			}
			all[chunks-1] = broadcast.Packed{Seq: chunks, People: 1, Recipients: `[{"type":"botUserKey","id":"sought"}]`}
			for len(all) > 0 && err == nil {
				n := min(100, len(all))
				err = s.StoreChunks(b.Context(), made.ID, epoch, all[:n])
				all = all[n:]
			}
			if err == nil {
				err = s.EndUpload(b.Context(), made.ID, epoch, chunks, broadcast.Report{Audience: (chunks-1)*broadcast.MaxPeople + 1})
			}
			if err == nil {
				_, err = s.Seal(b.Context(), made.ID, broadcast.Sealing{}, t0)
			}
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				found := 0
				for from := (&MessageMark{}); from != nil; {
					var some []Addressed
					if some, from, err = s.Messages(b.Context(), botID, "sought", time.Time{}, *from, 50); err != nil {
						b.Fatal(err)
					}
					found += len(some)
				}
				if found != 1 {
					b.Fatalf("%d chunks were found, want 1", found)
				}
			}
		})
	}
}
