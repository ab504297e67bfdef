package scenario_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/malgil/malgil/internal/kakao"
	"github.com/malgil/malgil/internal/scenario"
)

// backend is the skill servers of a business.
type backend struct {
	calls  []scenario.BackendCall
	answer kakao.SkillResponse
	err    error
	stall  time.Duration
}

func (b *backend) Call(ctx context.Context, call scenario.BackendCall) (kakao.SkillResponse, error) {
	b.calls = append(b.calls, call)
	select {
	case <-time.After(b.stall):
		return b.answer, b.err
	case <-ctx.Done():
		return kakao.SkillResponse{}, ctx.Err()
	}
}

// counter is a bot with blocks that a skill server answers.
func counter() scenario.Bot {
	stock := &scenario.Webhook{Server: "shop", Path: "/stock"}
	kept := &scenario.Webhook{Server: "shop", Fallback: says("#{params.what|재고}를 볼 수 없어요.")}
	wrong := &scenario.Webhook{Server: "shop", Fallback: says(strings.Repeat("가", 3000))}
	return scenario.Bot{ID: "b1", Settings: scenario.Settings{WebhookCalls: 16}, Content: scenario.Content{
		Servers: []scenario.Server{{Name: "shop", URL: "https://shop.example/skill"}},
		Blocks: []scenario.Block{
			{ID: "stock", Name: "재고", Kind: scenario.Normal, Webhook: stock},
			{ID: "kept", Name: "재고 확인", Kind: scenario.Normal, Webhook: kept},
			{ID: "wrong", Name: "재고 수", Kind: scenario.Normal, Webhook: wrong},
			{ID: "gone", Name: "창고", Kind: scenario.Normal, Webhook: &scenario.Webhook{Server: "depot"}},
		},
	}}
}

func TestAnswer_callsTheSkillServer(t *testing.T) {
	bot, b := counter(), &backend{answer: kakao.Text("세 권 있어요.")}
	b.answer.Context = &kakao.Context{Values: []kakao.ContextValue{{Name: "stock", LifeSpan: 1}}}
	q := utterance("재고")
	q.ID, q.BotID, q.Raw, q.Request.Bot.ID = "utt_1", "b1", []byte(`{"userRequest":{}}`), "b1!"
	reply, err := scenario.Answer(t.Context(), bot, q, scenario.Entry{}, b)
	if err != nil || reply.BackendErr != nil || reply.BlockID != "stock" {
		t.Fatalf("Answer(재고) = %+v, %v, want the server's answer", reply, err)
	}
	if diff := cmp.Diff(b.answer, reply.Response); diff != "" {
		t.Errorf("Answer(재고) (-want +got):\n%s", diff)
	}
	want := []scenario.BackendCall{{
		BotID: "b1", UtteranceID: "utt_1", Side: scenario.Development, Block: bot.Blocks[0], Server: bot.Servers[0],
		Webhook: *bot.Blocks[0].Webhook, Request: q.Raw, AtOnce: 16,
	}}
	if diff := cmp.Diff(want, b.calls); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
}

// Whatever a server does, the user reads a bubble, and why it is not the server's is told.
func TestAnswer_insteadOfTheSkillServer(t *testing.T) {
	tests := map[string]struct {
		words   string
		backend scenario.Backend
		want    string
		err     bool // a failure, else an answer that is not valid
	}{
		"it fails":                           {"재고", &backend{err: errors.New("refused")}, scenario.FailedText, true},
		"it fails, with a fallback":          {"재고 확인", &backend{err: errors.New("refused")}, "재고를 볼 수 없어요.", true},
		"it fails, the fallback is no use":   {"재고 수", &backend{err: errors.New("refused")}, scenario.FailedText, true},
		"nothing calls":                      {"재고 확인", nil, "재고를 볼 수 없어요.", true},
		"no such server":                     {"창고", &backend{}, scenario.FailedText, true},
		"too late":                           {"재고 확인", &backend{stall: 5 * time.Second}, "재고를 볼 수 없어요.", true},
		"an answer that Kakao does not show": {"재고 확인", &backend{answer: kakao.Text(strings.Repeat("가", 3000))}, "재고를 볼 수 없어요.", false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
				defer cancel()
				reply, err := scenario.Answer(ctx, counter(), utterance(tt.words), scenario.Entry{}, tt.backend)
				if err != nil || reply.Response.Template.Outputs[0].SimpleText.Text != tt.want {
					t.Errorf("Answer(%s) = %+v, %v, want %s", tt.words, reply.Response.Template, err, tt.want)
				}
				if ctx.Err() != nil {
					t.Error("the fallback came after the time of the answer was over")
				}
				if (reply.BackendErr != nil) != tt.err || (len(reply.Problems) > 0) == tt.err {
					t.Errorf("Answer(%s) says %v and %v", tt.words, reply.BackendErr, reply.Problems)
				}
			})
		})
	}
}
