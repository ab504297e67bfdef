package tasks

import "github.com/hibiken/asynq"

// TypeSendChunk sends one chunk of a broadcast in one Event API request.
const TypeSendChunk = "broadcast:send_chunk"

// TypeFetchResult looks up what became of one sent chunk.
const TypeFetchResult = "broadcast:fetch_result"

// Kinds of rows in task IDs.
const (
	KindChunk  = "chunk"
	KindResult = "result"
)

// NewSendChunk returns the task for one dispatch of a chunk.
func NewSendChunk(row Row) *asynq.Task {
	return rowTask(TypeSendChunk, KindChunk, row, QueueBroadcast, workTimeout)
}

// NewFetchResult returns the task for one look-up of a sent chunk's result.
func NewFetchResult(row Row) *asynq.Task {
	return rowTask(TypeFetchResult, KindResult, row, QueueResult, workTimeout)
}
