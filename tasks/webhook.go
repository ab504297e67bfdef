package tasks

import "github.com/hibiken/asynq"

// TypeDeliverWebhook posts one delivery to a webhook.
const TypeDeliverWebhook = "webhook:deliver"

// KindWebhook is the kind of row in the task IDs of deliveries.
const KindWebhook = "webhook"

// NewDeliverWebhook returns the task for one try to post a delivery, which gives up after 15 s.
func NewDeliverWebhook(row Row) *asynq.Task {
	return rowTask(TypeDeliverWebhook, KindWebhook, row, QueueWebhook, workTimeout)
}
