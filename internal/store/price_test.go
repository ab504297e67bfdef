package store

import (
	"testing"

	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/clock"
	"github.com/malgil/malgil/internal/wallet"
)

// A broadcast costs what is valid when it is sealed, whenever it goes out.
func TestPrice_isFixedBySealing(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		_, botID := shop(t, s, "1", 100_000)
		midnight := clock.NextMidnight(t0)
		must(t, s.PutPrice(t.Context(), wallet.Price{Item: wallet.EventMessage, KRW: 20, ValidFrom: midnight}))
		must(t, s.PutPrice(t.Context(), wallet.Price{Item: wallet.EventMessage, KRW: 17, ValidFrom: midnight})) // in its place
		must(t, s.FirstPrice(t.Context(), 99))                                                                  // not the first any more
		before := running(t, s, order("brd_1", botID), 100)
		open := create(t, s, order("brd_2", botID))
		if before.Price != 15 || open.Price != 15 {
			t.Errorf("before midnight broadcasts cost %d and %d, want 15", before.Price, open.Price)
		}
		upload(t, s, open.ID, 100)
		sealed, err := s.Seal(t.Context(), open.ID, broadcast.Sealing{}, midnight)
		if err != nil || sealed.Price != 17 {
			t.Errorf("Seal() at midnight = %d KRW, %v, want 17", sealed.Price, err)
		}
		if again, err := s.Seal(t.Context(), before.ID, broadcast.Sealing{}, midnight); err != nil || again.Price != 15 {
			t.Errorf("Seal() again = %d KRW, %v, want the 15 of the first", again.Price, err)
		}
		dispatch(t, s, midnight)
		settle(t, s, sent(t, s, before.ID, 1, midnight), 100, midnight)
		settle(t, s, sent(t, s, open.ID, 1, midnight), 100, midnight)
		if a, b := wantBroadcast(t, s, before.ID), wantBroadcast(t, s, open.ID); a.Captured != 1500 || b.Captured != 1700 {
			t.Errorf("captured %d and %d, want 1500 and 1700", a.Captured, b.Captured)
		}
		wantWallet(t, s, "wal_1")
		list, err := s.Prices(t.Context())
		if err != nil || len(list) != 2 || list[0].KRW != 15 || !list[0].ValidFrom.IsZero() || list[1].KRW != 17 || !list[1].ValidFrom.Equal(midnight) {
			t.Errorf("Prices() = %+v, %v, want 15, then 17 from midnight", list, err)
		}
	})
}
