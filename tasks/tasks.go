// Package tasks names every kind of asynq task: its type, its payload, its queue and its limits.
// It holds no logic. A payload points at a row and the row decides what is done, so a task that
// runs twice, late or never does no harm (docs/decisions/0002-rows-decide.md).
package tasks

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/hibiken/asynq"
)

// Queue names. Each is served by the pool of the same name.
const (
	QueueReply     = "reply"     // utterances of people who wait
	QueueEcho      = "echo"      // skill calls that our own broadcasts cause
	QueueBroadcast = "broadcast" // Event API requests
	QueueResult    = "result"    // Event API result look-ups
	QueueBilling   = "billing"   // cards and invoices
	QueueMail      = "mail"
	QueueWebhook   = "webhook" // requests to programs of the operator
)

// Queues lists every queue that a type of [Types] may be found in, the most urgent first.
var Queues = []string{QueueReply, QueueEcho, QueueBroadcast, QueueResult, QueueBilling, QueueMail, QueueWebhook}

// Types maps every task type to the queues it may be found in.
var Types = map[string][]string{
	TypeAnswerUtterance: {QueueReply, QueueEcho},
	TypeSendChunk:       {QueueBroadcast},
	TypeFetchResult:     {QueueResult},
	TypeChargeWallet:    {QueueBilling},
	TypeChargeCard:      {QueueBilling},
	TypeIssueInvoice:    {QueueBilling},
	TypeResolveAttempt:  {QueueBilling},
	TypeSendMail:        {QueueMail},
	TypeDeliverWebhook:  {QueueWebhook},
}

const (
	maxRetry    = 8 // asynq-level retries of work that failed before it touched its row
	workTimeout = 60 * time.Second
)

// Row is the payload of a task that points at a row: its identifier, and the epoch that the
// row had when the task was made. A row of another epoch is left alone.
type Row struct {
	ID    string `json:"id"`
	Epoch int    `json:"epoch"`
	Trace string `json:"-"` // what the task belongs to, for its [TraceHeader]; or empty
}

// RowOf reads which row a task points at, from what a queue knows of it. An utterance points at none, and nothing of what
// somebody said is read; nor does what is not a task of ours.
func RowOf(taskType string, payload []byte) (row Row, points bool) {
	if taskType == TypeAnswerUtterance || json.Unmarshal(payload, &row) != nil {
		return Row{}, false
	}
	return row, row.ID != ""
}

// TraceHeader is the header of a task that says what it belongs to: a traceparent of W3C Trace Context. A
// task without it belongs to nothing that is followed.
const TraceHeader = "traceparent"

// EnqueuedHeader is the header of a task that says when it was put into its queue, in Unix ms. Whoever puts it there sets it.
const EnqueuedHeader = "enqueued"

// rowTask returns a task for one epoch of a row. The epoch is part of the task ID, so a task
// that was archived never blocks the next one for the same row.
func rowTask(taskType, kind string, row Row, queue string, timeout time.Duration) *asynq.Task {
	return newTask(taskType, encode(taskType, row), row.Trace,
		asynq.TaskID(RowTaskID(kind, row)),
		asynq.Queue(queue),
		asynq.MaxRetry(maxRetry),
		asynq.Timeout(timeout))
}

// RowTaskID returns the asynq task ID for one epoch of a row, such as "chunk:brd_01…-000001:3".
func RowTaskID(kind string, row Row) string { return fmt.Sprintf("%s:%s:%d", kind, row.ID, row.Epoch) }

func newTask(taskType string, payload []byte, trace string, opts ...asynq.Option) *asynq.Task {
	headers := map[string]string{}
	if trace != "" {
		headers[TraceHeader] = trace
	}
	return asynq.NewTaskWithHeaders(taskType, payload, headers, opts...)
}

func encode(taskType string, payload any) []byte {
	body, err := json.Marshal(payload)
	if err != nil {
		panic(fmt.Sprintf("tasks: payload of %s: %v", taskType, err)) // payloads are plain structs; a test builds each
	}
	return body
}
