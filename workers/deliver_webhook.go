package workers

import (
	"context"
	"log/slog"
	"time"

	"github.com/hibiken/asynq"

	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/webhook"
	"github.com/malgil/malgil/tasks"
)

// WebhookDeliverer tries once to make a delivery that waits, records what came of it, and says what may be delivered
// next.
type WebhookDeliverer interface {
	Deliver(ctx context.Context, id string, epoch int) (r webhook.Result, next []broadcast.Row, err error)
}

// WebhookMeter counts tries to make a delivery.
type WebhookMeter interface {
	WebhookTried(event, outcome string)
}

// enqueueTime is how long it may take to enqueue what is next, also while shutting down.
const enqueueTime = 2 * time.Second

// DeliverWebhook handles [tasks.TypeDeliverWebhook]. A delivery that could not be made waits in its row for the
// next try, so its task is done all the same; one that is given up is logged. What is next is enqueued at once: a
// receiver that answers quickly gets the next quickly.
func DeliverWebhook(hooks WebhookDeliverer, queue Enqueuer, meter WebhookMeter, log *slog.Logger) asynq.Handler {
	return handle(func(ctx context.Context, p tasks.Row) error {
		result, next, err := hooks.Deliver(ctx, p.ID, p.Epoch)
		if result.State != "" {
			meter.WebhookTried(string(result.Event), string(result.State))
		}
		if result.State == webhook.Failed {
			log.WarnContext(ctx, "webhook delivery given up", "task_type", tasks.TypeDeliverWebhook, "delivery_id", p.ID,
				"attempt", result.Attempts, "status", result.Status)
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), enqueueTime) // their rows have been stamped
		defer cancel()
		for _, row := range next { // the sweep finds what the queue does not take
			if err := queue.Enqueue(ctx, tasks.NewDeliverWebhook(tasks.Row(row))); err != nil {
				log.WarnContext(ctx, "task not enqueued", "task_type", tasks.TypeDeliverWebhook, "delivery_id", row.ID, "err", err)
			}
		}
		return err
	})
}
