package scenario

import (
	"cmp"
	"context"
	"maps"
	"slices"
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
	First  bool // the user has never spoken to this bot
	State  State
	Nobody bool // nothing can be remembered of the user: no parameter is asked for
}

// Reply is the answer to one utterance.
type Reply struct {
	Response kakao.SkillResponse
	BlockID  string // the block that answered, "" when the bot has none for it
	Item     string // the question of the knowledge item that answered, "" for none
	Why      Why    // how it was chosen; "" where nothing was
	Score    int    // of what answered, else of what was most like it; 0 where no words were compared
	Matches  []Candidate
	State    State // to be remembered of the user
	Handoff  Spot  // where the answer offers a person, "" where it does not
	// Missing are the words of the block that had no value and no default.
	Missing []string
	// Problems are what Kakao would refuse in the block's answer. When there are any, Response
	// is a safe text instead.
	Problems []kakao.Problem
	// BackendErr is why a skill server's answer is not shown. Response is then its fallback.
	BackendErr error
	// UserErr is why it is not known whether the user is new, or why what is to be remembered of
	// them is not. The reply then treats them as known.
	UserErr error
	// PlainUser is that the user's key may be recorded as it is.
	PlainUser bool
}

// Answer answers an utterance. The first of these that there is has the word:
//
//   - the answer to a question that the user was asked, where they typed it or touched one of its
//     choices. Words that leave it are answered as an exit block is, and the words of another block lead
//     to that one, whether or not they would fit. What does not fit is answered as what else it may be;
//     where that is nothing, it is asked again, and after the last try the exit block answers and offers
//     a person;
//   - the block that the skill URL stands for, or that Kakao names, its own fallback aside, for Kakao
//     not understanding is when ours begins;
//   - on a first entry, the welcome block; above what the words lead to, where that is a knowledge item or a
//     block that only shows its bubbles, and both fit into one answer;
//   - the normal block whose name or example is what was said;
//   - the knowledge item whose question is what was said;
//   - the normal block or the knowledge item that is most like it, from the bot's minimum accuracy on;
//     several that are close together are offered to choose from;
//   - the exit block, where words are said that leave a question;
//   - the fallback block.
//
// A button that leads to a block is never matched as words. A block with required parameters that have
// no value asks for them first. Its texts are filled in (see [fillable]); a block with a webhook calls
// backend instead. The Response is always valid.
//
// A block with a delay takes that long; the error is that of ctx when it ends first, and
// nothing else is an error.
func Answer(ctx context.Context, bot Bot, q Question, entry Entry, backend Backend) (Reply, error) {
	return decide(bot, q, entry).answer(ctx, backend)
}

// turn is one utterance with what was decided about it.
type turn struct {
	bot Bot
	q   Question
	x   *index
	choice
	params map[string]string // values of the block's asks
	state  State
	insist bool // a person is offered: after several fallbacks in a row, or where a question is given up

	response *kakao.SkillResponse // nil where the block is to answer
	missing  []string
}

// decide finds what answers, and what is to be remembered. It waits for nothing.
func decide(bot Bot, q Question, entry Entry) *turn {
	t := &turn{bot: bot, q: q, x: bot.index(), choice: choice{item: -1}}
	t.find(entry)
	if after := bot.Settings.HandoffAfter; after > 0 && t.fallsBack() {
		t.state.Fallbacks = entry.State.Fallbacks
		if !entry.again(q) {
			t.state.Fallbacks++
		}
		t.state.Fallbacks = min(t.state.Fallbacks, after) // it stays there, so that it is not written again
		t.insist = t.state.Fallbacks == after
	}
	if entry.again(q) {
		t.state = entry.State
	}
	return t
}

// again reports whether another run has answered the same utterance before: an intake that cannot know
// whether a task is in its queue answers itself. What was said then is not said twice.
func (e Entry) again(q Question) bool { return q.ID != "" && e.State.By == q.ID }

func (t *turn) find(entry Entry) {
	if ended := entry.State.Ended; ended != nil && entry.again(t.q) && t.endAgain(*ended) {
		return
	}
	asked := t.bot.waiting(entry.State, t.q.At)
	switch {
	case asked == nil || t.bot.touchedBlock(t.q.Request):
		t.choice = t.bot.choose(t.x, t.q, entry.First)
	case entry.again(t.q):
		t.repeat(asked)
		return
	case t.hears(asked):
		return
	}
	if t.block != nil {
		t.params = t.block.given(t.x, t.q.Request, t.q.At)
		ask := t.block.missing(t.params)
		switch {
		case ask != nil && entry.Nobody: // the answer to a question would not be known for one
			t.choice = choice{why: ByUnknownUser, block: t.bot.ofKind(Fallback), item: -1}
		case ask != nil:
			t.begin(ask, t.params)
		}
	}
	switch {
	case t.item >= 0:
		t.decided(itemAnswer(t.bot.Knowledge[t.item]))
	case t.theirs != nil:
		t.decided(itemAnswer(*t.theirs))
	case t.among != nil:
		t.decided(t.bot.chooseAmong(t.among))
	case t.why == ByExit, t.block != nil && t.block.Kind == Exit:
		t.decided(kakao.Text(ExitText))
	case t.block == nil:
		t.decided(kakao.Text(NotUnderstoodText))
	}
}

func (t *turn) decided(response kakao.SkillResponse) { t.response = &response }

// fallsBack reports whether the answer is that there is none.
func (t *turn) fallsBack() bool {
	switch t.why {
	case ByNothing, ByUnknownBlock, ByUnknownUser:
		return true
	}
	return t.block != nil && t.block.Kind == Fallback
}

// answer gives the answer that was decided for.
func (t *turn) answer(ctx context.Context, backend Backend) (Reply, error) {
	reply := Reply{Why: t.why, Score: t.score, Matches: t.candidates, State: t.state, PlainUser: t.bot.Settings.PlainUserKeys}
	if t.block != nil {
		reply.BlockID = t.block.ID
	}
	if t.item >= 0 {
		reply.Item = t.bot.Knowledge[t.item].Question
	}
	if t.theirs != nil {
		reply.Item = t.theirs.Question
	}
	instead := kakao.Text(FailedText)
	switch {
	case t.response != nil:
		reply.Response = *t.response
	default:
		if err := wait(ctx, t.block.Delay); err != nil {
			return reply, err
		}
		if t.block.Webhook != nil {
			instead = t.block.Webhook.instead(t.filler())
		}
		reply.Response, reply.BackendErr = t.perform(ctx, backend)
	}
	reply.Missing = t.missing
	if t.welcome != nil {
		both, fits := t.welcomed(reply.Response)
		if !fits {
			t.choice, t.response = choice{why: ByEntry, block: t.welcome, item: -1}, nil
			return t.answer(ctx, backend)
		}
		reply.Response, reply.Missing = both, t.missing
	}
	if reply.BackendErr == nil {
		reply.Response = t.q.fit(reply.Response)
		reply.Problems = t.q.lint(reply.Response)
	}
	if reply.BackendErr != nil || len(reply.Problems) > 0 {
		reply.Response = t.q.fit(instead)
	}
	byItself := offersPerson(reply.Response.Template) || t.response == nil && t.block.Handoff || t.welcome != nil && t.welcome.Handoff
	if byItself || t.insist {
		reply.offer(t.q.lintTemplate)
	}
	if offersPerson(reply.Response.Template) {
		reply.Handoff = offered(cmp.Or(t.greeter(), t.block), !byItself)
	}
	return reply, nil
}

// welcomed is an answer below the bubbles of the welcome block; fits is false where Kakao would not show that.
func (t *turn) welcomed(answer kakao.SkillResponse) (both kakao.SkillResponse, fits bool) {
	greeting := *t.welcome.Answer
	if t.x.fills[t.welcome.ID] {
		f := t.filler()
		greeting = filled(f, greeting)
		t.missing = append(t.missing, f.missing...)
	}
	template := *answer.Template
	template.Outputs = slices.Concat(greeting.Outputs, template.Outputs)
	if len(template.QuickReplies) == 0 {
		template.QuickReplies = greeting.QuickReplies
	}
	both = answer
	both.Template = &template
	shown := t.q.fit(both)
	fits = len(t.q.lint(shown)) == 0
	if fits && (t.welcome.Handoff || t.response == nil && t.block.Handoff) { // a person who is offered has to fit, too
		_, fits = withPerson(*shown.Template, func(x kakao.Template) bool { return len(t.q.lintTemplate(x)) == 0 })
	}
	return both, fits
}

// greeter is the welcome block above an answer, where it offers a person; nil otherwise.
func (t *turn) greeter() *Block {
	if t.welcome != nil && (t.welcome.Handoff || offersPerson(t.welcome.Answer)) {
		return t.welcome
	}
	return nil
}

// offer has the answer offer a person, where there is room.
func (r *Reply) offer(lint func(kakao.Template) []kakao.Problem) {
	if r.Response.Template != nil {
		template, _ := withPerson(*r.Response.Template, func(t kakao.Template) bool { return len(lint(t)) == 0 })
		r.Response.Template = &template
	}
}

// perform has the block answer.
func (t *turn) perform(ctx context.Context, backend Backend) (response kakao.SkillResponse, err error) {
	f := t.filler()
	switch {
	case t.block.Webhook != nil:
		if response, err = t.call(ctx, backend); err != nil {
			return response, err
		}
	case t.block.Answer != nil:
		response = kakao.Respond()
		template := *t.block.Answer
		if t.x.fills[t.block.ID] {
			template = filled(f, template)
		}
		response.Template = &template
	default:
		response = kakao.Respond()
		if t.block.Data != nil { // Kakao's block shows it
			response.Template = nil
		}
	}
	t.remember(f, &response)
	t.missing = f.missing
	return response, nil
}

// remember adds the block's contexts and data to an answer. What a server has said of its own stands.
func (t *turn) remember(f *filler, response *kakao.SkillResponse) {
	var values []kakao.ContextValue
	if response.Context != nil {
		values = response.Context.Values
	}
	own := len(values)
	for _, value := range t.block.Context {
		said := slices.ContainsFunc(values[:own], func(v kakao.ContextValue) bool { return v.Name == value.Name })
		if !said {
			values = append(slices.Clip(values), filled(f, value))
		}
	}
	if len(values) > 0 {
		response.Context = &kakao.Context{Values: values}
	}
	if t.block.Data != nil {
		data := filled(f, t.block.Data)
		maps.Copy(data, response.Data)
		response.Data = data
	}
}

func (t *turn) filler() *filler { return &filler{request: t.q.Request, params: t.params} }

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
