package queue

import (
	"bytes"
	"crypto/rand"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

func TestEmbedded_timesToLiveRunDown(t *testing.T) {
	start := time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	ticks := make(chan time.Time)
	e, err := startEmbedded(rand.Reader, start, ticks)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	conn := e.Address().ServerClient()
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.Set(t.Context(), "lock", "x", 3*time.Second).Err(); err != nil {
		t.Fatal(err)
	}
	steps := []struct {
		after time.Duration
		want  error
	}{{2 * time.Second, nil}, {time.Second, nil}, {2900 * time.Millisecond, nil}, {3 * time.Second, redis.Nil}}
	for _, step := range steps {
		ticks <- start.Add(step.after)
		ticks <- start // received when the tick before has been dealt with; the past changes nothing
		if err := conn.Get(t.Context(), "lock").Err(); !errors.Is(err, step.want) {
			t.Errorf("GET of a key of 3 s after %v error = %v, want %v", step.after, err, step.want)
		}
	}
}

func TestStartEmbedded(t *testing.T) {
	e, err := StartEmbedded(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	address := e.Address()
	if text := address.String(); !strings.HasPrefix(text, "redis://127.0.0.1:") {
		t.Errorf("Address = %s, want one on loopback", text)
	}
	t.Run("answers who has the password", func(t *testing.T) {
		conn := address.EnqueueClient()
		defer conn.Close()
		if err := conn.Ping(t.Context()).Err(); err != nil {
			t.Errorf("PING error = %v", err)
		}
	})
	t.Run("refuses who has not", func(t *testing.T) {
		address := address
		address.options.Password = ""
		conn := address.EnqueueClient()
		defer conn.Close()
		if err := conn.Ping(t.Context()).Err(); err == nil {
			t.Error("PING without the password error = nil, want a refusal")
		}
	})
	t.Run("is gone after Close", func(t *testing.T) {
		e.Close()
		e.Close()
		conn := address.EnqueueClient()
		defer conn.Close()
		if err := conn.Ping(t.Context()).Err(); err == nil {
			t.Error("PING after Close error = nil, want a refused connection")
		}
	})
}

func TestStartEmbedded_withoutRandomness(t *testing.T) {
	if e, err := StartEmbedded(bytes.NewReader(nil)); err == nil {
		e.Close()
		t.Error("StartEmbedded without randomness error = nil, want one")
	}
}
