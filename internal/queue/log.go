package queue

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/redis/go-redis/v9"
)

// asynqLog passes on what asynq's servers say. Their start and stop messages are many and tell
// nothing new, so they go to Debug.
type asynqLog struct{ logger *slog.Logger }

func (l asynqLog) Debug(args ...any) { l.log(slog.LevelDebug, args) }
func (l asynqLog) Info(args ...any)  { l.log(slog.LevelDebug, args) }
func (l asynqLog) Warn(args ...any)  { l.log(slog.LevelWarn, args) }
func (l asynqLog) Error(args ...any) { l.log(slog.LevelError, args) }

// Fatal ends with a panic, as asynq asks of it; asynq 0.26 never calls it.
func (l asynqLog) Fatal(args ...any) {
	l.log(slog.LevelError, args)
	panic(fmt.Sprint(args...))
}

func (l asynqLog) log(level slog.Level, args []any) {
	l.logger.Log(context.Background(), level, "asynq says", "detail", fmt.Sprint(args...))
}

// LogRedis passes what go-redis says of its connections to a logger, as warnings. go-redis knows
// one logger per process, so the program calls it once at its start.
func LogRedis(logger *slog.Logger) { redis.SetLogger(redisLog{logger}) }

type redisLog struct{ logger *slog.Logger }

func (l redisLog) Printf(ctx context.Context, format string, args ...any) {
	l.logger.WarnContext(ctx, "go-redis says", "detail", fmt.Sprintf(format, args...))
}
