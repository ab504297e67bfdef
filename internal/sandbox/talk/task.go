package talk

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/sandbox/answer"
	"github.com/malgil/malgil/internal/sandbox/trouble"
)

// Reasons in result look-ups. 201 is Kakao's; the number for people who did not add the channel
// is not public, and 100 is ours.
const (
	typeNotFriend = 100
	typeSkill     = 201

	messageNotFriend = "The user has not added the channel."
	messageSkill     = "Bot skill server responded with an HTTP error."
)

// task is one accepted send call. A million people are ten thousand tasks, so ids are kept as
// one text for each.
type task struct {
	id, channel, event string
	at                 time.Time
	people             string // one line each: place of the type in idTypes, then the id
	count              int
	reached            int
	unresolved         int
	failures           []failure
}

type failure struct {
	person    int // index
	errorType int
	message   string
	at        time.Time
}

func (t *task) settled() bool { return t.reached+t.unresolved+len(t.failures) == t.count }

func encodePeople(people []person) string {
	var b strings.Builder
	for _, p := range people {
		b.WriteByte('0' + byte(slices.Index(idTypes, p.Type)))
		b.WriteString(p.ID)
		b.WriteByte('\n')
	}
	return b.String()
}

func decodePerson(line string) person {
	return person{Type: idTypes[line[0]-'0'], ID: line[1:]}
}

func (t *task) persons() []person {
	all := make([]person, 0, t.count)
	for line := range strings.Lines(t.people) {
		all = append(all, decodePerson(strings.TrimSuffix(line, "\n")))
	}
	return all
}

// accept makes a call true: from here on its messages are out, or on their way to the skill.
func (k *Kakao) accept(channel string, r sendRequest) *task {
	now := k.options.Clock.Now()
	t := &task{id: newUUID(), channel: channel, event: r.Event.Name, at: now, people: encodePeople(r.User), count: len(r.User)}
	var echo []int
	k.mu.Lock()
	settings := k.settings(channel)
	k.traffic.Accepted++
	k.tasks = append(k.tasks, t)
	k.byID[t.id] = t
	for i, p := range r.User {
		switch {
		case !resolves(p.ID):
			t.unresolved++
		case !k.isFriend(p.ID):
			t.failures = append(t.failures, failure{i, typeNotFriend, messageNotFriend, now})
		case settings.SkillURL != "":
			echo = append(echo, i)
		default:
			t.reached++
			k.reach.add(channel, p)
		}
	}
	k.mu.Unlock()
	k.taskBell.Ring()
	if len(echo) > 0 {
		k.echo(t, settings, r, echo)
	}
	return t
}

// skillDone ends the message of one person whose block asked a skill.
func (k *Kakao) skillDone(t *task, index int, p person, err error) {
	k.mu.Lock()
	if err != nil {
		t.failures = append(t.failures, failure{index, typeSkill, messageSkill, k.options.Clock.Now()})
	} else {
		t.reached++
		k.reach.add(t.channel, p)
	}
	k.mu.Unlock()
	k.taskBell.Ring()
}

type resultAnswer struct {
	TaskID     string `json:"taskId"`
	Status     string `json:"status"`
	All        int    `json:"allRequestCount"`
	Success    int    `json:"successCount"`
	Unresolved int    `json:"userKeyResolvingFailCount,omitempty"`
	Fail       struct {
		Count int             `json:"count"`
		List  []failureAnswer `json:"list"`
	} `json:"fail"`
}

type failureAnswer struct {
	UserID    string `json:"userId"`
	Type      string `json:"reqUserType"`
	CreatedAt int64  `json:"createdAt"` // seconds
	ErrorMsg  struct {
		Type    int    `json:"errorType"`
		Message string `json:"msg"`
	} `json:"errorMsg"`
}

// someBots reports whether a key is that of some bot; any is while no bot is known. The caller holds the lock.
func (k *Kakao) someBots(authorization string) bool {
	for _, known := range k.bots {
		if authorized(known, authorization) {
			return true
		}
	}
	return len(k.bots) == 0
}

// result is GET /v1/tasks/{task}.
func (k *Kakao) result(w http.ResponseWriter, r *http.Request) {
	k.mu.Lock()
	t := k.byID[r.PathValue("task")]
	var settings *bot
	if t != nil {
		settings = k.settings(t.channel)
	}
	anybodys := k.someBots(r.Header.Get("Authorization"))
	k.mu.Unlock()
	subject := trouble.Subject{}
	if t != nil {
		subject.Bot = plainBot(t.channel)
	}
	hit := k.options.Faults.Take("kakao.result", subject)
	hit.Before(r)
	if refusedByFault(w, hit) {
		return
	}
	switch {
	case t == nil && !anybodys:
		kakaoError(w, http.StatusUnauthorized, "the REST API key is not accepted")
		return
	case t == nil:
		kakaoError(w, http.StatusNotFound, "no such task")
		return
	case !authorized(settings, r.Header.Get("Authorization")):
		kakaoError(w, http.StatusUnauthorized, "the REST API key is not accepted")
		return
	}
	if hit.After(w, r) {
		return
	}
	answer.JSON(w, http.StatusOK, k.resultOf(t))
}

// resultOf reads a task as Kakao tells it: nothing is known of it before the delay is over.
func (k *Kakao) resultOf(t *task) resultAnswer {
	k.mu.Lock()
	defer k.mu.Unlock()
	result := resultAnswer{TaskID: t.id, All: t.count}
	result.Fail.List = []failureAnswer{}
	if !k.options.Clock.Now().Before(t.at.Add(k.resultDelay)) {
		people := t.persons()
		result.Success, result.Unresolved = t.reached, t.unresolved
		result.Fail.Count = t.unresolved + len(t.failures)
		for _, f := range t.failures {
			told := failureAnswer{UserID: people[f.person].ID, Type: people[f.person].Type, CreatedAt: f.at.Unix()}
			told.ErrorMsg.Type, told.ErrorMsg.Message = f.errorType, f.message
			result.Fail.List = append(result.Fail.List, told)
		}
	}
	result.Status = "ALL SUCCESS"
	if result.Fail.Count > 0 {
		result.Status = fmt.Sprintf("%d FAIL", result.Fail.Count)
	}
	return result
}

// putResults is PUT /sandbox/results: how long after a send its result is complete.
func (k *Kakao) putResults(w http.ResponseWriter, r *http.Request) {
	var settings struct {
		DelaySeconds float64 `json:"delay_seconds"`
	}
	if err := answer.Read(r, &settings); err != nil {
		answer.Problem(w, err)
		return
	}
	k.mu.Lock()
	k.resultDelay = time.Duration(settings.DelaySeconds * float64(time.Second))
	k.mu.Unlock()
	answer.JSON(w, http.StatusOK, settings)
}

// recount is PUT /sandbox/results/{task}: Kakao says from now on that so many were reached. Whom the
// message reached stays as it is.
func (k *Kakao) recount(w http.ResponseWriter, r *http.Request) {
	var order struct {
		Delivered int `json:"delivered"`
	}
	if err := answer.Read(r, &order); err != nil {
		answer.Problem(w, err)
		return
	}
	k.mu.Lock()
	t := k.byID[r.PathValue("task")]
	var err error
	switch {
	case t == nil:
		err = fault.New(fault.NotFound, "no such task")
	case order.Delivered < 0 || order.Delivered > t.count-t.unresolved:
		err = fault.Field("delivered", "must be 0 to %d", t.count-t.unresolved)
	default:
		t.countAs(order.Delivered, k.options.Clock.Now())
	}
	k.mu.Unlock()
	if err != nil {
		answer.Problem(w, err)
		return
	}
	answer.JSON(w, http.StatusOK, k.resultOf(t))
}

// countAs makes so many of the people reached, the first of them; the others are failures.
func (t *task) countAs(reached int, now time.Time) {
	t.reached, t.failures = reached, nil
	left := reached
	for i, p := range t.persons() {
		switch {
		case !resolves(p.ID):
		case left > 0:
			left--
		default:
			t.failures = append(t.failures, failure{i, typeSkill, messageSkill, now})
		}
	}
}
