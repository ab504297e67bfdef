package workers

import (
	"context"
	"log/slog"

	"github.com/hibiken/asynq"

	"github.com/malgil/malgil/internal/notice"
	"github.com/malgil/malgil/tasks"
)

// MailSender tries once to send a mail that waits, and records what came of it.
type MailSender interface {
	Send(ctx context.Context, id string, epoch int) (notice.Result, error)
}

// MailMeter counts tries to send a mail.
type MailMeter interface {
	Mailed(mailCase, outcome string)
}

// SendMail handles [tasks.TypeSendMail]. A mail that could not be sent waits in its row for the
// next try, so its task is done all the same; one that is given up is logged.
func SendMail(mails MailSender, meter MailMeter, log *slog.Logger) asynq.Handler {
	return handle(func(ctx context.Context, p tasks.Row) error {
		result, err := mails.Send(ctx, p.ID, p.Epoch)
		if result.State != "" {
			meter.Mailed(string(result.Case), string(result.State))
		}
		if result.State == notice.Bounced || result.State == notice.Failed {
			// The server's words may hold the receiver's address: they are in the row, not in the log.
			log.WarnContext(ctx, "mail given up", "task_type", tasks.TypeSendMail, "mail_id", p.ID,
				"state", string(result.State), "attempt", result.Attempts)
		}
		return err
	})
}
