package load

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hibiken/asynq"

	"github.com/malgil/malgil/internal/queue"
	"github.com/malgil/malgil/tasks"
)

// taken measures the bare handler and the intake in turn, so that what else the machine does weighs on
// both alike. Something that does next to nothing answers in place of workers.
func (u *utterances) taken(ctx context.Context, r *UtteranceReport) (err error) {
	answering, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() {
		_, err := queue.AnswerAll(answering, u.redis, tasks.QueueReply, []byte(bareAnswer))
		ended <- err
	}()
	defer func() {
		stop()
		err = errors.Join(err, <-ended)
	}()
	sides := []*side{
		{child: u.bare, g: newGenerator(u.bare, "/", `"2.0"`, u.direct), after: u.removeBare},
		{child: u.intake, g: newGenerator(u.intake, u.skill, `"ok"`, u.direct), after: func() error { return nil }},
	}
	for _, side := range sides {
		defer side.g.close()
	}
	u.Progress("bare handler and intake", 0, 2*rounds)
	for i := range 2 * (rounds + 1) {
		if err := sides[i%2].turn(ctx, u.Length/rounds, i >= 2); err != nil { // the first turns are for connections and caches
			return err
		}
		u.Progress("bare handler and intake", max(i-1, 0), 2*rounds)
	}
	r.Bare, r.Intake = sides[0].throughput(), sides[1].throughput()
	r.OfBare = r.Intake.PerCore / r.Bare.PerCore
	r.Wrong = map[string]int64{"intake": sides[1].g.wrong.Load()}
	return nil
}

// rounds are how many times each of two handlers that are compared has its turn.
const rounds = 10

// side is one of two handlers that are compared.
type side struct {
	child *child
	g     *generator
	after func() error // what is done after each turn

	answered  int
	seconds   float64
	processor float64 // seconds
}

// turn posts for a while as fast as it is answered, which may count.
func (s *side) turn(ctx context.Context, length time.Duration, counts bool) error {
	before, err := s.child.processor(ctx)
	if err != nil {
		return err
	}
	began := time.Now()
	n, err := s.g.closed(ctx, closedAtATime, length)
	took := time.Since(began)
	if err != nil {
		return fmt.Errorf("%s: %w", s.child.name, err)
	}
	after, err := s.child.processor(ctx)
	if err != nil {
		return err
	}
	if counts {
		s.answered, s.seconds, s.processor = s.answered+n, s.seconds+took.Seconds(), s.processor+after-before
	}
	return s.after()
}

func (s *side) throughput() Throughput {
	return Throughput{float64(s.answered) / s.seconds, float64(s.answered) / s.processor}
}

// removeBare removes what the bare handler enqueued.
func (u *utterances) removeBare() error {
	err := asynq.NewInspectorFromRedisClient(u.redis).DeleteQueue(bareQueue, true)
	if errors.Is(err, asynq.ErrQueueNotFound) {
		return nil
	}
	return err
}
