// Package queue carries tasks over Redis with asynq: clients that fail fast, pools of servers,
// a look into the queues, and a Redis inside the process for where there is none.
//
// The queue is fast and forgetful. A task may run twice, also at the same time, and it may be
// lost; rows in the store decide what is done, and the sweep finds what was lost
// (docs/decisions/0002-rows-decide.md). Nothing here relies on more than that.
package queue
