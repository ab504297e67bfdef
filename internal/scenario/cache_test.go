package scenario_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/kakao"
	"github.com/malgil/malgil/internal/knowledge"
	"github.com/malgil/malgil/internal/scenario"
)

// source is a database of bots that can be away, slow or broken.
type source struct {
	mu           sync.Mutex
	heads        map[string]scenario.Head
	content      scenario.Content // of every version
	err          error
	contentErr   error
	stall        time.Duration
	contentStall time.Duration
	asked, read  int
	readVersions []int64
}

func (s *source) BotHead(ctx context.Context, id string) (scenario.Head, error) {
	s.mu.Lock()
	s.asked++
	head, found := s.heads[id]
	err, stall := s.err, s.stall
	s.mu.Unlock()
	select {
	case <-time.After(stall):
	case <-ctx.Done():
		return scenario.Head{}, ctx.Err()
	}
	switch {
	case err != nil:
		return scenario.Head{}, err
	case !found:
		return scenario.Head{}, fault.New(fault.NotFound, "there is no bot %q", id)
	}
	return head, nil
}

func (s *source) BotContent(ctx context.Context, _ string, version int64) (scenario.Content, error) {
	s.mu.Lock()
	s.read++
	s.readVersions = append(s.readVersions, version)
	content, err, stall := s.content, errors.Join(s.err, s.contentErr), s.contentStall
	s.mu.Unlock()
	select {
	case <-time.After(stall):
	case <-ctx.Done():
		return scenario.Content{}, ctx.Err()
	}
	return content, err
}

func (s *source) set(change func(*source)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(s)
}

func (s *source) looks() (heads, contents int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked, s.read
}

// running is a source of one bot that runs versions.
func running(newest, live int64) *source {
	return &source{heads: map[string]scenario.Head{"b1": {ID: "b1", Newest: newest, Deployed: live}}}
}

func (s *source) run(newest, live int64) {
	s.set(func(s *source) { s.heads["b1"] = scenario.Head{ID: "b1", Newest: newest, Deployed: live} })
}

const ttl = 2 * time.Second

func TestCache(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := running(1, 1)
		cache := scenario.NewCache(src, ttl)
		expect := func(when string, version int64, looks int) {
			t.Helper()
			bot, err := cache.Bot(t.Context(), "b1", scenario.Live)
			if got, _ := src.looks(); err != nil || bot.Version != version || got != looks || bot.Script == nil || bot.Script.Version != version {
				t.Errorf("%s: Bot = version %d, %v after %d looks, want %d after %d", when, bot.Version, err, got, version, looks)
			}
		}
		expect("first", 1, 1)
		expect("kept", 1, 1)
		src.run(2, 2)
		time.Sleep(ttl - time.Millisecond)
		expect("just before its time", 1, 1)
		time.Sleep(time.Millisecond)
		expect("changed", 2, 2)

		src.set(func(s *source) { s.err = errors.New("away") })
		time.Sleep(time.Minute)
		expect("database away", 2, 3)
		expect("not asked again at once", 2, 3)

		src.set(func(s *source) { s.err, s.stall = nil, time.Minute })
		time.Sleep(ttl)
		start := time.Now()
		expect("database frozen", 2, 4)
		if took := time.Since(start); took != 250*time.Millisecond {
			t.Errorf("a frozen database held a known bot up for %v, want 250ms", took)
		}
		time.Sleep(time.Minute)
		src.set(func(s *source) { s.stall = 0; delete(s.heads, "b1") })
		if _, err := cache.Bot(t.Context(), "b1", scenario.Live); fault.KindOf(err) != fault.NotFound {
			t.Errorf("Bot after it was removed: error = %v, want NotFound", err)
		}
		if _, err := cache.Head(t.Context(), "b1"); fault.KindOf(err) != fault.NotFound {
			t.Errorf("Head after it was removed: error = %v, want NotFound", err)
		}
	})
}

// Each side runs a version of its own; what is set of the bot holds for both.
func TestCache_sides(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := running(2, 0)
		cache := scenario.NewCache(src, ttl)
		expect := func(when string, development, live int64, read int) {
			t.Helper()
			dev, err := cache.Bot(t.Context(), "b1", scenario.Development)
			run, err2 := cache.Bot(t.Context(), "b1", scenario.Live)
			if _, got := src.looks(); err != nil || err2 != nil || dev.Version != development || run.Version != live || got != read {
				t.Errorf("%s: versions %d and %d run (%v, %v) after %d were read, want %d and %d after %d",
					when, dev.Version, run.Version, err, err2, got, development, live, read)
			}
		}
		expect("nothing is live", 2, 0, 1)
		src.run(2, 2)
		time.Sleep(ttl)
		expect("deployed: both share one", 2, 2, 1)
		src.run(3, 2)
		time.Sleep(ttl)
		expect("imported", 3, 2, 2)
		src.set(func(s *source) {
			s.heads["b1"] = scenario.Head{ID: "b1", Newest: 3, Deployed: 3, Settings: scenario.Settings{MinimumAccuracy: 90}}
		})
		time.Sleep(ttl)
		expect("deployed again", 3, 3, 2)
		for _, side := range []string{scenario.Live, scenario.Development} {
			if bot, _ := cache.Bot(t.Context(), "b1", side); bot.Settings.MinimumAccuracy != 90 {
				t.Errorf("on the %s side the settings are %+v, want those that were set", side, bot.Settings)
			}
		}
		src.run(3, 2)
		time.Sleep(ttl)
		expect("rolled back: what nobody ran is read again", 3, 2, 3)
	})
}

// A bot that was warmed answers its first question without a look at the database; one that is not there, and time
// that is over, keep nothing from going on.
func TestCache_Warm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := running(5, 4)
		s.heads["b2"] = scenario.Head{ID: "b2", Newest: 1, Deployed: 1}
		s.contentStall = time.Second
		c := scenario.NewCache(s, time.Hour)
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		c.Warm(ctx, []string{"unknown", "b1", "b2"})
		for id, version := range map[string]int64{"b1": 4, "b2": 1} {
			began := time.Now()
			bot, err := c.Bot(t.Context(), id, scenario.Live)
			if err != nil || bot.Version != version || time.Since(began) > 0 {
				t.Errorf("Bot(%s) = version %d, %v after %v, want %d at once", id, bot.Version, err, time.Since(began), version)
			}
		}
		if _, contents := s.looks(); contents != 2 {
			t.Errorf("%d versions were read, want those of the live channels", contents)
		}

		slow := running(1, 1)
		slow.contentStall = 10 * time.Second
		began := time.Now()
		ctx, cancel = context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		scenario.NewCache(slow, time.Hour).Warm(ctx, []string{"b1", "b2", "b3"})
		if took := time.Since(began); took != 3*time.Second {
			t.Errorf("warming a slow bot took %v, want its 3 s", took)
		}
		time.Sleep(10 * time.Second) // until the read has ended too
	})
}

// A version is read once and compiled once, however large it is and however long it is used.
func TestCache_readsAVersionOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := running(1, 1)
		for i := range 10_000 {
			src.content.Knowledge = append(src.content.Knowledge, knowledge.Item{Question: fmt.Sprint(i), Answer: "답"})
		}
		cache := scenario.NewCache(src, ttl)
		var script *scenario.Script
		for range 600 {
			for _, side := range []string{scenario.Live, scenario.Development} {
				bot, err := cache.Bot(t.Context(), "b1", side)
				if script == nil {
					script = bot.Script
				}
				if err != nil || bot.Script != script || len(bot.Knowledge) != 10_000 {
					t.Fatalf("Bot(%s) = %d items, %v, want the same script", side, len(bot.Knowledge), err)
				}
			}
			time.Sleep(ttl)
		}
		if looks, read := src.looks(); looks != 600 || read != 1 {
			t.Errorf("in 20 minutes there were %d looks and %d readings, want 600 and 1", looks, read)
		}
	})
}

// While a new version is read, or cannot be, the one before answers.
func TestCache_servesTheVersionBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := running(1, 1)
		cache := scenario.NewCache(src, ttl)
		expect := func(when string, version int64, took time.Duration) {
			t.Helper()
			start := time.Now()
			bot, err := cache.Bot(t.Context(), "b1", scenario.Live)
			if got := time.Since(start); err != nil || bot.Version != version || got != took {
				t.Errorf("%s: Bot = version %d, %v after %v, want %d after %v", when, bot.Version, err, got, version, took)
			}
		}
		expect("first", 1, 0)
		src.run(2, 2)
		src.set(func(s *source) { s.contentStall = time.Second })
		time.Sleep(ttl)
		expect("read slowly", 1, 250*time.Millisecond)
		expect("not waited for again", 1, 0)
		time.Sleep(time.Second)
		expect("read", 2, 0)

		src.run(3, 3)
		src.set(func(s *source) { s.contentStall, s.contentErr = 0, errors.New("torn") })
		time.Sleep(ttl)
		expect("not readable", 2, 0)
		expect("not tried again at once", 2, 0)
		src.set(func(s *source) { s.contentErr = nil })
		time.Sleep(ttl)
		expect("readable", 3, 0)
		if want := []int64{1, 2, 3, 3}; fmt.Sprint(src.readVersions) != fmt.Sprint(want) {
			t.Errorf("versions %v were read, want %v", src.readVersions, want)
		}
	})
}

// That a version cannot be read is told at every try, and as news once.
func TestCache_TellFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := running(1, 1)
		cache := scenario.NewCache(src, ttl)
		var told []string
		cache.TellFailures(func(botID string, version int64, err error, again bool) {
			told = append(told, fmt.Sprint(botID, " ", version, " ", err, " ", again))
		})
		ask := func(version, failing int64, want ...string) {
			t.Helper()
			time.Sleep(ttl)
			bot, err := cache.Bot(t.Context(), "b1", scenario.Live)
			synctest.Wait()
			explained, _ := scenario.NewService(cache, nil, nil).Explain(t.Context(), "b1", scenario.Live, "안녕")
			if err != nil || bot.Version != version || bot.Failing != failing || explained.Failing != failing || !slices.Equal(told, want) {
				t.Errorf("Bot = version %d while %d fails, %v, and %q is told, want %d, %d and %q", bot.Version, bot.Failing, err, told, version, failing, want)
			}
		}
		ask(1, 0)
		src.run(2, 2)
		src.set(func(s *source) { s.contentErr = errors.New("torn") })
		ask(1, 2, "b1 2 torn false")
		ask(1, 2, "b1 2 torn false", "b1 2 torn true")
		src.run(3, 3)
		ask(1, 3, "b1 2 torn false", "b1 2 torn true", "b1 3 torn false")
		src.set(func(s *source) { s.contentErr = nil })
		ask(3, 0, "b1 2 torn false", "b1 2 torn true", "b1 3 torn false")
	})
}

// What is under way when a process stops ends with it: it goes on at no database, and is told to nobody.
func TestCache_Close(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := running(1, 1)
		src.contentStall = time.Hour
		cache := scenario.NewCache(src, ttl)
		cache.TellFailures(func(botID string, version int64, err error, _ bool) {
			t.Errorf("version %d of %s is told to have failed: %v", version, botID, err)
		})
		asked, leave := context.WithTimeout(t.Context(), time.Second)
		defer leave()
		if _, err := cache.Bot(asked, "b1", scenario.Live); err == nil {
			t.Error("a version that is not read answers")
		}
		began := time.Now()
		if err := cache.Close(t.Context()); err != nil || time.Since(began) != 0 {
			t.Errorf("Close = %v after %v, want that the load ends at once", err, time.Since(began))
		}
	})
}

func TestCache_coldAndNotReadable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := running(1, 1)
		src.contentErr = errors.New("torn")
		cache := scenario.NewCache(src, ttl)
		for range 2 {
			if bot, err := cache.Bot(t.Context(), "b1", scenario.Live); !errors.Is(err, src.contentErr) {
				t.Errorf("Bot = %+v, %v, want what is wrong", bot, err)
			}
		}
		if _, read := src.looks(); read != 1 {
			t.Errorf("it was read %d times, want once within its time", read)
		}
		if _, err := cache.Head(t.Context(), "b1"); err != nil {
			t.Errorf("Head error = %v, want none", err)
		}
		src.run(2, 2)
		src.set(func(s *source) { s.contentErr, s.contentStall = nil, time.Second })
		time.Sleep(ttl)
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		if _, err := cache.Bot(ctx, "b1", scenario.Live); fault.KindOf(err) != fault.Unavailable {
			t.Errorf("Bot(cold, slow) error = %v, want Unavailable", err)
		}
		time.Sleep(time.Minute)
	})
}

// What nobody asks for any more is forgotten, but not while it could not be loaded again.
func TestCache_forgets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := running(1, 1)
		src.heads["b2"] = scenario.Head{ID: "b2", Newest: 1, Deployed: 1}
		cache := scenario.NewCache(src, ttl)
		ask := func(id string, read int) {
			t.Helper()
			if _, err := cache.Bot(t.Context(), id, scenario.Live); err != nil {
				t.Errorf("Bot(%s) error = %v, want none", id, err)
			}
			if _, got := src.looks(); got != read {
				t.Errorf("after Bot(%s) %d were read, want %d", id, got, read)
			}
		}
		ask("b1", 1)
		ask("b2", 2)
		src.set(func(s *source) { s.err = errors.New("away") })
		time.Sleep(2 * time.Hour)
		ask("b2", 2)
		ask("b1", 2)
		src.set(func(s *source) { s.err = nil })
		time.Sleep(time.Hour - time.Minute)
		ask("b2", 2)
		time.Sleep(time.Minute)
		ask("b2", 2)
		ask("b1", 3)
	})
}

func TestCache_unknownAndCold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := &source{}
		cache := scenario.NewCache(src, time.Second)
		if _, err := cache.Bot(t.Context(), "b9", scenario.Live); fault.KindOf(err) != fault.NotFound {
			t.Errorf("Bot(unknown) error = %v, want NotFound", err)
		}
		src.set(func(s *source) { s.stall = time.Second })
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		if _, err := cache.Head(ctx, "b9"); fault.KindOf(err) != fault.Unavailable {
			t.Errorf("Head(cold, frozen) error = %v, want Unavailable", err)
		}
		time.Sleep(time.Minute)
	})
}

// Many who ask at once are served by one look.
func TestCache_oneLookForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := running(1, 1)
		src.stall, src.contentStall = 100*time.Millisecond, 100*time.Millisecond
		cache := scenario.NewCache(src, time.Second)
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() {
				if _, err := cache.Bot(t.Context(), "b1", scenario.Live); err != nil {
					t.Errorf("Bot error = %v, want none", err)
				}
			})
		}
		all.Wait()
		if looks, read := src.looks(); looks != 1 || read != 1 {
			t.Errorf("50 callers caused %d looks and %d readings, want 1 and 1", looks, read)
		}
	})
}

// A bot of which nothing is live says that it did not understand.
func TestCache_nothingLive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cache := scenario.NewCache(running(1, 0), ttl)
		s := scenario.NewService(cache, &users{seen: map[string]bool{}}, nil)
		q := question("u1", "영업시간")
		q.Request.Bot.ID = "b1"
		reply, err := s.Answer(t.Context(), q)
		if err != nil || reply.BlockID != "" || reply.Response.Template.Outputs[0].SimpleText.Text != scenario.NotUnderstoodText {
			t.Errorf("Answer = %+v, %v, want the text for what is not understood", reply, err)
		}
		if problems := kakao.Lint(reply.Response); len(problems) > 0 {
			t.Errorf("Answer is not valid: %v", problems)
		}
	})
}
