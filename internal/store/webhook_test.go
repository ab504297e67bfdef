package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/webhook"
)

// newHook stores a webhook of a bot that hears everything, with the secret "whsec_<id>".
func newHook(t testing.TB, s *Store, id, botID string, change ...func(*webhook.Hook)) webhook.Hook {
	t.Helper()
	h := webhook.Hook{ID: id, BotID: botID, URL: "https://shop.example/" + id, Events: webhook.Events, CreatedAt: t0}
	for _, f := range change {
		f(&h)
	}
	sealed, err := s.keys.Seal([]byte("whsec_"+id), webhook.Table, id)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.InsertHook(t.Context(), h, sealed); err != nil {
		t.Fatal(err)
	}
	return h
}

// deliveries lists what webhooks are told, as "whk_1 broadcast.started running waiting".
func deliveries(t testing.TB, s *Store) []string {
	t.Helper()
	rows, err := s.read.QueryContext(t.Context(), `SELECT `+deliveryColumns+` FROM webhook_delivery ORDER BY created_at, webhook_id, event`)
	all, err := collect(rows, err, scanDelivery)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, d := range all {
		var told struct{ Data webhook.Told }
		if err := json.Unmarshal(d.Body, &told); err != nil {
			t.Fatal(err)
		}
		lines = append(lines, strings.TrimSpace(fmt.Sprintf("%s %s %s %s %s", d.HookID, d.Event, d.State, told.Data.State, told.Data.Reason)))
	}
	return lines
}

// What happens to a broadcast is written for the webhooks of its bot with its cause, once.
func TestTellHooks(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		_, botID := shop(t, s, "1", 100_000)
		_, otherBot := shop(t, s, "2", 100_000)
		newHook(t, s, "whk_1", botID)
		newHook(t, s, "whk_2", botID, func(h *webhook.Hook) { h.Events = []webhook.Event{webhook.Finished} })
		newHook(t, s, "whk_3", botID, func(h *webhook.Hook) { h.MinPeople = 101 })
		newHook(t, s, "whk_4", otherBot)
		b := running(t, s, order("brd_1", botID), 100)
		want(t, "before it starts", deliveries(t, s))
		now := t0.Add(time.Second)
		dispatch(t, s, now)
		dispatch(t, s, now.Add(time.Second))
		started := "whk_1 broadcast.started waiting running"
		want(t, "as it starts", deliveries(t, s), started)

		now = now.Add(time.Minute)
		for range 2 { // the second changes nothing
			if _, err := s.Pause(t.Context(), b.ID, now); err != nil {
				t.Fatal(err)
			}
		}
		paused := "whk_1 broadcast.paused waiting paused paused by a person"
		want(t, "after a pause", deliveries(t, s), started, paused)
		if _, err := s.Cancel(t.Context(), b.ID, now.Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		want(t, "after its end", deliveries(t, s), started, paused,
			"whk_1 broadcast.finished waiting cancelled", "whk_2 broadcast.finished waiting cancelled")
	})
}

// A broadcast that pauses itself says why, and not in Kakao's words, which may quote somebody's key.
func TestTellHooks_pausedByItself(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		_, botID := shop(t, s, "1", 100_000)
		newHook(t, s, "whk_1", botID, func(h *webhook.Hook) { h.Events = []webhook.Event{webhook.Paused} })
		people := make([]int, refusalsToPause)
		for i := range people {
			people[i] = 10
		}
		b := running(t, s, order("brd_1", botID), append(people, 10)...)
		dispatch(t, s, t0)
		for seq := range refusalsToPause {
			c := chunkOf(t, s, b.ID, seq+1)
			if !claim(t, s, c, t0) {
				t.Fatalf("chunk %d was not claimed", seq+1)
			}
			if _, err := s.RecordSend(t.Context(), c.ID, c.Epoch, broadcast.Verdict{Outcome: broadcast.Refused, Reason: "no user key-of-somebody"}, t0.Add(time.Second)); err != nil {
				t.Fatal(err)
			}
		}
		want(t, "after refusals in a row", deliveries(t, s), "whk_1 broadcast.paused waiting paused 5 requests in a row were refused")
		if now := wantBroadcast(t, s, b.ID); !strings.Contains(now.Note, "key-of-somebody") {
			t.Errorf("its note is %q, want Kakao's words for its people", now.Note)
		}
	})
}

// One that is held back for a second person says so, whether its people were uploaded or came with the order.
func TestTellHooks_approval(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		s.checks.ApproveAbove = 4 * price
		_, botID := shop(t, s, "1", 1000)
		newHook(t, s, "whk_1", botID)
		uploaded := create(t, s, order("brd_1", botID))
		upload(t, s, uploaded.ID, 3, 2)
		for range 2 { // the second changes nothing
			if _, err := s.Seal(t.Context(), uploaded.ID, broadcast.Sealing{By: "acc_1"}, t0); err != nil {
				t.Fatal(err)
			}
		}
		held := "whk_1 broadcast.paused waiting paused approval: a second person has to approve what it costs"
		want(t, "after it is sealed", deliveries(t, s), held)

		withPeople := order("brd_2", botID)
		withPeople.State, withPeople.SealedAt, withPeople.Counts.Audience = broadcast.Running, withPeople.CreatedAt, 5
		create(t, s, withPeople)
		want(t, "after another came with its people", deliveries(t, s), held, held)
		small := order("brd_3", botID)
		small.State, small.SealedAt, small.Counts.Audience = broadcast.Running, small.CreatedAt, 4
		create(t, s, small)
		if _, err := s.Approve(t.Context(), uploaded.ID, "acc_2", t0.Add(time.Second)); err != nil {
			t.Fatal(err)
		}
		want(t, "after one below and an approval", deliveries(t, s), held, held)
	})
}

// A change that fails tells nobody.
func TestTellHooks_withItsCause(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		_, botID := shop(t, s, "1", 100_000)
		newHook(t, s, "whk_1", botID)
		b := running(t, s, order("brd_1", botID), 100)
		ctx, cancel := context.WithCancel(t.Context())
		_, err := s.changeBroadcast(ctx, b.ID, t0, func(tx *sql.Tx, b *broadcast.Broadcast) error {
			if err := s.pause(ctx, tx, b, "", "", t0); err != nil {
				return err
			}
			cancel() // the commit fails
			return nil
		})
		if err == nil {
			t.Fatal("the change was committed, want it to fail")
		}
		want(t, "after a pause that was taken back", deliveries(t, s))
	})
}

func TestDelivery(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		_, botID := shop(t, s, "1", 0)
		newHook(t, s, "whk_1", botID)
		ping, err := s.InsertPing(t.Context(), "whk_1", "png_1", t0)
		if err != nil || ping.State != webhook.Waiting || ping.Event != webhook.Ping {
			t.Fatalf("InsertPing() = %+v, %v, want one that waits", ping, err)
		}
		stamped, err := s.Stamp(t.Context(), WorkWebhook, t0, 10)
		if err != nil || len(stamped) != 1 || stamped[0].ID != ping.ID || stamped[0].Epoch != 1 {
			t.Fatalf("Stamp() = %v, %v, want the ping", stamped, err)
		}
		if _, ok, err := s.ClaimDelivery(t.Context(), ping.ID, 0, t0, t0); ok || err != nil {
			t.Errorf("a claim of another epoch = %v, %v, want none", ok, err)
		}
		c, ok, err := s.ClaimDelivery(t.Context(), ping.ID, 1, t0, t0.Add(time.Minute))
		if err != nil || !ok || c.URL != "https://shop.example/whk_1" || string(c.Body) != string(ping.Body) {
			t.Fatalf("ClaimDelivery() = %+v, %v, %v, want the ping", c, ok, err)
		}
		if secret, err := s.keys.Open(c.Sealed, webhook.Table, c.HookID); err != nil || string(secret) != "whsec_whk_1" {
			t.Errorf("its secret is %q, %v", secret, err)
		}
		if _, ok, err := s.ClaimDelivery(t.Context(), ping.ID, 1, t0, t0); ok || err != nil {
			t.Errorf("a second claim = %v, %v, want none", ok, err)
		}
		if _, err := s.Replay(t.Context(), "whk_1", ping.ID, t0); fault.KindOf(err) != fault.Conflict {
			t.Errorf("Replay() of one under way error = %v, want a conflict", err)
		}

		// The worker dies after it posted: the same body goes out again.
		if n, err := s.ExpireDeliveries(t.Context(), t0.Add(59*time.Second)); n != 0 || err != nil {
			t.Errorf("ExpireDeliveries() before its lease is over = %d, %v, want 0", n, err)
		}
		later := t0.Add(time.Minute)
		if n, err := s.ExpireDeliveries(t.Context(), later); n != 1 || err != nil {
			t.Fatalf("ExpireDeliveries() = %d, %v, want 1", n, err)
		}
		if err := s.RecordDelivery(t.Context(), ping.ID, 1, later, webhook.Result{State: webhook.Delivered, Attempts: 1, Status: 200}); err != nil {
			t.Fatal(err)
		}
		if list, err := s.Deliveries(t.Context(), "whk_1", "", "", 10); err != nil || list[0].State != webhook.Waiting || list[0].Attempts != 1 {
			t.Errorf("after a record that came too late it is %+v, %v, want it to wait", list, err)
		}
		stamped, err = s.Stamp(t.Context(), WorkWebhook, later, 10)
		if err != nil || len(stamped) != 1 || stamped[0].Epoch != 3 {
			t.Fatalf("Stamp() after the lease = %v, %v, want epoch 3", stamped, err)
		}
		again, ok, err := s.ClaimDelivery(t.Context(), ping.ID, 3, later, later.Add(time.Minute))
		if err != nil || !ok || string(again.Body) != string(ping.Body) || again.ID != ping.ID || again.Attempts != 1 {
			t.Fatalf("the second claim = %+v, %v, %v, want the same delivery", again, ok, err)
		}
		if err := s.RecordDelivery(t.Context(), ping.ID, 3, later, webhook.Result{State: webhook.Failed, Attempts: 2, Status: 410, Reason: "gone"}); err != nil {
			t.Fatal(err)
		}
		failed, err := s.Deliveries(t.Context(), "whk_1", webhook.Failed, "", 10)
		if err != nil || len(failed) != 1 || failed[0].Status != 410 || !failed[0].DoneAt.Equal(later) || failed[0].Error != "gone" {
			t.Fatalf("Deliveries() = %+v, %v, want the failed one", failed, err)
		}
		replayed, err := s.Replay(t.Context(), "whk_1", ping.ID, later)
		if err != nil || replayed.State != webhook.Waiting || replayed.Attempts != 0 || string(replayed.Body) != string(ping.Body) || !replayed.DoneAt.IsZero() {
			t.Errorf("Replay() = %+v, %v, want it to wait as new", replayed, err)
		}
		if _, err := s.Replay(t.Context(), "whk_1", "whd_none", later); fault.KindOf(err) != fault.NotFound {
			t.Errorf("Replay() of none error = %v, want not found", err)
		}

		if err := s.DeleteHook(t.Context(), "whk_1", later); err != nil {
			t.Fatal(err)
		}
		exec(t, s, `UPDATE webhook_delivery SET state = 'waiting', done_at = 0, error = ''`) // as if told of something at that moment
		if dropped, err := s.DropDeliveries(t.Context(), 1, later); err != nil || len(dropped) != 0 {
			t.Errorf("DropDeliveries() of a deleted webhook = %v, %v; want its deliveries given up and none counted", dropped, err)
		}
		want(t, "after its webhook was deleted", texts(t, s, `SELECT state || ' ' || error FROM webhook_delivery`), "failed the webhook was deleted")
		if n := texts(t, s, `SELECT CAST(length(secret_sealed) AS TEXT) FROM webhook`); !slices.Equal(n, []string{"0"}) {
			t.Errorf("the secret of a deleted webhook has %v bytes, want 0", n)
		}
		for name, err := range map[string]error{
			"Hook":       func() error { _, err := s.Hook(t.Context(), "whk_1"); return err }(),
			"DeleteHook": s.DeleteHook(t.Context(), "whk_1", later),
			"InsertPing": func() error { _, err := s.InsertPing(t.Context(), "whk_1", "png_2", later); return err }(),
			"Deliveries": func() error { _, err := s.Deliveries(t.Context(), "whk_1", "", "", 1); return err }(),
		} {
			if fault.KindOf(err) != fault.NotFound {
				t.Errorf("%s() of a deleted webhook error = %v, want not found", name, err)
			}
		}
		if n, err := s.ForgetDeliveries(t.Context(), later.Add(keepDeliveries-time.Millisecond)); n != 0 || err != nil {
			t.Errorf("ForgetDeliveries() too early = %d, %v, want 0", n, err)
		}
		if n, err := s.ForgetDeliveries(t.Context(), later.Add(keepDeliveries)); n != 1 || err != nil {
			t.Errorf("ForgetDeliveries() after 30 days = %d, %v, want 1", n, err)
		}
	})
}

// A jump of the clock waits for what is due, not for a next try in an hour.
func TestBusy_webhooks(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		_, botID := shop(t, s, "1", 0)
		newHook(t, s, "whk_1", botID)
		busy := func(what string, now time.Time, want bool) {
			t.Helper()
			if got, err := s.Busy(t.Context(), now); err != nil || got != want {
				t.Errorf("Busy() %s = %v, %v, want %v", what, got, err, want)
			}
		}
		busy("with nothing", t0, false)
		tell(t, s, "whk_1", 0, 1)
		busy("with one that is due", t0, true)
		rows, err := s.Stamp(t.Context(), WorkWebhook, t0, 10)
		if err != nil {
			t.Fatal(err)
		}
		if _, ok, err := s.ClaimDelivery(t.Context(), rows[0].ID, rows[0].Epoch, t0, t0.Add(time.Minute)); !ok || err != nil {
			t.Fatalf("ClaimDelivery() = %v, %v", ok, err)
		}
		busy("while it is sent", t0, true)
		if err := s.RecordDelivery(t.Context(), rows[0].ID, rows[0].Epoch, t0, webhook.Result{State: webhook.Waiting, Attempts: 1, NextAt: t0.Add(time.Hour)}); err != nil {
			t.Fatal(err)
		}
		busy("before its next try", t0.Add(time.Hour-time.Millisecond), false)
		busy("at its next try", t0.Add(time.Hour), true)
	})
}

// A webhook has one test at a time: asking again has it made now, so that whoever mended his program need not wait.
func TestInsertPing_oneAtATime(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		_, botID := shop(t, s, "1", 0)
		newHook(t, s, "whk_1", botID)
		newHook(t, s, "whk_2", botID)
		ping := func(hookID, subject string, now time.Time) webhook.Delivery {
			t.Helper()
			d, err := s.InsertPing(t.Context(), hookID, subject, now)
			if err != nil {
				t.Fatal(err)
			}
			return d
		}
		first := ping("whk_1", "png_1", t0)
		if again := ping("whk_1", "png_2", t0.Add(time.Second)); again.ID != first.ID || !again.NextAt.Equal(t0) {
			t.Errorf("a second test is %+v, want the first, as it was", again)
		}
		if other := ping("whk_2", "png_3", t0); other.ID == first.ID {
			t.Error("the test of another webhook is that of the first")
		}
		now := t0.Add(time.Minute)
		rows, err := s.Stamp(t.Context(), WorkWebhook, now, 10)
		if err != nil {
			t.Fatal(err)
		}
		end(t, s, rows, "whk_1 png_1", now, webhook.Result{State: webhook.Waiting, Attempts: 3, NextAt: now.Add(time.Hour)})
		now = now.Add(time.Minute)
		if again := ping("whk_1", "png_4", now); again.ID != first.ID || !again.NextAt.Equal(now) || again.Attempts != 3 {
			t.Errorf("a test that waits for an hour is then %+v, want it made now", again)
		}
		if rows, err = s.Stamp(t.Context(), WorkWebhook, now, 10); err != nil {
			t.Fatal(err)
		}
		end(t, s, rows, "whk_1 png_1", now, webhook.Result{State: webhook.Delivered, Attempts: 4})
		second := ping("whk_1", "png_5", now)
		if second.ID == first.ID {
			t.Error("a test after one that is over is the same")
		}
		if _, err := s.Replay(t.Context(), "whk_1", first.ID, now); fault.CodeOf(err) != "PING_UNDER_WAY" {
			t.Errorf("Replay() of a test beside another error = %v, want PING_UNDER_WAY", err)
		}
		want(t, "after that", texts(t, s, `SELECT state FROM webhook_delivery WHERE webhook_id = 'whk_1' ORDER BY created_at`), "delivered", "waiting")
	})
}

func TestInsertHook_refused(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		_, botID := shop(t, s, "1", 0)
		for i := range webhook.MaxHooks {
			newHook(t, s, fmt.Sprintf("whk_%d", i), botID)
		}
		err := s.InsertHook(t.Context(), webhook.Hook{ID: "whk_x", BotID: botID, Events: webhook.Events}, nil)
		if fault.KindOf(err) != fault.Refused {
			t.Errorf("one more than a bot may have: error = %v, want refused", err)
		}
		err = s.InsertHook(t.Context(), webhook.Hook{ID: "whk_x", BotID: "none", Events: webhook.Events}, nil)
		if fault.KindOf(err) != fault.NotFound {
			t.Errorf("a webhook of no bot: error = %v, want not found", err)
		}
	})
}
