package store

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/malgil/malgil/internal/bot"
	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/clock"
	"github.com/malgil/malgil/internal/fault"
)

// The day of the windows: a Tuesday, in Korea.
func koreaAt(hour, minute, second, ms int) time.Time {
	return time.Date(2026, 11, 24, hour, minute, second, ms*int(time.Millisecond), clock.Seoul)
}

// advertising is a broadcast of advertising as a desk hands it over.
func advertising(id, botID string) broadcast.Broadcast {
	b := order(id, botID)
	b.Purpose = broadcast.Ad
	return b
}

func refuse(t *testing.T, s *Store, botID, person, scope string) {
	t.Helper()
	exec(t, s, `INSERT INTO suppression (bot_id, user_type, user_id, scope, at) VALUES ($1, 'botUserKey', $2, $3, $4)`, botID, person, scope, millis(t0))
}

func agree(t *testing.T, s *Store, botID, person string, at, night time.Time) {
	t.Helper()
	exec(t, s, `INSERT INTO consent (bot_id, user_type, user_id, at, night_at) VALUES ($1, 'botUserKey', $2, $3, $4)`, botID, person, millis(at), millis(night))
}

func sends(t *testing.T, s *Store, botID string, how bot.Sending) {
	t.Helper()
	if err := s.ChangeBot(t.Context(), botID, bot.SealedChange{Sending: &how, At: t0}); err != nil {
		t.Fatal(err)
	}
}

// claimSome claims a chunk of sifted people and returns their ids.
func claimSome(t *testing.T, s *Store, c chunkRow, now time.Time) []string {
	t.Helper()
	people, ok, err := s.ClaimSome(t.Context(), c.ID, c.Epoch, now, now.Add(30*time.Second))
	if err != nil || ok != (len(people) > 0) {
		t.Fatalf("ClaimSome(%s) = %v, %v, %v", c.ID, people, ok, err)
	}
	return ids(people)
}

func ids(people []broadcast.Recipient) (ids []string) {
	for _, p := range people {
		ids = append(ids, p.ID)
	}
	return ids
}

// peopleOf are the ids in a chunk.
func peopleOf(t *testing.T, c chunkRow) []string {
	t.Helper()
	var people []broadcast.Recipient
	if err := json.Unmarshal([]byte(c.Recipients), &people); err != nil || len(people) != c.People {
		t.Fatalf("chunk %s says %d people and holds %s, %v", c.ID, c.People, c.Recipients, err)
	}
	return ids(people)
}

// leftOut reads why a chunk's people are left out.
func leftOut(t *testing.T, s *Store, c chunkRow) string {
	t.Helper()
	return texts(t, s, `SELECT left_out FROM chunk WHERE id = '`+string(c.ID)+`'`)[0]
}

// Whoever has refused is left out when it is his turn, also when he has refused after the chunk was queued; his
// money is let go, and everybody counts once.
func TestClaimSome_refused(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		walletID, botID := shop(t, s, "1", 10_000)
		b := running(t, s, advertising("brd_1", botID), 4, 2)
		day := koreaAt(12, 0, 0, 0)
		refuse(t, s, botID, "u1-1", "ad")
		dispatch(t, s, day)
		refuse(t, s, botID, "u1-3", "all")
		refuse(t, s, botID, "u2-1", "ad")
		refuse(t, s, botID, "u2-2", "ad")
		refuse(t, s, "bot_1", "u9-9", "ad")
		first, second := chunkOf(t, s, b.ID, 1), chunkOf(t, s, b.ID, 2)
		if !isSifted(t, s, first) {
			t.Error("a chunk of advertising is not sifted")
		}
		if got := claimSome(t, s, first, day); !slices.Equal(got, []string{"u1-2", "u1-4"}) {
			t.Errorf("of the first chunk %v are sent to, want u1-2 and u1-4", got)
		}
		if got := claimSome(t, s, first, day); got != nil {
			t.Errorf("claimed again it goes to %v", got)
		}
		if got := claimSome(t, s, second, day); got != nil {
			t.Errorf("of the second chunk %v are sent to, want nobody", got)
		}
		b = wantBroadcast(t, s, b.ID)
		if b.Counts.Skipped != 4 || b.Chunks != 3 || b.PlannedChunks != 0 {
			t.Errorf("it counts %+v in %d chunks, %d planned, want 4 skipped in 3", b.Counts, b.Chunks, b.PlannedChunks)
		}
		for seq, want := range map[int]struct {
			state  broadcast.ChunkState
			people []string
			why    string
		}{
			1: {broadcast.Sending, []string{"u1-2", "u1-4"}, ""},
			2: {broadcast.ChunkCancelled, []string{"u2-1", "u2-2"}, "opted_out"},
			3: {broadcast.ChunkCancelled, []string{"u1-1", "u1-3"}, "opted_out"},
		} {
			c := chunkOf(t, s, b.ID, seq)
			if got := peopleOf(t, c); c.State != want.state || !slices.Equal(got, want.people) || leftOut(t, s, c) != want.why {
				t.Errorf("chunk %d is %s with %v, left out %q; want %+v", seq, c.State, got, leftOut(t, s, c), want)
			}
		}
		wantHeld(t, s, walletID)
		c := chunkOf(t, s, b.ID, 1)
		if !record(t, s, c, accepted("task"), day) || !settle(t, s, chunkOf(t, s, b.ID, 1), 2, day) {
			t.Fatal("what is left is not settled")
		}
		if b = wantBroadcast(t, s, b.ID); b.State != broadcast.Finished || b.Captured != 30 {
			t.Errorf("at the end it is %s for %d KRW, want it finished for 30", b.State, b.Captured)
		}
		if w := wantWallet(t, s, walletID); w.Held != 0 {
			t.Errorf("the wallet holds %d", w.Held)
		}
		if rows, err := s.EndedChunks(t.Context(), b.ID, 0, 10); err != nil || len(rows) != 0 {
			t.Errorf("a retry would look at %v, %v, want nobody who was left out", rows, err)
		}
	})
}

func isSifted(t *testing.T, s *Store, c chunkRow) bool {
	t.Helper()
	w, ok, err := s.ChunkWork(t.Context(), c.ID, c.Epoch)
	if err != nil || !ok {
		t.Fatalf("ChunkWork(%s) = %v, %v", c.ID, ok, err)
	}
	return w.Sifted
}

// Whoever refused all of a bot's messages is left out of everything, who refused advertising only of that.
func TestClaimSome_info(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		_, botID := shop(t, s, "1", 10_000)
		b := running(t, s, order("brd_1", botID), 3)
		dispatch(t, s, t0)
		refuse(t, s, botID, "u1-1", "ad")
		c := chunkOf(t, s, b.ID, 1)
		if isSifted(t, s, c) {
			t.Error("a notice is sifted without anybody who refused everything")
		}
		refuse(t, s, botID, "u1-2", "all")
		if !isSifted(t, s, c) {
			t.Error("a notice is not sifted beside somebody who refused everything")
		}
		if got := claimSome(t, s, c, t0); !slices.Equal(got, []string{"u1-1", "u1-3"}) {
			t.Errorf("a notice goes to %v, want u1-1 and u1-3", got)
		}
	})
}

// A bot that asks for recorded consent sends advertising to whom its list names, for two years.
func TestClaimSome_recordedConsent(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		_, botID := shop(t, s, "1", 10_000)
		sends(t, s, botID, bot.Sending{AdConsent: bot.RecordedConsent})
		b := running(t, s, advertising("brd_1", botID), 4)
		day := koreaAt(12, 0, 0, 0)
		agree(t, s, botID, "u1-1", day.AddDate(-2, 0, 0).Add(time.Millisecond), time.Time{})
		agree(t, s, botID, "u1-2", day.AddDate(-2, 0, 0), time.Time{})
		agree(t, s, botID, "u1-3", day.AddDate(-1, 0, 0), time.Time{})
		refuse(t, s, botID, "u1-3", "ad")
		dispatch(t, s, day)
		var four []broadcast.Recipient
		if err := json.Unmarshal([]byte(chunkOf(t, s, b.ID, 1).Recipients), &four); err != nil {
			t.Fatal(err)
		}
		for ad, want := range map[bool]string{true: "[ no_consent opted_out no_consent]", false: "[   ]"} {
			if why, err := s.LeftOut(t.Context(), botID, ad, four, day); err != nil || fmt.Sprint(why) != want {
				t.Errorf("of advertising %v its people are left out for %v, %v; want %s", ad, why, err, want)
			}
		}
		if got := claimSome(t, s, chunkOf(t, s, b.ID, 1), day); !slices.Equal(got, []string{"u1-1"}) {
			t.Errorf("it goes to %v, want u1-1, who agreed less than two years ago", got)
		}
		if got := texts(t, s, `SELECT left_out FROM chunk WHERE left_out <> '' ORDER BY seq`); !slices.Equal(got, []string{"opted_out", "no_consent"}) {
			t.Errorf("left out are %v, want one who refused and two without consent", got)
		}
		wantBroadcast(t, s, b.ID)
	})
}

// Advertising stops at 21:00 to the millisecond, also what is queued already, and goes on at 08:00.
func TestDispatch_night(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		walletID, botID := shop(t, s, "1", 10_000)
		b := running(t, s, advertising("brd_1", botID), 2, 2)
		last := koreaAt(20, 59, 59, 999)
		if rows := dispatch(t, s, last); len(rows) != 2 {
			t.Fatalf("%d chunks were queued at 20:59:59.999, want 2", len(rows))
		}
		first, second := chunkOf(t, s, b.ID, 1), chunkOf(t, s, b.ID, 2)
		if got := claimSome(t, s, first, last); len(got) != 2 {
			t.Errorf("at 20:59:59.999 %v are sent to, want both", got)
		}
		night := koreaAt(21, 0, 0, 0)
		if got := claimSome(t, s, second, night); got != nil {
			t.Errorf("at 21:00:00 %v are sent to, want nobody", got)
		}
		if n, err := s.RecallOverdue(t.Context(), night); err != nil || n != 1 {
			t.Errorf("at 21:00:00 %d chunks were planned again, %v, want 1", n, err)
		}
		morning := koreaAt(32, 0, 0, 0)
		for _, at := range []time.Time{night, morning.Add(-time.Millisecond)} {
			if rows := dispatch(t, s, at); len(rows) != 0 {
				t.Errorf("%d chunks were queued at %s", len(rows), at)
			}
			if b := wantBroadcast(t, s, b.ID); b.Wait != broadcast.WaitWindow || !b.WaitUntil.Equal(morning) {
				t.Errorf("at %s it waits for %q until %s, want window until %s", at, b.Wait, b.WaitUntil, morning)
			}
		}
		if rows := dispatch(t, s, morning); len(rows) != 1 {
			t.Errorf("%d chunks were queued at 08:00:00, want 1", len(rows))
		}
		wantHeld(t, s, walletID)
		info := running(t, s, order("brd_2", botID), 1)
		if rows := dispatch(t, s, night); len(rows) != 1 {
			t.Errorf("%d chunks of the notice %s were queued at night, want 1", len(rows), info.ID)
		}
	})
}

// At night advertising goes to those who have agreed to that; the others are sent to in the morning, not all
// at once.
func TestDispatch_nightConsent(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		walletID, botID := shop(t, s, "1", 10_000)
		night, morning := koreaAt(23, 0, 0, 0), koreaAt(32, 0, 0, 0)
		agree(t, s, botID, "u1-2", t0, t0)
		agree(t, s, botID, "u1-3", t0, time.Time{})
		agree(t, s, botID, "u2-1", t0, t0)
		refuse(t, s, botID, "u1-4", "ad")
		b := running(t, s, advertising("brd_1", botID), 4, 3, 2)
		if rows := dispatch(t, s, night); len(rows) != 2 {
			t.Fatalf("%d chunks were queued at night, want the 2 of those who have agreed to that", len(rows))
		}
		exec(t, s, `UPDATE consent SET night_at = 0 WHERE user_id = 'u2-1'`) // taken back when its chunk is queued already
		if got := claimSome(t, s, chunkOf(t, s, b.ID, 1), night); !slices.Equal(got, []string{"u1-2"}) {
			t.Errorf("at night %v are sent to, want u1-2 alone", got)
		}
		if got := claimSome(t, s, chunkOf(t, s, b.ID, 2), night); got != nil {
			t.Errorf("at night %v are sent to, want nobody of the second chunk", got)
		}
		waiting := map[string]time.Time{}
		for _, seq := range []int{2, 3, 4} { // the last is of the first chunk
			c := chunkOf(t, s, b.ID, seq)
			waiting[string(c.ID)] = c.NextAt
			if c.State != broadcast.Planned || c.Hold != 0 || c.NextAt.Before(morning) || !c.NextAt.Before(morning.Add(morningSpread)) {
				t.Errorf("chunk %d with %v is %s until %s and holds %d; want it planned for the morning", seq, peopleOf(t, c), c.State, c.NextAt, c.Hold)
			}
		}
		if len(waiting) != 3 || chunkOf(t, s, b.ID, 2).NextAt.Equal(chunkOf(t, s, b.ID, 3).NextAt) {
			t.Errorf("the chunks of the morning go at %v, want not all at once", waiting)
		}
		if rows := dispatch(t, s, night.Add(time.Minute)); len(rows) != 0 {
			t.Errorf("%d chunks were queued at night once more", len(rows))
		}
		if b := wantBroadcast(t, s, b.ID); b.Wait != broadcast.WaitWindow || !b.WaitUntil.Equal(morning) || b.PlannedChunks != 3 || b.Counts.Skipped != 1 {
			t.Errorf("it waits for %q until %s with %d planned and %+v, want window until the morning, 3 and 1 skipped", b.Wait, b.WaitUntil, b.PlannedChunks, b.Counts)
		}
		wantHeld(t, s, walletID)
		first := slices.MinFunc(slices.Collect(maps.Values(waiting)), time.Time.Compare)
		dispatch(t, s, morning)
		dispatch(t, s, first.Add(-time.Millisecond)) // the first looks whether it may
		if b := wantBroadcast(t, s, b.ID); b.Wait != broadcast.WaitWindow || !b.WaitUntil.Equal(first) {
			t.Errorf("in the morning it waits for %q until %s, want window until %s, when the first goes", b.Wait, b.WaitUntil, first)
		}
		rows := append(dispatch(t, s, morning.Add(morningSpread)), dispatch(t, s, morning.Add(morningSpread))...) // the first looks whether it may
		if len(rows) != 3 {
			t.Fatalf("%d chunks were queued in the morning, want 3", len(rows))
		}
		var got []string
		for _, seq := range []int{2, 3, 4} {
			got = append(got, claimSome(t, s, chunkOf(t, s, b.ID, seq), morning.Add(morningSpread))...)
		}
		slices.Sort(got)
		if !slices.Equal(got, []string{"u1-1", "u1-3", "u2-1", "u2-2", "u2-3", "u3-1", "u3-2"}) {
			t.Errorf("in the morning %v are sent to, want everybody else", got)
		}
		wantBroadcast(t, s, b.ID)
		wantHeld(t, s, walletID)
	})
}

// A bot whose hours are all at night sends advertising there to those who have agreed to that, and to nobody else.
func TestDispatch_nightOnly(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		_, botID := shop(t, s, "1", 10_000)
		late := map[string]string{}
		for _, day := range []string{"mon", "tue", "wed", "thu", "fri", "sat", "sun"} {
			late[day] = "21:30-23:00"
		}
		sends(t, s, botID, bot.Sending{Hours: late, Holidays: true})
		agree(t, s, botID, "u1-2", t0, t0)
		night := koreaAt(22, 0, 0, 0)
		b := running(t, s, advertising("brd_1", botID), 2, 2)
		for range 2 { // the first looks whether it may
			dispatch(t, s, night)
		}
		if got := claimSome(t, s, chunkOf(t, s, b.ID, 1), night); !slices.Equal(got, []string{"u1-2"}) {
			t.Errorf("at night %v are sent to, want u1-2 alone", got)
		}
		if c := chunkOf(t, s, b.ID, 2); c.State != broadcast.Planned || !c.NextAt.After(night) {
			t.Errorf("the chunk of which nobody has agreed is %s until %s, want it planned for later", c.State, c.NextAt)
		}
	})
}

// At night chunks of which nobody may be sent to are set aside in few looks, and one after a try that failed
// is no reason to say that all wait for the morning.
func TestDispatch_nightLook(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		_, botID := shop(t, s, "1", 100_000)
		night, morning := koreaAt(23, 0, 0, 0), koreaAt(32, 0, 0, 0)
		people := slices.Repeat([]int{1}, nightLook+2)
		agree(t, s, botID, fmt.Sprintf("u%d-1", len(people)), t0, t0)
		b := running(t, s, advertising("brd_1", botID), people...)
		if rows := dispatch(t, s, night); len(rows) != 0 {
			t.Fatalf("%v were queued of the first %d chunks, of which nobody may be sent to", rows, nightLook)
		}
		if b := wantBroadcast(t, s, b.ID); b.Wait != broadcast.NotWaiting {
			t.Errorf("it waits for %q before all of it was looked through", b.Wait)
		}
		rows := dispatch(t, s, night)
		if len(rows) != 1 {
			t.Fatalf("%d chunks were queued, want the last", len(rows))
		}
		again := night.Add(time.Minute)
		if ok, err := s.GiveBack(t.Context(), broadcast.ChunkID(rows[0].ID), rows[0].Epoch, broadcast.NotWaiting, time.Minute, night); err != nil || !ok {
			t.Fatal(ok, err)
		}
		dispatch(t, s, night.Add(time.Second))
		if b := wantBroadcast(t, s, b.ID); b.Wait != broadcast.WaitRate || !b.WaitUntil.Equal(again) {
			t.Errorf("it waits for %q until %s, while somebody is tried again at %s", b.Wait, b.WaitUntil, again)
		}
		if rows := dispatch(t, s, again); len(rows) != 1 {
			t.Errorf("%d chunks were queued again, want 1", len(rows))
		}
		dispatch(t, s, again)
		if b := wantBroadcast(t, s, b.ID); b.Wait != broadcast.WaitWindow || !b.WaitUntil.Equal(morning) {
			t.Errorf("it waits for %q until %s, want window until %s", b.Wait, b.WaitUntil, morning)
		}
	})
}

// Who refuses everything between the reading of a chunk and its claim is left out.
func TestClaimChunk_refusedMeanwhile(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		_, botID := shop(t, s, "1", 10_000)
		b := running(t, s, order("brd_1", botID), 2)
		dispatch(t, s, t0)
		c := chunkOf(t, s, b.ID, 1)
		if work, ok, err := s.ChunkWork(t.Context(), c.ID, c.Epoch); err != nil || !ok || work.Sifted {
			t.Fatalf("ChunkWork = sifted %v, %v, %v, want nobody to be sifted yet", work.Sifted, ok, err)
		}
		refuse(t, s, botID, "u1-1", "all")
		if claim(t, s, c, t0) {
			t.Fatal("it was claimed with who has refused everything meanwhile")
		}
		if got := claimSome(t, s, c, t0); !slices.Equal(got, []string{"u1-2"}) {
			t.Errorf("%v are sent to, want u1-2 alone", got)
		}
		wantBroadcast(t, s, b.ID)
	})
}

// A bot sends within its own hours only, whatever it sends, and what it is told anew counts at once.
func TestDispatch_hours(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		walletID, botID := shop(t, s, "1", 10_000)
		s.UseHolidays(func(day time.Time) bool { return day.In(clock.Seoul).Day() == 25 })
		sends(t, s, botID, bot.Sending{Hours: map[string]string{"tue": "09:00-18:00", "wed": "09:00-18:00", "thu": "10:00-18:00"}})
		o := order("brd_1", botID)
		o.StartAt = koreaAt(0, 0, 0, 0)
		b := running(t, s, o, 1, 1)
		if rows := dispatch(t, s, koreaAt(8, 59, 59, 999)); len(rows) != 0 {
			t.Errorf("%d chunks were queued before the hours", len(rows))
		}
		if b := wantBroadcast(t, s, b.ID); b.Wait != broadcast.WaitWindow || !b.WaitUntil.Equal(koreaAt(9, 0, 0, 0)) {
			t.Errorf("it waits for %q until %s, want window until 09:00", b.Wait, b.WaitUntil)
		}
		if rows := append(dispatch(t, s, koreaAt(17, 59, 0, 0)), dispatch(t, s, koreaAt(17, 59, 0, 0))...); len(rows) != 2 {
			t.Errorf("%d chunks were queued within the hours, want 2", len(rows))
		}
		c := chunkOf(t, s, b.ID, 1)
		if claim(t, s, c, koreaAt(18, 0, 0, 0)) {
			t.Error("a chunk was claimed at 18:00")
		}
		sends(t, s, botID, bot.Sending{Hours: map[string]string{"thu": "10:00-18:00"}})
		if c := chunkOf(t, s, b.ID, 1); c.State != broadcast.Planned {
			t.Errorf("after the hours were changed what was queued is %s, want it planned", c.State)
		}
		dispatch(t, s, koreaAt(17, 59, 30, 0))
		if b := wantBroadcast(t, s, b.ID); b.Wait != broadcast.WaitWindow || !b.WaitUntil.Equal(koreaAt(48+10, 0, 0, 0)) {
			t.Errorf("it waits for %q until %s, want window until Thursday", b.Wait, b.WaitUntil)
		}
		wantHeld(t, s, walletID)
		if d, err := s.BotDetails(t.Context(), botID); err != nil || d.Sending.Hours["thu"] != "10:00-18:00" {
			t.Errorf("the bot's hours are %+v, %v", d.Sending, err)
		}
	})
}

// What expires in a window expires, uncharged.
func TestDispatch_expiresAtNight(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		walletID, botID := shop(t, s, "1", 10_000)
		o := advertising("brd_1", botID)
		o.ExpiresAt = koreaAt(23, 0, 0, 0)
		b := running(t, s, o, 3)
		dispatch(t, s, koreaAt(22, 0, 0, 0))
		for more := true; more; {
			var err error
			if more, err = s.RetireOver(t.Context(), koreaAt(23, 0, 0, 0)); err != nil {
				t.Fatal(err)
			}
		}
		if b := wantBroadcast(t, s, b.ID); b.State != broadcast.Finished || b.Counts.Skipped != 3 || b.Captured != 0 {
			t.Errorf("it is %s with %+v, want it finished with 3 skipped", b.State, b.Counts)
		}
		wantHeld(t, s, walletID)
	})
}

// Advertising whose text stands in the event data carries the label of the law.
func TestCreateBroadcast_adText(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		_, botID := shop(t, s, "1", 10_000)
		b := advertising("brd_1", botID)
		b.Message.Data = map[string]string{"text": "겨울 할인"}
		if _, _, err := s.CreateBroadcast(t.Context(), b, nil, 0, broadcast.Request{}); err == nil {
			t.Error("advertising without its label was taken")
		}
		b.Message.Data["text"] = "(광고) 겨울 할인\n무료 수신거부: 채널 차단"
		create(t, s, b)
		info := order("brd_2", botID)
		info.Message.Data = map[string]string{"text": "겨울 할인"}
		create(t, s, info)
	})
}

// A bot that writes at most twice a day to one person leaves out who has got as much: advertising alone, or
// everything. What was certainly not sent does not count, and neither does what is long ago.
func TestClaimSome_cap(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		walletID, botID := shop(t, s, "1", 10_000)
		sends(t, s, botID, bot.Sending{Cap: &bot.Cap{Messages: 1, Days: 2}})
		at := koreaAt(12, 0, 0, 0)
		send := func(id string, how func(string, string) broadcast.Broadcast, outcome broadcast.Verdict, want ...string) {
			t.Helper()
			b := running(t, s, how(id, botID), 2)
			dispatch(t, s, at)
			c := chunkOf(t, s, b.ID, 1)
			var got []string
			if isSifted(t, s, c) {
				got = claimSome(t, s, c, at)
			} else if claim(t, s, c, at) {
				got = peopleOf(t, c)
			}
			if !slices.Equal(got, want) {
				t.Errorf("%s goes to %v, want %v", id, got, want)
			}
			if len(got) > 0 {
				record(t, s, chunkOf(t, s, b.ID, 1), outcome, at)
			}
			wantBroadcast(t, s, b.ID)
			wantHeld(t, s, walletID)
		}
		both := []string{"u1-1", "u1-2"}
		send("brd_01", advertising, broadcast.Verdict{Outcome: broadcast.Refused, Reason: "unknown event"}, both...)
		send("brd_02", advertising, accepted("task-2"), both...)
		send("brd_03", advertising, accepted("task-3")) // they have had one
		send("brd_04", order, accepted("task-4"), both...)
		at = at.AddDate(0, 0, 1)
		send("brd_05", advertising, accepted("task-5"))
		at = koreaAt(24+24+8, 0, 0, 0)
		send("brd_06", advertising, broadcast.Verdict{Outcome: broadcast.OutcomeInDoubt, Reason: "no answer"}, both...)
		send("brd_07", advertising, accepted("task-7")) // in doubt counts
		sends(t, s, botID, bot.Sending{Cap: &bot.Cap{Messages: 2, Days: 1, All: true}})
		send("brd_08", order, accepted("task-8"), both...)
		send("brd_09", order, accepted("task-9"))
		if got := texts(t, s, `SELECT DISTINCT left_out FROM chunk WHERE left_out <> ''`); !slices.Equal(got, []string{"capped"}) {
			t.Errorf("left out are %v, want all of them capped", got)
		}
		before := texts(t, s, `SELECT chunk_id FROM contact`)
		if n, err := s.ForgetContacts(t.Context(), at.Add(contactAge-time.Hour)); err != nil || n == 0 || n == len(before) {
			t.Errorf("ForgetContacts = %d of %d, %v, want those alone that are older", n, len(before), err)
		}
	})
}

// Who was certainly not sent to, or not reached, may be sent to once more under a cap.
func TestClaimSome_capAndRetry(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		_, botID := shop(t, s, "1", 10_000)
		sends(t, s, botID, bot.Sending{Cap: &bot.Cap{Messages: 1, Days: 7, All: true}})
		b := running(t, s, order("brd_1", botID), 2)
		dispatch(t, s, t0)
		claimSome(t, s, chunkOf(t, s, b.ID, 1), t0)
		record(t, s, chunkOf(t, s, b.ID, 1), broadcast.Verdict{Outcome: broadcast.OutcomeInDoubt, Reason: "no answer"}, t0)
		if _, err := s.DecideChunks(t.Context(), broadcast.Decision{Broadcast: b.ID, Finding: broadcast.FoundNotSent, Note: "asked Kakao", At: t0}); err != nil {
			t.Fatal(err)
		}
		dispatch(t, s, t0)
		if got := claimSome(t, s, chunkOf(t, s, b.ID, 1), t0); len(got) != 2 {
			t.Errorf("decided to be sent again it goes to %v, want both", got)
		}
		record(t, s, chunkOf(t, s, b.ID, 1), accepted("task-1"), t0)
		settle(t, s, chunkOf(t, s, b.ID, 1), 0, t0)
		again := order("brd_2", botID)
		again.RetryOf = b.ID
		retry := running(t, s, again, 2)
		dispatch(t, s, t0)
		if got := claimSome(t, s, chunkOf(t, s, retry.ID, 1), t0); len(got) != 2 {
			t.Errorf("the retry of the failed goes to %v, want both", got)
		}
		record(t, s, chunkOf(t, s, retry.ID, 1), accepted("task-2"), t0)
		settle(t, s, chunkOf(t, s, retry.ID, 1), 1, t0)
		third := order("brd_4", botID)
		third.RetryOf = retry.ID
		retry = running(t, s, third, 2)
		dispatch(t, s, t0)
		if got := claimSome(t, s, chunkOf(t, s, retry.ID, 1), t0); len(got) != 1 || got[0] != "u1-2" {
			t.Errorf("the retry of the retry goes to %v, want the one who got neither", got)
		}
		other := running(t, s, order("brd_3", botID), 2)
		dispatch(t, s, t0)
		if got := claimSome(t, s, chunkOf(t, s, other.ID, 1), t0); got != nil {
			t.Errorf("another broadcast goes to %v, want nobody", got)
		}
	})
}

// Those who waited for the morning are sent to over ten minutes.
func TestInTheMorning(t *testing.T) {
	morning, last := koreaAt(32, 0, 0, 0), time.Time{}
	for seq := range 500 {
		at := inTheMorning(morning, broadcast.NewChunkID("brd_1", seq))
		if at.Before(morning) || !at.Before(morning.Add(morningSpread)) {
			t.Fatalf("chunk %d goes at %s", seq, at)
		}
		if at.After(last) {
			last = at
		}
	}
	if last.Before(morning.Add(9 * time.Minute)) {
		t.Errorf("the last of 500 chunks goes at %s, want it spread over ten minutes", last)
	}
}

// An order that may not wait is refused outside the hours of its bot.
func TestOpenNow(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		_, botID := shop(t, s, "1", 10_000)
		agree(t, s, botID, "u1-1", t0, t0)
		open := func(b broadcast.Broadcast, at time.Time) string {
			t.Helper()
			b.CreatedAt = at
			var err error
			if broken := s.inTx(t.Context(), func(tx *sql.Tx) error { err = s.openNow(t.Context(), tx, b); return nil }); broken != nil {
				t.Fatal(broken)
			}
			return fault.CodeOf(err)
		}
		for name, got := range map[string]string{
			"a notice at night": open(order("brd_1", botID), koreaAt(23, 0, 0, 0)), "an ad by day": open(advertising("brd_1", botID), koreaAt(12, 0, 0, 0)),
		} {
			if got != "" {
				t.Errorf("%s is refused with %q", name, got)
			}
		}
		sends(t, s, botID, bot.Sending{Hours: map[string]string{"mon": "09:00-18:00"}})
		for name, got := range map[string]string{
			"an ad at night": open(advertising("brd_1", botID), koreaAt(23, 0, 0, 0)), "a notice after hours": open(order("brd_1", botID), koreaAt(12, 0, 0, 0)),
		} {
			if got != "BOT_CLOSED" {
				t.Errorf("%s is refused with %q, want BOT_CLOSED", name, got)
			}
		}
	})
}
