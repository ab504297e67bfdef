package doctor

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"github.com/malgil/malgil/internal/queue"
	"github.com/malgil/malgil/tasks"
)

// redisServers is the queue's Redis: one server, or the masters of a cluster.
type redisServers struct {
	client    redis.UniversalClient
	inspector *queue.Inspector // over the same client
	servers   []queue.Server
}

func (i Installation) openRedis(ctx context.Context) (*redisServers, error) {
	address, err := queue.ParseAddress(i.Redis)
	if err != nil {
		return nil, err
	}
	client := address.InspectClient()
	if err := client.Ping(ctx).Err(); err != nil && !strings.HasPrefix(err.Error(), "MISCONF") { // one that takes no writes tells why
		_ = client.Close()
		return nil, err
	}
	r := &redisServers{client: client, inspector: queue.NewInspector(client)}
	if r.servers, err = r.inspector.Servers(ctx); err != nil {
		_ = client.Close()
		return nil, err
	}
	if len(r.servers) == 1 {
		r.servers[0].Address = address.String() // Sentinels know it by the name of the master
	}
	return r, nil
}

func (r *redisServers) close() { _ = r.client.Close() }

// redisChecks look at Redis over one connection.
func (i Installation) redisChecks(r *visit[*redisServers]) []check {
	if i.Redis == "" {
		return []check{{"redis", func(context.Context) Result {
			return ok("none: the queue is inside malgil all; it is empty at every start, and the database fills it again")
		}}}
	}
	on := func(look func(ctx context.Context, r *redisServers) Result) func(ctx context.Context) Result {
		return func(ctx context.Context) Result {
			if i.wrong("MALGIL_REDIS") {
				return seeConfiguration("MALGIL_REDIS")
			}
			servers, err := r.get(ctx)
			if err != nil {
				return skipped("Redis is not reached, see redis")
			}
			return look(ctx, servers)
		}
	}
	every := func(look func(s queue.Server) Result) func(ctx context.Context) Result {
		return on(func(_ context.Context, r *redisServers) Result { return r.worst(look) })
	}
	return []check{
		{"redis", func(ctx context.Context) Result { return i.redis(ctx, r) }},
		{"redis persistence", every(persistence)},
		{"redis eviction", every(eviction)},
		{"redis memory", every(memory)},
		{"clock of redis", on(func(ctx context.Context, r *redisServers) Result {
			return skew(ctx, "Redis", func(ctx context.Context) (time.Time, error) { return r.client.Time(ctx).Result() })
		})},
		{"workers", on(workers)},
	}
}

// redis tells whether Redis is there, and whether it is one that asynq can work with.
func (i Installation) redis(ctx context.Context, r *visit[*redisServers]) Result {
	if i.wrong("MALGIL_REDIS") {
		return seeConfiguration("MALGIL_REDIS")
	}
	shown := "Redis"
	if address, err := queue.ParseAddress(i.Redis); err == nil {
		shown = address.String()
	}
	servers, err := r.get(ctx)
	if err != nil {
		return problem("See whether Redis runs, is reached from here, and takes the user and the password of MALGIL_REDIS.", "no connection to %s: %s", shown, said(err))
	}
	return servers.worst(version)
}

// worst looks at every server and returns what is worst, with the server's address where there are several.
func (r *redisServers) worst(look func(s queue.Server) Result) Result {
	order := []State{OK, Skipped, Warning, Problem}
	var worst Result
	for n, s := range r.servers {
		one := look(s)
		if len(r.servers) > 1 && one.State != OK {
			one.Found = s.Address + ": " + one.Found
		}
		if n == 0 || slices.Index(order, one.State) > slices.Index(order, worst.State) {
			worst = one
		}
	}
	if len(r.servers) > 1 && worst.State == OK {
		worst.Found = fmt.Sprintf("%d masters, the first: %s", len(r.servers), worst.Found)
	}
	return worst
}

// onThePage is what to do where a provider keeps a setting to himself.
const onThePage = "Look at the settings page of whoever runs this Redis (docs/operations.md, Settings of Redis and PostgreSQL)."

// version judges the server's version: archiving uses what Redis has since 6.2.
func version(s queue.Server) Result {
	text, known := s.Info["redis_version"]
	if !known {
		return warning(onThePage, "%s is reached; its version could not be checked: INFO is forbidden", s.Address)
	}
	name := "Redis " + text
	if valkey := s.Info["valkey_version"]; valkey != "" {
		name = "Valkey " + valkey
	}
	var major, minor int
	if _, err := fmt.Sscanf(text, "%d.%d", &major, &minor); err != nil {
		return warning(onThePage, "%s is %s, which is no version to compare", s.Address, name)
	}
	switch {
	case major < 6 || major == 6 && minor < 2:
		return problem("Use Redis 6.2 or later, or Valkey: older ones lack commands that tasks are archived with.", "%s is %s", s.Address, name)
	case s.Info["role"] == "slave":
		return problem("Name the master in MALGIL_REDIS, or use redis-sentinel:// so that it is always found.", "%s is %s and a replica, which takes no tasks", s.Address, name)
	}
	return ok("%s is %s", s.Address, name)
}

// persistence judges what a Redis that is killed loses.
func persistence(s queue.Server) Result {
	const do = "Set appendonly yes and appendfsync everysec; until then a restart of Redis empties the queue and everything waits for the sweep."
	on, _ := s.Setting("appendonly")
	sync, _ := s.Setting("appendfsync")
	switch s.Persistence() {
	case queue.PersistenceUnknown:
		return warning(onThePage, "appendonly and appendfsync could not be checked: CONFIG and INFO are forbidden")
	case queue.Volatile:
		return problem(do, "appendonly is %s", on)
	case queue.Refusing:
		return problem("See the log of Redis, the space on its disk and its memory; then set save to nothing, for the append-only file is enough: redis-cli config set save \"\".",
			"it takes no writes, since its last snapshot (BGSAVE) failed: nothing is queued")
	case queue.Failing:
		return problem("See the log of Redis and the space on its disk.", "the append-only file cannot be written or rewritten: %s, %s",
			s.Info["aof_last_write_status"], s.Info["aof_last_bgrewrite_status"])
	case queue.SyncUnknown:
		return warning(onThePage, "appendonly is yes; appendfsync could not be checked: CONFIG is forbidden")
	case queue.Unsynced:
		return warning("Set appendfsync everysec; without it the system decides how many seconds of tasks are lost.", "appendonly is yes, appendfsync no")
	case queue.Durable:
	}
	return ok("appendonly is yes, appendfsync %s", sync)
}

// eviction judges what a Redis that is full does.
func eviction(s queue.Server) Result {
	switch evicts, known := s.Evicts(); {
	case !known:
		return warning(onThePage, "maxmemory-policy could not be checked: CONFIG and INFO are forbidden")
	case evicts:
		policy, _ := s.Setting("maxmemory-policy")
		return problem("Set maxmemory-policy noeviction: an evicted key is a task that nobody finds until the sweep does.", "maxmemory-policy is %s", policy)
	}
	return ok("maxmemory-policy is noeviction")
}

// How full a Redis may be: with noeviction a full one refuses every task.
const (
	memoryWarning = 75 // per cent
	memoryProblem = 95
)

// memory judges how much room there is.
func memory(s queue.Server) Result {
	m, known := s.Memory()
	if !known {
		return warning(onThePage, "memory could not be checked: INFO is forbidden")
	}
	if m.Limit == 0 {
		return ok("%s used; there is no limit", bytes(m.Used))
	}
	what := "maxmemory"
	if m.OfMachine {
		what = "the memory of its machine, as maxmemory is not set"
	}
	share := m.Used * 100 / m.Limit
	found := fmt.Sprintf("%s used, %d %% of %s (%s)", bytes(m.Used), share, what, bytes(m.Limit))
	const do = "Give Redis more memory, and look for a queue that is not served or an archive that grows (docs/operations.md, MalgilQueueWaits and MalgilArchiveFills)."
	switch {
	case share >= memoryProblem:
		return problem(do, "%s", found)
	case share >= memoryWarning:
		return warning(do, "%s", found)
	}
	return ok("%s", found)
}

// bytes writes a size.
func bytes(n uint64) string {
	switch {
	case n >= 1<<30:
		return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
	case n >= 1<<20:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	}
	return fmt.Sprintf("%d KiB", n>>10)
}

// workers tells who serves each queue, by what asynq's servers leave in Redis every few seconds. Asking
// for it removes what dead ones have left, which a replica refuses.
func workers(ctx context.Context, r *redisServers) Result {
	for _, s := range r.servers {
		if s.Info["role"] == "slave" {
			return skipped("%s is a replica, see redis", s.Address)
		}
		if s.Persistence() == queue.Refusing {
			return skipped("%s takes no writes, see redis persistence", s.Address)
		}
	}
	servers, err := asynq.NewInspectorFromRedisClient(r.client).Servers()
	if err != nil {
		return problem("See whether the user of MALGIL_REDIS may read all keys that begin with asynq:.", "they cannot be listed: %s", said(err))
	}
	serving := map[string]int{}
	for _, s := range servers {
		if s.Status == "active" {
			for name := range s.Queues {
				serving[name]++
			}
		}
	}
	var served, idle, waiting []string
	for _, name := range tasks.Queues {
		if serving[name] > 0 {
			served = append(served, fmt.Sprintf("%s by %d", name, serving[name]))
			continue
		}
		idle = append(idle, name)
		depth, err := r.inspector.Depth(ctx, name)
		if err != nil {
			return problem("See whether the user of MALGIL_REDIS may read all keys that begin with asynq:.", "the queues cannot be counted: %s", said(err))
		}
		if depth.Pending > 0 {
			waiting = append(waiting, fmt.Sprintf("%s (%d tasks wait)", name, depth.Pending))
		}
	}
	do := "Start malgil worker --pools=" + strings.Join(idle, ",") + "."
	switch {
	case len(waiting) > 0:
		return problem(do, "nobody serves %s", strings.Join(waiting, ", "))
	case len(served) == 0:
		return problem(do, "no worker runs")
	case serving[tasks.QueueReply] == 0:
		return problem(do, "nobody serves %s, so that no bot answers anybody", strings.Join(idle, ", "))
	case len(idle) > 0:
		return warning(do, "nobody serves %s", strings.Join(idle, ", "))
	}
	return ok("servers of each queue: %s", strings.Join(served, ", "))
}
