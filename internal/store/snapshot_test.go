package store

import (
	"context"
	"testing"
	"time"

	"github.com/malgil/malgil/internal/wallet"
)

// What reads in a snapshot takes one connection: as many callers at once as there are connections do
// not wait for each other for ever.
func TestSnapshot_takesOneConnection(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		d := openDesk(t, s)
		charge := texts(t, s, `SELECT id FROM charge`)[0]
		s.read.SetMaxOpenConns(1)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		now := d.clock()
		reads := map[string]func() error{
			"why a charge": func() error { _, err := s.Explain(ctx, "w", string(wallet.ChargeOpened), charge); return err },
			"why a chunk":  func() error { _, err := s.Explain(ctx, "w", "", "brd_w-000001"); return err },
			"origins":      func() error { _, _, err := s.ChargeOrigins(ctx, "w", charge, nil, 10); return err },
			"cost":         func() error { _, err := s.BroadcastCost(ctx, "brd_w", true); return err },
			"days":         func() error { _, err := s.Days(ctx, "w", d.window.From, d.window.To); return err },
			"history":      func() error { _, err := s.History(ctx, "w", HistoryFilter{}, PostingMark{}, nil, 10); return err },
			"statement": func() error {
				return s.Statement(ctx, "w", d.window.From, now, func(st Statement) error {
					for _, err := range st.Lines {
						if err != nil {
							return err
						}
					}
					return nil
				})
			},
			"balances": func() error { _, err := s.CompareBalances(ctx, []string{"w"}); return err },
		}
		for what, read := range reads {
			if err := read(); err != nil {
				t.Errorf("%s with one connection: %v", what, err)
			}
		}
	})
}
