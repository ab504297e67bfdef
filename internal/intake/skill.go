package intake

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/hibiken/asynq"

	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/kakao"
	"github.com/malgil/malgil/internal/queue"
	"github.com/malgil/malgil/internal/scenario"
)

// Kakao waits 5 seconds (AI chatbot callback guide). Everything below adds up to less.
const (
	answerTime  = 4300 * time.Millisecond // all work ends
	admitTime   = time.Second             // finding the bot
	bodyTime    = 2 * time.Second         // reading the call
	enqueueTime = 300 * time.Millisecond
	settleTime  = 200 * time.Millisecond // one decision, when Redis is slow
	witnessTime = 5 * time.Second        // evidence, behind the answer
)

const (
	skillRoute   = "POST /skill/{bot}/{key}"
	maxSkillBody = 256 << 10 // bytes

	usualSkillBody = 4 << 10 // bytes that are at hand for a body that says to have them
)

// Answerer is [scenario.Service] as the intake uses it.
type Answerer interface {
	Answer(ctx context.Context, q scenario.Question) (scenario.Reply, error)
	Witness(ctx context.Context, q scenario.Question) error
	Utterance(q scenario.Question, reply scenario.Reply, outcome scenario.Outcome, budgetLeft time.Duration) scenario.Utterance
}

// Enqueuer puts a task into its queue. On an error the task may be there all the same.
type Enqueuer interface {
	Enqueue(ctx context.Context, task *asynq.Task) error
}

// SkillMetrics counts what the intake answers by itself; the workers count the rest. It is safe
// for concurrent use.
type SkillMetrics interface {
	// Answered counts an utterance that the intake answered without a worker. The outcome is one
	// of [scenario.Outcomes].
	Answered(outcome string, budgetLeft time.Duration)
	// CallbackRefused counts a call whose callback address may not be called, so that it is answered as one without.
	CallbackRefused()
	// CallbackPromised counts a call that Kakao was told to wait for a callback of.
	CallbackPromised()
	// HandoffOffered counts such an answer that offers a person; the spot is one of [scenario.Spots].
	HandoffOffered(spot string)
}

// SkillOptions are what the skill route is made of. All are required.
type SkillOptions struct {
	Bots     scenario.Bots
	Answers  Answerer
	Queue    Enqueuer
	Exchange *queue.Exchange // over a connection that obeys deadlines
	Mailbox  *queue.Mailbox
	MayCall  func(address string) error // why a callback may not be posted there, or nil; see [kakao.Guard]
	Record   func(scenario.Utterance)   // never blocks
	Metrics  SkillMetrics
	NewID    func(prefix string) string
	Now      func() time.Time
	Log      *slog.Logger

	ReplyBudget    time.Duration // how long an utterance waits for a worker; 4 s unless set otherwise
	CallbackBudget time.Duration // …where Kakao can be called back; 1.5 s unless set otherwise
}

// Skill is the route POST /skill/{bot}/{key}, which Kakao calls for every utterance. A query
// ?block= names the block that the URL stands for, by id or name.
//
// An unknown bot or a wrong key is answered as an unknown route is, a body over 256 KiB with
// 413. Everything else is 200 with a valid skill response 2.0 within 4.5 s, whatever is broken.
type Skill struct {
	SkillOptions
	inline  sync.WaitGroup
	refused sync.Once // the first callback address that may not be called
}

// NewSkill returns the route.
func NewSkill(options SkillOptions) *Skill { return &Skill{SkillOptions: options} }

// Wait returns when the work behind answers that have left is done, or the error of ctx when that
// ends first: then answers or evidence may be lost. Call it after the server has stopped.
func (s *Skill) Wait(ctx context.Context) error {
	done := make(chan struct{})
	go func() { s.inline.Wait(); close(done) }()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("answers are under way still: %w", ctx.Err())
	}
}

func (s *Skill) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	received, start := s.Now(), time.Now()
	ctx, cancel := context.WithTimeout(r.Context(), answerTime)
	defer cancel()

	botID, development := strings.CutSuffix(r.PathValue("bot"), developmentMark)
	known, err := s.admit(ctx, botID, r.PathValue("key"))
	if err == nil && !known {
		notFound(w)
		return
	}
	body, readErr := readBody(w, r)
	if tooLarge := new(http.MaxBytesError); errors.As(readErr, &tooLarge) {
		http.Error(w, "the body is over 256 KiB", http.StatusRequestEntityTooLarge)
		return
	}
	if err != nil { // nobody can say whether this is a bot of ours
		s.Log.ErrorContext(ctx, "bot of a skill call cannot be loaded", "bot_id", botID, "err", err)
		s.Metrics.Answered(string(scenario.Failed), 0)
		s.write(w, textBody(scenario.FailedText))
		return
	}
	request, whole, err := kakao.SkimSkillRequest(body, "callbackUrl", broadcast.ChunkParam)
	if err = errors.Join(readErr, err); err != nil {
		s.Log.WarnContext(ctx, "skill call is not readable", "bot_id", botID, "err", err)
		s.Metrics.Answered(string(scenario.Unreadable), 0)
		s.write(w, textBody(scenario.FailedText))
		return
	}
	callable := s.callable(ctx, botID, &request)
	call := &skillCall{
		Skill: s, received: received, start: start, body: body, whole: whole, callable: callable,
		question: scenario.Question{ID: s.utteranceID(request), BotID: botID, Block: r.URL.Query().Get("block"), Development: development, Request: request, Raw: body, At: received},
		budget:   s.ReplyBudget,
	}
	if request.CallbackURL != "" {
		call.budget = s.CallbackBudget
	}
	call.budget = min(call.budget, answerTime-settleTime)
	s.write(w, call.answer(ctx))
}

// callable takes a callback address off a request that may not be called: a promise would be kept by nobody.
func (s *Skill) callable(ctx context.Context, botID string, r *kakao.SkillRequest) bool {
	if r.CallbackURL == "" {
		return true
	}
	err := s.MayCall(r.CallbackURL)
	if err != nil {
		r.CallbackURL = ""
		s.Metrics.CallbackRefused()
		s.refused.Do(func() {
			s.Log.WarnContext(ctx, "callback address may not be called; such calls are answered as those without, see MALGIL_CALLBACK_HOSTS", "bot_id", botID, "err", err)
		})
	}
	return err == nil
}

// isBotID reports whether an id may be of a bot; no other is asked for.
func isBotID(id string) bool {
	const most = 64
	return id != "" && len(id) <= most && !strings.ContainsFunc(id, func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') && r != '_' && r != '-'
	})
}

// admit reports whether a key opens a bot. The error means that it is not known.
func (s *Skill) admit(ctx context.Context, botID, key string) (bool, error) {
	if !isBotID(botID) {
		return false, nil
	}
	ctx, cancel := context.WithTimeout(ctx, admitTime)
	defer cancel()
	bot, err := guarded(func() (scenario.Head, error) { return s.Bots.Head(ctx, botID) })
	if err != nil && fault.KindOf(err) != fault.NotFound {
		return false, err
	}
	given := sha256.Sum256([]byte(key))
	// The hash of no bot is empty, which no key has.
	return subtle.ConstantTimeCompare(given[:], bot.SkillKeyHash) == 1, nil
}

func readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	control := http.NewResponseController(w)
	// A writer without deadlines, as in a test, reads from memory.
	_ = control.SetReadDeadline(time.Now().Add(bodyTime))
	body := bytes.NewBuffer(make([]byte, 0, min(max(r.ContentLength, 0), usualSkillBody)+bytes.MinRead))
	_, err := body.ReadFrom(http.MaxBytesReader(w, r.Body, maxSkillBody))
	_ = control.SetReadDeadline(time.Time{}) // else the server takes its passing for the end of the call
	return bytes.TrimPrefix(body.Bytes(), []byte("\ufeff")), err
}

// utteranceID is the same for every post of one call where Kakao gives the call a mark of its
// own: the callback URL is issued once.
func (s *Skill) utteranceID(r kakao.SkillRequest) string {
	if r.CallbackURL == "" {
		return s.NewID("utt")
	}
	sum := sha256.Sum256([]byte(r.CallbackURL))
	return "utt_" + hex.EncodeToString(sum[:])
}

func (s *Skill) write(w http.ResponseWriter, body []byte) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write(body) // Kakao went away: there is nobody to tell
}

func textBody(text string) []byte { return responseBody(kakao.Text(text)) }

func responseBody(r kakao.SkillResponse) []byte {
	body, err := r.JSON()
	if err != nil { // a value of Data that is no JSON; no answer of ours has one
		body, _ = kakao.Text(scenario.FailedText).JSON()
	}
	return body
}
