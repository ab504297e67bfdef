package scenario

import (
	"context"
	"time"

	"github.com/malgil/malgil/internal/kakao"
)

// What a user reads when there is no answer of the bot's own. Each is one valid bubble.
const (
	NotUnderstoodText = "죄송해요, 무슨 말씀인지 이해하지 못했어요. 다른 말로 다시 말씀해 주시겠어요?"
	FailedText        = "지금은 답변을 드릴 수 없어요. 잠시 후 다시 말씀해 주세요."
	LateText          = "답변이 늦어지고 있어요. 잠시 후 다시 말씀해 주세요."
	WaitingText       = "답변을 준비하고 있어요. 잠시만 기다려 주세요."
)

// Entry is how the user comes to the bot, besides what the question says.
type Entry struct {
	First bool // the user has never spoken to this bot
}

// Reply is the answer to one utterance.
type Reply struct {
	Response kakao.SkillResponse
	BlockID  string // the block that answered, "" when the bot has none for it
	// Problems are what Kakao would refuse in the block's answer. When there are any, Response
	// is a safe text instead.
	Problems []kakao.Problem
	// BackendErr is why a skill server's answer is not shown. Response is then its fallback.
	BackendErr error
	// UserErr is why it is not known whether the user is new; the reply then treats them as
	// known.
	UserErr error
}

// Answer answers an utterance: with the block that the skill URL stands for, with the one that
// Kakao names (its own fallback aside, for Kakao not understanding is when ours begins), with
// the welcome block on a first entry, with the normal block whose name was said, else with the
// fallback. The Response is always valid.
//
// A block with a webhook calls backend. A block with a delay takes that long; the error is that of
// ctx when it ends first, and nothing else is an error.
func Answer(ctx context.Context, bot Bot, q Question, entry Entry, backend Backend) (Reply, error) {
	block, found := choose(bot, q, entry)
	if !found {
		return Reply{Response: kakao.Text(NotUnderstoodText)}, nil
	}
	if err := wait(ctx, block.Delay); err != nil {
		return Reply{BlockID: block.ID}, err
	}
	reply := Reply{Response: kakao.Respond(), BlockID: block.ID}
	switch {
	case block.Webhook != nil:
		reply.Response, reply.BackendErr = bot.call(ctx, backend, block, q, nil)
		if reply.BackendErr != nil {
			reply.Response = block.Webhook.instead()
		}
	case block.Answer != nil:
		answer := *block.Answer
		reply.Response.Template = &answer
	}
	if reply.Problems = kakao.Lint(reply.Response); len(reply.Problems) > 0 {
		reply.Response = kakao.Text(FailedText)
		if block.Webhook != nil {
			reply.Response = block.Webhook.instead()
		}
	}
	return reply, nil
}

// instead is what the user reads when the server has no answer. It is valid.
func (w Webhook) instead() kakao.SkillResponse {
	if w.Fallback == nil || len(kakao.LintTemplate(*w.Fallback)) > 0 {
		return kakao.Text(FailedText)
	}
	fallback := *w.Fallback
	response := kakao.Respond()
	response.Template = &fallback
	return response
}

func choose(bot Bot, q Question, entry Entry) (Block, bool) {
	request := q.Request
	if block, found := bot.block(q.Block); found {
		return block, true
	}
	for _, named := range []string{request.Block.ID, request.Block.Name} {
		if block, found := bot.block(named); found && block.Kind != Fallback {
			return block, true
		}
	}
	if entry.First {
		if block, found := bot.ofKind(Welcome); found {
			return block, true
		}
	}
	if block, found := bot.saidBy(request.Utterance); found {
		return block, true
	}
	return bot.ofKind(Fallback)
}

func wait(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
