package workers

import (
	"context"
	"log/slog"

	"github.com/hibiken/asynq"

	"github.com/malgil/malgil/internal/webhook"
	"github.com/malgil/malgil/tasks"
)

// WebhookDeliverer tries once to make a delivery that waits, and records what came of it.
type WebhookDeliverer interface {
	Deliver(ctx context.Context, id string, epoch int) (webhook.Result, error)
}

// WebhookMeter counts tries to make a delivery.
type WebhookMeter interface {
	WebhookTried(event, outcome string)
}

// DeliverWebhook handles [tasks.TypeDeliverWebhook]. A delivery that could not be made waits in its row for the
// next try, so its task is done all the same; one that is given up is logged.
func DeliverWebhook(hooks WebhookDeliverer, meter WebhookMeter, log *slog.Logger) asynq.Handler {
	return handle(func(ctx context.Context, p tasks.Row) error {
		result, err := hooks.Deliver(ctx, p.ID, p.Epoch)
		if result.State != "" {
			meter.WebhookTried(string(result.Event), string(result.State))
		}
		if result.State == webhook.Failed {
			log.WarnContext(ctx, "webhook delivery given up", "task_type", tasks.TypeDeliverWebhook, "delivery_id", p.ID,
				"attempt", result.Attempts, "status", result.Status)
		}
		return err
	})
}
