package tasks_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/hibiken/asynq"

	"github.com/malgil/malgil/tasks"
)

// every returns one task of each type, made by its constructor.
func every() map[string]*asynq.Task {
	row := tasks.Row{ID: "brd_1-000001", Epoch: 3}
	made := []*asynq.Task{
		tasks.NewAnswerUtterance(tasks.AnswerUtterance{ID: "utt_1", Request: json.RawMessage(`{}`)}, tasks.QueueReply),
		tasks.NewSendChunk(row), tasks.NewFetchResult(row),
		tasks.NewChargeWallet(row), tasks.NewChargeCard(row), tasks.NewIssueInvoice(row), tasks.NewResolveAttempt(row),
		tasks.NewSendMail(row), tasks.NewDeliverWebhook(row),
	}
	byType := map[string]*asynq.Task{}
	for _, task := range made {
		byType[task.Type()] = task
	}
	return byType
}

func TestConstructors_coverEveryType(t *testing.T) {
	made := every()
	for taskType := range tasks.Types {
		if made[taskType] == nil {
			t.Errorf("type %s has no constructor in this test", taskType)
		}
	}
	if len(made) != len(tasks.Types) {
		t.Errorf("constructors make %d types, want %d", len(made), len(tasks.Types))
	}
}

// asynq's defaults (25 retries over weeks, 30 minutes, queue "default") fit none of our work.
func TestConstructors_setRetryTimeoutAndQueue(t *testing.T) {
	known := map[string]bool{}
	for _, queue := range tasks.Queues {
		known[queue] = true
	}
	redis := miniredis.RunT(t)
	client := asynq.NewClient(asynq.RedisClientOpt{Addr: redis.Addr()})
	defer client.Close()
	for taskType, task := range every() {
		info, err := client.Enqueue(task)
		if err != nil {
			t.Fatalf("enqueue %s: %v", taskType, err)
		}
		if info.MaxRetry > 8 {
			t.Errorf("%s: MaxRetry = %d, want at most 8", taskType, info.MaxRetry)
		}
		if info.Timeout <= 0 || info.Timeout > 15*time.Minute {
			t.Errorf("%s: Timeout = %v, want one of its own", taskType, info.Timeout)
		}
		if !known[info.Queue] {
			t.Errorf("%s: queue = %q, want one of %v", taskType, info.Queue, tasks.Queues)
		}
	}
}

// A queue without a type of task would have a pool without a handler.
func TestQueues_areThoseOfTypes(t *testing.T) {
	used := map[string]bool{}
	for taskType, queues := range tasks.Types {
		for _, queue := range queues {
			used[queue] = true
			if !slices.Contains(tasks.Queues, queue) {
				t.Errorf("%s is found in %q, which is none of %v", taskType, queue, tasks.Queues)
			}
		}
	}
	for _, queue := range tasks.Queues {
		if !used[queue] {
			t.Errorf("queue %q has no type of task", queue)
		}
	}
}

// asynq's ServeMux falls back to the longest matching prefix.
func TestTypes_noneIsAPrefixOfAnother(t *testing.T) {
	for a := range tasks.Types {
		for b := range tasks.Types {
			if a != b && strings.HasPrefix(b, a) {
				t.Errorf("type %s is a prefix of %s", a, b)
			}
		}
	}
}

func TestRowTaskID_changesWithEpoch(t *testing.T) {
	first := tasks.RowTaskID(tasks.KindChunk, tasks.Row{ID: "brd_1-000001", Epoch: 1})
	second := tasks.RowTaskID(tasks.KindChunk, tasks.Row{ID: "brd_1-000001", Epoch: 2})
	if first == second {
		t.Errorf("RowTaskID is %q for two epochs", first)
	}
}

// What people said goes through the queue as Kakao wrote it.
func TestNewAnswerUtterance_keepsTheRequest(t *testing.T) {
	request := `{ "a": "\u3131<&>", "n": 1.0,"n":12345678901234567890 }`
	var back tasks.AnswerUtterance
	task := tasks.NewAnswerUtterance(tasks.AnswerUtterance{ID: "utt_1", Request: []byte(request)}, tasks.QueueReply)
	if err := json.Unmarshal(task.Payload(), &back); err != nil {
		t.Fatal(err)
	}
	if string(back.Request) != request || back.ID != "utt_1" {
		t.Errorf("the request comes back as %s, want %s", back.Request, request)
	}
}

// A queue tells type and payload of a task, and nothing is read of what somebody said.
func TestRowOf(t *testing.T) {
	for taskType, task := range every() {
		row, points := tasks.RowOf(taskType, task.Payload())
		if taskType == tasks.TypeAnswerUtterance {
			if points || row != (tasks.Row{}) {
				t.Errorf("an utterance points at %+v, want at none", row)
			}
		} else if want := (tasks.Row{ID: "brd_1-000001", Epoch: 3}); !points || row != want {
			t.Errorf("RowOf(%s) = %+v, %v, want %+v", taskType, row, points, want)
		}
	}
	for _, payload := range []string{"", "{", `[]`, `{"epoch": 3}`} {
		if _, points := tasks.RowOf("later:thing", []byte(payload)); points {
			t.Errorf("a task with the payload %q points at a row", payload)
		}
	}
}
