package workers

import (
	"context"

	"github.com/hibiken/asynq"

	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/queue"
	"github.com/malgil/malgil/tasks"
)

// ChunkSender sends a queued chunk.
type ChunkSender interface {
	// SendChunk begins no request after begin, a context of ctx, has ended.
	SendChunk(ctx, begin context.Context, id broadcast.ChunkID, epoch int) error
}

// SendChunk handles [tasks.TypeSendChunk].
func SendChunk(broadcasts ChunkSender) asynq.Handler {
	return handle(func(ctx context.Context, p tasks.Row) error {
		begin, cancel := queue.Begin(ctx)
		defer cancel()
		return broadcasts.SendChunk(ctx, begin, broadcast.ChunkID(p.ID), p.Epoch)
	})
}

// ResultFetcher looks up the result of a sent chunk.
type ResultFetcher interface {
	FetchResult(ctx context.Context, id broadcast.ChunkID, epoch int) error
}

// FetchResult handles [tasks.TypeFetchResult].
func FetchResult(results ResultFetcher) asynq.Handler {
	return handle(func(ctx context.Context, p tasks.Row) error {
		return results.FetchResult(ctx, broadcast.ChunkID(p.ID), p.Epoch)
	})
}
