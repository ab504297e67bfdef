package queue

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"testing"
)

func TestAsynqLog(t *testing.T) {
	tests := map[string]struct {
		say   func(asynqLog)
		level string
	}{
		"debug":         {func(l asynqLog) { l.Debug("x ", 1) }, "DEBUG"},
		"info is noise": {func(l asynqLog) { l.Info("x ", 1) }, "DEBUG"},
		"warn":          {func(l asynqLog) { l.Warn("x ", 1) }, "WARN"},
		"error":         {func(l asynqLog) { l.Error("x ", 1) }, "ERROR"},
		"fatal": {func(l asynqLog) {
			defer func() { _ = recover() }()
			l.Fatal("x ", 1)
		}, "ERROR"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			tt.say(asynqLog{slog.New(slog.NewJSONHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))})
			var line struct{ Level, Msg, Detail string }
			if err := json.Unmarshal(out.Bytes(), &line); err != nil {
				t.Fatalf("log line %q: %v", out.String(), err)
			}
			if line.Level != tt.level || line.Msg != "asynq says" || line.Detail != "x 1" {
				t.Errorf("log line = %+v, want level %s, constant message, detail \"x 1\"", line, tt.level)
			}
		})
	}
}

func TestRedisLog(t *testing.T) {
	var out bytes.Buffer
	redisLog{slog.New(slog.NewJSONHandler(&out, nil))}.Printf(t.Context(), "lost %s", "a connection")
	if !bytes.Contains(out.Bytes(), []byte(`"detail":"lost a connection"`)) {
		t.Errorf("log line = %s, want the formatted text as detail", out.String())
	}
}
