package talk

import (
	"crypto/sha256"
	"net/http"
	"time"

	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/sandbox/answer"
)

// reach counts how often each person of a bot got a message. People are kept as 16 bytes of a
// hash, so that a million of them stay small; only those reached more than once keep their name.
type reach struct {
	times    map[[16]byte]uint32
	messages int
	again    map[[16]byte]string // reached more than once, by name
}

func newReach() reach {
	return reach{times: make(map[[16]byte]uint32), again: make(map[[16]byte]string)}
}

func reachKey(channel string, p person) [16]byte {
	sum := sha256.Sum256([]byte(plainBot(channel) + "\x00" + p.Type + "\x00" + p.ID))
	return [16]byte(sum[:16])
}

func (r *reach) add(channel string, p person) {
	key := reachKey(channel, p)
	times := r.times[key] + 1
	r.times[key] = times
	r.messages++
	if times == 2 {
		r.again[key] = p.ID
	}
}

const sampleSize = 20

// PeopleTruth says how many people got how much.
type PeopleTruth struct {
	Reached int      `json:"reached"`       // different people
	Again   int      `json:"reached_again"` // of them: more than once
	Sample  []string `json:"reached_again_sample"`
}

// Truth is what happened at Kakao.
type Truth struct {
	People    PeopleTruth    `json:"people"`
	Messages  int            `json:"messages"` // delivered
	Sends     traffic        `json:"sends"`
	Tasks     map[string]int `json:"tasks"`
	Callbacks map[string]int `json:"callbacks"`
}

// Truth sums up what happened.
func (k *Kakao) Truth() Truth {
	k.mu.Lock()
	defer k.mu.Unlock()
	truth := Truth{
		People: PeopleTruth{Reached: len(k.reach.times), Again: len(k.reach.again), Sample: []string{}}, Messages: k.reach.messages,
		Sends:     k.traffic,
		Tasks:     map[string]int{"all": len(k.tasks), "settled": 0, "failed_people": 0, "unresolved_people": 0},
		Callbacks: map[string]int{"issued": len(k.issued), "received": 0, "shown": 0},
	}
	for _, id := range k.reach.again {
		if len(truth.People.Sample) == sampleSize {
			break
		}
		truth.People.Sample = append(truth.People.Sample, id)
	}
	for _, t := range k.tasks {
		if t.settled() {
			truth.Tasks["settled"]++
		}
		truth.Tasks["failed_people"] += len(t.failures)
		truth.Tasks["unresolved_people"] += t.unresolved
	}
	for _, c := range k.issued {
		truth.Callbacks["received"] += len(c.received)
		if truthOf(c).Shown {
			truth.Callbacks["shown"]++
		}
	}
	return truth
}

type personTruth struct {
	Bot   string `json:"bot"`
	Type  string `json:"type"`
	ID    string `json:"id"`
	Times int    `json:"times"`
	Task  string `json:"task,omitempty"`
}

// listPeople is GET /sandbox/truth/people: one person with ?bot= and ?id= (and ?type=), else
// everybody whom a send call named, task by task; the cursor counts tasks.
func (k *Kakao) listPeople(w http.ResponseWriter, r *http.Request) {
	page, err := answer.ReadPage(r)
	if err != nil {
		answer.Problem(w, err)
		return
	}
	bot, id := plainBot(r.FormValue("bot")), r.FormValue("id")
	switch {
	case id == "":
		found, next := k.everybody(bot, page)
		answer.Items(w, found, next)
	case bot == "":
		answer.Problem(w, fault.Field("bot", "bot is required with id"))
	default:
		answer.Items(w, k.onePerson(bot, id, r.FormValue("type")), 0)
	}
}

// onePerson finds an id under each of the types it was reached by; a type that is asked for is
// told also when nothing came.
func (k *Kakao) onePerson(bot, id, only string) (found []personTruth) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, idType := range idTypes {
		times := k.reach.times[reachKey(bot, person{Type: idType, ID: id})]
		if only == idType || (only == "" && times > 0) {
			found = append(found, personTruth{Bot: bot, Type: idType, ID: id, Times: int(times)})
		}
	}
	return found
}

// everybody finds the people of whole tasks, about as many as the page takes.
func (k *Kakao) everybody(bot string, page answer.Page) (found []personTruth, next int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for i := page.From; i < len(k.tasks); i++ {
		t := k.tasks[i]
		if len(found) > 0 && len(found)+t.count > max(page.Limit, maxPeople) {
			return found, i
		}
		if bot != "" && plainBot(t.channel) != bot {
			continue
		}
		for _, p := range t.persons() {
			found = append(found, personTruth{
				Bot: t.channel, Type: p.Type, ID: p.ID, Task: t.id, Times: int(k.reach.times[reachKey(t.channel, p)]),
			})
		}
	}
	return found, 0
}

type taskTruth struct {
	ID         string    `json:"id"`
	Bot        string    `json:"bot"` // with the mark of the development channel
	Event      string    `json:"event"`
	At         time.Time `json:"at"`
	People     int       `json:"people"`
	Reached    int       `json:"reached"`
	Failed     int       `json:"failed"`
	Unresolved int       `json:"unresolved"`
	Settled    bool      `json:"settled"`
}

// listTasks is GET /sandbox/truth/tasks, ?bot= narrows it; with ?wait_seconds= it waits until
// every task is settled.
func (k *Kakao) listTasks(w http.ResponseWriter, r *http.Request) {
	page, err := answer.ReadPage(r)
	if err != nil {
		answer.Problem(w, err)
		return
	}
	wait, err := answer.ReadWait(r)
	if err != nil {
		answer.Problem(w, err)
		return
	}
	bot := plainBot(r.FormValue("bot"))
	k.taskBell.Until(r.Context(), wait, func() bool {
		k.mu.Lock()
		defer k.mu.Unlock()
		for _, t := range k.tasks {
			if (bot == "" || plainBot(t.channel) == bot) && !t.settled() {
				return false
			}
		}
		return true
	})
	found, next := k.findTasks(bot, page)
	answer.Items(w, found, next)
}

func (k *Kakao) findTasks(bot string, page answer.Page) (found []taskTruth, next int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for i := page.From; i < len(k.tasks); i++ {
		t := k.tasks[i]
		if bot != "" && plainBot(t.channel) != bot {
			continue
		}
		if len(found) == page.Limit {
			return found, i
		}
		found = append(found, taskTruth{
			ID: t.id, Bot: t.channel, Event: t.event, At: t.at, People: t.count, Reached: t.reached,
			Failed: len(t.failures), Unresolved: t.unresolved, Settled: t.settled(),
		})
	}
	return found, 0
}
