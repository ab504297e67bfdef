package store

import (
	"errors"
	"slices"
	"sync"
	"testing"

	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/fault"
)

// now is a call of one chunk, as a desk hands it over.
func now(id, botID string) (broadcast.Broadcast, broadcast.Packed) {
	b := order(id, botID)
	b.UploadEpoch, b.AudienceEpoch, b.Chunks, b.Counts.Audience = 1, 1, 1, 2
	return b.Seal(t0), packed(2)[0]
}

// parts names what an error says is in the way.
func parts(err error) (fields []string) {
	var f *fault.Error
	if errors.As(err, &f) {
		for _, part := range f.Parts {
			fields = append(fields, part.Field)
		}
	}
	return fields
}

func TestCreateAtOnce(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		_, botID := shop(t, s, "1", 100)
		b, chunk := now("brd_1", botID)
		request := broadcast.Request{Scope: "tok_1", Key: "k", BodyHash: []byte{1}}
		made, err := s.CreateAtOnce(t.Context(), b, chunk, request)
		if err != nil || made.WalletID != "wal_1" || made.Price != price || made.State != broadcast.Running {
			t.Fatalf("CreateAtOnce = %+v, %v, want it running on the bot's wallet", made, err)
		}
		if c := chunkOf(t, s, "brd_1", 1); c.State != broadcast.Planned || c.People != 2 || c.Recipients != chunk.Recipients {
			t.Errorf("chunk = %+v, want the call as it is", c)
		}
		// 30 KRW of 100 are as good as spent by each of the first three, however fast they come.
		for _, id := range []string{"brd_2", "brd_3"} {
			b, chunk := now(id, botID)
			if _, err := s.CreateAtOnce(t.Context(), b, chunk, broadcast.Request{}); err != nil {
				t.Errorf("CreateAtOnce(%s) = %v, want nil", id, err)
			}
		}
		b, chunk = now("brd_4", botID)
		if _, err := s.CreateAtOnce(t.Context(), b, chunk, broadcast.Request{}); fault.CodeOf(err) != "INSUFFICIENT_BALANCE" {
			t.Errorf("CreateAtOnce beyond the balance = %v, want INSUFFICIENT_BALANCE", err)
		}
		if again, err := s.CreateAtOnce(t.Context(), b, chunk, request); err != nil || again.ID != "brd_1" {
			t.Errorf("the first call repeated = %s, %v, want brd_1 although there is no money any more", again.ID, err)
		}
		if rows := dispatch(t, s, t0); len(rows) != 3 {
			t.Errorf("%d chunks were queued, want 3", len(rows))
		}
	})
}

// Calls at the same moment do not spend the same money.
func TestCreateAtOnce_together(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		_, botID := shop(t, s, "1", 90)
		var all sync.WaitGroup
		failures := make([]error, 6)
		for i := range failures {
			all.Go(func() {
				b, chunk := now("brd_"+string(rune('a'+i)), botID)
				_, failures[i] = s.CreateAtOnce(t.Context(), b, chunk, broadcast.Request{})
			})
		}
		all.Wait()
		taken := 0
		for _, err := range failures {
			if err == nil {
				taken++
			} else if fault.CodeOf(err) != "INSUFFICIENT_BALANCE" {
				t.Errorf("CreateAtOnce = %v, want nil or INSUFFICIENT_BALANCE", err)
			}
		}
		if taken != 3 {
			t.Errorf("%d calls of 30 KRW were taken on 90, want 3", taken)
		}
	})
}

func TestCreate_refuses(t *testing.T) {
	const linked = `UPDATE channel SET app_id = 'app' WHERE side = 'live'`
	every := []string{"channel.verified", "app.verified", "app.kakao_sync", "channel.deployed"}
	tests := map[string]struct {
		change  []string
		events  []string       // of its blocks
		side    broadcast.Side // live when empty
		code    string         // of CreateBroadcast
		codeNow string
		parts   []string // of CreateAtOnce
		kindNow fault.Kind
	}{
		"no wallet":            {change: []string{`UPDATE bot SET wallet_id = NULL`}, code: "NO_WALLET", codeNow: "NO_WALLET", kindNow: fault.Conflict},
		"nothing certified":    {change: []string{linked}, code: "BOT_NOT_READY", codeNow: "BOT_NOT_READY", parts: every, kindNow: fault.Conflict},
		"on the other channel": {change: []string{linked}, side: broadcast.Development},
		"not linked":           {},
		"all there":            {change: []string{linked, `UPDATE channel SET verified = 1, deployed = 1`, `UPDATE app SET verified = 1, kakao_sync = 1`}},
		"disconnected": {change: []string{`UPDATE channel SET state = 'disconnected', cause = 'operator'`}, codeNow: "BOT_NOT_READY",
			parts: []string{"channel.state"}, kindNow: fault.Conflict},
		"paused":     {change: []string{`UPDATE bot SET paused_reason = 'config', paused_at = 1`}, codeNow: "BOT_NOT_READY", parts: []string{"bot.paused"}, kindNow: fault.Conflict},
		"unpaid":     {change: []string{`UPDATE wallet SET payment_state = 'UNPAID'`}, codeNow: "WALLET_UNPAID", kindNow: fault.Refused},
		"stopped":    {change: []string{`UPDATE wallet SET status = 'stopped'`}, codeNow: "WALLET_STOPPED", kindNow: fault.Refused},
		"empty":      {change: []string{`UPDATE wallet SET paid_krw = 29`}, codeNow: "INSUFFICIENT_BALANCE", kindNow: fault.Refused},
		"its event":  {events: []string{"other", "restock_alert"}},
		"no event":   {events: []string{"other", "restock_alert2"}, code: "BOT_NOT_READY", kindNow: fault.NotFound},
		"no channel": {change: []string{`DELETE FROM channel`}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := openTest(t, sqliteAddress(t))
			_, botID := shop(t, s, "1", 100)
			exec(t, s, `INSERT INTO app (id, name, verified, kakao_sync, created_at) VALUES ('app', 'app', 0, 0, 0)`)
			for _, side := range []string{"live", "development"} {
				exec(t, s, `INSERT INTO channel (bot_id, side, name, state, cause) VALUES ($1, $2, 'c', 'connected', '') ON CONFLICT DO NOTHING`, botID, side)
			}
			for _, change := range tt.change {
				exec(t, s, change)
			}
			if tt.events != nil {
				addVersion(t, s, botID, says("안녕", tt.events...), deployed)
			}
			b, chunk := now("brd_1", botID)
			if tt.side != "" {
				b.Side = tt.side
			}
			_, err := s.CreateAtOnce(t.Context(), b, chunk, broadcast.Request{})
			if fault.CodeOf(err) != tt.codeNow || (err == nil) != (tt.kindNow == fault.Internal) || err != nil && fault.KindOf(err) != tt.kindNow || !slices.Equal(parts(err), tt.parts) {
				t.Errorf("CreateAtOnce = %v (%v %s %q), want %v %q %q", err, fault.KindOf(err), fault.CodeOf(err), parts(err), tt.kindNow, tt.codeNow, tt.parts)
			}
			b.ID = "brd_2"
			if _, _, err := s.CreateBroadcast(t.Context(), b, nil, 0, broadcast.Request{}); fault.CodeOf(err) != tt.code || (err == nil) != (tt.code == "") {
				t.Errorf("CreateBroadcast = %v, want %q", err, tt.code)
			}
		})
	}
}
