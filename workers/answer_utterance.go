package workers

import (
	"context"
	"log/slog"
	"time"

	"github.com/hibiken/asynq"

	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/kakao"
	"github.com/malgil/malgil/internal/queue"
	"github.com/malgil/malgil/internal/scenario"
	"github.com/malgil/malgil/internal/trace"
	"github.com/malgil/malgil/tasks"
)

// A callback URL lives for a minute (AI chatbot callback guide), counted from Kakao's call.
const (
	workUntil     = 50 * time.Second        // after receipt: then the callback carries a fallback text
	callbackUntil = 55 * time.Second        // after receipt
	callbackRest  = 500 * time.Millisecond  // after the promise: Kakao reads the first answer first
	lookAfter     = 200 * time.Millisecond  // after receipt: an intake gives an enqueue up after 300 ms, by its own clock
	settleGrace   = 500 * time.Millisecond  // after the deadline somebody may still read the answer
	promiseGrace  = 1500 * time.Millisecond // after the deadline a callback may still be promised: Redis is slow, clocks are a second apart
	settleTime    = time.Second             // one try
	settleRest    = 200 * time.Millisecond  // between tries
	witnessTime   = 5 * time.Second
)

// UtteranceAnswerer is [scenario.Service] as the worker uses it.
type UtteranceAnswerer interface {
	Answer(ctx context.Context, q scenario.Question) (scenario.Reply, error)
	Witness(ctx context.Context, q scenario.Question) error
	Utterance(q scenario.Question, reply scenario.Reply, outcome scenario.Outcome, budgetLeft time.Duration) scenario.Utterance
}

// Callbacks posts a late answer; see [kakao.CallbackClient].
type Callbacks interface {
	Post(ctx context.Context, callbackURL string, answer kakao.SkillResponse) (kakao.CallbackOutcome, error)
}

// UtteranceMetrics counts what workers answer. It is safe for concurrent use.
type UtteranceMetrics interface {
	// Answered counts an utterance that a worker answered; budgetLeft is negative for a late one.
	// The outcome is one of [scenario.Outcomes].
	Answered(outcome string, budgetLeft time.Duration)
	// HandoffOffered counts an answer that offers a person; the spot is one of [scenario.Spots].
	HandoffOffered(spot string)
	// Callback counts a callback by its [kakao.CallbackState]; reason is "" for a delivered one.
	Callback(state, reason string)
	// TaskWaited notes how long ago an utterance came in that a worker begins with.
	TaskWaited(queue string, waited time.Duration)
}

// AnswerUtteranceOptions are what the handler is made of. All are required.
type AnswerUtteranceOptions struct {
	Answers   UtteranceAnswerer
	Exchange  *queue.Exchange
	Callbacks Callbacks
	Record    func(scenario.Utterance) // never blocks
	Metrics   UtteranceMetrics
	NewID     func(prefix string) string
	Now       func() time.Time
	Log       *slog.Logger
}

// AnswerUtterance handles [tasks.TypeAnswerUtterance]: it answers and lets the key of the
// utterance decide whether the intake delivers the answer or the callback does. What fails is
// recorded and the task is done: nothing of it is retried or archived.
//
// A run beside another one of the same utterance changes nothing: one answer stands, and one
// callback is posted.
func AnswerUtterance(options AnswerUtteranceOptions) asynq.Handler {
	return handle(func(ctx context.Context, p tasks.AnswerUtterance) error {
		run := &utteranceRun{
			AnswerUtteranceOptions: options, task: p,
			received: time.UnixMilli(p.Received).UTC(), deadline: time.UnixMilli(p.Deadline).UTC(),
		}
		if queue, known := asynq.GetQueueName(ctx); known {
			options.Metrics.TaskWaited(queue, max(0, options.Now().Sub(run.received)))
		}
		run.answer(ctx)
		return nil
	})
}

// utteranceRun is one run of one task.
type utteranceRun struct {
	AnswerUtteranceOptions
	task               tasks.AnswerUtterance
	question           scenario.Question
	received, deadline time.Time
}

func (r *utteranceRun) answer(ctx context.Context) {
	request, err := kakao.ParseSkillRequest(r.task.Request)
	if err != nil { // the intake read it before
		r.Log.ErrorContext(ctx, "payload of an utterance is not readable", "utterance_id", r.task.ID, "err", err)
		return
	}
	if r.task.NoCallback {
		request.CallbackURL = ""
	}
	r.question = scenario.Question{ID: r.task.ID, BotID: r.task.Bot, Block: r.task.Block, Development: r.task.Development, Request: request, Raw: r.task.Request, At: r.received}
	defer r.witness(ctx) // a call that comes too late to be answered still shows that the message arrived
	switch now := r.Now(); {
	case now.After(r.deadline) && !r.awaited(ctx), now.Sub(r.received) > lookAfter && r.taken(ctx):
		r.Log.DebugContext(ctx, "nobody waits for an utterance any more", "utterance_id", r.task.ID)
		return
	}
	reply, outcome := r.work(ctx)
	if outcome == scenario.Failed && request.CallbackURL == "" && !r.Now().Before(r.deadline) {
		return // out of time: the intake says so to the user and records it
	}

	// From here on the answer counts more than this process does: it may be shutting down.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), r.received.Add(callbackUntil).Sub(r.Now()))
	defer cancel()
	r.hand(ctx, reply, outcome)
}

// awaited reports whether somebody may still want an answer after the deadline: a callback is
// promised, or may be within a moment. Settling tells in the end.
func (r *utteranceRun) awaited(ctx context.Context) bool {
	if r.question.Request.CallbackURL == "" || !r.Now().Before(r.received.Add(workUntil)) {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, settleTime)
	defer cancel()
	standing, decided, err := r.Exchange.Standing(ctx, r.task.ID)
	switch {
	case err != nil:
		return true
	case !decided:
		return r.Now().Before(r.deadline.Add(promiseGrace))
	}
	return standing.Kind == queue.PromisedCallback
}

// taken reports whether somebody else has answered a task that took long to get here: an intake that
// could not tell whether it was enqueued.
func (r *utteranceRun) taken(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, settleTime)
	defer cancel()
	standing, decided, err := r.Exchange.Standing(ctx, r.task.ID)
	return err == nil && decided && standing.Kind != queue.PromisedCallback
}

// work answers within the time that the answer is good for. There is always a reply.
func (r *utteranceRun) work(ctx context.Context) (scenario.Reply, scenario.Outcome) {
	until := r.deadline
	if r.question.Request.CallbackURL != "" {
		until = r.received.Add(workUntil)
	}
	ctx, cancel := context.WithTimeout(ctx, until.Sub(r.Now()))
	defer cancel()
	reply, err := r.Answers.Answer(ctx, r.question)
	if reply.UserErr != nil {
		r.Log.WarnContext(ctx, "user is not known to be new or not", "utterance_id", r.task.ID, "err", reply.UserErr)
	}
	if len(reply.Missing) > 0 {
		r.Log.WarnContext(ctx, "words of a block have no value", "bot_id", r.task.Bot, "block_id", reply.BlockID, "words", reply.Missing)
	}
	switch {
	case err != nil:
		r.Log.ErrorContext(ctx, "answering failed", "utterance_id", r.task.ID, "bot_id", r.task.Bot, "err", err)
		reply.Response = kakao.Text(scenario.FailedText)
		return reply, scenario.Failed
	case reply.BackendErr != nil:
		r.Log.WarnContext(ctx, "skill server did not answer", "utterance_id", r.task.ID, "bot_id", r.task.Bot, "block_id", reply.BlockID, "err", reply.BackendErr)
		return reply, scenario.ServerFailed
	case len(reply.Problems) > 0:
		r.Log.ErrorContext(ctx, "answer of a block is not valid", "bot_id", r.task.Bot, "block_id", reply.BlockID, "err", reply.Problems[0].String())
		return reply, scenario.Refused
	}
	return reply, scenario.Direct
}

// hand gives the answer to whoever is to deliver it.
func (r *utteranceRun) hand(ctx context.Context, reply scenario.Reply, outcome scenario.Outcome) {
	body, err := reply.Response.JSON()
	if err != nil {
		r.Log.ErrorContext(ctx, "answer cannot be written", "utterance_id", r.task.ID, "err", err)
		return
	}
	standing, won, err := r.settle(ctx, body)
	left := r.deadline.Sub(r.Now())
	switch {
	case err != nil:
		r.Log.ErrorContext(ctx, "queue is away, an answer is lost", "utterance_id", r.task.ID, "err", err)
	case won:
		switch {
		case left >= -settleGrace:
			r.record(ctx, reply, outcome, left)
		case r.question.Request.CallbackURL != "":
			// Long after the deadline the key is ours: a promise was made and Redis was emptied,
			// or the intake could not reach Redis and answered itself. Kakao takes a callback
			// that it was promised and refuses any other.
			if outcome := r.callBack(ctx, reply, outcome, r.deadline); outcome != "" {
				r.record(ctx, reply, outcome, left)
			}
		}
	case standing.Kind == queue.PromisedCallback:
		if outcome := r.callBack(ctx, reply, outcome, standing.At); outcome != "" {
			r.record(ctx, reply, outcome, left)
		}
	}
}

// settle proposes the answer and tells the intake of it, over outages of Redis as long as somebody may
// want it.
func (r *utteranceRun) settle(ctx context.Context, answer []byte) (standing queue.Decision, won bool, err error) {
	until := r.deadline.Add(settleGrace)
	if r.question.Request.CallbackURL != "" {
		until = r.received.Add(callbackUntil)
	}
	err = r.persist(ctx, until, func(ctx context.Context) (err error) {
		standing, won, err = r.Exchange.Answer(ctx, r.task.ID, answer, r.task.Mailbox)
		return err
	})
	return standing, won, err
}

// persist repeats a call to Redis that may be repeated, until it succeeds or its time is over.
func (r *utteranceRun) persist(ctx context.Context, until time.Time, call func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, max(until.Sub(r.Now()), settleRest))
	defer cancel()
	for {
		try, cancelTry := context.WithTimeout(ctx, settleTime)
		err := call(try)
		cancelTry()
		if err == nil || fault.KindOf(err) == fault.Internal { // Internal: a word that will not change
			return err
		}
		if !rest(ctx, settleRest) {
			return err
		}
	}
}

// callBack posts the callback that Kakao was told to wait for: the answer, or the text in place
// of one that failed. It returns what became of the utterance, "" where another run says it.
func (r *utteranceRun) callBack(ctx context.Context, reply scenario.Reply, outcome scenario.Outcome, promisedAt time.Time) scenario.Outcome {
	if !rest(ctx, promisedAt.Add(callbackRest).Sub(r.Now())) {
		r.Metrics.Callback(string(kakao.CallbackFailed), kakao.ReasonQueue)
		return scenario.CallbackFailed
	}
	run := r.NewID("run")
	var mine bool
	err := r.persist(ctx, r.received.Add(callbackUntil), func(ctx context.Context) (err error) {
		mine, err = r.Exchange.ClaimCallback(ctx, r.task.ID, run)
		return err
	})
	if err != nil {
		r.Log.ErrorContext(ctx, "queue is away, a promised callback is lost", "utterance_id", r.task.ID, "err", err)
		r.Metrics.Callback(string(kakao.CallbackFailed), kakao.ReasonQueue)
		return scenario.CallbackFailed
	}
	if !mine {
		return ""
	}
	called, err := r.Callbacks.Post(ctx, r.question.Request.CallbackURL, reply.Response)
	r.Metrics.Callback(string(called.State), called.Reason)
	if err != nil {
		r.Log.ErrorContext(ctx, "callback is not known to be delivered", "utterance_id", r.task.ID, "bot_id", r.task.Bot,
			"state", string(called.State), "reason", called.Reason, "err", err)
	}
	switch {
	case called.State == kakao.CallbackUnknown:
		return scenario.CallbackUnknown
	case called.State != kakao.CallbackDelivered:
		return scenario.CallbackFailed
	case outcome == scenario.Direct:
		return scenario.Callback
	}
	return outcome // a safe text was delivered
}

func (r *utteranceRun) witness(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), witnessTime)
	defer cancel()
	if err := r.Answers.Witness(ctx, r.question); err != nil {
		r.Log.WarnContext(ctx, "evidence is not recorded", "chunk_id", r.question.ChunkID(), "err", err)
	}
}

func (r *utteranceRun) record(ctx context.Context, reply scenario.Reply, outcome scenario.Outcome, left time.Duration) {
	r.Record(r.Answers.Utterance(r.question, reply, outcome, left))
	r.Metrics.Answered(string(outcome), left)
	trace.Note(ctx, slog.String("outcome", string(outcome)))
	if reply.Handoff != "" {
		r.Metrics.HandoffOffered(string(reply.Handoff))
	}
}

// rest waits, and reports whether ctx still holds.
func rest(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(max(d, 0))
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}
