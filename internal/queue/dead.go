package queue

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"github.com/malgil/malgil/internal/backlog"
	"github.com/malgil/malgil/tasks"
)

// Archived lists the ids of archived tasks of a queue, those that died first, from an offset on: at most
// [ArchivePage]. An archive that is trimmed meanwhile is listed with gaps; list it again.
func (i *Inspector) Archived(ctx context.Context, queue string, offset int) ([]string, error) {
	ids, err := i.redis.ZRange(ctx, queueKey(queue, "archived"), int64(offset), int64(offset)+ArchivePage-1).Result()
	if err != nil {
		return nil, fmt.Errorf("list the archive of queue %s: %w", queue, err)
	}
	return ids, nil
}

// Autopsy tells what an archive knows of some of its tasks; one that is not archived any more is left out.
// Of an utterance it tells neither what was said nor what the error was, and of one that cannot be read that
// it is there. asynq finds a queue only if it is listed, see [Inspector.Relist].
func (i *Inspector) Autopsy(ctx context.Context, queue string, taskIDs []string) ([]backlog.Dead, error) {
	since, err := i.archivedSince(ctx, queue, taskIDs)
	if err != nil {
		return nil, err
	}
	archive := asynq.NewInspectorFromRedisClient(i.redis) // whoever owns the connection closes it
	dead := make([]backlog.Dead, 0, len(taskIDs))
	for _, id := range taskIDs {
		at, archived := since[id]
		if !archived {
			continue
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		d := backlog.Dead{Queue: queue, Type: backlog.UnreadableType, TaskID: id, Cause: backlog.Undecodable, DiedAt: at}
		info, err := i.infoOf(ctx, archive, queue, id)
		switch {
		case errors.Is(err, asynq.ErrTaskNotFound):
			continue
		case errors.Is(err, errUnreadable):
			d.Error = backlog.Text(err.Error())
		case err != nil:
			return nil, fmt.Errorf("look at archived task %s of queue %s: %w", id, queue, err)
		case info.State != asynq.TaskStateArchived:
			continue
		case info.Type != "":
			tell(&d, info)
		}
		dead = append(dead, d)
	}
	return dead, nil
}

// errUnreadable means that Redis answers, but not with a task.
var errUnreadable = errors.New("the task cannot be read")

// infoOf returns what asynq knows of a task, or errUnreadable. asynq does not tell a connection that broke from a task
// that it cannot decode; only the latter fails again while Redis answers.
func (i *Inspector) infoOf(ctx context.Context, archive *asynq.Inspector, queue, id string) (*asynq.TaskInfo, error) {
	info, err := archive.GetTaskInfo(queue, id)
	if err == nil || ofRedis(err) {
		return info, err
	}
	if gone := i.redis.Exists(ctx, queueKey(queue, "t:"+id)).Err(); gone != nil {
		return nil, errors.Join(err, gone)
	}
	info, err = archive.GetTaskInfo(queue, id)
	if err == nil || ofRedis(err) {
		return info, err
	}
	return nil, fmt.Errorf("%w: %w", errUnreadable, err)
}

// ofRedis reports whether an error is an answer of Redis, and not about what is in a task.
func ofRedis(err error) bool {
	var answer redis.Error
	return errors.Is(err, asynq.ErrTaskNotFound) || errors.Is(err, asynq.ErrQueueNotFound) || errors.As(err, &answer)
}

// archivedSince tells when tasks were archived, by their ids: also one that somebody archived by hand, which never
// failed. One that is not archived is left out.
func (i *Inspector) archivedSince(ctx context.Context, queue string, taskIDs []string) (map[string]time.Time, error) {
	scores := make([]*redis.FloatCmd, len(taskIDs))
	_, err := i.redis.Pipelined(ctx, func(pipe redis.Pipeliner) error { // an empty one asks nothing
		for n, id := range taskIDs {
			scores[n] = pipe.ZScore(ctx, queueKey(queue, "archived"), id)
		}
		return nil
	})
	if err != nil && !errors.Is(err, redis.Nil) {
		return nil, fmt.Errorf("look up tasks in the archive of queue %s: %w", queue, err)
	}
	since := make(map[string]time.Time, len(taskIDs))
	for n, id := range taskIDs {
		switch score, err := scores[n].Result(); {
		case errors.Is(err, redis.Nil):
		case err != nil:
			return nil, fmt.Errorf("look up tasks in the archive of queue %s: %w", queue, err)
		default:
			since[id] = time.Unix(int64(score), 0).UTC()
		}
	}
	return since, nil
}

// tell tells of a task what asynq knows.
func tell(d *backlog.Dead, info *asynq.TaskInfo) {
	d.Type, d.Cause, d.Retried = info.Type, causeOf(info), info.Retried
	if info.Type == tasks.TypeAnswerUtterance {
		return
	}
	d.Error = backlog.Text(info.LastErr)
	row, _ := tasks.RowOf(info.Type, info.Payload)
	d.RowID, d.Epoch = row.ID, row.Epoch
}

// causeOf tells why a task died that no handler wrote down: asynq leaves a text only.
func causeOf(info *asynq.TaskInfo) backlog.Cause {
	_, known := tasks.Types[info.Type]
	switch {
	case !known:
		return backlog.UnknownType
	case info.LastErr == asynq.ErrLeaseExpired.Error():
		return backlog.LeaseOver
	case strings.Contains(info.LastErr, context.DeadlineExceeded.Error()):
		return backlog.Timeout
	}
	return backlog.Unrecorded
}

// buryScript deletes tasks from an archive.
//
// KEYS[1] archived set; ARGV[1] prefix of task keys, which share the set's hash tag, then task ids.
// Returns how many it deleted.
var buryScript = redis.NewScript(`
local gone = 0
for n = 2, #ARGV do
	if redis.call("ZREM", KEYS[1], ARGV[n]) == 1 then
		local key = ARGV[1] .. ARGV[n]
		if redis.call("HGET", key, "state") == "archived" then
			redis.call("DEL", key)
		end
		gone = gone + 1
	end
end
return gone
`)

// Bury deletes tasks from the archive of a queue and returns how many there were. Called twice it finds none.
func (i *Inspector) Bury(ctx context.Context, queue string, taskIDs []string) (int, error) {
	total := 0
	for page := range slices.Chunk(taskIDs, ArchivePage) {
		args := []any{queueKey(queue, "t:")}
		for _, id := range page {
			args = append(args, id)
		}
		n, err := buryScript.Run(ctx, i.redis, []string{queueKey(queue, "archived")}, args...).Int()
		if err != nil {
			return total, fmt.Errorf("delete archived tasks of queue %s: %w", queue, err)
		}
		total += n
	}
	return total, nil
}
