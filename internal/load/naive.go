package load

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/hibiken/asynq"

	"github.com/malgil/malgil/internal/kakao"
	"github.com/malgil/malgil/internal/queue"
	"github.com/malgil/malgil/internal/store"
)

// naiveQueue carries the tasks of the comparison; nothing else listens on it.
const naiveQueue = "load_naive"

// naive sends to people one by one, as a program does that makes a task of each: claim the row, ask
// Kakao, note the end. It returns people a second, counted from the first enqueue.
func (r run) naive(ctx context.Context) (rate float64, err error) {
	address, err := queue.ParseAddress(r.Config.Redis)
	if err != nil {
		return 0, err
	}
	rows, forget, err := r.bare(ctx)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, forget()) }()
	ids := make([]string, r.Naive)
	for n := range ids {
		ids[n] = fmt.Sprintf("naive-%08d", n)
	}
	if err := rows.Add(ctx, ids); err != nil {
		return 0, err
	}
	events, err := kakao.NewEventClient(r.demo.Ready.Sandbox, 0)
	if err != nil {
		return 0, err
	}
	var done atomic.Int64
	failed := make(chan error, 1)
	fail := func(err error) error {
		select {
		case failed <- err:
		default: // the first one tells
		}
		return err
	}
	finished := make(chan struct{})
	handler := asynq.HandlerFunc(func(ctx context.Context, t *asynq.Task) error {
		id := string(t.Payload())
		mine, err := rows.Move(ctx, id, "queued", "sending")
		switch {
		case err != nil:
			return fail(err)
		case !mine:
			return nil
		}
		if _, err := events.Send(ctx, kakao.SendRequest{
			BotID: r.demo.Books.Bot, RestKey: r.demo.Books.RestKey, Event: kakao.Event{Name: r.demo.Ready.Event},
			Users: []kakao.EventUser{{Type: "botUserKey", ID: id}},
		}); err != nil {
			return fail(err)
		}
		if _, err := rows.Move(ctx, id, "sending", "sent"); err != nil {
			return fail(err)
		}
		if done.Add(1) == int64(r.Naive) {
			close(finished)
		}
		return nil
	})
	pools, err := queue.NewPools(address, []queue.Pool{{Queue: naiveQueue, Concurrency: r.Config.SendConcurrency, Servers: 2, CheckInterval: 50 * time.Millisecond, Drain: time.Second}},
		queue.PoolOptions{Handlers: map[string]asynq.Handler{naiveQueue: handler}, Logger: r.Log})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, pools.Shutdown(context.WithoutCancel(ctx))) }()
	if err := pools.Start(); err != nil {
		return 0, err
	}
	client := queue.NewClient(address.EnqueueClient())
	defer client.Close()
	began := time.Now()
	go func() {
		for _, id := range ids {
			if err := client.Enqueue(ctx, asynq.NewTask("load:naive", []byte(id), asynq.TaskID(id), asynq.Queue(naiveQueue), asynq.MaxRetry(8), asynq.Timeout(time.Minute))); err != nil {
				_ = fail(err)
				return
			}
		}
	}()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		select {
		case <-finished:
			return perSecond(r.Naive, began), nil
		case <-tick.C:
			r.Progress("one by one", int(done.Load()), r.Naive)
		case err := <-failed:
			return 0, err
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
}

// bare is a table of work in a database of the same kind: beside a SQLite file, which has one process
// and one writer, in a file of its own.
func (r run) bare(ctx context.Context) (rows *store.Bare, forget func() error, err error) {
	address, folder := r.Config.DB, ""
	if address == "" || strings.HasPrefix(address, "sqlite:") {
		if folder, err = os.MkdirTemp(filepath.Dir(strings.TrimPrefix(address, "sqlite:")), "malgil-load-"); err != nil {
			return nil, nil, err
		}
		address = "sqlite:" + filepath.Join(folder, "bare.db")
	}
	if rows, err = store.OpenBare(ctx, address); err != nil {
		return nil, nil, err
	}
	return rows, func() error {
		err := rows.Close()
		if folder != "" {
			err = errors.Join(err, os.RemoveAll(folder))
		}
		return err
	}, nil
}
