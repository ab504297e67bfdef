package intake

import (
	"context"
	"fmt"
	"time"

	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/kakao"
	"github.com/malgil/malgil/internal/queue"
	"github.com/malgil/malgil/internal/scenario"
	"github.com/malgil/malgil/internal/trace"
	"github.com/malgil/malgil/tasks"
)

// skillCall is one call on its way to an answer.
type skillCall struct {
	*Skill
	question scenario.Question
	received time.Time // by the clock that is passed in
	start    time.Time // the same moment, to measure with
	body     []byte    // as Kakao posted it
	callable bool      // its callback address, if any, may be called
	whole    bool      // question holds the whole request, not only what says where it goes
	budget   time.Duration
}

// answer returns the body of the answer before ctx ends: a worker's answer when it comes within
// the budget, else whatever the key of the utterance decides.
func (c *skillCall) answer(ctx context.Context) []byte {
	budget := time.NewTimer(c.budget - time.Since(c.start))
	defer budget.Stop()
	told, forget := c.Mailbox.Expect(c.question.ID)
	defer forget()

	standing, decided, err := c.order(ctx)
	switch {
	case err != nil:
		c.Log.WarnContext(ctx, "utterance is answered without a worker", "utterance_id", c.question.ID, "err", err)
		return c.takeInline(ctx)
	case decided:
		return c.deliver(ctx, standing)
	}
	for {
		select {
		case answer := <-told:
			if len(answer) > 0 { // the key holds it: who tells has won it
				return answer
			}
			if standing, decided, _ := c.look(ctx); decided { // else the end of the budget decides
				return c.deliver(ctx, standing)
			}
		case <-budget.C:
			return c.giveUpWaiting(ctx)
		case <-ctx.Done(): // Kakao went away
			return textBody(scenario.LateText)
		}
	}
}

// order enqueues the work, or returns what an earlier post of the same call has decided.
func (c *skillCall) order(ctx context.Context) (standing queue.Decision, decided bool, err error) {
	if c.question.Request.CallbackURL != "" { // only such a call can be recognised when it comes again
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, enqueueTime) // for the look and the enqueue together
		defer cancel()
		standing, decided, err = c.look(ctx)
		if err != nil || decided {
			return standing, decided, err
		}
	}
	name := tasks.QueueReply
	if c.question.ChunkID() != "" {
		name = tasks.QueueEcho
	}
	task := tasks.NewAnswerUtterance(tasks.AnswerUtterance{
		ID: c.question.ID, Bot: c.question.BotID, Block: c.question.Block, Development: c.question.Development, Request: c.body, Mailbox: c.Mailbox.Name(),
		Received: c.received.UnixMilli(), Deadline: c.received.Add(c.budget).UnixMilli(), Trace: trace.Parent(ctx),
		NoCallback: !c.callable,
	}, name)
	_, err = guarded(func() (struct{}, error) { return struct{}{}, c.Queue.Enqueue(ctx, task) })
	return queue.Decision{}, false, err
}

func (c *skillCall) look(ctx context.Context) (standing queue.Decision, decided bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, settleTime)
	defer cancel()
	found, err := guarded(func() (*queue.Decision, error) {
		standing, decided, err := c.Exchange.Standing(ctx, c.question.ID)
		if !decided {
			return nil, err
		}
		return &standing, err
	})
	if found == nil {
		return queue.Decision{}, false, err
	}
	return *found, true, err
}

func (c *skillCall) settle(ctx context.Context, mine queue.Decision) (standing queue.Decision, err error) {
	ctx, cancel := context.WithTimeout(ctx, settleTime)
	defer cancel()
	won, err := guarded(func() (won bool, err error) {
		standing, won, err = c.Exchange.Settle(ctx, c.question.ID, mine)
		return won, err
	})
	if won && err == nil && mine.Kind == queue.PromisedCallback {
		c.Metrics.CallbackPromised()
	}
	return standing, err
}

// giveUpWaiting ends the budget: Kakao is told to wait for the callback, or the user to ask
// again, unless the answer came at the last moment.
func (c *skillCall) giveUpWaiting(ctx context.Context) []byte {
	mine := queue.Decision{Kind: queue.GivenUp}
	if c.question.Request.CallbackURL != "" {
		mine = queue.Decision{Kind: queue.PromisedCallback, At: c.Now()}
	}
	standing, err := c.settle(ctx, mine)
	switch {
	case err == nil:
		return c.deliver(ctx, standing)
	case mine.Kind == queue.PromisedCallback:
		// Nobody will hear that a callback is promised. Should the promise stand all the same,
		// Kakao turns the worker's callback down: its first answer did not ask for one.
		c.Log.ErrorContext(ctx, "queue is away at the end of a budget", "utterance_id", c.question.ID, "err", err)
		return c.answerInline(ctx)
	}
	c.Log.ErrorContext(ctx, "queue is away at the end of a budget", "utterance_id", c.question.ID, "err", err)
	return c.deliver(ctx, mine)
}

// deliver turns the decision that stands into the body of the answer.
func (c *skillCall) deliver(ctx context.Context, standing queue.Decision) []byte {
	switch standing.Kind {
	case queue.Answered:
		return standing.Answer
	case queue.PromisedCallback:
		return responseBody(kakao.Waiting(scenario.WaitingText))
	case queue.TakenInline:
		return c.answerInline(ctx)
	case queue.GivenUp:
		c.record(scenario.Reply{}, scenario.Late)
	}
	return textBody(scenario.LateText)
}

// takeInline answers in the intake because the queue cannot be relied on. A worker that got the
// task all the same finds the key taken; one that was faster has the answer.
func (c *skillCall) takeInline(ctx context.Context) []byte {
	mine := queue.Decision{Kind: queue.TakenInline}
	if standing, err := c.settle(ctx, mine); err == nil {
		return c.deliver(ctx, standing)
	}
	return c.deliver(ctx, mine)
}

// answerInline does the work of a worker, as far as the time left allows.
func (c *skillCall) answerInline(ctx context.Context) []byte {
	c.read()
	c.inline.Add(1)
	reply, err := bounded(ctx, func(ctx context.Context) (scenario.Reply, error) {
		defer c.inline.Done()
		reply, err := c.Answers.Answer(ctx, c.question)
		c.inline.Go(c.witness)
		return reply, err
	})
	outcome, body := scenario.Inline, responseBody(reply.Response)
	switch {
	case err != nil && ctx.Err() != nil:
		outcome, body = scenario.Late, textBody(scenario.LateText)
	case err != nil:
		c.Log.ErrorContext(ctx, "answering inline failed", "utterance_id", c.question.ID, "err", err)
		outcome, body = scenario.Failed, textBody(scenario.FailedText)
	case reply.BackendErr != nil:
		outcome = scenario.ServerFailed
		c.Log.WarnContext(ctx, "skill server did not answer", "utterance_id", c.question.ID, "bot_id", c.question.BotID, "block_id", reply.BlockID, "err", reply.BackendErr)
	case len(reply.Problems) > 0:
		outcome = scenario.Refused
		c.Log.ErrorContext(ctx, "answer of a block is not valid", "bot_id", c.question.BotID, "block_id", reply.BlockID, "err", reply.Problems[0].String())
	}
	if reply.UserErr != nil {
		c.Log.WarnContext(ctx, "user is not known to be new or not", "utterance_id", c.question.ID, "err", reply.UserErr)
	}
	if len(reply.Missing) > 0 {
		c.Log.WarnContext(ctx, "words of a block have no value", "bot_id", c.question.BotID, "block_id", reply.BlockID, "words", reply.Missing)
	}
	c.record(reply, outcome)
	return body
}

// witness keeps evidence, behind the answer.
func (c *skillCall) witness() {
	ctx, cancel := context.WithTimeout(context.Background(), witnessTime)
	defer cancel()
	if err := c.Answers.Witness(ctx, c.question); err != nil {
		c.Log.WarnContext(ctx, "evidence is not recorded", "chunk_id", c.question.ChunkID(), "err", err)
	}
}

// read reads the rest of the request, which a worker does when there is one.
func (c *skillCall) read() {
	if !c.whole {
		c.question.Request, _ = kakao.ParseSkillRequest(c.body) // it can be read: that was looked at first
		if !c.callable {
			c.question.Request.CallbackURL = ""
		}
		c.whole = true
	}
}

func (c *skillCall) record(reply scenario.Reply, outcome scenario.Outcome) {
	c.read()
	left := c.budget - time.Since(c.start)
	c.Record(c.Answers.Utterance(c.question, reply, outcome, left))
	c.Metrics.Answered(string(outcome), left)
	if reply.Handoff != "" {
		c.Metrics.HandoffOffered(string(reply.Handoff))
	}
}

// guarded does work that obeys its own deadline. A panic of work is an error.
func guarded[T any](work func() (T, error)) (value T, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fault.New(fault.Internal, "panic: %v", p)
		}
	}()
	return work()
}

// bounded returns when work has ended or ctx has, whichever is first: work that ignores its context
// does not hold Kakao's answer up. A panic of work is an error.
func bounded[T any](ctx context.Context, work func(context.Context) (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	go func() {
		var r result
		r.value, r.err = guarded(func() (T, error) { return work(ctx) })
		done <- r
	}()
	select {
	case r := <-done:
		return r.value, r.err
	case <-ctx.Done():
		var none T
		return none, fmt.Errorf("wait for it: %w", ctx.Err())
	}
}
