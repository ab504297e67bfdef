package queue_test

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hibiken/asynq"

	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/queue"
	"github.com/malgil/malgil/internal/testserver"
	"github.com/malgil/malgil/tasks"
)

// Each of many who enqueue at once learns of their own task, whatever went together: one that is said
// to be there is.
func TestClient_manyAtOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, address queue.Address) {
		client, inspector := newClient(t, address), newInspector(t, address)
		mustEnqueue(t, client, tasks.NewSendChunk(chunk("m7", 1))) // one of them is there already
		const all = 500
		enqueueMany(t, client, all)
		if got := depth(t, inspector, tasks.QueueBroadcast); got.Pending != all {
			t.Errorf("%d tasks wait, want %d", got.Pending, all)
		}
	})
}

// Together they cost fewer trips to Redis than there are tasks.
func TestClient_manyAtOnceGoTogether(t *testing.T) {
	server := testserver.Redis(t)
	client, raw := newClient(t, parse(t, server.URL())), rawRedis(t, parse(t, server.URL()))
	mustEnqueue(t, client, tasks.NewSendChunk(chunk("first", 1))) // the script is known from here on
	reads := func() int {
		info, err := raw.Info(t.Context(), "stats").Result()
		if err != nil {
			t.Fatal(err)
		}
		_, after, _ := strings.Cut(info, "total_reads_processed:")
		line, _, _ := strings.Cut(after, "\r\n")
		n, err := strconv.Atoi(line)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	before := reads()
	const all = 2000
	enqueueMany(t, client, all)
	if took := reads() - before; took > all/2 {
		t.Errorf("%d tasks took Redis %d reads, want far fewer", all, took)
	}
}

// An outage while many enqueue ends for each of them in time, and the client works after it.
func TestClient_manyAtOnceInAnOutage(t *testing.T) {
	server := testserver.Redis(t)
	client, inspector := newClient(t, parse(t, server.URL())), newInspector(t, parse(t, server.URL()))
	mustEnqueue(t, client, tasks.NewSendChunk(chunk("first", 1)))
	server.Freeze()
	const all = 200
	var failed atomic.Int64
	var people sync.WaitGroup
	began := time.Now()
	for n := range all {
		people.Go(func() {
			if err := client.Enqueue(t.Context(), tasks.NewSendChunk(chunk(fmt.Sprintf("c%d", n), 1))); fault.KindOf(err) == fault.InDoubt {
				failed.Add(1)
			}
		})
	}
	people.Wait()
	if took := time.Since(began); failed.Load() != all || took > 2*time.Second {
		t.Errorf("%d of %d failed in %v, want all of them in doubt within about 300 ms", failed.Load(), all, took)
	}
	time.Sleep(400 * time.Millisecond) // until what was on its way has ended, too
	server.Thaw()
	eventually(t, "the client works again", func() bool {
		return client.Enqueue(t.Context(), tasks.NewSendChunk(chunk("after", 1))) == nil
	})
	if got := fates(t, inspector, chunkTask("after", 1)); got[0] != queue.Waiting {
		t.Errorf("fate after the outage = %v, want waiting", got[0])
	}
	// Of those that were given up, none is sent that was not on its way.
	if got := depth(t, inspector, tasks.QueueBroadcast); got.Pending > 2+4 {
		t.Errorf("%d tasks wait after the outage, want the two that were said to and few more", got.Pending)
	}
}

// enqueueMany enqueues the tasks m1, m2, … a hundred at a time.
func enqueueMany(t *testing.T, client *queue.Client, all int) {
	t.Helper()
	var people sync.WaitGroup
	var next atomic.Int64
	for range 100 {
		people.Go(func() {
			for n := next.Add(1); n <= int64(all); n = next.Add(1) {
				task := tasks.NewSendChunk(chunk(fmt.Sprintf("m%d", n), 1))
				err := client.Enqueue(t.Context(), task)
				for tries := 0; err != nil && tries < 20; tries++ { // a slow machine takes more than 300 ms
					err = client.Enqueue(t.Context(), task)
				}
				if err != nil {
					t.Errorf("Enqueue(m%d) error = %v", n, err)
				}
			}
		})
	}
	people.Wait()
}

func TestAnswerAll(t *testing.T) {
	onBoth(t, func(t *testing.T, address queue.Address) {
		client, x := newClient(t, address), newExchange(t, address)
		mailbox := openMailbox(t, address, "intake-1")
		within(t, "the mailbox is ready", mailbox.Ready())
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		const words = `{"version":"2.0"}`
		answered := make(chan int, 1)
		conn := rawRedis(t, address)
		go func() {
			n, err := queue.AnswerAll(ctx, conn, tasks.QueueReply, []byte(words))
			if err != nil {
				t.Errorf("AnswerAll error = %v", err)
			}
			answered <- n
		}()
		const all = 30
		for n := range all {
			id := fmt.Sprintf("utt_%d", n)
			told, forget := mailbox.Expect(id)
			mustEnqueue(t, client, utterance(id, mailbox.Name()))
			if got := within(t, id, told); string(got) != words {
				t.Errorf("%s: told %q, want %q", id, got, words)
			}
			if standing, decided, err := x.Standing(t.Context(), id); err != nil || !decided || string(standing.Answer) != words {
				t.Errorf("%s: decided %v as %+v, %v, want the answer", id, decided, standing, err)
			}
			forget()
		}
		keys := conn.Keys(t.Context(), "*utt_*").Val()
		if len(keys) == 0 {
			t.Error("no answer is kept")
		}
		for _, key := range keys {
			if left := conn.TTL(t.Context(), key).Val(); left <= 0 || left > 5*time.Second {
				t.Errorf("%s stays for %v, want 5 s at most", key, left)
			}
		}
		stop()
		if n := within(t, "it ends", answered); n != all {
			t.Errorf("it answered %d, want %d", n, all)
		}
	})
}

// utterance is a task whose request holds names of the payload's own.
func utterance(id, mailbox string) *asynq.Task {
	return tasks.NewAnswerUtterance(tasks.AnswerUtterance{
		ID: id, Bot: "b1", Request: []byte(`{"id":"x","mailbox":"y","userRequest":{"utterance":"안녕 {\"id\":"}}`), Mailbox: mailbox,
	}, tasks.QueueReply)
}
