package store

import (
	"slices"
	"testing"

	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/fault"
)

func TestUpload_replacesTheOneBefore(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		walletID, botID := shop(t, s, "1", 10_000)
		b := create(t, s, order("brd_1", botID))
		upload(t, s, b.ID, 100, 100, 100, 50)
		first, err := s.BeginUpload(t.Context(), b.ID)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.StoreChunks(t.Context(), b.ID, first, packed(9, 9, 9)); err != nil {
			t.Fatal(err)
		}
		second, err := s.BeginUpload(t.Context(), b.ID)
		if err != nil || second <= first {
			t.Fatalf("second BeginUpload = %d, %v, want later than %d", second, err, first)
		}
		if err := s.StoreChunks(t.Context(), b.ID, second, packed(4, 2)); err != nil {
			t.Fatal(err)
		}
		// The first is still writing; whatever it does now is dropped.
		if err := s.StoreChunks(t.Context(), b.ID, first, packed(7)); fault.CodeOf(err) != "UPLOAD_REPLACED" {
			t.Errorf("StoreChunks of the first error = %v, want UPLOAD_REPLACED", err)
		}
		if err := s.EndUpload(t.Context(), b.ID, first, 3, broadcast.Report{Audience: 27}); fault.CodeOf(err) != "UPLOAD_REPLACED" {
			t.Errorf("EndUpload of the first error = %v, want UPLOAD_REPLACED", err)
		}
		if err := s.EndUpload(t.Context(), b.ID, second, 2, broadcast.Report{Audience: 6, Duplicates: 1, BadRows: 2}); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Seal(t.Context(), b.ID, broadcast.Sealing{}, t0); err != nil {
			t.Fatal(err)
		}
		b = wantBroadcast(t, s, b.ID)
		want := broadcast.Counts{Audience: 6, Duplicates: 1, BadRows: 2}
		if b.Counts != want || b.Chunks != 2 || b.PlannedChunks != 2 {
			t.Errorf("sealed = %+v in %d chunks, %d planned, want %+v in 2", b.Counts, b.Chunks, b.PlannedChunks, want)
		}
		if chunks, err := chunksOf(s, b.ID); err != nil || len(chunks) != 2 {
			t.Errorf("it kept %d chunks, %v, want the 2 of the second upload", len(chunks), err)
		}
		if rows := dispatch(t, s, t0); len(rows) != 2 {
			t.Errorf("Dispatch() = %v, want the 2 chunks of the second upload", rows)
		}
		if w := wantWallet(t, s, walletID); w.Held != 6*price {
			t.Errorf("it holds %d, want %d", w.Held, 6*price)
		}
	})
}

// An upload that was refused or broke off takes nothing away from the audience that stands.
func TestUpload_leavesTheOneBeforeUntilItsEnd(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		_, botID := shop(t, s, "1", 10_000)
		b := create(t, s, order("brd_1", botID))
		upload(t, s, b.ID, 100, 50)
		for range 2 {
			broken, err := s.BeginUpload(t.Context(), b.ID)
			if err != nil {
				t.Fatal(err)
			}
			if err := s.StoreChunks(t.Context(), b.ID, broken, packed(9, 9, 9)); err != nil {
				t.Fatal(err)
			}
			shown, err := s.Chunks(t.Context(), b.ID, "", 0, 10)
			if err != nil || len(shown) != 2 || shown[0].People != 100 || shown[1].People != 50 {
				t.Errorf("Chunks in the middle of a later upload = %+v, %v, want those of the one before", shown, err)
			}
		}
		if _, err := s.Seal(t.Context(), b.ID, broadcast.Sealing{}, t0); err != nil {
			t.Fatalf("Seal after uploads that broke off error = %v, want the audience that stands", err)
		}
		b = wantBroadcast(t, s, b.ID)
		if b.Counts.Audience != 150 || b.PlannedChunks != 2 {
			t.Errorf("sealed = %d people in %d planned chunks, want 150 in 2", b.Counts.Audience, b.PlannedChunks)
		}
		work, ok, err := s.ChunkWork(t.Context(), broadcast.NewChunkID(b.ID, 1), dispatch(t, s, t0)[0].Epoch)
		if err != nil || !ok || len(work.Recipients) != 100 {
			t.Errorf("the first chunk = %d people, %v, %v, want its 100", len(work.Recipients), ok, err)
		}
	})
}

// Chunks that may hold one of some people are found in one look, whatever their ids are made of.
func TestPastChunks_ofPeople(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		_, botID := shop(t, s, "1", 0)
		b := create(t, s, order("brd_1", botID))
		epoch, err := s.BeginUpload(t.Context(), b.ID)
		must(t, err)
		ids := []string{"u_1", "ux1", "10%", "100", `"`, "가"}
		var chunks []broadcast.Packed
		for i, id := range ids {
			chunks = append(chunks, broadcast.Packed{Seq: i + 1, People: 1, Recipients: broadcast.PackPeople([]broadcast.Recipient{{Type: "botUserKey", ID: id}})})
		}
		must(t, s.StoreChunks(t.Context(), b.ID, epoch, chunks))
		must(t, s.EndUpload(t.Context(), b.ID, epoch, len(chunks), broadcast.Report{Audience: len(chunks)}))
		for _, tt := range []struct {
			people []string
			after  int
			want   []int
		}{
			{nil, 0, []int{1, 2, 3, 4, 5, 6}}, {[]string{"u_1"}, 0, []int{1}}, {[]string{"10%", "가", `"`, "u_1"}, 0, []int{1, 3, 5, 6}},
			{[]string{"10%", "가"}, 3, []int{6}}, {[]string{"u"}, 0, nil},
		} {
			found, err := s.PastChunks(t.Context(), b.ID, tt.people, tt.after, 10)
			var seqs []int
			for _, c := range found {
				seqs = append(seqs, c.Seq)
			}
			if err != nil || !slices.Equal(seqs, tt.want) {
				t.Errorf("PastChunks of %q after %d = %v, %v, want %v", tt.people, tt.after, seqs, err, tt.want)
			}
		}
	})
}

func TestStoreChunks_manyAtOnce(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		_, botID := shop(t, s, "1", 0)
		b := create(t, s, order("brd_1", botID))
		const chunks = 2*chunkRows + 7
		upload(t, s, b.ID, slices.Repeat([]int{1}, chunks)...)
		sealed, err := s.Seal(t.Context(), b.ID, broadcast.Sealing{}, t0)
		if err != nil || sealed.PlannedChunks != chunks || sealed.Counts.Audience != chunks {
			t.Errorf("Seal = %d planned for %d people, %v, want %d", sealed.PlannedChunks, sealed.Counts.Audience, err, chunks)
		}
		wantBroadcast(t, s, b.ID)
	})
}
