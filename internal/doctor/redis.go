package doctor

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
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
	servers   []redisServer
}

// redisServer is what one server tells of itself.
type redisServer struct {
	address string
	info    map[string]string // by the names of INFO; nil where that is forbidden
	config  map[string]string // by the names of CONFIG GET; nil where that is forbidden
}

// wanted are the settings of Redis that are looked at.
var wanted = []string{"appendonly", "appendfsync", "maxmemory", "maxmemory-policy"}

func (i Installation) openRedis(ctx context.Context) (*redisServers, error) {
	address, err := queue.ParseAddress(i.Redis)
	if err != nil {
		return nil, err
	}
	client := address.InspectClient()
	if err := client.Ping(ctx).Err(); err != nil {
		_ = client.Close()
		return nil, err
	}
	r := &redisServers{client: client, inspector: queue.NewInspector(client)}
	cluster, is := client.(*redis.ClusterClient)
	if !is {
		r.servers = []redisServer{describe(ctx, address.String(), client)}
		return r, nil
	}
	var mu sync.Mutex
	err = cluster.ForEachMaster(ctx, func(ctx context.Context, node *redis.Client) error {
		one := describe(ctx, node.Options().Addr, node)
		mu.Lock()
		defer mu.Unlock()
		r.servers = append(r.servers, one)
		return nil
	})
	slices.SortFunc(r.servers, func(a, b redisServer) int { return strings.Compare(a.address, b.address) })
	if err != nil {
		_ = client.Close()
		return nil, err
	}
	return r, nil
}

func (r *redisServers) close() { _ = r.client.Close() }

// describe asks a server for what it may tell.
func describe(ctx context.Context, address string, client redis.Cmdable) redisServer {
	s := redisServer{address: address}
	if text, err := client.Info(ctx).Result(); err == nil {
		s.info = map[string]string{}
		for line := range strings.Lines(text) {
			if name, value, is := strings.Cut(strings.TrimSpace(line), ":"); is {
				s.info[name] = value
			}
		}
	}
	for _, name := range wanted { // one by one: servers before 7 take one at a time
		values, err := client.ConfigGet(ctx, name).Result()
		if err != nil {
			break
		}
		if s.config == nil {
			s.config = map[string]string{}
		}
		for name, value := range values {
			s.config[name] = value
		}
	}
	return s
}

// setting returns a setting of a server from whichever source tells of it.
func (s redisServer) setting(name string) (value string, known bool) {
	if value, known = s.config[name]; known {
		return value, true
	}
	switch name {
	case "appendonly":
		if value, known = s.info["aof_enabled"]; known {
			return map[string]string{"0": "no", "1": "yes"}[value], true
		}
	case "maxmemory", "maxmemory-policy":
		value, known = s.info[strings.ReplaceAll(name, "-", "_")]
	}
	return value, known
}

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
	every := func(look func(s redisServer) Result) func(ctx context.Context) Result {
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
func (r *redisServers) worst(look func(s redisServer) Result) Result {
	order := []State{OK, Skipped, Warning, Problem}
	var worst Result
	for n, s := range r.servers {
		one := look(s)
		if len(r.servers) > 1 && one.State != OK {
			one.Found = s.address + ": " + one.Found
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
func version(s redisServer) Result {
	text, known := s.info["redis_version"]
	if !known {
		return warning(onThePage, "%s is reached; its version could not be checked: INFO is forbidden", s.address)
	}
	name := "Redis " + text
	if valkey := s.info["valkey_version"]; valkey != "" {
		name = "Valkey " + valkey
	}
	var major, minor int
	if _, err := fmt.Sscanf(text, "%d.%d", &major, &minor); err != nil {
		return warning(onThePage, "%s is %s, which is no version to compare", s.address, name)
	}
	switch {
	case major < 6 || major == 6 && minor < 2:
		return problem("Use Redis 6.2 or later, or Valkey: older ones lack commands that tasks are archived with.", "%s is %s", s.address, name)
	case s.info["role"] == "slave":
		return problem("Name the master in MALGIL_REDIS, or use redis-sentinel:// so that it is always found.", "%s is %s and a replica, which takes no tasks", s.address, name)
	}
	return ok("%s is %s", s.address, name)
}

// persistence judges what a Redis that is killed loses.
func persistence(s redisServer) Result {
	const do = "Set appendonly yes and appendfsync everysec; until then a restart of Redis empties the queue and everything waits for the sweep."
	on, known := s.setting("appendonly")
	if !known {
		return warning(onThePage, "appendonly and appendfsync could not be checked: CONFIG and INFO are forbidden")
	}
	if on != "yes" {
		return warning(do, "appendonly is %s", on)
	}
	if status := s.info["aof_last_write_status"]; status != "" && status != "ok" {
		return problem("See the log of Redis and the space on its disk.", "the append-only file cannot be written: %s", status)
	}
	sync, known := s.setting("appendfsync")
	switch {
	case !known:
		return warning(onThePage, "appendonly is yes; appendfsync could not be checked: CONFIG is forbidden")
	case sync == "no":
		return warning("Set appendfsync everysec; without it the system decides how many seconds of tasks are lost.", "appendonly is yes, appendfsync no")
	}
	return ok("appendonly is yes, appendfsync %s", sync)
}

// eviction judges what a Redis that is full does.
func eviction(s redisServer) Result {
	policy, known := s.setting("maxmemory-policy")
	switch {
	case !known:
		return warning(onThePage, "maxmemory-policy could not be checked: CONFIG and INFO are forbidden")
	case policy != "noeviction":
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
func memory(s redisServer) Result {
	used, err := strconv.ParseUint(s.info["used_memory"], 10, 64)
	if err != nil {
		return warning(onThePage, "memory could not be checked: INFO is forbidden")
	}
	limit, what := number(s.setting("maxmemory")), "maxmemory"
	if limit == 0 {
		limit, what = number(s.info["total_system_memory"], true), "the memory of its machine, as maxmemory is not set"
	}
	if limit == 0 {
		return ok("%s used; there is no limit", bytes(used))
	}
	share := used * 100 / limit
	found := fmt.Sprintf("%s used, %d %% of %s (%s)", bytes(used), share, what, bytes(limit))
	const do = "Give Redis more memory, and look for a queue that is not served or an archive that grows (docs/operations.md, MalgilQueueWaits and MalgilArchiveFills)."
	switch {
	case share >= memoryProblem:
		return problem(do, "%s", found)
	case share >= memoryWarning:
		return warning(do, "%s", found)
	}
	return ok("%s", found)
}

func number(text string, known bool) uint64 {
	n, err := strconv.ParseUint(text, 10, 64)
	if !known || err != nil {
		return 0
	}
	return n
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
		if s.info["role"] == "slave" {
			return skipped("%s is a replica, see redis", s.address)
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
		return warning(do, "no worker runs")
	case len(idle) > 0:
		return warning(do, "nobody serves %s", strings.Join(idle, ", "))
	}
	return ok("servers of each queue: %s", strings.Join(served, ", "))
}
