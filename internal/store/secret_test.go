package store

import (
	"crypto/rand"
	"encoding/base64"
	"slices"
	"strings"
	"testing"

	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/seal"
)

func boxOf(t *testing.T, config ...string) *seal.Box {
	t.Helper()
	box, err := seal.New(strings.Join(config, ","), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return box
}

func TestHeld(t *testing.T) {
	tests := map[string]struct {
		statement string
		want      Held
	}{
		"nothing yet":             {`UPDATE bot SET rest_key_sealed = ''`, Held{}},
		"a bot's key":             {`UPDATE bot SET name = name`, Held{Sealed: true}},
		"a user who came":         {`INSERT INTO bot_user (bot_id, user_hash, first_seen_at) SELECT id, 'x', 1 FROM bot`, Held{Sealed: true, Hashed: true}},
		"a message that arrived":  {`INSERT INTO chunk_evidence (chunk_id, user_hash, at) VALUES ('brd_1-000001', 'x', 1)`, Held{Sealed: true, Hashed: true}},
		"a card that was removed": {`UPDATE card SET removed_at = 1, sid_sealed = ''`, Held{Sealed: true}},
	}
	eachDatabase(t, func(t *testing.T, s *Store) {
		shop(t, s, "1", 0)
		for name, tt := range tests {
			exec(t, s, `DELETE FROM bot_user`)
			exec(t, s, `DELETE FROM chunk_evidence`)
			bots(t, s, testKeys(t))
			exec(t, s, tt.statement)
			if got, err := s.Held(t.Context()); err != nil || got != tt.want {
				t.Errorf("%s: Held() = %+v, %v, want %+v", name, got, err, tt.want)
			}
		}
	})
}

// bots seals the key of the bots of a test with other keys than they were made with.
func bots(t *testing.T, s *Store, box *seal.Box) {
	t.Helper()
	sealed, err := box.Seal([]byte("4f1c9a7e"), "bot", "bot_1")
	if err != nil {
		t.Fatal(err)
	}
	exec(t, s, `UPDATE bot SET rest_key_sealed = $1`, sealed)
}

func TestUseKeys(t *testing.T) {
	key := func(b byte) string {
		return base64.StdEncoding.EncodeToString([]byte(strings.Repeat(string(rune(b)), 32)))
	}
	one, two := "1:"+key('a'), "2:"+key('b')
	eachDatabase(t, func(t *testing.T, s *Store) {
		_, botID := shop(t, s, "1", 0)
		accountID := newAccount(t, s, "acc_9")
		sealInto := func(table, column, id, config string) {
			t.Helper()
			sealed, err := boxOf(t, config).Seal([]byte("secret"), table, id)
			if err != nil {
				t.Fatal(err)
			}
			exec(t, s, `UPDATE `+table+` SET `+column+` = $1 WHERE id = $2`, sealed, id)
		}
		newCard(t, s, "crd_1", accountID, "", 0)
		newCard(t, s, "crd_2", accountID, "", 0)
		tests := map[string]struct {
			bot, older, newer string // keys that they are sealed with
			keys              []string
			removed           bool // the older card
			names             string
		}{
			"the keys":                       {one, one, one, []string{one}, false, ""},
			"another key of the same number": {one, one, one, []string{"1:" + key('c')}, false, "bot " + botID},
			"a card of another key":          {one, one, "1:" + key('c'), []string{one}, false, "card crd_2"},
			"after a change of keys":         {one, one, two, []string{two, one}, false, ""},
			"an old key dropped too early":   {two, one, two, []string{two}, false, "card crd_1"},
			"an old key of a removed card":   {two, one, two, []string{two}, true, ""},
		}
		for name, tt := range tests {
			sealInto("bot", "rest_key_sealed", botID, tt.bot)
			sealInto("card", "sid_sealed", "crd_1", tt.older)
			sealInto("card", "sid_sealed", "crd_2", tt.newer)
			exec(t, s, `UPDATE card SET removed_at = $1 WHERE id = 'crd_1'`, asInt(tt.removed))
			err := s.UseKeys(t.Context(), boxOf(t, tt.keys...))
			if tt.names == "" {
				if err != nil {
					t.Errorf("%s: UseKeys() error = %v", name, err)
				}
				continue
			}
			if fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), "does not open what this database holds") || !strings.Contains(err.Error(), tt.names) {
				t.Errorf("%s: UseKeys() error = %v, want an Invalid one that names %s", name, err, tt.names)
			}
		}
	})
}

// What a chunk is to be sent and looked up with does not stand in the way of reading it: nothing
// is retried, parked or given up for a key that does not open.
func TestChunkWork_keyDoesNotOpen(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		_, botID := shop(t, s, "1", 10_000)
		b := running(t, s, order("brd_1", botID), 2, 2)
		dispatch(t, s, t0)
		queued, sent := chunkOf(t, s, b.ID, 1), chunkOf(t, s, b.ID, 2)
		if !claim(t, s, sent, t0) {
			t.Fatal("cannot claim")
		}
		record(t, s, sent, accepted("task-2"), t0)
		bots(t, s, boxOf(t, base64.StdEncoding.EncodeToString([]byte(strings.Repeat("z", 32)))))
		work, ok, err := s.ChunkWork(t.Context(), queued.ID, queued.Epoch)
		if err != nil || !ok || work.RestKey != "" || len(work.Recipients) != 2 {
			t.Errorf("ChunkWork = %+v, %v, %v, want the chunk without a key", work, ok, err)
		}
		looked, ok, err := s.SentChunk(t.Context(), sent.ID, sent.Epoch)
		if err != nil || !ok || looked.RestKey != "" || looked.Chunk.TaskID != "task-2" {
			t.Errorf("SentChunk = %+v, %v, %v, want the chunk without a key", looked, ok, err)
		}
	})
}

// The keys of bots are listed open, also those of bots that stand still because of theirs; one that does not open is none.
func TestRestKeys(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		for _, id := range []string{"bot_1", "bot_2", "bot_3", "bot_4"} {
			newBot(t, s, id, "")
		}
		exec(t, s, `UPDATE bot SET paused_reason = 'config' WHERE id = 'bot_2'`)
		exec(t, s, `UPDATE bot SET rest_key_sealed = (SELECT b.rest_key_sealed FROM bot b WHERE b.id = 'bot_1') WHERE id = 'bot_3'`)
		for limit, want := range map[int][]BotKey{
			10: {{"bot_1", "rest-key-of-bot_1", ""}, {"bot_2", "rest-key-of-bot_2", "config"}, {"bot_3", "", ""}, {"bot_4", "rest-key-of-bot_4", ""}},
			1:  {{"bot_1", "rest-key-of-bot_1", ""}},
		} {
			if got, err := s.RestKeys(t.Context(), limit); err != nil || !slices.Equal(got, want) {
				t.Errorf("RestKeys(%d) = %+v, %v, want %+v", limit, got, err, want)
			}
		}
	})
}
