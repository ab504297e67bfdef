package bot

import (
	"errors"
	"slices"
	"testing"

	"github.com/malgil/malgil/internal/fault"
)

func TestStanding(t *testing.T) {
	unpaid := fault.Coded(fault.Refused, "WALLET_UNPAID", "the wallet is unpaid")
	ready := func() Standing {
		return Standing{
			BotID: "b", Side: Live, WalletID: "w",
			Channel: &Channel{Side: Live, State: Connected, AppID: "1", Verified: true, Deployed: true},
			App:     &App{ID: "1", Verified: true, KakaoSync: true},
		}
	}
	every := []string{"channel.verified", "app.verified", "app.kakao_sync", "channel.deployed"}
	tests := map[string]struct {
		change    func(*Standing)
		code      string // of Check; empty for none
		parts     []string
		codeNow   string // of CheckNow
		partsNow  []string
		sameAsNow bool
	}{
		"all there":            {change: func(*Standing) {}},
		"nothing known":        {change: func(s *Standing) { s.Channel, s.App = nil, nil }},
		"flags without an app": {change: func(s *Standing) { s.Channel, s.App = &Channel{State: Connected}, nil }},
		"nothing of what Kakao asks": {change: func(s *Standing) { s.Channel, s.App = &Channel{State: Connected, AppID: "1"}, &App{ID: "1"} },
			code: "BOT_NOT_READY", parts: every, sameAsNow: true},
		"the same in development": {change: func(s *Standing) {
			s.Side, s.Channel, s.App = Development, &Channel{State: Connected, AppID: "1"}, &App{ID: "1"}
		}},
		"not deployed": {change: func(s *Standing) { s.Channel.Deployed = false }, code: "BOT_NOT_READY", parts: every[3:], sameAsNow: true},
		"no wallet":    {change: func(s *Standing) { s.WalletID = "" }, code: "NO_WALLET", sameAsNow: true},
		"no wallet and no sync": {change: func(s *Standing) { s.WalletID, s.App.KakaoSync = "", false },
			code: "BOT_NOT_READY", parts: []string{"bot.wallet", "app.kakao_sync"}, sameAsNow: true},
		"no such block, nor deployed": {change: func(s *Standing) { s.NoEvent, s.Channel.Deployed = "restock", false },
			code: "BOT_NOT_READY", parts: []string{"channel.deployed", "event.name"}, sameAsNow: true},
		"disconnected": {change: func(s *Standing) { s.Channel.State, s.Channel.Cause = Disconnected, ByOperator },
			codeNow: "BOT_NOT_READY", partsNow: []string{"channel.state"}},
		"paused for its key":       {change: func(s *Standing) { s.Paused = "config" }, codeNow: "BOT_NOT_READY", partsNow: []string{"bot.paused"}},
		"Kakao's balance is empty": {change: func(s *Standing) { s.Paused = "provider" }, codeNow: "BOT_NOT_READY", partsNow: []string{"bot.paused"}},
		"unpaid":                   {change: func(s *Standing) { s.Wallet = unpaid }, codeNow: "WALLET_UNPAID"},
		"unpaid, which disconnected it": {change: func(s *Standing) {
			s.Wallet, s.Channel.State, s.Channel.Cause = unpaid, Disconnected, ByWallet
		}, codeNow: "WALLET_UNPAID"},
		"unpaid, and disconnected before": {change: func(s *Standing) {
			s.Wallet, s.Channel.State, s.Channel.Cause = unpaid, Disconnected, ByOperator
		}, codeNow: "BOT_NOT_READY", partsNow: []string{"channel.state", "wallet"}},
		"moved off an unpaid wallet": {change: func(s *Standing) { s.Channel.State, s.Channel.Cause = AwaitingReconnect, ByWallet },
			codeNow: "BOT_NOT_READY", partsNow: []string{"channel.state"}},
		"everything at once": {change: func(s *Standing) {
			*s = Standing{Side: Live, Channel: &Channel{State: Disconnected, Cause: ByOperator}, App: &App{}, Paused: "config"}
		}, code: "BOT_NOT_READY", parts: append([]string{"bot.wallet"}, every...),
			codeNow: "BOT_NOT_READY", partsNow: append(append([]string{"bot.wallet"}, every...), "channel.state", "bot.paused")},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := ready()
			tt.change(&s)
			if tt.sameAsNow {
				tt.codeNow, tt.partsNow = tt.code, tt.parts
			}
			for what, one := range map[string]struct {
				err   error
				code  string
				parts []string
			}{"Check": {s.Check(), tt.code, tt.parts}, "CheckNow": {s.CheckNow(), tt.codeNow, tt.partsNow}} {
				var f *fault.Error
				var parts []string
				if errors.As(one.err, &f) {
					for _, part := range f.Parts {
						parts = append(parts, part.Field)
					}
				}
				if (one.err != nil) != (one.code != "") || fault.CodeOf(one.err) != one.code || !slices.Equal(parts, one.parts) {
					t.Errorf("%s = %v with %q, want %q with %q", what, one.err, parts, one.code, one.parts)
				}
			}
		})
	}
	// Alone, an event of no block is told as Kakao would to who may not wait.
	s := ready()
	s.NoEvent = "restock"
	if err := s.Check(); fault.CodeOf(err) != "BOT_NOT_READY" {
		t.Errorf("Check with an event of no block = %v, want BOT_NOT_READY", err)
	}
	if err := s.CheckNow(); fault.KindOf(err) != fault.NotFound {
		t.Errorf("CheckNow with an event of no block = %v, want NotFound", err)
	}
}
