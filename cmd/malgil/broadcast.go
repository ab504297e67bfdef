package main

import (
	"fmt"
	"net/url"
	"strings"
	"time"
)

// broadcastCommand sends messages to many people and looks after them.
type broadcastCommand struct {
	Send     broadcastSend     `cmd:"" help:"Order a broadcast to the people of a file, or of a named audience."`
	List     broadcastList     `cmd:"" help:"List broadcasts, newest first."`
	Show     broadcastShow     `cmd:"" help:"How a broadcast goes, and why it waits."`
	Watch    broadcastWatch    `cmd:"" help:"Wait until everyone has an outcome."`
	Upload   broadcastUpload   `cmd:"" help:"Replace the recipients of a broadcast that is not sealed."`
	Seal     broadcastSeal     `cmd:"" help:"End the upload and let a broadcast go."`
	Approve  broadcastApprove  `cmd:"" help:"Let a broadcast go that waits for a second person; who does not approve cancels it."`
	Pause    broadcastPause    `cmd:"" help:"Stop a broadcast."`
	Resume   broadcastResume   `cmd:"" help:"Let a paused broadcast go on; of one that waits for approval, take the pause back."`
	Cancel   broadcastCancel   `cmd:"" help:"End a broadcast for good."`
	Chunks   broadcastChunks   `cmd:"" help:"The chunks of a broadcast in order."`
	Quote    broadcastQuote    `cmd:"" help:"What a broadcast costs, what it does to its wallet, and how long it takes."`
	Preview  broadcastPreview  `cmd:"" help:"Show what people of a broadcast are sent: three by chance, or those named."`
	Test     broadcastTest     `cmd:"" help:"Send the message of a broadcast now to a few people. It is paid for."`
	Retry    broadcastRetry    `cmd:"" help:"Send a broadcast to those whom another did not reach."`
	Decide   broadcastDecide   `cmd:"" help:"Say what became of chunks in doubt, or have parked ones sent."`
	Results  broadcastResults  `cmd:"" help:"Write everybody of a broadcast with what became of him to a file."`
	Person   broadcastPerson   `cmd:"" help:"What a bot has sent to one person, or means to, and what became of it."`
	Failures broadcastFailures `cmd:"" help:"The people whom Kakao names as not reached; limit counts people."`
}

type broadcastRow struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	Bot     string `json:"bot"`
	Channel string `json:"channel"`
	Event   struct {
		Name string `json:"name"`
	} `json:"event"`
	State string `json:"state"`
	Wait  *struct {
		Reason string    `json:"reason"`
		Until  time.Time `json:"until"`
	} `json:"wait"`
	Note   string `json:"note"`
	Counts struct {
		Audience   int64 `json:"audience"`
		Delivered  int64 `json:"delivered"`
		Failed     int64 `json:"failed"`
		Unknown    int64 `json:"unknown"`
		Skipped    int64 `json:"skipped"`
		InDoubt    int64 `json:"in_doubt"`
		Duplicates int64 `json:"duplicates"`
		BadRows    int64 `json:"bad_rows"`
	} `json:"counts"`
	Captured   int64     `json:"captured_krw"`
	StartAt    time.Time `json:"start_at"`
	ExpiresAt  time.Time `json:"expires_at"`
	FinishedAt time.Time `json:"finished_at"`

	// Of an event of its progress.
	Rate float64   `json:"people_per_second"`
	Over time.Time `json:"over_at"`
	Cost struct {
		Captured int64 `json:"captured_krw"`
		VAT      int64 `json:"vat_krw"`
		Held     int64 `json:"held_krw"`
	} `json:"cost"`
}

// standing says where a broadcast stands, and why it waits.
func (b broadcastRow) standing() string {
	if b.Wait == nil || b.Wait.Reason == b.State {
		return b.State
	}
	text := b.State + ", waits: " + b.Wait.Reason
	if !b.Wait.Until.IsZero() {
		text += " until " + when(b.Wait.Until)
	}
	return text
}

// done is how many people have an outcome.
func (b broadcastRow) done() int64 {
	n := b.Counts
	return n.Delivered + n.Failed + n.Unknown + n.Skipped + n.InDoubt
}

func (b broadcastRow) print(e *env) {
	n := b.Counts
	some := func(count int64) string {
		if count == 0 {
			return ""
		}
		return won(count)
	}
	facts(e.stdout, "broadcast", b.ID, "name", b.Name, "bot", b.Bot+" "+b.Channel, "event", b.Event.Name, "state", b.standing(), "note", b.Note,
		"people", won(n.Audience), "delivered", won(n.Delivered), "failed", won(n.Failed), "unknown", some(n.Unknown),
		"skipped", some(n.Skipped), "in doubt", some(n.InDoubt), "left out", some(n.Duplicates+n.BadRows), "paid", won(b.Captured)+" KRW",
		"starts", when(b.StartAt), "expires", when(b.ExpiresAt), "finished", when(b.FinishedAt))
}

func broadcastPath(id string) string { return "/api/v1/broadcasts/" + url.PathEscape(id) }

type broadcastList struct {
	remote
	list
	Wallet string `help:"Of this wallet alone."`
	Bot    string `help:"Of this bot alone."`
}

// Run lists broadcasts.
func (c broadcastList) Run(e *env) error {
	query := url.Values{}
	for name, value := range map[string]string{"wallet": c.Wallet, "bot": c.Bot} {
		if value != "" {
			query.Set(name, value)
		}
	}
	header := []string{"ID", "NAME", "STATE", "PEOPLE", "DELIVERED", "FAILED", "PAID"}
	return listAll(c.remote, e, c.list, "/api/v1/broadcasts?"+query.Encode(), header, func(b broadcastRow) []string {
		return []string{b.ID, b.Name, b.standing(), won(b.Counts.Audience), won(b.Counts.Delivered), won(b.Counts.Failed), won(b.Captured)}
	})
}

// oneBroadcast is a command about one broadcast.
type oneBroadcast struct {
	remote
	Broadcast string `arg:"" help:"Broadcast."`
}

// step calls one of the steps of a broadcast and shows it as it stands then.
func (c oneBroadcast) step(e *env, method, step string) error {
	var b broadcastRow
	return c.call(e, method, broadcastPath(c.Broadcast)+step, nil, &b, func() { b.print(e) })
}

type broadcastShow struct{ oneBroadcast }

// Run shows a broadcast.
func (c broadcastShow) Run(e *env) error { return c.step(e, "GET", "") }

type broadcastApprove struct{ oneBroadcast }

// Run approves a broadcast.
func (c broadcastApprove) Run(e *env) error { return c.step(e, "POST", "/approve") }

type broadcastPause struct{ oneBroadcast }

// Run pauses a broadcast.
func (c broadcastPause) Run(e *env) error { return c.step(e, "POST", "/pause") }

type broadcastResume struct{ oneBroadcast }

// Run resumes a broadcast.
func (c broadcastResume) Run(e *env) error { return c.step(e, "POST", "/resume") }

type broadcastCancel struct{ oneBroadcast }

// Run cancels a broadcast.
func (c broadcastCancel) Run(e *env) error { return c.step(e, "POST", "/cancel") }

type broadcastChunks struct {
	oneBroadcast
	list
	State string `help:"In this state alone."`
}

// Run lists chunks.
func (c broadcastChunks) Run(e *env) error {
	type chunkRow struct {
		ID        string    `json:"id"`
		State     string    `json:"state"`
		People    int64     `json:"people"`
		Delivered int64     `json:"delivered"`
		Failed    int64     `json:"failed"`
		TaskID    string    `json:"task_id"`
		SentAt    time.Time `json:"sent_at"`
		Error     string    `json:"error"`
	}
	path := broadcastPath(c.Broadcast) + "/chunks"
	if c.State != "" {
		path += "?state=" + url.QueryEscape(c.State)
	}
	header := []string{"ID", "STATE", "PEOPLE", "DELIVERED", "FAILED", "SENT", "TASK", "ERROR"}
	return listAll(c.remote, e, c.list, path, header, func(r chunkRow) []string {
		return []string{r.ID, r.State, won(r.People), won(r.Delivered), won(r.Failed), when(r.SentAt), r.TaskID, r.Error}
	})
}

type broadcastFailures struct {
	oneBroadcast
	list
}

// Run lists the people whom Kakao names.
func (c broadcastFailures) Run(e *env) error {
	type failureRow struct {
		Chunk   string `json:"chunk"`
		Type    string `json:"type"`
		ID      string `json:"id"`
		Number  int    `json:"error_type"`
		Message string `json:"message"`
	}
	return listAll(c.remote, e, c.list, broadcastPath(c.Broadcast)+"/failures", []string{"TYPE", "ID", "ERROR", "CHUNK"}, func(r failureRow) []string {
		reason := r.Message
		if r.Number != 0 {
			reason = strings.TrimSpace(fmt.Sprintf("%d %s", r.Number, r.Message))
		}
		return []string{r.Type, r.ID, reason, r.Chunk}
	})
}
