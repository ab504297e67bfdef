package load

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/malgil/malgil/internal/app"
	"github.com/malgil/malgil/internal/demo"
	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/queue"
)

// UtteranceOptions say how utterances are measured.
type UtteranceOptions struct {
	Config  app.Config    // its parts, PostgreSQL and Redis and both empty, and its rules
	Program string        // path of malgil, whose roles are run as processes
	Length  time.Duration // of each of the measurements
	// Progress is told what is under way; may be nil.
	Progress func(phase string, done, all int)
	Log      *slog.Logger
}

// UtteranceReport is what was measured. Bare is a handler that reads a body, enqueues one task and
// answers, through a client of the same kind and into the same Redis, and collects garbage as the intake
// does; Intake is the intake while its utterances are answered at once by next to nothing.
type UtteranceReport struct {
	Bare   Throughput `json:"bare"`
	Intake Throughput `json:"intake"`
	// OfBare is the share of the bare handler's throughput that the intake has, both as far as their
	// own processor goes: what workers, Redis and this measurement use of the machine is left out.
	OfBare float64 `json:"of_bare"`
	Most   float64 `json:"most_per_second"` // answered by workers, beside everything else on this machine
	Rate   float64 `json:"rate_per_second"` // of the open loop: half of it
	Direct Latency `json:"direct"`
	// Rewritten is how many times Redis wrote its file anew, or a snapshot, while direct answers were measured: that
	// takes a processor for as long. It is 0 also where Redis does not tell (before 7).
	Rewritten  int              `json:"redis_rewritten"`
	BareDirect Latency          `json:"bare_direct"` // of the bare handler at the same rate, which enqueues and is done
	Callback   CallbackLatency  `json:"callback"`
	Wrong      map[string]int64 `json:"wrong"` // valid answers that were not the right one, by measurement
}

// Throughput is what a process takes in when it gets all that it can take.
type Throughput struct {
	PerSecond float64 `json:"per_second"` // beside everything else on this machine
	PerCore   float64 `json:"per_core"`   // for each second that the process itself was on a processor
}

// CallbackLatency is how late promises and callbacks are after they are due.
type CallbackLatency struct {
	Rate     float64 `json:"rate_per_second"`
	Promise  Latency `json:"promise"`  // after the budget
	Callback Latency `json:"callback"` // after the work
	Missing  int     `json:"missing"`
}

const (
	ownMemory     = 512 << 20 // bytes from which on the measurement's own garbage is collected all the same
	closedAtATime = 256
	blockDelay    = 2 * time.Second // of the demo's slow block
	slowSlots     = 256             // of the pool reply, which slow blocks hold
	hoursText     = "오전 10시부터"
)

// utterances is a measurement under way.
type utterances struct {
	UtteranceOptions
	shop   demo.Shop
	keys   app.Keys
	sink   *sink
	redis  redis.UniversalClient // to look at it, and to clear up
	bare   *child
	intake *child
	skill  string // path of the bot at the intake
}

// Utterances measures how fast utterances are taken in and how fast they are answered, direct and by
// callback: intake and workers run as processes of their own beside this one, which plays Kakao.
func Utterances(ctx context.Context, o UtteranceOptions) (r UtteranceReport, err error) {
	if o.Progress == nil {
		o.Progress = func(string, int, int) {}
	}
	if o.Config.Redis == "" || !strings.HasPrefix(o.Config.DB, "postgres") {
		return r, fault.New(fault.Invalid, "utterances are measured on separate roles, which need PostgreSQL and Redis: set MALGIL_DB and MALGIL_REDIS to empty ones")
	}
	address, err := queue.ParseAddress(o.Config.Redis)
	if err != nil {
		return r, err
	}
	u := &utterances{UtteranceOptions: o, redis: address.InspectClient()}
	defer u.redis.Close()
	// Garbage of the measurement's own would take a processor from who is measured, several times a second.
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(min(ownMemory, debug.SetMemoryLimit(-1))))
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if err := u.seed(ctx); err != nil {
		return r, err
	}
	if u.sink, err = openSink(); err != nil {
		return r, err
	}
	defer u.sink.close()
	defer func() { err = errors.Join(err, u.removeBare()) }()
	if u.bare, err = spawn(ctx, u.Program, "bare handler", []string{"load-bare", "--listen={listen}"}, []string{"MALGIL_REDIS=" + u.Config.Redis}); err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, u.bare.stop()) }()
	u.bare.metrics = u.bare.url
	if err := u.bare.up(ctx, u.bare.url+"/readyz"); err != nil {
		return r, err
	}
	if u.intake, err = u.role(ctx, "intake"); err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, u.intake.stop()) }()
	if err := u.intake.up(ctx, u.intake.url+"/readyz"); err != nil {
		return r, err
	}
	skill, err := url.Parse(u.shop.SkillURL)
	if err != nil {
		return r, err
	}
	u.skill = skill.EscapedPath()
	if err := u.taken(ctx, &r); err != nil {
		return r, err
	}
	worker, err := u.role(ctx, "worker", "--pools=reply")
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, worker.stop()) }()
	if err := worker.up(ctx, worker.metrics+"/metrics"); err != nil {
		return r, err
	}
	return r, u.answered(ctx, &r)
}

// seed makes a bot in the parts.
func (u *utterances) seed(ctx context.Context) (err error) {
	u.Progress("seed", 0, 1)
	if u.keys, err = app.NewKeys(); err != nil {
		return err
	}
	config := u.Config
	config.Listen, config.SealKeys, config.HashKey = demo.Anywhere, u.keys.Seal, u.keys.Hash
	d, err := demo.Start(ctx, config, u.Log)
	if err != nil {
		return err
	}
	u.shop = d.Books
	return d.Close(context.WithoutCancel(ctx))
}

// role starts a role of this installation.
func (u *utterances) role(ctx context.Context, args ...string) (*child, error) {
	return spawn(ctx, u.Program, args[0], args, []string{
		"MALGIL_DB=" + u.Config.DB, "MALGIL_REDIS=" + u.Config.Redis, "MALGIL_SEAL_KEYS=" + u.keys.Seal, "MALGIL_HASH_KEY=" + u.keys.Hash,
		"MALGIL_LISTEN={listen}", "MALGIL_METRICS_LISTEN={metrics}", "MALGIL_PUBLIC_URL=http://{listen}",
		"MALGIL_KAKAO_URL=" + u.sink.url, "MALGIL_KAKAOPAY_URL=" + u.sink.url, "MALGIL_KAKAOPAY_SECRET=load",
		"MALGIL_CALLBACK_HOSTS=127.0.0.1", "MALGIL_SMTP=smtp://127.0.0.1:1?tls=none&from=load@malgil.example",
		"MALGIL_REPLY_BUDGET=" + u.Config.ReplyBudget.String(), "MALGIL_CALLBACK_BUDGET=" + u.Config.CallbackBudget.String(),
	})
}

// answered measures how fast real workers answer, at half of the most that they do.
func (u *utterances) answered(ctx context.Context, r *UtteranceReport) error {
	u.Progress("first words", 0, 1) // who speaks for the first time is welcomed instead of answered
	first := newGenerator(u.intake, u.skill, `"2.0"`, u.direct)
	defer first.close()
	if err := first.times(ctx, closedAtATime, speakers); err != nil {
		return err
	}
	g := newGenerator(u.intake, u.skill, hoursText, u.direct)
	defer g.close()
	u.Progress("all that is answered", 0, 1)
	n, err := g.closed(ctx, closedAtATime, u.Length)
	if err != nil {
		return err
	}
	r.Most = float64(n) / u.Length.Seconds()
	r.Rate = r.Most / 2
	u.Progress("half of it", 0, 1)
	before := g.wrong.Load()
	_, over, err := u.rewritten(ctx)
	if err != nil {
		return err
	}
	took, err := g.open(ctx, r.Rate, u.Length)
	if err != nil {
		return err
	}
	r.Direct, r.Wrong["direct"] = latencyOf(took), g.wrong.Load()-before
	begun, _, err := u.rewritten(ctx)
	if err != nil {
		return err
	}
	r.Rewritten = begun - over
	u.Progress("bare handler at that rate", 0, 1)
	b := newGenerator(u.bare, "/", `"2.0"`, u.direct)
	defer b.close()
	if err := b.times(ctx, closedAtATime, speakers); err != nil { // connections, as the intake has
		return err
	}
	if took, err = b.open(ctx, r.Rate, u.Length); err != nil {
		return err
	}
	r.BareDirect = latencyOf(took)
	return u.callbacks(ctx, r)
}

// rewritten is how many times Redis has begun to write its file anew, and how many of those are over.
func (u *utterances) rewritten(ctx context.Context) (begun, over int, err error) {
	servers, err := queue.NewInspector(u.redis).Servers(ctx)
	for _, s := range servers {
		number := func(name string) int {
			n, _ := strconv.Atoi(s.Info[name]) // an older Redis does not tell
			return n
		}
		n := number("aof_rewrites") + number("rdb_saves")
		begun += n
		over += n - number("aof_rewrite_in_progress") - number("rdb_bgsave_in_progress")
	}
	return begun, over, err
}

// callbacks has people ask a slow block, at half of what the slots of one worker process take.
func (u *utterances) callbacks(ctx context.Context, r *UtteranceReport) error {
	u.Progress("callbacks", 0, 1)
	slow, err := url.Parse(u.shop.SlowURL())
	if err != nil {
		return err
	}
	g := newGenerator(u.intake, u.skill+"?"+slow.RawQuery, `"useCallback":true`, u.withCallback)
	defer g.close()
	r.Callback.Rate = min(r.Rate, slowSlots/blockDelay.Seconds()/2)
	u.sink.expect()
	took, err := g.open(ctx, r.Callback.Rate, u.Length)
	if err != nil {
		return err
	}
	for i := range took {
		took[i] -= u.Config.CallbackBudget
	}
	r.Callback.Promise, r.Wrong["callback"] = latencyOf(took), g.wrong.Load()
	late, missing := u.sink.wait(ctx, int(g.next.Load()), 10*time.Second)
	for i := range late {
		late[i] -= max(blockDelay, u.Config.CallbackBudget)
	}
	r.Callback.Callback, r.Callback.Missing = latencyOf(late), missing
	return ctx.Err()
}

// direct is what Kakao posts when a person says something that its own blocks do not know.
func (u *utterances) direct(n int64) string {
	return fmt.Sprintf(`{"bot":{"id":%[1]q,"name":"한빛서점 도우미"},"intent":{"id":"66a1f3a9d4b7e83f5a9c1d44","name":"폴백 블록"},`+
		`"action":{"id":"66a1f2b7d4b7e83f5a9c1d3a","name":"말길","params":{},"detailParams":{},"clientExtra":{}},`+
		`"userRequest":{"timezone":"Asia/Seoul","lang":"ko","utterance":"영업시간","params":{"surface":"Kakaotalk.plusfriend"},`+
		`"block":{"id":"66a1f3a9d4b7e83f5a9c1d44","name":"폴백 블록"},"user":{"id":"speaker-%[2]d","type":"botUserKey",`+
		`"properties":{"botUserKey":"speaker-%[2]d","plusfriendUserKey":"Zk3-aQ91LmPd","isFriend":true}}},"contexts":[]}`,
		u.shop.Bot, n%speakers)
}

func (u *utterances) withCallback(n int64) string {
	u.sink.asked(n)
	return strings.Replace(u.direct(n), `"user":`, fmt.Sprintf(`"callbackUrl":"%s/callback/%d","user":`, u.sink.url, n), 1)
}

// sink takes callbacks, as Kakao does.
type sink struct {
	url    string
	server *http.Server

	mu      sync.Mutex
	pending map[int64]time.Time // when it was asked
	took    []time.Duration
}

func openSink() (*sink, error) {
	door, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for callbacks: %w", err)
	}
	s := &sink{url: "http://" + door.Addr().String(), pending: map[int64]time.Time{}}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /callback/{n}", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if n, err := strconv.ParseInt(r.PathValue("n"), 10, 64); err == nil {
			s.came(n)
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"taskId":"load","status":"SUCCESS","message":"success","timestamp":0}`)
	})
	s.server = &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = s.server.Serve(door) }()
	return s, nil
}

func (s *sink) close() { _ = s.server.Close() }

func (s *sink) expect() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.pending)
	s.took = nil
}

func (s *sink) asked(n int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pending[n] = time.Now()
}

func (s *sink) came(n int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if asked, waiting := s.pending[n]; waiting {
		delete(s.pending, n)
		s.took = append(s.took, time.Since(asked))
	}
}

// wait returns how long callbacks took when all have come, or how many have not in the end.
func (s *sink) wait(ctx context.Context, all int, limit time.Duration) (took []time.Duration, missing int) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		s.mu.Lock()
		took = s.took
		s.mu.Unlock()
		if len(took) >= all {
			return took, 0
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return took, all - len(took)
		}
	}
}
