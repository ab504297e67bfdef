package acceptance_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/malgil/malgil/internal/apiclient"
)

// What a bot says comes in versions, and which one runs where is changed while it speaks.
func TestVersions(t *testing.T) {
	show(t, map[string]func(*testing.T){
		"development_first_then_live_and_back": versionsOfABot,
		"a_bad_one_loads_nothing":              badVersion,
	})
}

// speaks waits until a channel of the bot answers its opening hours with a text. The cache holds what runs for two
// seconds.
func (s *shop) speaks(bot, want string) {
	h := s.house
	h.t.Helper()
	channel := *s
	channel.bot = bot
	h.until(fmt.Sprintf("%s says %q", bot, want), func() (bool, any) {
		err := h.saysAndHears(&channel, "visitor", hoursName, want)
		return err == nil, fmt.Sprint(err)
	})
}

// hoursAre is all of a bot that can say its opening hours.
func hoursAre(text string) map[string]any {
	return map[string]any{"blocks": []any{map[string]any{"id": "hours", "name": hoursName, "kind": "normal",
		"answer": map[string]any{"outputs": []any{map[string]any{"simpleText": map[string]any{"text": text}}}}}}}
}

func versionsOfABot(t *testing.T) {
	h := open(t, plan{})
	s := h.openShop(0) // its first version is live
	_ = h.saysAndHears(s, "visitor", gibberish, greeting)
	s.speaks(s.bot, hours)
	s.speaks(s.bot+"!", hours)

	const winter = "겨울에는 11시부터 20시까지 열어요."
	h.do("POST", s.botPath()+"/versions?note=winter", hoursAre(winter), nil)
	s.speaks(s.bot+"!", winter)
	s.speaks(s.bot, hours)
	h.do("POST", s.botPath()+"/versions/2/deploy", map[string]any{"reason": "winter"}, nil)
	s.speaks(s.bot, winter)
	s.speaks(s.bot+"!", winter)
	var back struct{ Version int }
	h.do("POST", s.botPath()+"/rollback", map[string]any{"from": 2}, &back)
	if back.Version != 1 {
		t.Errorf("the rollback went to version %d, want 1", back.Version)
	}
	s.speaks(s.bot, hours)
	s.speaks(s.bot+"!", winter)
}

func badVersion(t *testing.T) {
	h := open(t, plan{})
	s := h.openShop(0)
	_ = h.saysAndHears(s, "visitor", gibberish, greeting)
	s.speaks(s.bot, hours)
	bad := hoursAre("새 시간")
	bad["blocks"] = append(bad["blocks"].([]any), map[string]any{"id": "b", "name": "b", "kind": "normal", "answer": map[string]any{"outputs": []any{}}},
		map[string]any{"id": "hours", "name": "c", "kind": "end", "answer": hoursAre("")["blocks"].([]any)[0].(map[string]any)["answer"]})
	err := h.api.Call(t.Context(), "POST", s.botPath()+"/versions?deploy=true", bad, nil)
	p, is := err.(*apiclient.Problem)
	if !is || p.Status != http.StatusUnprocessableEntity || len(p.Errors) < 4 {
		t.Fatalf("a bad version is answered %v, want 422 with everything that is wrong", err)
	}
	var versions struct {
		Items []struct{ Version int }
	}
	h.get(s.botPath()+"/versions", &versions)
	if len(versions.Items) != 1 {
		t.Errorf("there are %d versions after it, want the first alone", len(versions.Items))
	}
	s.speaks(s.bot, hours)
	s.speaks(s.bot+"!", hours)
}
