package scenario

import (
	"context"
	"time"

	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/kakao"
)

// Backend calls the skill servers of the businesses. It is safe for concurrent use, and gives up when
// ctx ends. Any error means that there is no answer to show: the user then reads the webhook's
// fallback. An answer that Kakao would not show may be returned; it is looked at here.
type Backend interface {
	Call(ctx context.Context, call BackendCall) (kakao.SkillResponse, error)
}

// BackendCall is one call of a skill server in place of Kakao.
type BackendCall struct {
	BotID, UtteranceID string
	Side               string // of the bot: [Live] or [Development]
	Block              Block  // that answers
	Server             Server
	Webhook            Webhook
	Request            []byte            // Kakao's body, as it came; its callbackUrl is not for the server
	Params             map[string]string // values of the block's asks, to be put beside Kakao's own in action.params; nil for none
	AtOnce             int               // calls of the bot's servers at a time, in this process
	Room               bool              // asked in a group room
}

// Problems are what Kakao would refuse in a server's answer.
func (c BackendCall) Problems(r kakao.SkillResponse) []kakao.Problem {
	if c.Room {
		return kakao.LintRoom(inRoom(r))
	}
	return kakao.Lint(r)
}

// backendRest is what is left of an answer's time for the fallback of a server that is too late.
const backendRest = 200 * time.Millisecond

// call asks the block's skill server. It ends before ctx does.
func (t *turn) call(ctx context.Context, backend Backend) (kakao.SkillResponse, error) {
	server, found := t.bot.server(t.block.Webhook.Server)
	switch {
	case !found:
		return kakao.SkillResponse{}, fault.New(fault.Internal, "block %s names no server of the bot: %q", t.block.ID, t.block.Webhook.Server)
	case backend == nil:
		return kakao.SkillResponse{}, fault.New(fault.Internal, "block %s has a webhook and nothing here calls one", t.block.ID)
	}
	if until, ends := ctx.Deadline(); ends {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, until.Add(-backendRest))
		defer cancel()
	}
	var params map[string]string
	if len(t.block.Asks) > 0 {
		params = t.params
	}
	response, err := backend.Call(ctx, BackendCall{
		BotID: t.q.BotID, UtteranceID: t.q.ID, Side: t.q.side(), Block: *t.block, Server: server, Webhook: *t.block.Webhook,
		Request: t.q.Raw, Params: params, AtOnce: t.bot.Settings.WebhookCalls, Room: t.q.room(),
	})
	if err == nil && response.UseCallback {
		err = fault.New(fault.Internal, "server %s asks to be waited for, and was given no callback URL", server.Name)
	}
	return response, err
}

// instead is what the user reads when the server has no answer, filled in. It is valid.
func (w Webhook) instead(f *filler) kakao.SkillResponse {
	if w.Fallback == nil {
		return kakao.Text(FailedText)
	}
	fallback := filled(f, *w.Fallback)
	if len(kakao.LintTemplate(fallback)) > 0 {
		return kakao.Text(FailedText)
	}
	response := kakao.Respond()
	response.Template = &fallback
	return response
}

func (b Bot) server(name string) (Server, bool) {
	for _, server := range b.Servers {
		if server.Name == name {
			return server, true
		}
	}
	return Server{}, false
}
