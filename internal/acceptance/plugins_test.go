package acceptance_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/malgil/malgil/internal/apiclient"
)

// Plugins and what Kakao asks for before a bot may use them.
func TestPlugins(t *testing.T) {
	show(t, map[string]func(*testing.T){
		"14_certification":               needsCertification,
		"15_profile":                     profilePlugin,
		"16_kakao_sync":                  kakaoSyncPlugin,
		"17_development_channel_let_go":  developmentLetGo,
		"18_set_up_again_after_a_relink": setUpAgain,
	})
}

// plugin is one of a bot as the API lists it.
type plugin struct {
	Plugin        string `json:"plugin"`
	State         string `json:"state"`
	Cause         string `json:"cause"`
	Prerequisites []struct {
		Field string `json:"field"`
		Met   bool   `json:"met"`
	} `json:"prerequisites"`
}

// certification is a certification block as the API lists it.
type certification struct {
	ID       string `json:"id"`
	Approved bool   `json:"approved"`
	Works    bool   `json:"works"`
	Broken   []struct {
		Plugin string `json:"plugin"`
		Cause  string `json:"cause"`
	} `json:"broken"`
}

func (s *shop) botPath() string { return "/api/v1/bots/" + s.bot }

// ask asks for a plugin and returns what is missing, nothing when it is ready.
func (s *shop) ask(name string) (missing []string) {
	h := s.house
	h.t.Helper()
	var p plugin
	err := h.api.Call(h.t.Context(), "POST", s.botPath()+"/plugins", map[string]any{"plugin": name}, &p)
	if err == nil {
		if p.State != "ready" {
			h.t.Errorf("%s is %+v, want it ready", name, p)
		}
		return nil
	}
	return fieldsOf(h.t, err, "PLUGIN_NOT_READY")
}

// fieldsOf returns what a refusal with 409 and a code names.
func fieldsOf(t testing.TB, err error, code string) (fields []string) {
	t.Helper()
	var p *apiclient.Problem
	if !errors.As(err, &p) || p.Status != 409 || p.Code != code {
		t.Fatalf("refused with %v, want 409 %s", err, code)
	}
	for _, e := range p.Errors {
		if e.Message == "" {
			t.Errorf("%s is named without what to do", e.Location)
		}
		fields = append(fields, e.Location)
	}
	return fields
}

// lacking asks for a plugin that is refused, for just these things.
func (s *shop) lacking(what, name string, fields ...string) {
	s.house.t.Helper()
	if got := s.ask(name); !slices.Equal(got, fields) {
		s.house.t.Errorf("%s: %s is refused for %q, want %q", what, name, got, fields)
	}
}

// plugins returns those that are not off, as "profile needs_setup".
func (s *shop) plugins() (states []string) {
	s.house.t.Helper()
	var list struct{ Items []plugin }
	s.house.get(s.botPath()+"/plugins", &list)
	for _, p := range list.Items {
		if p.State != "off" {
			states = append(states, strings.TrimSpace(p.Plugin+" "+p.State))
		}
	}
	return states
}

func (s *shop) wantPlugins(when string, states ...string) {
	s.house.t.Helper()
	if got := s.plugins(); !slices.Equal(got, states) {
		s.house.t.Errorf("%s the plugins are %q, want %q", when, got, states)
	}
}

const shopApp = "1043277"

// kakaoSays sets what Kakao says of the bot's app, and with it of nothing else.
func (s *shop) kakaoSays(facts ...string) {
	s.house.t.Helper()
	app := map[string]any{"name": "한빛서점"}
	for _, fact := range facts {
		app[fact] = true
	}
	s.house.do("PUT", "/api/v1/apps/"+shopApp, app, nil)
}

// channel changes one side of the bot.
func (s *shop) channel(side string, change map[string]any) {
	s.house.t.Helper()
	s.house.do("PATCH", s.botPath()+"/channels/"+side, change, nil)
}

var everyReview = []string{"verified", "terms_reviewed", "personal_data_needed", "personal_data_reviewed"}

// linked is a shop whose bot lacks nothing that Kakao asks for: both channels are on one app.
func linked(t *testing.T) (*house, *shop) {
	t.Helper()
	h := open(t, plan{})
	s := h.openShop(0)
	s.kakaoSays(everyReview...)
	for _, side := range []string{"live", "development"} {
		h.do("PUT", s.botPath()+"/channels/"+side, map[string]any{"name": "한빛서점"}, nil)
		s.channel(side, map[string]any{"app": shopApp})
	}
	s.channel("live", map[string]any{"verified": true})
	return h, s
}

// A bot that Kakao has certified nothing of is told everything that is missing, at once.
func needsCertification(t *testing.T) {
	h := open(t, plan{})
	s := h.openShop(0)
	h.do("PUT", s.botPath()+"/channels/live", map[string]any{"name": "한빛서점"}, nil)
	for name, fields := range map[string][]string{
		"kakao_sync":   {"channel.verified", "channel.app", "app.verified", "development.app", "app.terms_reviewed", "app.personal_data_reviewed"},
		"profile":      {"channel.verified", "channel.app", "app.verified", "development.app"},
		"location":     {"channel.verified", "plugin.reviewed"},
		"secure_image": {"channel.verified"},
		"payment":      {"channel.verified", "plugin.reviewed"},
		"task_chain":   {"channel.verified", "plugin.reviewed"},
		"consult":      {"channel.verified"},
	} {
		s.lacking("uncertified", name, fields...)
	}
	p := h.refused("POST", s.botPath()+"/plugins", map[string]any{"plugin": "location"})
	if p == nil || len(p.Errors) != 2 || !strings.Contains(p.Errors[0].Message, "3 to 5 business days") || !strings.Contains(p.Errors[1].Message, "2 to 3 business days") {
		t.Errorf("location is refused with %+v, want the business days that Kakao takes", p)
	}
	s.wantPlugins("uncertified")

	s.channel("live", map[string]any{"verified": true})
	h.do("PATCH", s.botPath()+"/plugins/location", map[string]any{"reviewed": true}, nil)
	for _, name := range []string{"location", "secure_image", "consult"} {
		s.lacking("certified", name)
	}
	s.wantPlugins("certified", "location ready", "secure_image ready", "consult ready")
	h.do("DELETE", s.botPath()+"/plugins/consult", nil, nil)
	s.wantPlugins("after one was removed", "location ready", "secure_image ready")
	if e := s.audited("remove-plugin"); e.Subject.ID != s.bot || e.Before["state"] != "ready" || e.After["state"] != "off" {
		t.Errorf("the audit log tells %+v of a plugin that was removed", e)
	}
}

// Each thing that the profile plugin asks for is named where it alone is missing.
func profilePlugin(t *testing.T) {
	h, s := linked(t)
	oneByOne(h, s, "profile")
	s.kakaoSays("verified", "personal_data_needed")
	s.lacking("a review that is due", "profile", "app.personal_data_reviewed")
	s.kakaoSays("verified")
	s.lacking("a review that is not due", "profile")
	s.wantPlugins("at last", "profile ready")
}

// Each thing that the Kakao Sync plugin asks for is named where it alone is missing; both reviews always are.
func kakaoSyncPlugin(t *testing.T) {
	h, s := linked(t)
	oneByOne(h, s, "kakao_sync")
	s.kakaoSays("verified", "personal_data_reviewed")
	s.lacking("without its terms", "kakao_sync", "app.terms_reviewed")
	s.kakaoSays("verified", "terms_reviewed")
	s.lacking("without its items", "kakao_sync", "app.personal_data_reviewed")
	s.kakaoSays(everyReview...)
	s.lacking("with everything", "kakao_sync")
	s.wantPlugins("at last", "kakao_sync ready")
}

// oneByOne takes from a linked bot what profile and Kakao Sync ask for alike, and gives it back.
func oneByOne(h *house, s *shop, name string) {
	h.t.Helper()
	s.channel("live", map[string]any{"verified": false})
	s.lacking("no business channel", name, "channel.verified")
	s.channel("live", map[string]any{"verified": true, "app": ""})
	if got := s.ask(name); !slices.Contains(got, "channel.app") || !slices.Contains(got, "development.app") {
		h.t.Errorf("without a linked live channel %s is refused for %q, want the link of both", name, got)
	}
	s.channel("live", map[string]any{"app": shopApp})
	s.kakaoSays(everyReview[1:]...)
	s.lacking("no biz-app", name, "app.verified")
	s.kakaoSays(everyReview...)
	h.do("PUT", "/api/v1/apps/2000001", map[string]any{"name": "다른 앱"}, nil)
	for _, app := range []string{"", "2000001"} {
		s.channel("development", map[string]any{"app": app})
		s.lacking("development channel on app "+app, name, "development.app")
	}
	s.channel("development", map[string]any{"app": shopApp})
	s.wantPlugins("before anything was given")
}

// certified is a linked shop whose certification block uses three plugins.
func certified(t *testing.T, approved bool) (*house, *shop) {
	t.Helper()
	h, s := linked(t)
	h.do("PATCH", s.botPath()+"/plugins/location", map[string]any{"reviewed": true}, nil)
	for _, name := range []string{"kakao_sync", "profile", "location", "consult"} {
		s.lacking("linked", name)
	}
	h.do("PUT", s.botPath()+"/certification-blocks/c1", map[string]any{
		"name": "회원가입", "plugins": []string{"kakao_sync", "profile", "location"}, "approved": approved,
	}, nil)
	return h, s
}

var (
	threeReady  = []string{"kakao_sync ready", "profile ready", "location ready", "consult ready"}
	threeBroken = []string{"kakao_sync needs_setup", "profile needs_setup", "location needs_setup", "consult ready"}
)

// certification returns how the block of a certified shop stands.
func (s *shop) certification() certification {
	s.house.t.Helper()
	var list struct{ Items []certification }
	s.house.get(s.botPath()+"/certification-blocks", &list)
	if len(list.Items) != 1 {
		s.house.t.Fatalf("certification blocks are %+v, want one", list.Items)
	}
	return list.Items[0]
}

// wantBroken checks that the block tells which plugins broke and why; nothing for none.
func (s *shop) wantBroken(cause string, plugins ...string) {
	s.house.t.Helper()
	c := s.certification()
	var got []string
	for _, b := range c.Broken {
		got = append(got, b.Plugin)
		if b.Cause != cause {
			s.house.t.Errorf("%s broke because of %s, want %s", b.Plugin, b.Cause, cause)
		}
	}
	if !slices.Equal(got, plugins) || c.Works != (len(plugins) == 0) {
		s.house.t.Errorf("the certification block tells %+v, want %q broken", c, plugins)
	}
}

// letGo is every way to let the development channel go, with what it is called where it breaks something.
var letGo = map[string]struct {
	method, path string
	in           map[string]any
	back         func(*shop)
}{
	"development_disconnected": {"POST", "/channels/development/disconnect", map[string]any{}, func(s *shop) {
		s.house.do("POST", s.botPath()+"/channels/development/connect", nil, nil)
	}},
	"development_unlinked": {"PATCH", "/channels/development", map[string]any{"app": ""}, func(s *shop) {
		s.channel("development", map[string]any{"app": shopApp})
	}},
}

// forced is a call with force.
func forced(in map[string]any) map[string]any {
	with := map[string]any{"force": true}
	for k, v := range in {
		with[k] = v
	}
	return with
}

// Letting the development channel go under an approved block is refused and names what would break; forced, each
// of them needs to be set up again and the block says so.
func developmentLetGo(t *testing.T) {
	h, s := certified(t, true)
	for cause, way := range letGo {
		err := h.api.Call(t.Context(), way.method, s.botPath()+way.path, way.in, nil)
		if got := fieldsOf(t, err, "PLUGINS_IN_USE"); !slices.Equal(got, []string{"plugins.kakao_sync", "plugins.profile", "plugins.location"}) {
			t.Errorf("%s is refused for %q, want the three plugins", cause, got)
		}
		s.wantPlugins("after a refusal", threeReady...)
		s.wantBroken("")
		h.do(way.method, s.botPath()+way.path, forced(way.in), nil)
		s.wantPlugins("after force", threeBroken...)
		s.wantBroken(cause, "kakao_sync", "profile", "location")
		if e := s.audited(map[string]string{"POST": "disconnect-channel", "PATCH": "change-channel"}[way.method]); len(e.After["needs_setup"].([]any)) != 3 {
			t.Errorf("the audit log tells %+v, want which plugins broke", e)
		}
		way.back(s)
		for _, name := range []string{"kakao_sync", "profile", "location"} {
			s.lacking("set up again", name)
		}
	}
	h.balance()
}

// A channel that came back heals nothing: each plugin is set up again. A block that is not approved holds no channel.
func setUpAgain(t *testing.T) {
	h, s := certified(t, true)
	way := letGo["development_disconnected"]
	h.do(way.method, s.botPath()+way.path, forced(way.in), nil)
	s.lacking("while it is away", "profile", "development.state")
	way.back(s)
	s.wantPlugins("after a relink", threeBroken...)
	states := slices.Clone(threeBroken)
	for i, name := range []string{"kakao_sync", "profile", "location"} {
		s.lacking("set up again", name)
		states[i] = threeReady[i]
		s.wantPlugins("after "+name, states...)
	}
	s.wantBroken("")

	h.do("PUT", s.botPath()+"/certification-blocks/c1", map[string]any{
		"name": "회원가입", "plugins": []string{"kakao_sync", "profile", "location"}, "approved": false,
	}, nil)
	for _, way := range letGo {
		h.do(way.method, s.botPath()+way.path, way.in, nil)
		s.wantPlugins("without an approved block", threeReady...)
		way.back(s)
	}
}
