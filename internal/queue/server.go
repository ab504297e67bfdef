package queue

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/redis/go-redis/v9"
)

// Server is what one server of Redis tells of itself.
type Server struct {
	Address string
	Info    map[string]string // by the names of INFO; nil where that is forbidden
	Config  map[string]string // by the names of CONFIG GET; nil where that is forbidden
}

// wanted are the settings of Redis that are looked at.
var wanted = []string{"appendonly", "appendfsync", "maxmemory", "maxmemory-policy", "save", "stop-writes-on-bgsave-error"}

// Servers asks Redis for what it may tell: one server, or the masters of a cluster in the order of their
// addresses. What is forbidden is no error, but no answer is.
func (i *Inspector) Servers(ctx context.Context) ([]Server, error) {
	cluster, is := i.redis.(*redis.ClusterClient)
	if !is {
		s, err := describe(ctx, i.redis)
		if err != nil {
			return nil, fmt.Errorf("ask Redis how it is set: %w", err)
		}
		if one, is := i.redis.(*redis.Client); is {
			s.Address = one.Options().Addr
		}
		return []Server{s}, nil
	}
	var mu sync.Mutex
	var servers []Server
	err := cluster.ForEachMaster(ctx, func(ctx context.Context, node *redis.Client) error {
		one, err := describe(ctx, node)
		one.Address = node.Options().Addr
		mu.Lock()
		defer mu.Unlock()
		servers = append(servers, one)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("ask the masters of the cluster: %w", err)
	}
	slices.SortFunc(servers, func(a, b Server) int { return strings.Compare(a.Address, b.Address) })
	return servers, nil
}

// describe asks a server for what it may tell, all at once.
func describe(ctx context.Context, client redis.Cmdable) (Server, error) {
	var s Server
	var info *redis.StringCmd
	settings := make([]*redis.MapStringStringCmd, len(wanted))
	_, _ = client.Pipelined(ctx, func(pipe redis.Pipeliner) error { // each command has its own error
		info = pipe.Info(ctx)
		for n, name := range wanted { // one by one: servers before 7 take one at a time
			settings[n] = pipe.ConfigGet(ctx, name)
		}
		return nil
	})
	text, err := info.Result()
	var refused redis.Error
	switch {
	case err != nil && !errors.As(err, &refused):
		return Server{}, err
	case err == nil:
		s.Info = map[string]string{}
		for line := range strings.Lines(text) {
			if name, value, is := strings.Cut(strings.TrimSpace(line), ":"); is {
				s.Info[name] = value
			}
		}
	}
	for _, setting := range settings {
		values, err := setting.Result()
		if err != nil {
			continue
		}
		if s.Config == nil {
			s.Config = map[string]string{}
		}
		for name, value := range values {
			s.Config[name] = value
		}
	}
	return s, nil
}

// Setting returns a setting of a server from whichever source tells of it.
func (s Server) Setting(name string) (value string, known bool) {
	if value, known = s.Config[name]; known {
		return value, true
	}
	switch name {
	case "appendonly":
		if value, known = s.Info["aof_enabled"]; known {
			return map[string]string{"0": "no", "1": "yes"}[value], true
		}
	case "maxmemory", "maxmemory-policy":
		value, known = s.Info[strings.ReplaceAll(name, "-", "_")]
	}
	return value, known
}

// Persistence is what a server loses when it is killed.
type Persistence int

// What a server may lose.
const (
	PersistenceUnknown Persistence = iota // it does not tell
	Volatile                              // everything: there is no append-only file
	Failing                               // everything since its append-only file could be written last
	Unsynced                              // as much as the system has not written yet
	SyncUnknown                           // it has an append-only file, and does not tell how often it is synced
	Durable                               // a second at most
	Refusing                              // whatever comes: it takes no more writes, since a snapshot of it failed
)

// Persistence judges what a server that is killed loses.
func (s Server) Persistence() Persistence {
	if s.refuses() {
		return Refusing
	}
	on, known := s.Setting("appendonly")
	switch {
	case !known:
		return PersistenceUnknown
	case on != "yes":
		return Volatile
	}
	for _, status := range []string{s.Info["aof_last_write_status"], s.Info["aof_last_bgrewrite_status"]} {
		if status != "" && status != "ok" {
			return Failing
		}
	}
	switch sync, known := s.Setting("appendfsync"); {
	case !known:
		return SyncUnknown
	case sync == "no":
		return Unsynced
	}
	return Durable
}

// refuses reports whether a server takes no writes because its last snapshot failed: unless it is told otherwise, one
// that makes snapshots stops then (MISCONF).
func (s Server) refuses() bool {
	if status := s.Info["rdb_last_bgsave_status"]; status == "" || status == "ok" {
		return false
	}
	times, known := s.Setting("save")
	stop, told := s.Setting("stop-writes-on-bgsave-error")
	return (times != "" || !known) && (stop == "yes" || !told)
}

// Evicts judges whether a full server drops tasks.
func (s Server) Evicts() (evicts, known bool) {
	policy, known := s.Setting("maxmemory-policy")
	return policy != "noeviction", known
}

// Memory is what a server uses of what it may. A limit of 0 is none.
type Memory struct {
	Used, Limit uint64 // in bytes
	OfMachine   bool   // the limit is that of the server's machine, since none is set
}

// Memory tells how full a server is, if it does.
func (s Server) Memory() (m Memory, known bool) {
	used, err := strconv.ParseUint(s.Info["used_memory"], 10, 64)
	if err != nil {
		return Memory{}, false
	}
	m.Used, m.Limit = used, number(s.Setting("maxmemory"))
	if m.Limit == 0 {
		m.Limit, m.OfMachine = number(s.Info["total_system_memory"], true), true
	}
	return m, true
}

func number(text string, known bool) uint64 {
	n, err := strconv.ParseUint(text, 10, 64)
	if !known || err != nil {
		return 0
	}
	return n
}

// Setting is one that a queue needs.
type Setting string

// What is to be set of Redis.
const (
	SettingEviction    Setting = "eviction"    // no key is ever dropped
	SettingPersistence Setting = "persistence" // a restart loses little
)

// Settings are what servers of Redis have set, all together.
type Settings struct {
	// Wrong tells of each setting whether a server has it wrong. A setting that no server tells of is
	// not there.
	Wrong      map[Setting]bool
	MemoryUsed float64 // part of its memory that the fullest server uses; 0 where none tells of both
}

// Settings judges how Redis is set.
func (i *Inspector) Settings(ctx context.Context) (Settings, error) {
	servers, err := i.Servers(ctx)
	if err != nil {
		return Settings{}, err
	}
	return settingsOf(servers), nil
}

func settingsOf(servers []Server) Settings {
	all := Settings{Wrong: map[Setting]bool{}}
	judge := func(setting Setting, wrong, known bool) {
		if known {
			all.Wrong[setting] = all.Wrong[setting] || wrong
		}
	}
	for _, s := range servers {
		evicts, known := s.Evicts()
		judge(SettingEviction, evicts, known)
		persistence := s.Persistence()
		judge(SettingPersistence, persistence != Durable, persistence != PersistenceUnknown && persistence != SyncUnknown)
		if m, known := s.Memory(); known && m.Limit > 0 {
			all.MemoryUsed = max(all.MemoryUsed, float64(m.Used)/float64(m.Limit))
		}
	}
	return all
}
