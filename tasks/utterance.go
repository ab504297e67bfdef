package tasks

import (
	"encoding/json"
	"time"

	"github.com/hibiken/asynq"
)

// TypeAnswerUtterance answers what one person said to a bot.
const TypeAnswerUtterance = "utterance:answer"

// AnswerUtterance carries Kakao's request itself: it is worthless after a minute and costs
// nothing, so it is the one kind of work that no row stands behind.
type AnswerUtterance struct {
	ID          string          `json:"id"`                    // utterance id: the key that decides who delivers
	Bot         string          `json:"bot"`                   // bot id without the development mark
	Block       string          `json:"block,omitempty"`       // block that the skill URL stands for, by id or name
	Development bool            `json:"development,omitempty"` // the skill URL is of the development channel
	Request     json.RawMessage `json:"request,omitempty"`     // skill payload 2.0 as Kakao posted it
	NoCallback  bool            `json:"no_callback,omitempty"` // its callback address may not be called: it counts as none
	Mailbox     string          `json:"mailbox"`               // pub/sub channel of the intake that waits
	Received    int64           `json:"received"`              // Unix ms
	Deadline    int64           `json:"deadline"`              // Unix ms at which the intake stops waiting
	Trace       string          `json:"-"`                     // as of [Row]
}

// NewAnswerUtterance returns the task for one utterance on queue reply or echo. It is never
// retried: its handler records a failure itself and returns nil, so nothing of it is archived.
func NewAnswerUtterance(u AnswerUtterance, queue string) *asynq.Task {
	opts := []asynq.Option{
		asynq.Queue(queue),
		asynq.MaxRetry(0),
		asynq.Timeout(60 * time.Second), // a callback URL lives for a minute
	}
	if u.Trace == "" { // each header costs the intake, and the payload says when it began
		return asynq.NewTask(TypeAnswerUtterance, withRequest(u), opts...)
	}
	return newTask(TypeAnswerUtterance, withRequest(u), u.Trace, opts...)
}

// withRequest encodes a payload with the request as it was written: encoding it again would read all
// of it once more, for every utterance, and change how it looks to skill servers.
func withRequest(u AnswerUtterance) []byte {
	request := u.Request
	u.Request = nil
	body := encode(TypeAnswerUtterance, u)
	if len(request) == 0 {
		return body
	}
	const name = `,"request":`
	whole := make([]byte, 0, len(body)+len(name)+len(request))
	whole = append(append(whole, body[:len(body)-1]...), name...)
	return append(append(whole, request...), '}')
}
