package store

import (
	"fmt"
	"slices"
	"testing"

	"github.com/malgil/malgil/internal/bot"
	"github.com/malgil/malgil/internal/fault"
)

// certify makes a bot of a wallet lack nothing that Kakao asks for.
func certify(t *testing.T, s *Store, botID string) {
	t.Helper()
	yes, app := true, "app-1"
	must(t, s.PutApp(t.Context(), bot.App{ID: app, Name: "한빛서점", Verified: true, TermsReviewed: true, PersonalDataNeeded: true, PersonalDataReviewed: true, CreatedAt: t0}))
	for _, side := range []bot.Side{bot.Live, bot.Development} {
		if _, err := s.ChangeChannel(t.Context(), botID, side, bot.ChannelChange{AppID: &app, Verified: &yes}, t0); err != nil {
			t.Fatal(err)
		}
	}
}

// pluginStates tells the plugins of a bot that are not off, as "profile ready ".
func pluginStates(t *testing.T, s *Store, botID string) (states []string) {
	t.Helper()
	all, err := s.Plugins(t.Context(), botID)
	if err != nil || len(all) != len(bot.Plugins) {
		t.Fatalf("Plugins() = %+v, %v, want every plugin", all, err)
	}
	for _, p := range all {
		if p.State != bot.PluginOff {
			states = append(states, fmt.Sprintf("%s %s %s", p.Plugin, p.State, p.Cause))
		}
	}
	return states
}

func TestPlugins(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		owing(t, s, "w", 0)
		const id = "bot_w"
		ask := func(p bot.Plugin, code string, first bool) {
			t.Helper()
			got, fresh, err := s.SetUpPlugin(t.Context(), id, p, t0)
			if fault.CodeOf(err) != code || (err != nil) != (code != "") || fresh != first {
				t.Fatalf("SetUpPlugin(%s) = %+v, %t, %v, want %q and fresh %t", p, got, fresh, err, code, first)
			}
			if err == nil && (got.State != bot.PluginReady || !got.Since.Equal(t0)) {
				t.Errorf("SetUpPlugin(%s) = %+v, want it ready since %v", p, got, t0)
			}
		}
		ask(bot.Profile, "PLUGIN_NOT_READY", false)
		certify(t, s, id)
		ask(bot.Profile, "", true)
		ask(bot.Profile, "", false)
		ask(bot.Location, "PLUGIN_NOT_READY", false)
		if p, err := s.ReviewPlugin(t.Context(), id, bot.Location, true); err != nil || p.State != bot.PluginOff || !p.Prerequisites[len(p.Prerequisites)-1].Met {
			t.Errorf("ReviewPlugin() = %+v, %v, want the plugin off, and its review met", p, err)
		}
		ask(bot.Location, "", true)
		want(t, "plugins", pluginStates(t, s, id), "profile ready ", "location ready ")

		put := func(block, code string, approved bool, plugins ...bot.Plugin) {
			t.Helper()
			err := s.PutCertificationBlock(t.Context(), id, bot.CertificationBlock{ID: block, Name: "블록 " + block, Plugins: plugins, Approved: approved})
			if fault.CodeOf(err) != code || (err != nil) != (code != "") {
				t.Fatalf("PutCertificationBlock(%s) = %v, want %q", block, err, code)
			}
		}
		put("b1", "PLUGINS_OFF", true, bot.KakaoSync, bot.Profile)
		put("b1", "", true, bot.Profile)
		put("b2", "", true, bot.Location)
		put("b2", "", false, bot.Location)
		blocks, err := s.CertificationBlocks(t.Context(), id)
		if err != nil || len(blocks) != 2 || !blocks[0].Approved || blocks[1].Approved || !slices.Equal(blocks[1].Plugins, []bot.Plugin{bot.Location}) {
			t.Errorf("CertificationBlocks() = %+v, %v, want both as they were put last", blocks, err)
		}
		if err := s.RemovePlugin(t.Context(), id, bot.Location, t0); fault.CodeOf(err) != "PLUGIN_IN_USE" {
			t.Errorf("RemovePlugin(in use) = %v, want PLUGIN_IN_USE", err)
		}
		if err := s.DropCertificationBlock(t.Context(), id, "b2"); err != nil {
			t.Error(err)
		}
		if err := s.DropCertificationBlock(t.Context(), id, "b2"); fault.KindOf(err) != fault.NotFound {
			t.Errorf("DropCertificationBlock(again) = %v, want NotFound", err)
		}
		for range 2 {
			if err := s.RemovePlugin(t.Context(), id, bot.Location, t0); err != nil {
				t.Error(err)
			}
		}
		want(t, "plugins", pluginStates(t, s, id), "profile ready ")
		ask(bot.Location, "", true) // what Kakao said of it stays

		for what, err := range map[string]error{
			"Plugins":                func() error { _, err := s.Plugins(t.Context(), "none"); return err }(),
			"SetUpPlugin":            func() error { _, _, err := s.SetUpPlugin(t.Context(), "none", bot.Consult, t0); return err }(),
			"RemovePlugin":           s.RemovePlugin(t.Context(), "none", bot.Consult, t0),
			"CertificationBlocks":    func() error { _, err := s.CertificationBlocks(t.Context(), "none"); return err }(),
			"PutCertificationBlock":  s.PutCertificationBlock(t.Context(), "none", bot.CertificationBlock{ID: "b"}),
			"DropCertificationBlock": s.DropCertificationBlock(t.Context(), "none", "b1"),
		} {
			if fault.KindOf(err) != fault.NotFound {
				t.Errorf("%s of no bot = %v, want NotFound", what, err)
			}
		}
	})
}

// Letting the development channel go breaks what an approved certification block uses, and nothing else.
func TestPlugins_developmentLetGo(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		owing(t, s, "w", 0)
		const id = "bot_w"
		certify(t, s, id)
		ready := func() {
			t.Helper()
			for _, p := range []bot.Plugin{bot.KakaoSync, bot.Profile, bot.SecureImage} {
				if _, _, err := s.SetUpPlugin(t.Context(), id, p, t0); err != nil {
					t.Fatal(err)
				}
			}
		}
		ready()
		approve := func(yes bool) {
			t.Helper()
			must(t, s.PutCertificationBlock(t.Context(), id, bot.CertificationBlock{ID: "b1", Name: "회원가입", Plugins: []bot.Plugin{bot.KakaoSync, bot.Profile}, Approved: yes}))
		}
		app, none := "app-1", ""
		disconnect := func(force bool) error {
			_, err := s.DisconnectChannel(t.Context(), id, bot.Development, force, t0)
			return err
		}
		link := func(to *string, force bool) error {
			_, err := s.ChangeChannel(t.Context(), id, bot.Development, bot.ChannelChange{AppID: to, Force: force}, t0)
			return err
		}
		connect := func() {
			t.Helper()
			if _, err := s.ConnectChannel(t.Context(), id, bot.Development, t0); err != nil {
				t.Fatal(err)
			}
		}
		refused := func(what string, err error) {
			t.Helper()
			if fault.CodeOf(err) != "PLUGINS_IN_USE" {
				t.Errorf("%s = %v, want PLUGINS_IN_USE", what, err)
			}
			wantSides(t, s, id, "live connected ", "development connected ")
			want(t, "plugins", pluginStates(t, s, id), "kakao_sync ready ", "profile ready ", "secure_image ready ")
		}

		approve(false)
		if err := disconnect(false); err != nil {
			t.Errorf("disconnect of an unapproved block's channel = %v", err)
		}
		want(t, "plugins", pluginStates(t, s, id), "kakao_sync ready ", "profile ready ", "secure_image ready ")
		connect()

		approve(true)
		refused("disconnect", disconnect(false))
		refused("unlink", link(&none, false))
		if err := disconnect(true); err != nil {
			t.Fatal(err)
		}
		broken := []string{"kakao_sync needs_setup development_disconnected", "profile needs_setup development_disconnected", "secure_image ready "}
		want(t, "plugins", pluginStates(t, s, id), broken...)
		if _, _, err := s.SetUpPlugin(t.Context(), id, bot.Profile, t0); fault.CodeOf(err) != "PLUGIN_NOT_READY" {
			t.Errorf("SetUpPlugin() while the channel is away = %v, want PLUGIN_NOT_READY", err)
		}
		connect()
		want(t, "plugins", pluginStates(t, s, id), broken...)
		ready()
		want(t, "plugins", pluginStates(t, s, id), "kakao_sync ready ", "profile ready ", "secure_image ready ")

		if err := link(&none, true); err != nil {
			t.Fatal(err)
		}
		broken = []string{"kakao_sync needs_setup development_unlinked", "profile needs_setup development_unlinked", "secure_image ready "}
		want(t, "plugins", pluginStates(t, s, id), broken...)
		if err := link(&app, false); err != nil {
			t.Fatal(err)
		}
		want(t, "plugins", pluginStates(t, s, id), broken...)
		if err := disconnect(false); err != nil {
			t.Errorf("disconnect with nothing left to break = %v", err)
		}
	})
}
