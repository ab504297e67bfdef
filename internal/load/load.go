// Package load measures how fast an installation sends: a broadcast through everything that a real one
// goes through, against a sandbox that answers at once, beside one task per person over the same Redis and
// a database of the same kind.
package load

import (
	"bufio"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/malgil/malgil/internal/apiclient"
	"github.com/malgil/malgil/internal/app"
	"github.com/malgil/malgil/internal/demo"
	"github.com/malgil/malgil/internal/queue"
)

// Options say what is measured.
type Options struct {
	Config app.Config // its parts, which must be empty, and its rules; without parts they are embedded
	People int        // of the broadcast
	Naive  int        // people who are sent to one by one, to compare with; 0 for nobody
	// Progress is told how far a phase is; may be nil.
	Progress func(phase string, done, all int)
	Log      *slog.Logger
}

// Report is what was measured. Rates are people a second.
type Report struct {
	Database string  `json:"database"` // sqlite or postgres
	Queue    string  `json:"queue"`    // redis or embedded
	People   int     `json:"people"`
	Planned  float64 `json:"planned_per_second"`        // from the first byte of the file to planned chunks
	Sent     float64 `json:"sent_per_second"`           // from the seal to the last accepted request
	Settled  float64 `json:"settled_per_second"`        // from the seal to the last posting
	Naive    float64 `json:"naive_per_second,omitzero"` // one task per person, from the first enqueue to the last accepted request
	Answers  Answers `json:"answers"`                   // while it was sent and settled
	// Another is how long a hundred people of another customer took who were ordered in the middle of it,
	// until Kakao had accepted them.
	Another float64 `json:"another_customer_seconds"`
}

// Ratio is how many times as fast as one task per person it sends; 0 when that was not measured.
func (r Report) Ratio() float64 {
	if r.Naive == 0 {
		return 0
	}
	return r.Sent / r.Naive
}

// What the bot of the measurement may do: more than any machine of this size reaches.
const (
	ratePerSecond = 100_000
	inFlight      = 128
)

const pollEvery = 50 * time.Millisecond

// run is a measurement under way.
type run struct {
	Options
	demo *demo.Demo
}

// Run measures once. It fails when somebody was not reached, or not exactly once.
func Run(ctx context.Context, o Options) (r Report, err error) {
	if o.Progress == nil {
		o.Progress = func(string, int, int) {}
	}
	r = Report{People: o.People, Database: "postgres", Queue: "redis"}
	if o.Config.DB == "" || strings.HasPrefix(o.Config.DB, "sqlite:") {
		r.Database = "sqlite"
	}
	if o.Config.Redis == "" {
		r.Queue = "embedded"
		embedded, err := queue.StartEmbedded(rand.Reader)
		if err != nil {
			return r, err
		}
		defer embedded.Close()
		o.Config.Redis = embedded.URL() // the comparison uses it too
	}
	o.Config.Listen = demo.Anywhere
	d, err := demo.Start(ctx, o.Config, o.Log)
	if err != nil {
		return r, err
	}
	defer func() {
		if closeErr := d.Close(context.WithoutCancel(ctx)); err == nil {
			err = closeErr
		}
	}()
	run := run{o, d}
	if err := run.prepare(ctx); err != nil {
		return r, err
	}
	if err := run.broadcast(ctx, &r); err != nil {
		return r, err
	}
	if o.Naive > 0 {
		if r.Naive, err = run.naive(ctx); err != nil {
			return r, fmt.Errorf("one task per person: %w", err)
		}
	}
	return r, nil
}

// prepare lets the bot send as fast as it can, and gives the wallets what it all costs.
func (r run) prepare(ctx context.Context) error {
	api := r.demo.World.API
	if err := api.Call(ctx, "PATCH", "/api/v1/bots/"+r.demo.Books.Bot, map[string]any{"rate_per_second": ratePerSecond, "in_flight": inFlight}, nil); err != nil {
		return err
	}
	const fewest = 1_000
	for wallet, people := range map[string]int{r.demo.Books.Wallet: r.People, r.demo.Stationery.Wallet: anotherPeople} {
		if err := r.demo.World.TopUp(ctx, wallet, max(fewest, int64(people)*int64(r.Config.Price))); err != nil {
			return err
		}
	}
	return nil
}

// order is a broadcast as its status tells it.
type order struct {
	ID     string `json:"id"`
	State  string `json:"state"`
	Note   string `json:"note"`
	Counts struct {
		Audience  int `json:"audience"`
		Delivered int `json:"delivered"`
		Failed    int `json:"failed"`
		InDoubt   int `json:"in_doubt"`
	} `json:"counts"`
	Captured int64 `json:"captured_krw"`
}

// broadcast uploads, sends and settles.
func (r run) broadcast(ctx context.Context, report *Report) error {
	api := r.demo.World.API
	var b order
	body := map[string]any{"bot": r.demo.Books.Bot, "name": "load", "event": map[string]any{"name": r.demo.Ready.Event}, "stop_above_percent": 100}
	if err := api.Call(ctx, "POST", "/api/v1/broadcasts", body, &b, apiclient.IdempotencyKey(rand.Text())); err != nil {
		return err
	}
	path := "/api/v1/broadcasts/" + b.ID
	began := time.Now()
	if err := api.Call(ctx, "PUT", path+"/recipients", r.people(), nil); err != nil {
		return err
	}
	report.Planned = perSecond(r.People, began)
	before, err := r.reached(ctx)
	if err != nil {
		return err
	}
	answers := r.talk(ctx)
	defer func() { report.Answers = answers() }()
	began = time.Now()
	if err := api.Call(ctx, "POST", path+"/seal", map[string]any{"confirm": r.People}, nil); err != nil {
		return err
	}
	limited, cancel := context.WithCancel(ctx)
	defer cancel()
	another := make(chan error, 1)
	ordered := false
	all := r.People + anotherPeople
	err = r.until(ctx, "send", all, func() (int, error) {
		n, err := r.reached(ctx)
		if n -= before; err == nil && !ordered && n >= r.People/2 {
			ordered = true
			go func() {
				took, err := r.another(limited)
				report.Another = took.Seconds()
				another <- err
			}()
		}
		return n, err
	})
	if err != nil {
		return err
	}
	report.Sent = perSecond(all, began)
	if err := <-another; err != nil {
		return err
	}
	err = r.until(ctx, "settle", r.People, func() (int, error) {
		err := api.Call(ctx, "GET", path, nil, &b)
		if err == nil && b.State != "running" && b.State != "finished" {
			err = fmt.Errorf("the broadcast is %s: %s", b.State, b.Note)
		}
		return b.Counts.Delivered + b.Counts.Failed + b.Counts.InDoubt, err
	})
	if err != nil {
		return err
	}
	report.Settled = perSecond(r.People, began)
	if want := int64(r.People) * int64(r.Config.Price); b.Counts.Delivered != r.People || b.Captured != want {
		return fmt.Errorf("%d of %d people got it for %d KRW, want everybody for %d", b.Counts.Delivered, r.People, b.Captured, want)
	}
	return nil
}

// people is the audience as CSV, made while it is read.
func (r run) people() io.Reader {
	reader, writer := io.Pipe()
	go func() {
		text := bufio.NewWriterSize(writer, 1<<16)
		_, err := text.WriteString("id\n")
		for n := 0; n < r.People && err == nil; n++ {
			if n%10_000 == 0 {
				r.Progress("upload", n, r.People)
			}
			_, err = fmt.Fprintf(text, "load-%08d\n", n)
		}
		if err == nil {
			err = text.Flush()
		}
		_ = writer.CloseWithError(err) // it never fails; nil is the end of the file
	}()
	return reader
}

// reached is how many people Kakao has reached, and fails when somebody was reached twice.
func (r run) reached(ctx context.Context) (int, error) {
	var truth struct {
		Kakao struct {
			People struct{ Reached, Again int } `json:"people"`
		} `json:"kakao"`
	}
	if err := r.demo.World.Sandbox.Call(ctx, "GET", "/sandbox/truth", nil, &truth); err != nil {
		return 0, err
	}
	if again := truth.Kakao.People.Again; again != 0 {
		return 0, fmt.Errorf("%d people were reached more than once", again)
	}
	return truth.Kakao.People.Reached, nil
}

// until waits until so many people are done.
func (r run) until(ctx context.Context, phase string, all int, done func() (int, error)) error {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		n, err := done()
		if err != nil {
			return err
		}
		r.Progress(phase, n, all)
		if n >= all {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func perSecond(people int, since time.Time) float64 {
	return float64(people) / time.Since(since).Seconds()
}
