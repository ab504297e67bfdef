// Package workers runs the tasks: one file per task type, payload in, service call out.
package workers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/hibiken/asynq"

	"github.com/malgil/malgil/internal/fault"
)

// errUndecodable is a payload of another shape than its type's.
var errUndecodable = errors.New("the payload cannot be read")

// handle adapts a typed function to asynq. A payload that does not decode now never will, so
// its task is archived at once.
func handle[P any](work func(context.Context, P) error) asynq.HandlerFunc {
	return func(ctx context.Context, t *asynq.Task) error {
		var p P
		if err := json.Unmarshal(t.Payload(), &p); err != nil {
			return fmt.Errorf("decode %s: %w: %w: %w", t.Type(), errUndecodable, err, asynq.SkipRetry)
		}
		return verdict(work(ctx, p))
	}
}

// verdict maps the kind of an error to what asynq does next. Kinds that cannot pass later are
// archived; the row has its outcome already, so the archive is only a log.
func verdict(err error) error {
	if err == nil {
		return nil
	}
	switch fault.KindOf(err) {
	case fault.Invalid, fault.NotFound, fault.Refused, fault.Forbidden, fault.Unauthenticated:
		return fmt.Errorf("%w: %w", err, asynq.SkipRetry)
	case fault.Internal, fault.Conflict, fault.Throttled, fault.Unavailable, fault.InDoubt:
		return err
	}
	return err
}
