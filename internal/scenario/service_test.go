package scenario_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/kakao"
	"github.com/malgil/malgil/internal/scenario"
)

// one is a source of one bot, which both sides of it run.
type one struct{ bot scenario.Bot }

func (o one) Head(_ context.Context, id string) (scenario.Head, error) {
	if id != o.bot.ID {
		return scenario.Head{}, fault.New(fault.NotFound, "there is no bot %q", id)
	}
	return scenario.Head{ID: id, SkillKeyHash: o.bot.SkillKeyHash}, nil
}

func (o one) Bot(ctx context.Context, id, _ string) (scenario.Bot, error) {
	_, err := o.Head(ctx, id)
	return o.bot, err
}

type users struct {
	first    map[string]time.Time // by bot and user
	seen     map[string]bool
	states   map[string]scenario.State // by bot, side and user
	kept     int
	evidence []scenario.Evidence
	err      error
}

func (u *users) Visit(_ context.Context, botID, side string, hash []byte, at time.Time) (scenario.Visit, error) {
	if u.err != nil {
		return scenario.Visit{}, u.err
	}
	key := botID + string(hash)
	if u.first == nil {
		u.first = map[string]time.Time{}
	}
	if !u.seen[key] {
		u.seen[key], u.first[key] = true, at
	}
	return scenario.Visit{First: u.first[key].Equal(at), State: u.states[botID+side+string(hash)]}, nil
}

func (u *users) Keep(_ context.Context, botID, side string, hash []byte, state scenario.State) error {
	if u.states == nil {
		u.states = map[string]scenario.State{}
	}
	u.kept++
	u.states[botID+side+string(hash)] = state
	return u.err
}

func (u *users) RecordEvidence(_ context.Context, e scenario.Evidence) error {
	u.evidence = append(u.evidence, e)
	return u.err
}

func question(user, words string) scenario.Question {
	return scenario.Question{ID: "utt_1", BotID: "b1", At: time.UnixMilli(1_795_490_000_000).UTC(), Request: kakao.SkillRequest{
		Bot: kakao.Named{ID: "b1!"}, User: kakao.User{ID: user}, Utterance: words, Params: map[string]string{},
	}}
}

func newService(u *users) *scenario.Service {
	return scenario.NewService(one{bookshop()}, u, []byte("installation key"))
}

func TestService_welcomesOnce(t *testing.T) {
	s := newService(&users{seen: map[string]bool{}})
	echo := question("u2", "영업시간")
	echo.Request.Params["malgil_chunk"] = "brd_1-000001"
	steps := []struct {
		name string
		q    scenario.Question
		want string
	}{
		{"first contact", question("u1", "ㅁㄴㅇㄹ"), "welcome"},
		{"second contact", question("u1", "ㅁㄴㅇㄹ"), "fallback"},
		{"our own broadcast is no contact", echo, "hours"},
		{"first contact after it", question("u2", "ㅁㄴㅇㄹ"), "welcome"},
		{"nobody named", question("", "영업시간"), "hours"},
	}
	for i, step := range steps {
		step.q.At = step.q.At.Add(time.Duration(i) * time.Second)
		for run := range 2 { // by a worker, and by the intake that cannot know of it
			reply, err := s.Answer(t.Context(), step.q)
			if err != nil || reply.BlockID != step.want {
				t.Errorf("%s, run %d: Answer = %q, %v, want %q", step.name, run, reply.BlockID, err, step.want)
			}
		}
	}
}

func TestService_doesNotKnowTheUser(t *testing.T) {
	s := newService(&users{err: errors.New("database is away")})
	reply, err := s.Answer(t.Context(), question("u1", "영업시간"))
	if err != nil || reply.BlockID != "hours" || reply.UserErr == nil {
		t.Errorf("Answer = %q, %v, user error %v, want hours and the user error", reply.BlockID, err, reply.UserErr)
	}
}

func TestService_unknownBot(t *testing.T) {
	q := question("u1", "x")
	q.BotID = "b2"
	if _, err := newService(&users{}).Answer(t.Context(), q); fault.KindOf(err) != fault.NotFound {
		t.Errorf("Answer(unknown bot) error = %v, want NotFound", err)
	}
}

type panicking struct{}

func (panicking) Head(context.Context, string) (scenario.Head, error) { panic("boom") }

func (panicking) Bot(context.Context, string, string) (scenario.Bot, error) { panic("boom") }

func TestService_survivesAPanic(t *testing.T) {
	s := scenario.NewService(panicking{}, &users{}, nil)
	if _, err := s.Answer(t.Context(), question("u1", "x")); err == nil || fault.KindOf(err) != fault.Internal {
		t.Errorf("Answer(panic) error = %v, want Internal", err)
	}
}

func TestService_Witness(t *testing.T) {
	u := &users{}
	s := newService(u)
	echo := question("u1", "")
	echo.Request.Params["malgil_chunk"] = "brd_1-000001"
	for _, q := range []scenario.Question{question("u1", "영업시간"), echo} {
		if err := s.Witness(t.Context(), q); err != nil {
			t.Fatal(err)
		}
	}
	want := []scenario.Evidence{{BotID: "b1", ChunkID: "brd_1-000001", UserHash: scenario.UserHash([]byte("installation key"), "u1"), At: echo.At}}
	if diff := cmp.Diff(want, u.evidence); diff != "" {
		t.Errorf("Witness recorded (-want +got):\n%s", diff)
	}
	u.err = errors.New("database is away")
	if err := s.Witness(t.Context(), echo); err == nil {
		t.Error("Witness with the database away = nil, want an error")
	}
}

func TestService_Utterance(t *testing.T) {
	q := question("u1", "가"+strings.Repeat("\x00나", 1000))
	got := newService(&users{}).Utterance(q, scenario.Reply{BlockID: "hours"}, scenario.Direct, 3*time.Second)
	if len(got.Asked) > 2000 || strings.Contains(got.Asked, "\x00") || !strings.HasSuffix(got.Asked, "나") {
		t.Errorf("Utterance.Asked = %d bytes ending in %q, want at most 2000, whole characters, no NUL", len(got.Asked), got.Asked[len(got.Asked)-3:])
	}
	if got.Side != scenario.Development || got.BlockID != "hours" || bytes.Contains(got.UserHash, []byte("u1")) || len(got.UserHash) != 32 {
		t.Errorf("Utterance = %+v, want the development side, the block and a hash of the user", got)
	}
}

// The skill URL, or the request, says that it is the development channel that asks.
func TestService_asksForTheSide(t *testing.T) {
	for name, tt := range map[string]struct {
		bot         string
		development bool
		want        string
	}{
		"live":                     {bot: "b1", want: scenario.Live},
		"by the request":           {bot: "b1!", want: scenario.Development},
		"by the URL":               {bot: "b1", development: true, want: scenario.Development},
		"by the request and by it": {bot: "b1!", development: true, want: scenario.Development},
	} {
		t.Run(name, func(t *testing.T) {
			asked := &sideAsked{}
			q := question("u1", "영업시간")
			q.Request.Bot.ID, q.Development = tt.bot, tt.development
			s := scenario.NewService(asked, &users{seen: map[string]bool{}}, nil)
			if _, err := s.Answer(t.Context(), q); err != nil || asked.side != tt.want {
				t.Errorf("Answer() asked for side %q, %v, want %q", asked.side, err, tt.want)
			}
			if u := s.Utterance(q, scenario.Reply{}, scenario.Direct, 0); u.Side != tt.want {
				t.Errorf("Utterance() is of side %q, want %q", u.Side, tt.want)
			}
		})
	}
}

type sideAsked struct {
	one
	side string
}

func (s *sideAsked) Bot(_ context.Context, _, side string) (scenario.Bot, error) {
	s.side = side
	return bookshop(), nil
}

// What is recorded of a reply is enough to look at it again, and no more than there is room for.
func TestService_UtteranceOfWords(t *testing.T) {
	bot := desk()
	bot.Settings.PlainUserKeys = true
	s := scenario.NewService(one{bot}, &users{seen: map[string]bool{}}, []byte("key"))
	at := question("u1", "").At
	record := func(words string) scenario.Utterance {
		t.Helper()
		q := question("u1", words)
		at = at.Add(time.Second)
		q.At = at
		reply, err := s.Answer(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		return s.Utterance(q, reply, scenario.Direct, time.Second)
	}
	record("안녕") // enters
	got := record("반품 기한 며칠이에요")
	if got.UserKey != "u1" || got.Item != "반품 기한은 며칠인가요" || got.BlockID != "" || got.Why != scenario.ByKnowledge || got.Score < 70 || got.Offered {
		t.Errorf("Utterance = %+v, want the user's key, the item and its score", got)
	}
	var matches []scenario.Candidate
	if err := json.Unmarshal([]byte(got.Matches), &matches); err != nil || len(matches) == 0 || matches[0].Question != got.Item || matches[0].Score != got.Score || len(matches[0].Parts) == 0 {
		t.Errorf("Utterance.Matches = %s, %v, want the item first, with the parts of its score", got.Matches, err)
	}
	if got := record("상담원"); got.BlockID != "agent" || got.Why != scenario.ByWords || !got.Offered || got.Item != "" {
		t.Errorf("Utterance = %+v, want the block by its words, and a person offered", got)
	}
	plain := newService(&users{seen: map[string]bool{}})
	q := question("u1", "영업시간")
	reply, err := plain.Answer(t.Context(), q)
	if err != nil || plain.Utterance(q, reply, scenario.Direct, 0).UserKey != "" {
		t.Errorf("the key of a user is recorded, %v, want only where the bot allows that", err)
	}
	for i := range 5 {
		reply.Matches = append(reply.Matches, scenario.Candidate{Question: strings.Repeat("가", 200*(i+1)), Score: 90 - i})
	}
	kept := plain.Utterance(q, reply, scenario.Direct, 0).Matches
	if err := json.Unmarshal([]byte(kept), &matches); err != nil || len(kept) > 4000 || len(matches) < 2 || len(matches) > 4 {
		t.Errorf("Utterance.Matches has %d bytes and %d candidates, %v, want those that fit in 4000", len(kept), len(matches), err)
	}
}
