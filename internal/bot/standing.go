package bot

import (
	"fmt"
	"slices"

	"github.com/malgil/malgil/internal/fault"
)

// Standing is what is known of a bot that is to speak first on one of its sides: what Kakao asks of
// senders of Event API messages, and what Malgil does.
type Standing struct {
	BotID    string
	Side     Side
	WalletID string
	Paused   string // why the bot sends nothing: "config" or "provider"; empty while it may
	Wallet   error  // why its wallet pays for nothing at all; nil while it may
	// Channel is nil while nobody has put one, and then nothing is known of it.
	Channel *Channel
	// App is the one that the channel is linked to. Without it nothing is known of what Kakao asks for:
	// whoever tells Malgil of his app tells it of all that.
	App *App
	// NoEvent is the event name of an order that none of the blocks on the side has; empty when one has it, and
	// while no event names of the bot are known.
	NoEvent string
}

// Check says what keeps the bot from sending whatever its orders wait for: no wallet, no block with the event
// name, and on the live channel what Kakao asks for as far as it is known to be missing. It is nil, or a Conflict that names
// all of it at once.
func (s Standing) Check() error {
	return s.refusal(slices.Concat(s.unpaid(), s.uncertified(), s.unheard()))
}

// CheckRun is [Standing.Check] for an order that should not wait for a person: it is also refused while the
// channel is not connected for another reason than the wallet, or the bot is paused.
func (s Standing) CheckRun() error {
	return s.refusal(slices.Concat(s.unpaid(), s.uncertified(), s.unheard(), s.silent()))
}

// CheckNow is [Standing.Check] for an order that may not wait, which is also refused for what others
// wait for: a channel that is not connected, a bot that is paused, a wallet that does not pay. It is NotFound where
// nothing but the event is missing.
func (s Standing) CheckNow() error {
	missing := slices.Concat(s.unpaid(), s.uncertified(), s.unheard(), s.silent())
	switch {
	case s.Wallet == nil && len(missing) == 1 && missing[0].Field == noEvent: // as Kakao would say it
		return fault.New(fault.NotFound, "no block of bot %s has the event name %q; names match exactly", s.BotID, s.NoEvent)
	case s.Wallet == nil:
	case len(missing) == 0:
		return s.Wallet
	default:
		missing = append(missing, fault.Part{Field: "wallet", Message: "does not pay: " + fault.MessageOf(s.Wallet)})
	}
	return s.refusal(missing)
}

// silent names what keeps a bot that may send from it until a person does something about it.
func (s Standing) silent() (missing []fault.Part) {
	if s.Channel != nil && s.Channel.State != Connected && (s.Wallet == nil || s.Channel.Cause == ByOperator) {
		missing = append(missing, fault.Part{Field: "channel.state", Message: "is " + string(s.Channel.State) + "; connect the channel again"})
	}
	switch s.Paused {
	case "":
	case "provider":
		missing = append(missing, fault.Part{Field: "bot.paused", Message: "says that Kakao's own balance for the bot is empty; fill it up, then resume the bot"})
	default:
		missing = append(missing, fault.Part{Field: "bot.paused", Message: "says that Kakao does not accept the bot's REST API key; set the key, then resume the bot"})
	}
	return missing
}

// unheard names an event that fires no block.
func (s Standing) unheard() []fault.Part {
	if s.NoEvent == "" {
		return nil
	}
	return []fault.Part{{Field: noEvent, Message: fmt.Sprintf("is %q, which no block on the %s channel has; names match exactly, and blocks have to be deployed", s.NoEvent, s.Side)}}
}

const (
	noWallet = "bot.wallet"
	noEvent  = "event.name"
)

func (s Standing) unpaid() []fault.Part {
	if s.WalletID == "" {
		return []fault.Part{{Field: noWallet, Message: "is missing; connect one before sending"}}
	}
	return nil
}

// uncertified names what Kakao asks for and the live channel lacks (help centre, Event API: channel and
// app certified and linked by Kakao Sync; blocks deployed).
func (s Standing) uncertified() (missing []fault.Part) {
	if s.Side != Live || s.Channel == nil || s.App == nil {
		return nil
	}
	for _, asked := range []struct {
		met            bool
		field, message string
	}{
		{s.Channel.Verified, "channel.verified", "is missing: have Kakao certify the channel as a business channel (비즈니스 인증), then set it"},
		{s.App.Verified, "app.verified", "is missing: have Kakao certify the app as a biz-app (비즈니스 인증), then set it"},
		{s.App.KakaoSync, "app.kakao_sync", "is missing: link channel and app by Kakao Sync (카카오싱크), then set it"},
		{s.Channel.Deployed, "channel.deployed", "is missing: deploy the bot's blocks to the live channel (배포), then set it"},
	} {
		if !asked.met {
			missing = append(missing, fault.Part{Field: asked.field, Message: asked.message})
		}
	}
	return missing
}

func (s Standing) refusal(missing []fault.Part) error {
	switch {
	case len(missing) == 0:
		return nil
	case len(missing) == 1 && missing[0].Field == noWallet:
		return fault.Coded(fault.Conflict, "NO_WALLET", "bot %s has no wallet; connect one before sending", s.BotID)
	}
	return &fault.Error{Kind: fault.Conflict, Code: "BOT_NOT_READY", Message: "the bot may not send on its " + string(s.Side) + " channel yet", Parts: missing}
}
