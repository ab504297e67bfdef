package store

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/malgil/malgil/internal/access"
	"github.com/malgil/malgil/internal/bot"
	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/kakao"
	"github.com/malgil/malgil/internal/knowledge"
	"github.com/malgil/malgil/internal/scenario"
	"github.com/malgil/malgil/internal/testserver"
)

// says is content of one block whose name and answer are a text.
func says(text string, events ...string) scenario.Content {
	c := scenario.Content{Blocks: []scenario.Block{{ID: "b", Name: text, Kind: scenario.Normal, Answer: kakao.Text(text).Template}}}
	for _, event := range events {
		c.Blocks = append(c.Blocks, scenario.Block{ID: event, Name: event, Kind: scenario.Normal, Event: event, Answer: kakao.Text(text).Template})
	}
	return c
}

func draftOf(t *testing.T, c scenario.Content) bot.Draft {
	t.Helper()
	text, err := json.Marshal(c)
	must(t, err)
	hash := sha256.Sum256(text)
	d := bot.Draft{Version: bot.Version{MadeAt: t0, MadeBy: "acc_1", Note: "새 답변", Blocks: len(c.Blocks), Items: len(c.Knowledge)}, JSON: text, Hash: hash[:]}
	for _, b := range c.Blocks {
		if b.Event != "" {
			d.Events = append(d.Events, b.Event)
		}
	}
	return d
}

// addVersion stores content as the newest version of a bot and returns its number.
func addVersion(t *testing.T, s *Store, id string, c scenario.Content, change ...func(*bot.Draft)) int64 {
	t.Helper()
	d := draftOf(t, c)
	for _, f := range change {
		f(&d)
	}
	v, added, err := s.AddVersion(t.Context(), id, d)
	if err != nil || !added {
		t.Fatalf("AddVersion(%s) = %+v, %v, %v, want it added", id, v, added, err)
	}
	return v.Number
}

func deployed(d *bot.Draft) { d.Deploy = true }

// versionsOf are the versions that the channels of a bot run.
func versionsOf(t *testing.T, s *Store, id string) (newest, live int64) {
	t.Helper()
	h, err := s.BotHead(t.Context(), id)
	must(t, err)
	b, err := s.BotDetails(t.Context(), id)
	must(t, err)
	if b.Version != h.Newest || b.Live != h.Deployed {
		t.Errorf("BotDetails() says versions %d and %d, BotHead() %d and %d", b.Version, b.Live, h.Newest, h.Deployed)
	}
	return h.Newest, h.Deployed
}

func TestAddVersion(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		newBot(t, s, "66a1", "")
		newBot(t, s, "66a2", "")
		if newest, live := versionsOf(t, s, "66a1"); newest != 0 || live != 0 {
			t.Errorf("a new bot runs versions %d and %d, want none", newest, live)
		}
		first := says("하나", "restock_alert")
		first.Knowledge = []knowledge.Item{{Question: "반품", Answer: "7일"}}
		if n := addVersion(t, s, "66a1", first); n != 1 {
			t.Errorf("the first version is %d, want 1", n)
		}
		if newest, live := versionsOf(t, s, "66a1"); newest != 1 || live != 0 {
			t.Errorf("after an import versions %d and %d run, want 1 on the development channel alone", newest, live)
		}
		got, err := s.BotContent(t.Context(), "66a1", 1)
		if diff := cmp.Diff(first, got); err != nil || diff != "" {
			t.Errorf("BotContent() error = %v (-want +got):\n%s", err, diff)
		}
		again := draftOf(t, first)
		again.MadeAt = t0.Add(time.Hour)
		v, added, err := s.AddVersion(t.Context(), "66a1", again)
		if err != nil || added || v.Number != 1 || !v.MadeAt.Equal(t0) || v.Items != 1 || v.Note != "새 답변" || !v.Newest || v.Live {
			t.Errorf("the same again = %+v, %v, %v, want version 1 as it is", v, added, err)
		}
		look := draftOf(t, says("둘"))
		look.OnlyLook, look.Deploy = true, true
		if v, added, err = s.AddVersion(t.Context(), "66a1", look); err != nil || !added || v.Number != 2 || !v.Live {
			t.Errorf("a look = %+v, %v, %v, want version 2, live", v, added, err)
		}
		if newest, live := versionsOf(t, s, "66a1"); newest != 1 || live != 0 {
			t.Errorf("after a look versions %d and %d run, want what ran before", newest, live)
		}
		if n := addVersion(t, s, "66a1", says("둘"), deployed); n != 2 {
			t.Errorf("the second version is %d, want 2", n)
		}
		if newest, live := versionsOf(t, s, "66a1"); newest != 2 || live != 2 {
			t.Errorf("after an import with a deploy versions %d and %d run, want 2 and 2", newest, live)
		}
		if n := addVersion(t, s, "66a1", first); n != 3 {
			t.Errorf("what an older version holds becomes version %d, want 3", n)
		}
		again.Deploy = true // the same as the newest, but not live yet
		if v, added, err = s.AddVersion(t.Context(), "66a1", again); err != nil || added || v.Number != 3 || !v.Live {
			t.Errorf("the same with a deploy = %+v, %v, %v, want version 3, live", v, added, err)
		}
		all, err := s.Versions(t.Context(), "66a1", 0, 2)
		if err != nil || len(all) != 2 || all[0].Number != 3 || !all[0].Newest || !all[0].Live || all[1].Number != 2 || all[1].Newest || all[1].Live {
			t.Errorf("Versions() = %+v, %v, want 3 and 2", all, err)
		}
		if all, err = s.Versions(t.Context(), "66a1", 2, 2); err != nil || len(all) != 1 || all[0].Number != 1 {
			t.Errorf("Versions(before 2) = %+v, %v, want the first", all, err)
		}
		if newest, _ := versionsOf(t, s, "66a2"); newest != 0 {
			t.Errorf("another bot runs version %d, want none", newest)
		}
		for what, call := range map[string]func() error{
			"AddVersion":  func() error { _, _, err := s.AddVersion(t.Context(), "none", again); return err },
			"Versions":    func() error { _, err := s.Versions(t.Context(), "none", 0, 1); return err },
			"Deploys":     func() error { _, err := s.Deploys(t.Context(), "none", 0, 1); return err },
			"BotContent":  func() error { _, err := s.BotContent(t.Context(), "66a1", 9); return err },
			"Version":     func() error { _, err := s.Version(t.Context(), "66a1", 9); return err },
			"BotHead":     func() error { _, err := s.BotHead(t.Context(), "none"); return err },
			"Deploy(bot)": func() error { _, err := s.DeployVersion(t.Context(), "none", 1, bot.Deploy{At: t0}); return err },
			"Deploy(9)":   func() error { _, err := s.DeployVersion(t.Context(), "66a1", 9, bot.Deploy{At: t0}); return err },
			"RollBack":    func() error { _, err := s.RollBack(t.Context(), "none", 0, bot.Deploy{At: t0}); return err },
		} {
			if err := call(); fault.KindOf(err) != fault.NotFound {
				t.Errorf("%s of what is not there = %v, want NotFound", what, err)
			}
		}
	})
}

func TestDeploys(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		newBot(t, s, "66a1", "")
		for _, text := range []string{"하나", "둘", "셋"} {
			addVersion(t, s, "66a1", says(text))
		}
		now := t0
		do := func(version int64) func() (bot.Deploy, error) {
			return func() (bot.Deploy, error) {
				return s.DeployVersion(t.Context(), "66a1", version, bot.Deploy{At: now, By: "acc_1", Reason: "개업"})
			}
		}
		back := func(from int64) func() (bot.Deploy, error) {
			return func() (bot.Deploy, error) {
				return s.RollBack(t.Context(), "66a1", from, bot.Deploy{At: now, By: "acc_2"})
			}
		}
		steps := []struct {
			name string
			do   func() (bot.Deploy, error)
			live int64
			code string
		}{
			{"back from nothing", back(0), 0, "NOTHING_BEFORE"},
			{"version 1", do(1), 1, ""},
			{"back from the first", back(0), 1, "NOTHING_BEFORE"},
			{"version 2", do(2), 2, ""},
			{"version 2 again", do(2), 2, ""},
			{"version 3", do(3), 3, ""},
			{"back from what is not live", back(2), 3, "NOT_LIVE"},
			{"back to 2", back(3), 2, ""},
			{"the same call again", back(3), 2, "NOT_LIVE"},
			{"back to 1", back(0), 1, ""},
			{"back further", back(0), 1, "NOTHING_BEFORE"},
			{"version 3 once more", do(3), 3, ""},
			{"back to 1 once more", back(0), 1, ""},
		}
		for _, step := range steps {
			now = now.Add(time.Minute)
			d, err := step.do()
			if fault.CodeOf(err) != step.code || (step.code != "") != (fault.KindOf(err) == fault.Conflict) || (step.code == "") != (err == nil) {
				t.Errorf("%s: error = %v, want %q", step.name, err, step.code)
			}
			if _, live := versionsOf(t, s, "66a1"); live != step.live || (err == nil && d.Version != live) {
				t.Errorf("%s: version %d is live and %+v told, want %d", step.name, live, d, step.live)
			}
		}
		all, err := s.Deploys(t.Context(), "66a1", 0, 10)
		must(t, err)
		var got []int64
		for _, d := range all {
			got = append(got, d.Version)
		}
		if !slices.Equal(got, []int64{1, 3, 1, 2, 3, 2, 1}) {
			t.Errorf("Deploys() = %v, want each that was done, the last first", got)
		}
		first := bot.Deploy{Number: 1, Version: 1, At: t0.Add(2 * time.Minute), By: "acc_1", Reason: "개업"}
		if diff := cmp.Diff(first, all[6]); diff != "" || !all[0].RolledBack || all[0].By != "acc_2" || all[1].RolledBack {
			t.Errorf("Deploys() = %+v, the first (-want +got):\n%s", all, diff)
		}
		if page, err := s.Deploys(t.Context(), "66a1", 3, 1); err != nil || len(page) != 1 || page[0].Number != 2 {
			t.Errorf("Deploys(before 3) = %+v, %v, want the second", page, err)
		}
	})
}

func TestVersions_audit(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		newBot(t, s, "66a1", "")
		deed := func(action string) context.Context {
			return access.WithDeed(t.Context(), access.Deed{TokenID: "tok_1", Action: action, At: t0}, access.Object{Kind: access.OfBot, ID: "66a1"})
		}
		draft := draftOf(t, says("하나"))
		draft.Deploy = true
		look := draft
		look.OnlyLook = true
		_, _, err := s.AddVersion(deed("import-version"), "66a1", look)
		must(t, err)
		for range 2 { // the second changes nothing
			_, _, err := s.AddVersion(deed("import-version"), "66a1", draft)
			must(t, err)
		}
		addVersion(t, s, "66a1", says("둘"))
		for range 2 {
			_, err := s.DeployVersion(deed("deploy-version"), "66a1", 2, bot.Deploy{At: t0})
			must(t, err)
		}
		_, err = s.RollBack(deed("roll-back"), "66a1", 0, bot.Deploy{At: t0})
		must(t, err)
		entries, err := s.Audit(t.Context(), AuditFilter{Sight: access.Everything}, 0, 10)
		must(t, err)
		var got []string
		for _, e := range entries {
			got = append(got, e.Action+" "+e.Before+" "+e.After)
		}
		want := []string{
			`roll-back {"live":2} {"live":1}`,
			`deploy-version {"live":1} {"live":2}`,
			`import-version {"live":0,"version":0} {"blocks":1,"items":0,"live":1,"version":1}`,
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("audit log (-want +got):\n%s", diff)
		}
	})
}

func TestBotHead_settings(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		newBot(t, s, "66a1", "")
		h, err := s.BotHead(t.Context(), "66a1")
		hash := sha256.Sum256([]byte("skill-key-of-66a1"))
		want := scenario.Head{ID: "66a1", Name: "한빛서점 도우미", SkillKeyHash: hash[:], Settings: scenario.DefaultSettings}
		if diff := cmp.Diff(want, h); err != nil || diff != "" {
			t.Errorf("BotHead() error = %v (-want +got):\n%s", err, diff)
		}
		accuracy, never := 90, 0
		must(t, s.ChangeBot(t.Context(), "66a1", bot.SealedChange{Talking: &bot.TalkingChange{MinimumAccuracy: &accuracy}}))
		must(t, s.ChangeBot(t.Context(), "66a1", bot.SealedChange{Talking: &bot.TalkingChange{ChooseWithin: &never}}))
		want.Settings.MinimumAccuracy, want.Settings.ChooseWithin = 90, 0
		h, err = s.BotHead(t.Context(), "66a1")
		if diff := cmp.Diff(want, h); err != nil || diff != "" {
			t.Errorf("BotHead() after changes error = %v (-want +got):\n%s", err, diff)
		}
		if b, err := s.BotDetails(t.Context(), "66a1"); err != nil || b.Talking != want.Settings {
			t.Errorf("BotDetails() = %+v, %v, want the settings", b.Talking, err)
		}
	})
}

func TestHasEvent_goesByTheSide(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		newBot(t, s, "66a1", "")
		has := func(side broadcast.Side, event string, want bool) {
			t.Helper()
			if got, err := hasEvent(t.Context(), s.read, "66a1", side, event); err != nil || got != want {
				t.Errorf("hasEvent(%s, %s) = %v, %v, want %v", side, event, got, err, want)
			}
		}
		has(broadcast.Live, "restock_alert", true) // none are known
		addVersion(t, s, "66a1", says("하나", "restock_alert", "closing"), deployed)
		addVersion(t, s, "66a1", says("둘", "reopening"))
		has(broadcast.Live, "closing", true)
		has(broadcast.Live, "reopening", false)
		has(broadcast.Development, "reopening", true)
		has(broadcast.Development, "closing", false)
		addVersion(t, s, "66a1", says("셋"))
		has(broadcast.Development, "closing", true) // its blocks name none
	})
}

// An order with an event that no deployed block has is refused when it is made, sealed and scheduled, with
// whatever else is missing.
func TestOrder_event(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		a := newAlmanac(t, s)
		addVersion(t, s, a.bot, says("하나", "restock_alert"), deployed)
		b := create(t, s, order("brd_1", a.bot))
		upload(t, s, b.ID, 2)
		addVersion(t, s, a.bot, says("둘", "closing"), deployed)
		wrong := func(event string) broadcast.Broadcast {
			o := order("brd_2", a.bot)
			o.Message.Event = event
			return o
		}
		ordered := map[string]func() error{
			"create": func() error {
				_, _, err := s.CreateBroadcast(t.Context(), wrong("restock_alert"), nil, 0, broadcast.Request{})
				return err
			},
			"seal": func() error { _, err := s.Seal(t.Context(), b.ID, broadcast.Sealing{}, t0); return err },
			"schedule": func() error {
				_, err := a.Create(t.Context(), broadcast.ScheduleOrder{BotID: a.bot, Message: broadcast.Message{Event: "restock_alert"}, Audience: a.audience, Cron: "0 13 * * *"}, broadcast.Request{})
				return err
			},
		}
		for name, do := range ordered {
			if err := do(); fault.CodeOf(err) != "BOT_NOT_READY" || !slices.Equal(parts(err), []string{"event.name"}) {
				t.Errorf("%s with an event of no block = %v, parts %v, want BOT_NOT_READY, event.name", name, err, parts(err))
			}
		}
		if _, _, err := s.CreateBroadcast(t.Context(), wrong("closing"), nil, 0, broadcast.Request{}); err != nil {
			t.Errorf("create with an event that is deployed = %v", err)
		}
		call, chunk := now("brd_3", a.bot)
		if _, err := s.CreateAtOnce(t.Context(), call, chunk, broadcast.Request{}); fault.KindOf(err) != fault.NotFound {
			t.Errorf("a call with it = %v, want NotFound", err)
		}
		exec(t, s, `UPDATE bot SET wallet_id = NULL WHERE id = $1`, a.bot)
		for _, name := range []string{"create", "schedule"} {
			if err := ordered[name](); !slices.Equal(parts(err), []string{"bot.wallet", "event.name"}) {
				t.Errorf("%s without a wallet too = %v, want both named", name, parts(err))
			}
		}
	})
}

// Blocks from before there were versions are one, and live.
func TestMigrate_blocks(t *testing.T) {
	for name, address := range map[string]string{"sqlite": "sqlite:" + filepath.Join(t.TempDir(), "malgil.db"), "postgres": testserver.Postgres(t)} {
		t.Run(name, func(t *testing.T) {
			s, err := Open(t.Context(), Config{Address: address, Keys: testKeys(t)})
			must(t, err)
			t.Cleanup(func() { must(t, s.Close()) })
			provider, err := s.provider()
			must(t, err)
			_, err = provider.UpTo(t.Context(), 215)
			must(t, err)
			newBot(t, s, "66a1", "")
			newBot(t, s, "66a2", "")
			exec(t, s, `UPDATE bot SET version = 4`)
			block := func(id, kind, event, answer string, delay, position int) {
				exec(t, s, `INSERT INTO block (bot_id, id, name, kind, event_name, callback, delay_ms, answer, position)
					VALUES ('66a1', $1, $1, $2, $3, $4, $5, $6, $7)`, id, kind, event, min(delay, 1), delay, answer, position)
			}
			block("z", "welcome", "", `{"outputs":[{"simpleText":{"text":"어서 \"오세요\""}}]}`, 0, 1)
			block("a", "normal", "restock_alert", `{"outputs":[{"simpleText":{"text":"들어왔어요"}}],"quickReplies":[{"label":"처음","action":"message"}]}`, 2000, 2)
			exec(t, s, `INSERT INTO audit (seq, at, token_id, account_id, action, subject_kind, subject_id, wallet_id, reason, before_json, after_json, hash)
				VALUES (1, $1, 'tok_1', 'acc_1', 'put-blocks', 'bot', '66a1', '', '', '', '', $2)`, millis(t0.Add(time.Hour)), []byte("h"))
			_, err = s.Migrate(t.Context())
			must(t, err)

			if newest, live := versionsOf(t, s, "66a1"); newest != 4 || live != 4 {
				t.Errorf("versions %d and %d run, want 4 on both", newest, live)
			}
			if newest, live := versionsOf(t, s, "66a2"); newest != 0 || live != 0 {
				t.Errorf("of a bot without blocks versions %d and %d run, want none", newest, live)
			}
			v, err := s.Version(t.Context(), "66a1", 4)
			want := bot.Version{Number: 4, MadeAt: t0.Add(time.Hour), MadeBy: "acc_1", Blocks: 2, Newest: true, Live: true}
			if diff := cmp.Diff(want, v); err != nil || diff != "" {
				t.Errorf("Version(4) error = %v (-want +got):\n%s", err, diff)
			}
			alert := kakao.Text("들어왔어요").Template
			alert.QuickReplies = []kakao.QuickReply{{Label: "처음", Action: "message"}}
			content, err := s.BotContent(t.Context(), "66a1", 4)
			if diff := cmp.Diff(scenario.Content{Blocks: []scenario.Block{
				{ID: "z", Name: "z", Kind: scenario.Welcome, Answer: kakao.Text(`어서 "오세요"`).Template},
				{ID: "a", Name: "a", Kind: scenario.Normal, Event: "restock_alert", Callback: true, Delay: 2 * time.Second, Answer: alert},
			}}, content); err != nil || diff != "" {
				t.Errorf("BotContent(4) error = %v (-want +got):\n%s", err, diff)
			}
			if has, err := hasEvent(t.Context(), s.read, "66a1", broadcast.Live, "restock_alert"); err != nil || !has {
				t.Errorf("hasEvent() = %v, %v, want the event of before", has, err)
			}
			if n := addVersion(t, s, "66a1", content); n != 5 {
				t.Errorf("the next version is %d, want 5", n)
			}
			if d, err := s.RollBack(t.Context(), "66a1", 0, bot.Deploy{At: t0}); fault.CodeOf(err) != "NOTHING_BEFORE" {
				t.Errorf("RollBack() = %+v, %v, want nothing before", d, err)
			}
		})
	}
}

// Of two who add to the same version, one is told to look again.
func TestAddVersion_follows(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		newBot(t, s, "66a1", "")
		addVersion(t, s, "66a1", says("하나"))
		after := func(n int64) func(*bot.Draft) { return func(d *bot.Draft) { d.Follows = n } }
		if n := addVersion(t, s, "66a1", says("둘"), after(1)); n != 2 {
			t.Errorf("what follows version 1 is %d, want 2", n)
		}
		late := draftOf(t, says("셋"))
		late.Follows = 1
		if _, added, err := s.AddVersion(t.Context(), "66a1", late); added || fault.KindOf(err) != fault.Conflict {
			t.Errorf("another that follows version 1 = added %v, %v, want a Conflict", added, err)
		}
		if newest, _ := versionsOf(t, s, "66a1"); newest != 2 {
			t.Errorf("version %d is the newest, want 2", newest)
		}
	})
}
