package store

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/malgil/malgil/internal/access"
	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/fault"
)

// audienceDesk takes orders for a store.
func audienceDesk(s *Store) *broadcast.Desk {
	n := 0
	return broadcast.NewDesk(s, s, s, s, func() time.Time { return t0 }, func(prefix string) string {
		n++
		return fmt.Sprintf("%s_%04d", prefix, n)
	})
}

func TestAudience(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		walletID, botID := shop(t, s, "1", 10_000)
		a := broadcast.Audience{ID: "aud_1", BotID: botID, Name: "단골", CreatedAt: t0}
		if err := s.CreateAudience(t.Context(), a); err != nil {
			t.Fatal(err)
		}
		again := a
		again.ID = "aud_2"
		if err := s.CreateAudience(t.Context(), again); fault.CodeOf(err) != "AUDIENCE_EXISTS" {
			t.Errorf("CreateAudience of the same name error = %v, want AUDIENCE_EXISTS", err)
		}
		again.BotID = "none"
		if err := s.CreateAudience(t.Context(), again); fault.KindOf(err) != fault.NotFound {
			t.Errorf("CreateAudience of no bot error = %v, want NotFound", err)
		}
		first, err := s.BeginAudience(t.Context(), a.ID)
		if err != nil {
			t.Fatal(err)
		}
		const chunks = chunkRows + 7
		many := make([]int, chunks)
		for i := range many {
			many[i] = 2
		}
		if err := s.StoreAudience(t.Context(), a.ID, first, packed(many...)); err != nil {
			t.Fatal(err)
		}
		if err := s.EndAudience(t.Context(), a.ID, first, chunks, broadcast.Report{Audience: 2 * chunks, Duplicates: 1, Excluded: 2, BadRows: 3}, t0); err != nil {
			t.Fatal(err)
		}
		// One that breaks off leaves it as it is, and is dropped by the next.
		broken, err := s.BeginAudience(t.Context(), a.ID)
		if err == nil {
			err = s.StoreAudience(t.Context(), a.ID, broken, packed(9, 9))
		}
		if err != nil {
			t.Fatal(err)
		}
		third, err := s.BeginAudience(t.Context(), a.ID)
		if err != nil {
			t.Fatal(err)
		}
		for what, err := range map[string]error{
			"StoreAudience": s.StoreAudience(t.Context(), a.ID, broken, packed(1)), "EndAudience": s.EndAudience(t.Context(), a.ID, broken, 1, broadcast.Report{}, t0),
		} {
			if fault.CodeOf(err) != "UPLOAD_REPLACED" {
				t.Errorf("%s of one that is replaced error = %v, want UPLOAD_REPLACED", what, err)
			}
		}
		got, err := s.Audience(t.Context(), a.ID)
		a.Counts, a.Chunks = broadcast.Report{Audience: 2 * chunks, Duplicates: 1, Excluded: 2, BadRows: 3}, chunks
		a.UploadEpoch, a.PeopleEpoch, a.UploadedAt = third, first, t0
		if fmt.Sprint(got) != fmt.Sprint(a) || err != nil {
			t.Errorf("Audience = %+v, %v, want %+v", got, err, a)
		}
		if n := texts(t, s, `SELECT CAST(COUNT(*) AS TEXT) FROM audience_chunk`)[0]; n != fmt.Sprint(chunks) {
			t.Errorf("%s chunks are kept, want the %d that count", n, chunks)
		}

		b := create(t, s, order("brd_1", botID))
		desk := audienceDesk(s)
		report, err := desk.UseAudience(t.Context(), b.ID, a.ID, broadcast.UploadOptions{})
		if err != nil || report.Audience != 2*chunks {
			t.Fatalf("UseAudience = %+v, %v, want %d people", report, err, 2*chunks)
		}
		if _, err := s.Seal(t.Context(), b.ID, broadcast.Sealing{}, t0); err != nil {
			t.Fatal(err)
		}
		if b := wantBroadcast(t, s, b.ID); b.Counts.Audience != 2*chunks || b.Chunks != (2*chunks+99)/100 {
			t.Errorf("the broadcast has %d people in %d chunks", b.Counts.Audience, b.Chunks)
		}

		deed := access.WithDeed(t.Context(), access.Deed{TokenID: "tok", Action: "delete-audience", At: t0}, access.Object{Kind: access.OfAudience, ID: string(a.ID)})
		if err := s.DeleteAudience(deed, a.ID); err != nil {
			t.Fatal(err)
		}
		if err := s.DeleteAudience(t.Context(), a.ID); fault.KindOf(err) != fault.NotFound {
			t.Errorf("DeleteAudience again error = %v, want NotFound", err)
		}
		log, err := s.Audit(t.Context(), AuditFilter{Subject: access.Object{Kind: access.OfAudience, ID: string(a.ID)}}, 0, 10)
		if err != nil || len(log) != 1 || log[0].WalletID != walletID || log[0].Before != fmt.Sprintf(`{"bot":%q,"name":"단골","people":%d}`, botID, 2*chunks) {
			t.Errorf("the audit log has %+v, %v, want the deletion", log, err)
		}
		if b := wantBroadcast(t, s, b.ID); b.Counts.Audience != 2*chunks {
			t.Errorf("the broadcast lost people with the audience: %+v", b.Counts)
		}
	})
}

func TestAudienceList(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		_, one := shop(t, s, "1", 0)
		_, two := shop(t, s, "2", 0)
		for i, bot := range []string{one, two, one} {
			if err := s.CreateAudience(t.Context(), broadcast.Audience{ID: broadcast.AudienceID(fmt.Sprint("aud_", i+1)), BotID: bot, Name: fmt.Sprint(i), CreatedAt: t0}); err != nil {
				t.Fatal(err)
			}
		}
		newAccount(t, s, "acc_1")
		exec(t, s, `INSERT INTO bot_member (bot_id, account_id, role) VALUES ($1, 'acc_1', 'operator')`, one)
		for want, f := range map[string]AudienceFilter{
			"[aud_1 aud_2 aud_3]": {}, "[aud_2]": {BotID: two}, "[aud_1 aud_3]": {Sight: "acc_1"}, "[]": {Sight: "acc_1", BotID: two},
		} {
			list, err := s.AudienceList(t.Context(), f, "", 10)
			ids := []broadcast.AudienceID{}
			for _, a := range list {
				ids = append(ids, a.ID)
			}
			if err != nil || fmt.Sprint(ids) != want {
				t.Errorf("AudienceList(%+v) = %v, %v, want %s", f, ids, err, want)
			}
		}
		if page, err := s.AudienceList(t.Context(), AudienceFilter{}, "aud_1", 1); err != nil || len(page) != 1 || page[0].ID != "aud_2" {
			t.Errorf("AudienceList after aud_1 = %v, %v, want aud_2", page, err)
		}
	})
}

// Who was sent to is left out of a later upload, whatever became of it but a failure that has a name.
func TestUpload_excludesWhomABroadcastReached(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		_, botID := shop(t, s, "1", 10_000)
		past := running(t, s, order("brd_past", botID), 2, 2, 2)
		settled := sent(t, s, past.ID, 1, t0)
		if ok, err := s.SettleChunk(t.Context(), settled.Chunk, broadcast.Settlement{
			Tally: broadcast.Tally{Delivered: 1, Failed: 1}, Result: []byte(`{"allRequestCount":2,"successCount":1,"fail":{"count":1,"list":[{"userId":"u1-2"}]}}`),
		}, t0); err != nil || !ok {
			t.Fatal(ok, err)
		}
		sent(t, s, past.ID, 2, t0)
		if _, err := s.Cancel(t.Context(), past.ID, t0); err != nil { // the third is not sent
			t.Fatal(err)
		}
		a := broadcast.Audience{ID: "aud_1", BotID: botID, Name: "단골", CreatedAt: t0}
		if err := s.CreateAudience(t.Context(), a); err != nil {
			t.Fatal(err)
		}
		epoch, err := s.BeginAudience(t.Context(), a.ID)
		if err == nil {
			err = s.StoreAudience(t.Context(), a.ID, epoch, packed(2, 2, 2))
		}
		if err == nil {
			err = s.EndAudience(t.Context(), a.ID, epoch, 3, broadcast.Report{Audience: 6}, t0)
		}
		if err != nil {
			t.Fatal(err)
		}
		b := create(t, s, order("brd_1", botID))
		report, err := audienceDesk(s).UseAudience(t.Context(), b.ID, a.ID, broadcast.UploadOptions{Exclude: past.ID})
		if err != nil || report.Audience != 3 || report.Excluded != 3 {
			t.Errorf("UseAudience = %+v, %v, want 3 people and 3 excluded", report, err)
		}
		if _, err := s.Seal(t.Context(), b.ID, broadcast.Sealing{}, t0); err != nil {
			t.Fatal(err)
		}
		if b := wantBroadcast(t, s, b.ID); b.Counts.Excluded != 3 || b.Counts.Audience != 3 {
			t.Errorf("the broadcast counts %+v, want 3 and 3 excluded", b.Counts)
		}
		if left := peopleOf(t, chunkOf(t, s, b.ID, 1)); !slices.Equal(left, []string{"u1-2", "u3-1", "u3-2"}) {
			t.Errorf("left are %v, want whom Kakao named and who was not sent to", left)
		}
		_, other := shop(t, s, "2", 0)
		c := create(t, s, order("brd_2", other))
		if _, err := audienceDesk(s).Upload(t.Context(), c.ID, nil, broadcast.UploadOptions{Exclude: past.ID}); fault.KindOf(err) != fault.Invalid {
			t.Errorf("Upload that excludes a broadcast of another bot error = %v, want Invalid", err)
		}
	})
}
