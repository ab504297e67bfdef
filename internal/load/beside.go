package load

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/malgil/malgil/internal/apiclient"
)

// Answers is how people were answered who talked to the bot while it sent.
type Answers struct {
	Asked    int     `json:"asked"`
	NotShown int     `json:"not_shown"` // too late for Kakao, or nothing that it shows
	P50      float64 `json:"p50_ms"`
	P99      float64 `json:"p99_ms"`
	Worst    float64 `json:"worst_ms"`
}

// askEvery is how often somebody says something to the bot.
const askEvery = 20 * time.Millisecond

// talk has people talk to the bot until ctx ends, and returns how they were answered.
func (r run) talk(ctx context.Context) func() Answers {
	ctx, stop := context.WithCancel(ctx)
	var mu sync.Mutex
	var took []float64
	a := Answers{}
	var talking sync.WaitGroup
	ask := func(n int) {
		var said struct {
			LatencyMS float64 `json:"latency_ms"`
			Shown     bool    `json:"shown"`
		}
		err := r.demo.World.Sandbox.Call(context.WithoutCancel(ctx), "POST", "/sandbox/utterances", map[string]any{
			"skill_url": r.demo.Books.SkillURL, "bot": r.demo.Books.Bot, "user": fmt.Sprintf("visitor-%d", n%1000), "utterance": "영업시간", "callback": false,
		}, &said)
		mu.Lock()
		defer mu.Unlock()
		if took = append(took, said.LatencyMS); err != nil || !said.Shown {
			a.NotShown++
		}
	}
	talking.Go(func() {
		tick := time.NewTicker(askEvery)
		defer tick.Stop()
		for n := 0; ; n++ {
			select {
			case <-tick.C:
				talking.Go(func() { ask(n) })
			case <-ctx.Done():
				return
			}
		}
	})
	return func() Answers {
		stop()
		talking.Wait()
		if a.Asked = len(took); a.Asked > 0 {
			slices.Sort(took)
			a.P50, a.P99, a.Worst = took[a.Asked/2], took[a.Asked*99/100], took[a.Asked-1]
		}
		return a
	}
}

// anotherPeople is how many the other customer sends to.
const anotherPeople = 100

// another lets another customer send a little in the middle of it, and returns how long that took until
// Kakao had accepted all of it.
func (r run) another(ctx context.Context) (time.Duration, error) {
	api := r.demo.World.API
	people := make([]map[string]string, anotherPeople)
	for n := range people {
		people[n] = map[string]string{"type": "botUserKey", "id": fmt.Sprintf("another-%d", n)}
	}
	body := map[string]any{"bot": r.demo.Stationery.Bot, "name": "another", "event": map[string]any{"name": r.demo.Ready.Event}, "recipients": people}
	var b order
	began := time.Now()
	if err := api.Call(ctx, "POST", "/api/v1/broadcasts", body, &b, apiclient.IdempotencyKey(rand.Text())); err != nil {
		return 0, err
	}
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		var chunks struct {
			Items []struct {
				TaskID string `json:"task_id"`
				State  string `json:"state"`
				Error  string `json:"error"`
			} `json:"items"`
		}
		if err := api.Call(ctx, "GET", "/api/v1/broadcasts/"+b.ID+"/chunks", nil, &chunks); err != nil {
			return 0, err
		}
		if len(chunks.Items) == 1 && chunks.Items[0].TaskID != "" {
			return time.Since(began), nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return 0, fmt.Errorf("wait for another customer's chunk %+v: %w", chunks.Items, ctx.Err())
		}
	}
}
