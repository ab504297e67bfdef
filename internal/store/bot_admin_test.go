package store

import (
	"errors"
	"slices"
	"testing"

	"github.com/malgil/malgil/internal/access"
	"github.com/malgil/malgil/internal/bot"
	"github.com/malgil/malgil/internal/fault"
)

func TestInsertBot(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		newAccount(t, s, "acc_1")
		newWallet(t, s, "wal_1", 0)
		in := bot.Bot{
			ID: "66a1", Name: "한빛서점 도우미", WalletID: "wal_1", RatePerSecond: 500, InFlight: 8,
			Members: []bot.Member{{AccountID: "acc_1", Role: bot.Master}}, CreatedAt: t0,
		}
		must(t, s.InsertBot(t.Context(), in, []byte("hash"), []byte("sealed")))
		got, err := s.BotDetails(t.Context(), "66a1")
		if err != nil || got.Name != in.Name || got.WalletID != "wal_1" || got.RatePerSecond != 500 || got.InFlight != 8 ||
			got.Version != 0 || got.Blocks != 0 || got.PausedReason != "" || !slices.Equal(got.Members, in.Members) {
			t.Errorf("BotDetails() = %+v, %v, want %+v", got, err, in)
		}

		refused := map[string]struct {
			change func(*bot.Bot)
			kind   fault.Kind
			field  string
		}{
			"an id that is taken": {func(*bot.Bot) {}, fault.Conflict, "id"},
			"no such wallet":      {func(b *bot.Bot) { b.ID, b.WalletID = "66a2", "wal_9" }, fault.Invalid, "wallet"},
			"no such member": {func(b *bot.Bot) {
				b.ID, b.Members = "66a2", []bot.Member{{AccountID: "acc_1", Role: bot.Master}, {AccountID: "acc_9", Role: bot.Operator}}
			}, fault.Invalid, "members[1].account"},
		}
		for name, tt := range refused {
			b := in
			tt.change(&b)
			err := s.InsertBot(t.Context(), b, []byte("other"), []byte("other"))
			var f *fault.Error
			if !errors.As(err, &f) || f.Kind != tt.kind || f.Field != tt.field {
				t.Errorf("%s: InsertBot() error = %v, want %v about %s", name, err, tt.kind, tt.field)
			}
		}
		if all, err := s.BotList(t.Context(), access.Everything, "", 10); err != nil || len(all) != 1 {
			t.Errorf("BotList() = %d, %v, want the first alone", len(all), err)
		}
	})
}

func TestChangeBot(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		newAccount(t, s, "acc_1")
		newWallet(t, s, "wal_1", 0)
		newBot(t, s, "66a1", "wal_1")
		name, rate, none, nowhere := "새 이름", 100, "", "wal_9"

		must(t, s.ChangeBot(t.Context(), "66a1", bot.SealedChange{}))
		before, err := s.BotDetails(t.Context(), "66a1")
		must(t, err)
		if before.Name != "한빛서점 도우미" || before.WalletID != "wal_1" || before.RatePerSecond != 500 {
			t.Errorf("an empty change made it %+v", before)
		}
		must(t, s.ChangeBot(t.Context(), "66a1", bot.SealedChange{
			Name: &name, RatePerSecond: &rate, WalletID: &none, Members: &[]bot.Member{{AccountID: "acc_1", Role: bot.Operator}},
		}))
		got, err := s.BotDetails(t.Context(), "66a1")
		if err != nil || got.Name != name || got.RatePerSecond != 100 || got.InFlight != 8 || got.WalletID != "" || len(got.Members) != 1 {
			t.Errorf("BotDetails() = %+v, %v, want the new name, rate, people and no wallet", got, err)
		}
		if err := s.ChangeBot(t.Context(), "66a1", bot.SealedChange{Name: &none, WalletID: &nowhere}); fault.KindOf(err) != fault.Invalid {
			t.Errorf("ChangeBot(no such wallet) error = %v, want Invalid", err)
		}
		if got, err := s.BotDetails(t.Context(), "66a1"); err != nil || got.Name != name {
			t.Errorf("a refused change left the name %q, %v, want %q", got.Name, err, name)
		}
		if err := s.ChangeBot(t.Context(), "none", bot.SealedChange{}); fault.KindOf(err) != fault.NotFound {
			t.Errorf("ChangeBot(none) error = %v, want NotFound", err)
		}
	})
}

func TestPutChannel_standsAsTheWalletDoes(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		newWallet(t, s, "wal_1", 0)
		newBot(t, s, "66a1", "wal_1")
		newBot(t, s, "66a2", "wal_1")
		newBot(t, s, "66a3", "")
		put := func(botID string, side bot.Side, name string, want bot.ChannelState) {
			t.Helper()
			got, err := s.PutChannel(t.Context(), botID, side, name, t0)
			if err != nil || got.State != want || got.Name != name {
				t.Errorf("PutChannel(%s, %s) = %+v, %v, want %s", botID, side, got, err, want)
			}
		}
		put("66a1", bot.Live, "한빛서점", bot.Connected)
		put("66a3", bot.Live, "월렛 없음", bot.Connected)
		exec(t, s, `UPDATE wallet SET payment_state = 'UNPAID'`)
		put("66a1", bot.Live, "한빛서점 강남점", bot.Connected) // what is there keeps its state
		put("66a2", bot.Live, "한빛서점", bot.Disconnected)
		exec(t, s, `UPDATE wallet SET payment_state = 'AWAITING_RECONNECT'`)
		put("66a2", bot.Development, "한빛서점 개발", bot.AwaitingReconnect)
		b, err := s.BotDetails(t.Context(), "66a2")
		if err != nil || len(b.Channels) != 2 || b.Channels[0].Side != bot.Live {
			t.Errorf("BotDetails() channels = %+v, %v, want live and development", b.Channels, err)
		}
	})
}

func TestResumeBot(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		newBot(t, s, "66a1", "")
		exec(t, s, `UPDATE bot SET paused_reason = 'config', paused_at = $1`, millis(t0))
		for range 2 {
			must(t, s.ResumeBot(t.Context(), "66a1"))
			if b, err := s.BotDetails(t.Context(), "66a1"); err != nil || b.PausedReason != "" || !b.PausedAt.IsZero() {
				t.Errorf("BotDetails() = %+v, %v, want no pause", b, err)
			}
		}
		if err := s.ResumeBot(t.Context(), "none"); fault.KindOf(err) != fault.NotFound {
			t.Errorf("ResumeBot(none) error = %v, want NotFound", err)
		}
	})
}
