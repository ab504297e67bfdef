package tasks

import (
	"time"

	"github.com/hibiken/asynq"
)

// TypeSendMail renders and sends one notification mail.
const TypeSendMail = "mail:send"

// KindMail is the kind of row in the task IDs of mails.
const KindMail = "mail"

// NewSendMail returns the task for one try to send a mail. Its timeout covers the ten minutes
// that a server may take after the final dot (RFC 5321 section 4.5.3.2.6).
func NewSendMail(row Row) *asynq.Task {
	return rowTask(TypeSendMail, KindMail, row, QueueMail, 15*time.Minute)
}
