package queue

import (
	"context"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/malgil/malgil/tasks"
)

// ArchiveAge is how long archived tasks are kept. The row has the outcome, so the archive is a
// log. asynq itself trims at 90 days, and breaks when some 8,000 reach that age at once.
const ArchiveAge = 7 * 24 * time.Hour

// ArchivePage is how many tasks of an archive are looked at together, or deleted by one script run, which
// Redis does nothing beside.
const ArchivePage = 500

// trimScript deletes one page of tasks that were archived before a moment.
//
// KEYS[1] archived set; ARGV[1] moment (Unix seconds), ARGV[2] page size, ARGV[3] prefix of task
// keys, which share the set's hash tag. Returns how many it deleted.
var trimScript = redis.NewScript(`
local ids = redis.call("ZRANGEBYSCORE", KEYS[1], "-inf", "(" .. ARGV[1], "LIMIT", 0, ARGV[2])
for _, id in ipairs(ids) do
	local key = ARGV[3] .. id
	if redis.call("HGET", key, "state") == "archived" then
		redis.call("DEL", key)
	end
	redis.call("ZREM", KEYS[1], id)
end
return #ids
`)

// TrimArchive deletes tasks of a queue that were archived before a moment, in pages, and returns
// how many. asynq counts whole seconds. Called twice it finds nothing left; when ctx ends it
// returns what it did so far.
func (i *Inspector) TrimArchive(ctx context.Context, queue string, before time.Time) (int, error) {
	total := 0
	for {
		n, err := trimScript.Run(ctx, i.redis, []string{queueKey(queue, "archived")},
			before.Unix(), ArchivePage, queueKey(queue, "t:")).Int()
		if err != nil {
			return total, fmt.Errorf("trim the archive of queue %s: %w", queue, err)
		}
		total += n
		if n < ArchivePage {
			return total, nil
		}
	}
}

// TrimArchives deletes tasks older than [ArchiveAge] from the archives of queues.
func (i *Inspector) TrimArchives(ctx context.Context, queues []string) (int, error) {
	return i.trim(ctx, queues, i.now().Add(-ArchiveAge))
}

// TrimUtterances deletes every archived utterance: one gets there when its worker dies, and what
// a person said has no business in an archive.
func (i *Inspector) TrimUtterances(ctx context.Context) (int, error) {
	return i.trim(ctx, tasks.Types[tasks.TypeAnswerUtterance], i.now().Add(time.Second))
}

func (i *Inspector) trim(ctx context.Context, queues []string, before time.Time) (int, error) {
	total := 0
	for _, queue := range queues {
		n, err := i.TrimArchive(ctx, queue, before)
		total += n
		if err != nil {
			return total, err
		}
	}
	return total, nil
}
