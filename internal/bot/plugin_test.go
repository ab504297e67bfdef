package bot_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/malgil/malgil/internal/bot"
	"github.com/malgil/malgil/internal/fault"
)

// certified is a bot that lacks nothing.
func certified() bot.PluginFacts {
	return bot.PluginFacts{
		Live:        &bot.Channel{Side: bot.Live, State: bot.Connected, AppID: "app", Verified: true},
		Development: &bot.Channel{Side: bot.Development, State: bot.Connected, AppID: "app"},
		App:         &bot.App{ID: "app", Verified: true, TermsReviewed: true, PersonalDataNeeded: true, PersonalDataReviewed: true},
		Reviewed:    true,
	}
}

// lacks takes one thing from a bot that lacks nothing, and is written with what the refusal then says.
var lacks = map[string]struct {
	take  func(*bot.PluginFacts)
	field string
	days  string // of Kakao; empty where it is done at once
}{
	"business channel":               {func(f *bot.PluginFacts) { f.Live.Verified = false }, "channel.verified", "3 to 5"},
	"live channel":                   {func(f *bot.PluginFacts) { f.Live = nil }, "channel.verified", "3 to 5"},
	"biz-app":                        {func(f *bot.PluginFacts) { f.App.Verified = false }, "app.verified", ""},
	"development channel":            {func(f *bot.PluginFacts) { f.Development = nil }, "development.app", ""},
	"development channel's app":      {func(f *bot.PluginFacts) { f.Development.AppID = "" }, "development.app", ""},
	"same app":                       {func(f *bot.PluginFacts) { f.Development.AppID = "other" }, "development.app", ""},
	"connected development channel":  {func(f *bot.PluginFacts) { f.Development.State, f.Development.Cause = bot.Disconnected, bot.ByOperator }, "development.state", ""},
	"terms review":                   {func(f *bot.PluginFacts) { f.App.TermsReviewed = false }, "app.terms_reviewed", "3 to 5"},
	"personal-data review":           {func(f *bot.PluginFacts) { f.App.PersonalDataReviewed = false }, "app.personal_data_reviewed", "3 to 5"},
	"personal-data review, not due":  {func(f *bot.PluginFacts) { f.App.PersonalDataNeeded, f.App.PersonalDataReviewed = false, false }, "app.personal_data_reviewed", "3 to 5"},
	"Kakao's review of the plugin":   {func(f *bot.PluginFacts) { f.Reviewed = false }, "plugin.reviewed", "2 to 3"},
	"wallet that pays (development)": {func(f *bot.PluginFacts) { f.Development.State, f.Development.Cause = bot.Disconnected, bot.ByWallet }, "", ""},
}

// Each plugin, by what a bot may lack: only those that are written here ask for it.
func TestPlugin_Check(t *testing.T) {
	every := bot.Plugins
	linked := []bot.Plugin{bot.KakaoSync, bot.Profile}
	asks := map[string][]bot.Plugin{
		"business channel":               every,
		"live channel":                   every,
		"biz-app":                        linked,
		"development channel":            linked,
		"development channel's app":      linked,
		"same app":                       linked,
		"connected development channel":  {bot.KakaoSync, bot.Profile, bot.Location},
		"terms review":                   {bot.KakaoSync},
		"personal-data review":           linked,
		"personal-data review, not due":  {bot.KakaoSync},
		"Kakao's review of the plugin":   {bot.Location, bot.Payment, bot.TaskChain},
		"wallet that pays (development)": nil,
	}
	for _, p := range every {
		if err := p.Check(certified()); err != nil {
			t.Errorf("%s of a bot that lacks nothing = %v, want nil", p, err)
		}
		for name, lack := range lacks {
			f := certified()
			lack.take(&f)
			err := p.Check(f)
			asked := slices.Contains(asks[name], p)
			if (err != nil) != asked {
				t.Errorf("%s without a %s = %v, want a refusal: %t", p, name, err, asked)
				continue
			}
			if err == nil {
				continue
			}
			parts := parts(t, err)
			if len(parts) != 1 || parts[0].Field != lack.field || strings.Contains(parts[0].Message, "business days") != (lack.days != "") || !strings.Contains(parts[0].Message, lack.days) {
				t.Errorf("%s without a %s = %+v, want %s alone, with %q days", p, name, parts, lack.field, lack.days)
			}
		}
	}
}

// parts are those of a refusal of a plugin.
func parts(t *testing.T, err error) []fault.Part {
	t.Helper()
	var f *fault.Error
	if !errors.As(err, &f) || f.Kind != fault.Conflict || f.Code != "PLUGIN_NOT_READY" {
		t.Fatalf("refused with %v, want PLUGIN_NOT_READY", err)
	}
	return f.Parts
}

// A bot of which nothing is known is told everything at once.
func TestPlugin_Check_all(t *testing.T) {
	want := map[bot.Plugin]string{
		bot.KakaoSync:   "channel.verified channel.app app.verified development.app app.terms_reviewed app.personal_data_reviewed",
		bot.Profile:     "channel.verified channel.app app.verified development.app",
		bot.Location:    "channel.verified plugin.reviewed",
		bot.SecureImage: "channel.verified",
		bot.Payment:     "channel.verified plugin.reviewed",
		bot.TaskChain:   "channel.verified plugin.reviewed",
		bot.Consult:     "channel.verified",
	}
	for _, p := range bot.Plugins {
		var fields []string
		for _, part := range parts(t, p.Check(bot.PluginFacts{})) {
			fields = append(fields, part.Field)
		}
		if got := strings.Join(fields, " "); got != want[p] {
			t.Errorf("%s lacks %s, want %s", p, got, want[p])
		}
		if got, want := p.Reviewable(), strings.Contains(want[p], "plugin.reviewed"); got != want {
			t.Errorf("%s.Reviewable() = %t, want %t", p, got, want)
		}
	}
}

func TestLetGo(t *testing.T) {
	development := bot.Channel{Side: bot.Development, State: bot.Connected, AppID: "app"}
	lost := development
	lost.State, lost.Cause = bot.Disconnected, bot.ByWallet
	gone := development
	gone.State, gone.Cause = bot.Disconnected, bot.ByOperator
	live, liveGone := development, gone
	live.Side, liveGone.Side = bot.Live, bot.Live
	named := development
	named.Name, named.Verified = "다른 이름", true
	app := func(c bot.Channel, id string) bot.Channel { c.AppID = id; return c }
	tests := map[string]struct {
		before, after bot.Channel
		want          bot.Breakage
	}{
		"disconnected":                     {development, gone, bot.DevelopmentDisconnected},
		"disconnected after its wallet":    {lost, gone, bot.DevelopmentDisconnected},
		"its wallet does not pay":          {development, lost, ""},
		"connected again":                  {gone, development, ""},
		"unlinked":                         {development, app(development, ""), bot.DevelopmentUnlinked},
		"unlinked while it is not there":   {gone, app(gone, ""), bot.DevelopmentUnlinked},
		"linked to another app":            {development, app(development, "other"), bot.DevelopmentUnlinked},
		"linked for the first time":        {app(development, ""), development, ""},
		"the same app and other facts":     {development, named, ""},
		"the live channel is disconnected": {live, liveGone, ""},
		"the live channel is unlinked":     {live, app(live, ""), ""},
	}
	for name, tt := range tests {
		if got := bot.LetGo(tt.before, tt.after); got != tt.want {
			t.Errorf("%s: LetGo() = %q, want %q", name, got, tt.want)
		}
	}
}

func TestCarried(t *testing.T) {
	ready := func(plugins ...bot.Plugin) (all []bot.BotPlugin) {
		for _, p := range bot.Plugins {
			state := bot.PluginOff
			if slices.Contains(plugins, p) {
				state = bot.PluginReady
			}
			all = append(all, bot.BotPlugin{Plugin: p, State: state})
		}
		return all
	}
	broken := ready(bot.Profile)
	broken[0].State = bot.PluginNeedsSetup
	signup := bot.CertificationBlock{ID: "b1", Name: "회원가입", Plugins: []bot.Plugin{bot.KakaoSync, bot.Profile}, Approved: true}
	place := bot.CertificationBlock{ID: "b2", Name: "매장 찾기", Plugins: []bot.Plugin{bot.Location}, Approved: true}
	draft := signup
	draft.Approved = false
	tests := map[string]struct {
		plugins []bot.BotPlugin
		blocks  []bot.CertificationBlock
		want    []bot.Plugin
	}{
		"all of two blocks":               {ready(bot.Plugins...), []bot.CertificationBlock{signup, place}, []bot.Plugin{bot.KakaoSync, bot.Profile, bot.Location}},
		"one block":                       {ready(bot.Plugins...), []bot.CertificationBlock{place}, []bot.Plugin{bot.Location}},
		"a block that is not approved":    {ready(bot.Plugins...), []bot.CertificationBlock{draft}, nil},
		"no block":                        {ready(bot.Plugins...), nil, nil},
		"a plugin that is broken already": {broken, []bot.CertificationBlock{signup}, []bot.Plugin{bot.Profile}},
		"plugins that are off":            {ready(), []bot.CertificationBlock{signup, place}, nil},
	}
	for name, tt := range tests {
		got, err := bot.Carried(tt.plugins, tt.blocks)
		if !slices.Equal(got, tt.want) || (err != nil) != (tt.want != nil) {
			t.Errorf("%s: Carried() = %v, %v, want %v", name, got, err, tt.want)
		}
		for _, p := range tt.want {
			if fault.CodeOf(err) != "PLUGINS_IN_USE" || !strings.Contains(fault.MessageOf(err), "plugins."+string(p)) {
				t.Errorf("%s: refused with %v, want that it names %s", name, err, p)
			}
		}
	}
}

func TestAdmin_PutCertificationBlock_check(t *testing.T) {
	admin, _ := newAdmin()
	good := bot.CertificationBlock{ID: "b1", Name: "회원가입", Plugins: []bot.Plugin{bot.Profile}}
	for field, change := range map[string]func(*bot.CertificationBlock){
		"path.block": func(b *bot.CertificationBlock) { b.ID = "b 1" },
		"name":       func(b *bot.CertificationBlock) { b.Name = " " },
		"plugins":    func(b *bot.CertificationBlock) { b.Plugins = nil },
		"plugins[0]": func(b *bot.CertificationBlock) { b.Plugins = []bot.Plugin{bot.Payment} },
		"plugins[1]": func(b *bot.CertificationBlock) { b.Plugins = []bot.Plugin{bot.Profile, bot.Profile} },
	} {
		b := good
		change(&b)
		_, err := admin.PutCertificationBlock(t.Context(), "66a1", b)
		var f *fault.Error
		if !errors.As(err, &f) || f.Kind != fault.Invalid || f.Field != field {
			t.Errorf("PutCertificationBlock(%+v) = %v, want Invalid about %s", b, err, field)
		}
	}
	if _, err := admin.ReviewPlugin(t.Context(), "66a1", bot.Consult, true); fault.KindOf(err) != fault.Invalid {
		t.Errorf("ReviewPlugin(consult) = %v, want Invalid", err)
	}
	if _, _, err := admin.SetUpPlugin(t.Context(), "66a1", "telepathy"); fault.KindOf(err) != fault.Invalid {
		t.Errorf("SetUpPlugin(telepathy) = %v, want Invalid", err)
	}
}
