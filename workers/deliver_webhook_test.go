package workers_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/hibiken/asynq"

	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/webhook"
	"github.com/malgil/malgil/tasks"
	"github.com/malgil/malgil/workers"
)

// hookLine is a line of deliveries; it answers what a test says for the first, whd_1 in epoch 3.
type hookLine struct {
	result webhook.Result
	next   []broadcast.Row
	err    error
	full   bool // the queue takes nothing

	enqueued, counted []string
}

func (l *hookLine) Deliver(_ context.Context, id string, epoch int) (webhook.Result, []broadcast.Row, error) {
	if id != "whd_1" || epoch != 3 {
		return webhook.Result{}, nil, nil
	}
	return l.result, l.next, l.err
}

func (l *hookLine) Enqueue(_ context.Context, task *asynq.Task) error {
	if l.full {
		return errors.New("the queue is away")
	}
	l.enqueued = append(l.enqueued, task.Type()+" "+string(task.Payload()))
	return nil
}

func (l *hookLine) WebhookTried(event, outcome string) {
	l.counted = append(l.counted, event+" "+outcome)
}

func TestDeliverWebhook(t *testing.T) {
	delivered, given := webhook.Result{Event: webhook.Finished, State: webhook.Delivered}, webhook.Result{Event: webhook.Paused, State: webhook.Failed, Attempts: 5, Status: 400}
	next, away := []broadcast.Row{{ID: "whd_2", Epoch: 1}, {ID: "whd_3", Epoch: 7}}, errors.New("database is away")
	tests := map[string]struct {
		line     hookLine
		epoch    int
		enqueued string
		counted  string
		log      string
		wantErr  error
	}{
		"what is next is enqueued":    {hookLine{result: delivered, next: next}, 3, `webhook:deliver {"id":"whd_2","epoch":1}, webhook:deliver {"id":"whd_3","epoch":7}`, "broadcast.finished delivered", "", nil},
		"given up":                    {hookLine{result: given, next: next[:1]}, 3, `webhook:deliver {"id":"whd_2","epoch":1}`, "broadcast.paused failed", `"delivery_id":"whd_1","attempt":5,"status":400`, nil},
		"nothing to do":               {hookLine{result: delivered}, 2, "", "", "", nil},
		"a queue that takes nothing":  {hookLine{result: delivered, next: next[:1], full: true}, 3, "", "broadcast.finished delivered", `"delivery_id":"whd_2"`, nil},
		"recorded, then the database": {hookLine{result: delivered, err: away}, 3, "", "broadcast.finished delivered", "", away},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			log := new(bytes.Buffer)
			h := workers.DeliverWebhook(&tt.line, &tt.line, &tt.line, slog.New(slog.NewJSONHandler(log, nil)))
			if err := h.ProcessTask(t.Context(), tasks.NewDeliverWebhook(tasks.Row{ID: "whd_1", Epoch: tt.epoch})); !errors.Is(err, tt.wantErr) {
				t.Errorf("ProcessTask error = %v, want %v", err, tt.wantErr)
			}
			if got := strings.Join(tt.line.enqueued, ", "); got != tt.enqueued {
				t.Errorf("enqueued %s, want %s", got, tt.enqueued)
			}
			if got := strings.Join(tt.line.counted, ", "); got != tt.counted {
				t.Errorf("counted %s, want %s", got, tt.counted)
			}
			if (tt.log == "") != (log.Len() == 0) || !strings.Contains(log.String(), tt.log) {
				t.Errorf("log = %q, want %q", log, tt.log)
			}
		})
	}
}
