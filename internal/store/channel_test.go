package store

import (
	"testing"
	"time"

	"github.com/malgil/malgil/internal/billing"
	"github.com/malgil/malgil/internal/bot"
	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/wallet"
)

// sides tells the channels of a bot as "side state cause", live first.
func sides(t *testing.T, s *Store, botID string) []string {
	t.Helper()
	return texts(t, s, `SELECT side || ' ' || state || ' ' || cause FROM channel WHERE bot_id = $1 ORDER BY side DESC`, botID)
}

// connected tells the mails that a channel was connected.
func connected(t *testing.T, s *Store, walletID string) []string {
	t.Helper()
	return texts(t, s, `SELECT receiver FROM mail WHERE wallet_id = $1 AND mail_case = 'channel_connected' ORDER BY id`, walletID)
}

// An operator disconnects and connects a channel beside what the wallet does.
func TestChannel_connections(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		b := newTill(t, s, nil)
		owing(t, s, "w", 1_500, "c1")
		const id = "bot_w"
		do := func(what string, change func() (bot.Channel, error), code string, want ...string) {
			t.Helper()
			_, err := change()
			if got := fault.CodeOf(err); got != code {
				t.Fatalf("%s = %v (%s), want %q", what, err, got, code)
			}
			wantSides(t, s, id, want...)
		}
		connect := func(side bot.Side) func() (bot.Channel, error) {
			return func() (bot.Channel, error) { return s.ConnectChannel(t.Context(), id, side, b.clock()) }
		}
		disconnect := func(side bot.Side) func() (bot.Channel, error) {
			return func() (bot.Channel, error) { return s.DisconnectChannel(t.Context(), id, side, false, b.clock()) }
		}
		do("disconnect", disconnect(bot.Development), "", "live connected ", "development disconnected operator")
		do("disconnect again", disconnect(bot.Development), "", "live connected ", "development disconnected operator")
		do("connect", connect(bot.Development), "", "live connected ", "development connected ")
		do("connect again", connect(bot.Development), "", "live connected ", "development connected ")
		if got := connected(t, s, "w"); len(got) != 1 {
			t.Errorf("mails that a channel is connected = %q, want one", got)
		}
		do("disconnect before the wallet fails", disconnect(bot.Development), "", "live connected ", "development disconnected operator")

		b.g.charge = nil
		b.g.statusIs = func(string) (billing.CardStatus, error) { return billing.CardStatus{Active: true}, nil }
		b.run()
		if got := wantWallet(t, s, "w").PaymentState; got != wallet.Unpaid {
			t.Fatalf("wallet = %s, want UNPAID", got)
		}
		wantSides(t, s, id, "live disconnected wallet", "development disconnected operator")
		do("connect on an unpaid wallet", connect(bot.Live), "WALLET_UNPAID", "live disconnected wallet", "development disconnected operator")

		b.g.statusIs = nil
		b.pass(24 * time.Hour)
		b.run()
		wantSides(t, s, id, "live awaiting_reconnect wallet", "development disconnected operator")
		do("connect before the wallet is reconnected", connect(bot.Development), "WALLET_AWAITING_RECONNECT", "live awaiting_reconnect wallet", "development disconnected operator")
		must(t, s.Reconnect(t.Context(), "w"))
		wantSides(t, s, id, "live connected ", "development disconnected operator")
		do("connect what an operator had disconnected", connect(bot.Development), "", "live connected ", "development connected ")
		if got := connected(t, s, "w"); len(got) != 2 {
			t.Errorf("mails that a channel is connected = %q, want one more; the end of an unpaid spell is told by another", got)
		}
		do("a side that is not there", func() (bot.Channel, error) {
			exec(t, s, `DELETE FROM channel WHERE side = 'live'`)
			return s.ConnectChannel(t.Context(), id, bot.Live, b.clock())
		}, "NO_CHANNEL", "development connected ")
	})
}

func wantSides(t *testing.T, s *Store, botID string, expected ...string) {
	t.Helper()
	want(t, "channels", sides(t, s, botID), expected...)
}

// A bot that comes on another wallet stands as that wallet does; what another wallet lost waits
// for a person.
func TestChannel_followsItsBotToAnotherWallet(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		owing(t, s, "good", 0)
		owing(t, s, "bad", 0)
		exec(t, s, `UPDATE wallet SET payment_state = 'UNPAID', unpaid_since = $1 WHERE id = 'bad'`, millis(t0))
		move := func(to string) {
			t.Helper()
			must(t, s.ChangeBot(t.Context(), "bot_good", bot.SealedChange{WalletID: &to, At: t0}))
		}
		move("bad")
		wantSides(t, s, "bot_good", "live disconnected wallet", "development disconnected wallet")
		move("good")
		wantSides(t, s, "bot_good", "live awaiting_reconnect wallet", "development awaiting_reconnect wallet")
		if _, err := s.ConnectChannel(t.Context(), "bot_good", bot.Live, t0); err != nil {
			t.Errorf("ConnectChannel(live) on an active wallet = %v, want nil", err)
		}
		wantSides(t, s, "bot_good", "live connected ", "development awaiting_reconnect wallet")
		before := len(connected(t, s, "good"))
		move("")
		wantSides(t, s, "bot_good", "live connected ", "development awaiting_reconnect wallet")
		move("good")
		if got := len(connected(t, s, "good")) - before; got != 0 {
			t.Errorf("%d mails for the same moment, want none twice", got)
		}
	})
}

// A new side is told to everybody who hears of the wallet, once each.
func TestPutChannel_tells(t *testing.T) {
	s := openTest(t, sqliteAddress(t))
	owing(t, s, "w", 0)
	exec(t, s, `DELETE FROM channel`)
	for range 2 {
		for _, side := range []bot.Side{bot.Live, bot.Development} {
			if _, err := s.PutChannel(t.Context(), "bot_w", side, "한빛서점", t0); err != nil {
				t.Fatal(err)
			}
		}
	}
	if got := connected(t, s, "w"); len(got) != 2 {
		t.Errorf("mails that a channel is connected = %q, want one for each side", got)
	}
}

// Broadcasts on a disconnected channel wait and say so; those of the other side go on.
func TestChannel_disconnectedWaits(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		walletID, botID := shop(t, s, "a", 10_000)
		for _, side := range []bot.Side{bot.Live, bot.Development} {
			if _, err := s.PutChannel(t.Context(), botID, side, "한빛서점", t0); err != nil {
				t.Fatal(err)
			}
		}
		live := running(t, s, order("brd_live", botID), 1, 1)
		test := order("brd_test", botID)
		test.Side = broadcast.Development
		test = running(t, s, test, 1)
		if rows := dispatch(t, s, t0); len(rows) != 3 {
			t.Fatalf("dispatched %d chunks, want 3", len(rows))
		}
		if _, err := s.DisconnectChannel(t.Context(), botID, bot.Live, false, t0); err != nil {
			t.Fatal(err)
		}
		if got := wantWallet(t, s, walletID).Held; got != 0 {
			t.Errorf("wallet holds %d after the recall, want 0", got)
		}
		if rows := dispatch(t, s, t0); len(rows) != 1 {
			t.Errorf("dispatched %d chunks, want that of the other side", len(rows))
		}
		if b := wantBroadcast(t, s, live.ID); b.Wait != broadcast.WaitDisconnected || b.PlannedChunks != 2 {
			t.Errorf("broadcast on the disconnected side waits for %q with %d planned, want disconnected with 2", b.Wait, b.PlannedChunks)
		}
		if b := wantBroadcast(t, s, test.ID); b.Wait != broadcast.NotWaiting || b.PlannedChunks != 0 {
			t.Errorf("broadcast on the other side waits for %q with %d planned, want neither", b.Wait, b.PlannedChunks)
		}
		if _, err := s.ConnectChannel(t.Context(), botID, bot.Live, t0); err != nil {
			t.Fatal(err)
		}
		if rows := dispatch(t, s, t0); len(rows) != 2 {
			t.Errorf("dispatched %d chunks, want 2 after it was connected", len(rows))
		}
	})
}

func TestChangeChannel(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		owing(t, s, "w", 0)
		yes, app := true, "app-1"
		if _, err := s.ChangeChannel(t.Context(), "bot_w", bot.Live, bot.ChannelChange{AppID: &app}, t0); fault.KindOf(err) != fault.Invalid {
			t.Errorf("ChangeChannel(unknown app) = %v, want Invalid", err)
		}
		for _, sync := range []bool{false, true} {
			must(t, s.PutApp(t.Context(), bot.App{ID: app, Name: "한빛서점", Verified: true, KakaoSync: sync, CreatedAt: t0}))
		}
		if a, err := s.App(t.Context(), app); err != nil || !a.Verified || !a.KakaoSync || !a.CreatedAt.Equal(t0) {
			t.Errorf("App() = %+v, %v, want what was put last", a, err)
		}
		c, err := s.ChangeChannel(t.Context(), "bot_w", bot.Live, bot.ChannelChange{AppID: &app, Verified: &yes, Deployed: &yes}, t0)
		want := bot.Channel{Side: bot.Live, Name: "한빛서점", State: bot.Connected, AppID: app, Verified: true, Deployed: true}
		if err != nil || c != want {
			t.Errorf("ChangeChannel() = %+v, %v, want %+v", c, err, want)
		}
		details, err := s.BotDetails(t.Context(), "bot_w")
		if err != nil || len(details.Channels) != 2 || details.Channels[0] != want || details.Channels[1].Verified {
			t.Errorf("BotDetails() = %+v, %v, want the live channel changed and the other as it was", details.Channels, err)
		}
	})
}
