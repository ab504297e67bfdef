package queue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/malgil/malgil/tasks"
)

const (
	echoMost = 200                    // utterances at a time
	echoRest = 500 * time.Microsecond // when there are none
	echoTTL  = 5 * time.Second        // of an answer, for which an intake waits less: a hundred thousand of them would be in Redis for whatever is measured next
)

// AnswerAll answers every utterance that comes into a queue with the same words until ctx ends, as
// workers do and with next to no work. It is there to measure what an intake takes in: no other
// worker may serve the queue. It returns how many it answered.
func AnswerAll(ctx context.Context, conn redis.UniversalClient, queue string, answer []byte) (answered int, err error) {
	pending, task := queueKey(queue, "pending"), queueKey(queue, "t:")
	for {
		ids, err := conn.RPopCount(ctx, pending, echoMost).Result()
		if len(ids) == 0 {
			if err != nil && !errors.Is(err, redis.Nil) && ctx.Err() == nil {
				return answered, fmt.Errorf("look for utterances: %w", err)
			}
			select {
			case <-time.After(echoRest):
				continue
			case <-ctx.Done():
				return answered, nil
			}
		}
		messages := make([]*redis.StringCmd, len(ids))
		_, err = conn.Pipelined(ctx, func(p redis.Pipeliner) error {
			for i, id := range ids {
				messages[i] = p.HGet(ctx, task+id, "msg")
			}
			return nil
		})
		if err != nil {
			return answered, fmt.Errorf("read utterances: %w", err)
		}
		_, err = conn.Pipelined(ctx, func(p redis.Pipeliner) error {
			for i, id := range ids {
				u := payloadOf(messages[i].Val())
				p.SetNX(ctx, decisionKey(u.ID), answer, echoTTL)
				p.Publish(ctx, u.Mailbox, u.ID+"\n"+string(answer))
				p.Del(ctx, task+id)
			}
			return nil
		})
		if err != nil {
			return answered, fmt.Errorf("answer utterances: %w", err)
		}
		answered += len(ids)
	}
}

// payloadOf reads the payload of an utterance out of asynq's message, whose envelope is no JSON.
func payloadOf(message string) (u tasks.AnswerUtterance) {
	if at := strings.Index(message, `{"id":`); at >= 0 {
		_ = json.NewDecoder(strings.NewReader(message[at:])).Decode(&u) // what follows it is not of the payload
	}
	return u
}
