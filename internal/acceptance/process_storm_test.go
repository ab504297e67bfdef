package acceptance_test

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/malgil/malgil/internal/apiclient"
	"github.com/malgil/malgil/internal/testserver"
)

const (
	stormPeople = 20_000
	// stormRequests is how many requests a worker process makes at a time, stormFlight how many the
	// bot may have open. More than stormRequests open at Kakao are of more than one process, and
	// some tasks are always in the hands of a worker and not sent yet.
	stormRequests = 12
	stormFlight   = 16
	// stormSweeps is how many sweeps, one a second, it may take until everyone has an outcome once
	// nothing goes wrong any more: a dead worker's requests are given up after a lease of 20 s, its
	// tasks after asynq's of 30 s and some; then come the send and the look-ups of its result.
	stormSweeps = 60
)

// A broadcast of 20,000 goes on while workers die with requests in flight, Redis forgets
// everything and Kakao's answers are lost. Nobody is reached twice, nobody whom Kakao accepted is
// lost, and every won is explained.
func TestStorm_workersDieAndRedisForgets(t *testing.T) {
	town := settle(t, 2, "MALGIL_SWEEP_AGE=2s", "MALGIL_SEND_CONCURRENCY="+strconv.Itoa(stormRequests))
	town.start(t, "scheduler") // a second one: any number may run
	s := town.openShop(1)
	town.do("PATCH", "/api/v1/bots/"+s.bot, map[string]any{"rate_per_second": 20_000, "in_flight": stormFlight}, nil)

	// Each answer takes a second, so that a worker always dies with requests in flight.
	for kind, more := range map[string]map[string]any{
		"cut_before": {"count": 2, "every": 17}, "cut_after": {"count": 3, "every": 13}, "error_before": {"count": 1, "every": 29},
		"error_after": {"count": 2, "every": 19}, "garbage": {"count": 1, "every": 23}, "throttle": {"count": 5, "every": 11},
	} {
		town.fault("kakao.send", kind, more)
	}
	town.fault("kakao.result", "error_before", map[string]any{"count": 20, "every": 5})
	town.fault("kakao.send", "slow", map[string]any{"count": -1, "seconds": 1})

	b := s.orderMany(stormPeople)
	storm := storm{town: town, shop: s, b: b, requests: stormRequests}
	storm.reach(25)
	storm.forget()
	storm.reach(50)
	storm.kill(town.workers[0])
	storm.reach(80)
	storm.forget()
	storm.reach(110)
	storm.kill(town.workers[1])

	lost := storm.lostAnswers()
	town.tell("DELETE", "/sandbox/faults", nil, nil)
	b = storm.end()
	storm.judge(b, lost)
}

func stormPerson(i int) string { return fmt.Sprintf("storm-%05d", i) }

// orderMany uploads so many people as CSV and lets the broadcast go. Its chunks keep the order.
func (s *shop) orderMany(people int) (b broadcast) {
	s.house.t.Helper()
	s.house.do("POST", "/api/v1/broadcasts", map[string]any{"bot": s.bot, "name": "폭풍", "event": map[string]any{"name": event}},
		&b, apiclient.IdempotencyKey(rand.Text()))
	lines := make([]string, 1, people+1)
	lines[0] = "id"
	for i := range people {
		lines = append(lines, stormPerson(i))
	}
	s.house.do("PUT", "/api/v1/broadcasts/"+b.ID+"/recipients", csv(lines...), nil)
	s.house.do("POST", "/api/v1/broadcasts/"+b.ID+"/seal", map[string]any{"confirm": people}, &b)
	return b
}

// storm is what happens to one broadcast.
type storm struct {
	*town
	shop     *shop
	b        broadcast // ordered with [shop.orderMany]
	requests int       // that a worker makes at a time
	kills    int
	inFlight int // requests that the killed workers had open, at most
}

// sends is what Kakao saw of send calls.
func (h *house) sends() (seen struct {
	Accepted int `json:"accepted"`
	InFlight int `json:"in_flight"`
	Peak     int `json:"peak_in_flight"`
}) {
	h.t.Helper()
	var truth struct {
		Kakao struct {
			Sends json.RawMessage `json:"sends"`
		} `json:"kakao"`
	}
	h.ask("/sandbox/truth", &truth)
	if err := json.Unmarshal(truth.Kakao.Sends, &seen); err != nil {
		h.t.Fatal(err)
	}
	return seen
}

// reach waits until Kakao has accepted so many requests.
func (s *storm) reach(accepted int) {
	s.t.Helper()
	s.until(fmt.Sprintf("%d requests are accepted", accepted), func() (bool, any) {
		seen := s.sends()
		return seen.Accepted >= accepted, seen
	})
}

// forget empties Redis in the middle of the broadcast.
func (s *storm) forget() {
	s.t.Helper()
	s.unfinished()
	s.redis.FlushAll()
}

// unfinished fails the test when the storm comes too late to mean anything.
func (s *storm) unfinished() {
	s.t.Helper()
	now := s.shop.look(s.b)
	if open := now.Chunks.ByState["planned"] + now.Chunks.ByState["queued"]; now.State != "running" || open == 0 {
		s.t.Fatalf("the broadcast is %s with %+v, want it in the middle", now.State, now.Chunks)
	}
}

// kill kills a worker that has a request in flight, and starts it again.
func (s *storm) kill(worker *testserver.Program) {
	s.t.Helper()
	s.until("the worker has a request in flight", func() (bool, any) {
		worker.Freeze() // what it has in flight stays so while it is looked at
		seen := s.sends()
		if seen.InFlight <= s.requests { // they may all be of the other worker
			worker.Thaw()
			return false, seen
		}
		s.unfinished()
		worker.Kill()
		s.kills++
		s.inFlight += min(seen.InFlight, s.requests)
		s.t.Logf("killed a worker with %d requests in flight, %d accepted", seen.InFlight, seen.Accepted)
		return true, nil
	})
	worker.Restart()
}

// lostAnswers counts the requests whose answers did not tell what became of them.
func (s *storm) lostAnswers() (lost int) {
	s.t.Helper()
	var list struct {
		Items []struct {
			Target, Fault string
			Hits          int
		} `json:"items"`
	}
	s.ask("/sandbox/faults", &list)
	for _, f := range list.Items {
		if f.Hits == 0 {
			s.t.Errorf("%s of %s hit nothing: the storm was weaker than it should be", f.Fault, f.Target)
		}
		if f.Target == "kakao.send" && f.Fault != "slow" && f.Fault != "throttle" {
			lost += f.Hits
		}
	}
	return lost
}

// end waits until everyone has an outcome, for a bounded number of sweeps.
func (s *storm) end() broadcast {
	s.t.Helper()
	first := s.sweeps()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		now, swept := s.shop.look(s.b), s.sweeps()-first
		if now.State == "finished" {
			s.t.Logf("finished %d sweeps after the storm", swept)
			return now
		}
		if swept > stormSweeps {
			s.t.Fatalf("%d sweeps after the storm the broadcast is %s: %+v", swept, now.State, now)
		}
		<-tick.C
	}
}

var sweepCount = regexp.MustCompile(`(?m)^malgil_loop_duration_seconds_count\{loop="sweep"\} (\d+)$`)

// sweeps counts the sweeps of the first scheduler.
func (s *storm) sweeps() int {
	s.t.Helper()
	var up struct{ Metrics string }
	if err := json.Unmarshal([]byte(s.scheduler.ReadyLine()), &up); err != nil {
		s.t.Fatal(err)
	}
	answer, err := http.Get(up.Metrics)
	if err != nil {
		s.t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	found := sweepCount.FindSubmatch(text)
	if found == nil {
		s.t.Fatalf("no %s in the metrics of the scheduler", sweepCount)
	}
	n, err := strconv.Atoi(string(found[1]))
	if err != nil {
		s.t.Fatal(err)
	}
	return n
}

// chunk is a chunk as the API shows it.
type chunk struct {
	ID        string `json:"id"`
	State     string `json:"state"`
	People    int    `json:"people"`
	Delivered int    `json:"delivered"`
	Held      int64  `json:"held_krw"`
	Error     string `json:"error"`
}

func (s *storm) chunks() (all []chunk) {
	s.t.Helper()
	for cursor := ""; ; {
		var page struct {
			Items []chunk `json:"items"`
			Next  string  `json:"next_cursor"`
		}
		s.get("/api/v1/broadcasts/"+s.b.ID+"/chunks?limit=200"+cursor, &page)
		all = append(all, page.Items...)
		if page.Next == "" {
			return all
		}
		cursor = "&cursor=" + url.QueryEscape(page.Next)
	}
}

// reached counts, by the number of the chunk that a person is in, whom the sandbox says to have
// been reached.
func (s *storm) reached() map[int]int {
	s.t.Helper()
	byChunk := map[int]int{}
	for cursor := ""; ; {
		var page struct {
			Items []struct {
				ID    string `json:"id"`
				Times int    `json:"times"`
			} `json:"items"`
			Next string `json:"next_cursor"`
		}
		s.ask("/sandbox/truth/people?limit=1000&bot="+s.shop.bot+cursor, &page)
		for _, p := range page.Items {
			number, err := strconv.Atoi(strings.TrimPrefix(p.ID, "storm-"))
			if err != nil || stormPerson(number) != p.ID || number >= s.b.Counts.Audience {
				s.t.Fatalf("Kakao reached %q, who is not in the audience", p.ID)
			}
			if p.Times != 1 {
				s.t.Errorf("%s was reached %d times, want once", p.ID, p.Times)
			}
			byChunk[number/100+1]++
		}
		if page.Next == "" {
			return byChunk
		}
		cursor = "&cursor=" + page.Next
	}
}

// judge compares what Kakao did with what malgil says of it, person by person and won by won.
func (s *storm) judge(b broadcast, lost int) {
	s.t.Helper()
	if again := s.truth().Kakao.People.Again; again != 0 {
		s.t.Errorf("%d people were reached more than once, want nobody", again)
	}
	reached := s.reached()
	states, held, delivered, inDoubt := map[string]int{}, int64(0), 0, 0
	for _, c := range s.chunks() {
		number, err := strconv.Atoi(c.ID[len(c.ID)-6:])
		if err != nil {
			s.t.Fatalf("chunk %q has no number", c.ID)
		}
		states[c.State]++
		held, delivered = held+c.Held, delivered+c.Delivered
		switch got := reached[number]; {
		case c.State == "settled" && got == c.Delivered && got == c.People:
		case c.State == "in_doubt" && (got == 0 || got == c.People) && c.Held == 15*int64(c.People):
			inDoubt += c.People
		default:
			s.t.Errorf("chunk %+v: Kakao reached %d of its people", c, got)
		}
	}
	s.t.Logf("kills: %d, with at most %d requests in flight; answers lost: %d; chunks: %v", s.kills, s.inFlight, lost, states)
	if states["settled"]+states["in_doubt"] != b.Chunks.Total || b.Chunks.Total*100 != s.b.Counts.Audience {
		s.t.Errorf("chunks ended as %v, want %d settled or in doubt", states, b.Chunks.Total)
	}
	if most := s.inFlight + lost; states["in_doubt"] > most || states["in_doubt"] < s.kills {
		s.t.Errorf("%d chunks are in doubt, want %d to %d", states["in_doubt"], s.kills, most)
	}
	if b.Counts.Delivered != delivered || b.Counts.InDoubt != inDoubt || delivered+inDoubt != s.b.Counts.Audience {
		s.t.Errorf("the broadcast counts %+v, its chunks %d delivered and %d in doubt", b.Counts, delivered, inDoubt)
	}

	var sums posting
	for _, p := range s.shop.postings() {
		if p.sum() != 0 {
			s.t.Errorf("posting %+v sums to %d, want 0", p, p.sum())
		}
		sums = sums.and(p)
	}
	w := s.shop.see().Balance
	if w.Free != sums.Free || w.Paid != sums.Paid || w.Accrual != -sums.Accrual || w.Charging != -sums.Charging {
		s.t.Errorf("balances %+v, want those of the legs %+v", w, sums)
	}
	if w.Held != held || held != 15*int64(inDoubt) {
		s.t.Errorf("the wallet holds %d KRW, its chunks %d; want %d for the %d in doubt", w.Held, held, 15*inDoubt, inDoubt)
	}
	if want := 15 * int64(delivered); b.Captured != want || sums.Revenue != want {
		s.t.Errorf("captured %d KRW, %d in the ledger; want %d for %d delivered", b.Captured, sums.Revenue, want, delivered)
	}
}
