package testserver_test

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/malgil/malgil/internal/testserver"
)

func TestMain(m *testing.M) { testserver.Main(m) }

func connect(t *testing.T, s *testserver.RedisServer) *redis.Client {
	t.Helper()
	client := redis.NewClient(&redis.Options{Addr: s.Addr(), ContextTimeoutEnabled: true, MaxRetries: -1})
	t.Cleanup(func() { _ = client.Close() })
	return client
}

func TestRedis_isSetAsInProduction(t *testing.T) {
	client := connect(t, testserver.Redis(t))
	for key, want := range map[string]string{"appendonly": "yes", "appendfsync": "everysec", "maxmemory-policy": "noeviction"} {
		got, err := client.ConfigGet(t.Context(), key).Result()
		if err != nil || got[key] != want {
			t.Errorf("CONFIG GET %s = %q, %v, want %q", key, got[key], err, want)
		}
	}
}

func TestRedis_restartKeepsData(t *testing.T) {
	tests := map[string]func(*testserver.RedisServer){
		"stopped first": (*testserver.RedisServer).Stop,
		"killed first":  (*testserver.RedisServer).Kill,
		"running":       func(*testserver.RedisServer) {},
	}
	for name, end := range tests {
		t.Run(name, func(t *testing.T) {
			s := testserver.Redis(t)
			before := s.Addr()
			if err := connect(t, s).Set(t.Context(), "k", "v", 0).Err(); err != nil {
				t.Fatal(err)
			}
			end(s)
			s.Restart()
			if s.Addr() != before {
				t.Errorf("Addr() after Restart = %s, want %s", s.Addr(), before)
			}
			if got, err := connect(t, s).Get(t.Context(), "k").Result(); err != nil || got != "v" {
				t.Errorf("GET k after restart = %q, %v, want v", got, err)
			}
		})
	}
}

func TestRedis_flushAllEmpties(t *testing.T) {
	s := testserver.Redis(t)
	client := connect(t, s)
	if err := client.Set(t.Context(), "k", "v", 0).Err(); err != nil {
		t.Fatal(err)
	}
	s.FlushAll()
	if got, err := client.DBSize(t.Context()).Result(); err != nil || got != 0 {
		t.Errorf("DBSIZE after FlushAll = %d, %v, want 0", got, err)
	}
}

func TestRedis_frozenDoesNotAnswerAndThawedDoes(t *testing.T) {
	s := testserver.Redis(t)
	client := connect(t, s)
	if err := client.Ping(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	s.Freeze()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	err := client.Ping(ctx).Err()
	if ne := net.Error(nil); !errors.Is(err, context.DeadlineExceeded) && (!errors.As(err, &ne) || !ne.Timeout()) {
		t.Errorf("PING of a frozen server error = %v, want a timeout", err)
	}
	s.Thaw()
	if err := client.Ping(t.Context()).Err(); err != nil {
		t.Errorf("PING of a thawed server error = %v, want none", err)
	}
}

func TestRedis_leavesNothingBehind(t *testing.T) {
	var s *testserver.RedisServer
	t.Run("a test with a server", func(t *testing.T) { s = testserver.Redis(t) })
	if conn, err := net.Dial("tcp", s.Addr()); err == nil {
		_ = conn.Close()
		t.Errorf("%s still answers after its test", s.Addr())
	}
}
