// Package talk stands in for Kakao: the Event API, the skill calls that Kakao makes, and the
// callback. It keeps its own truth of who got what and how often, and takes nothing from the
// clients under test: shapes and rules are written here once more, from Kakao's texts.
package talk

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/malgil/malgil/internal/clock"
	"github.com/malgil/malgil/internal/sandbox/answer"
	"github.com/malgil/malgil/internal/sandbox/trouble"
)

// Kinds of faults that only the Event API has.
const (
	NoBalance   trouble.Kind = "no_balance"   // status 403: Kakao's own balance is empty
	FailStatus  trouble.Kind = "fail_status"  // status 200 with FAIL, nothing done
	ErrorStatus trouble.Kind = "error_status" // status 200 with ERROR, all done
)

// Faults are the faults of each target of this package.
var Faults = map[string][]trouble.Kind{
	"kakao.send":     append([]trouble.Kind{NoBalance, FailStatus, ErrorStatus}, trouble.Common...),
	"kakao.result":   trouble.Common,
	"kakao.callback": trouble.Common,
}

// Settings of one bot. A bot that was never set takes every key and event and calls no skill.
type Settings struct {
	RestKey     string   `json:"rest_api_key,omitempty"` // empty takes every key
	Events      []string `json:"events,omitempty"`       // names set on its blocks; none takes every name
	SkillURL    string   `json:"skill_url,omitempty"`    // called for every person of an accepted send
	Concurrency int      `json:"skill_concurrency,omitempty"`
	Block       Block    `json:"block"` // the block that the event fires
}

// Block names a block in skill calls.
type Block struct {
	ID   string `json:"id,omitempty"`
	Name string `json:"name,omitempty"`
}

// Options are what the stand-in needs.
type Options struct {
	Clock       *clock.Clock
	Faults      *trouble.Book
	PublicURL   string             // address of callbacks, without a slash at the end; empty is the caller's view
	MayCall     func(string) error // says why an address may not be called
	ResultDelay time.Duration      // how long results are not complete
}

// Kakao is the stand-in. It is safe for concurrent use.
type Kakao struct {
	options Options
	ctx     context.Context
	stop    context.CancelFunc
	calls   sync.WaitGroup // skill calls on their way
	skills  *http.Client

	mu          sync.Mutex
	resultDelay time.Duration
	bots        map[string]*bot
	friends     map[string]bool // registered people by id; see isFriend
	reach       reach
	tasks       []*task
	byID        map[string]*task
	callbacks   map[string]*callback
	issued      []*callback
	traffic     traffic

	callbackBell answer.Bell
	taskBell     answer.Bell
}

type bot struct {
	Settings
	slots chan struct{} // skill calls at a time
}

// New returns a stand-in without bots or people. [Kakao.Close] ends the calls that it makes.
func New(o Options) *Kakao {
	ctx, stop := context.WithCancel(context.Background())
	return &Kakao{
		options: o, ctx: ctx, stop: stop, resultDelay: o.ResultDelay,
		skills: &http.Client{
			Timeout:       SkillLimit,
			Transport:     &http.Transport{MaxIdleConnsPerHost: 256, IdleConnTimeout: 30 * time.Second},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		bots: make(map[string]*bot), friends: make(map[string]bool), reach: newReach(),
		byID: make(map[string]*task), callbacks: make(map[string]*callback),
	}
}

// Close stops the skill calls on their way and waits for them.
func (k *Kakao) Close() {
	k.stop()
	k.calls.Wait()
	k.skills.CloseIdleConnections()
}

// Routes adds Kakao's addresses and those of its admin to a mux.
func (k *Kakao) Routes(mux *http.ServeMux) {
	mux.HandleFunc("POST /v2/bots/{bot}/talk", k.send(talkCall))
	mux.HandleFunc("POST /v2/bots/{bot}/group", k.send(groupCall))
	mux.HandleFunc("GET /v1/tasks/{task}", k.result)
	mux.HandleFunc("POST /v1/bots/{bot}/callback/{token}", k.receiveCallback)

	mux.HandleFunc("PUT /sandbox/bots/{bot}", k.putBot)
	mux.HandleFunc("POST /sandbox/people", k.registerPeople)
	mux.HandleFunc("PUT /sandbox/results", k.putResults)
	mux.HandleFunc("PUT /sandbox/results/{task}", k.recount)
	mux.HandleFunc("POST /sandbox/callbacks", k.issueCallback)
	mux.HandleFunc("POST /sandbox/utterances", k.playUtterance)
	mux.HandleFunc("GET /sandbox/truth/people", k.listPeople)
	mux.HandleFunc("GET /sandbox/truth/tasks", k.listTasks)
	mux.HandleFunc("GET /sandbox/truth/callbacks", k.listCallbacks)
	mux.HandleFunc("GET /sandbox/truth/callbacks/{token}", k.showCallback)
}

// developmentMark ends the bot id of a development channel; both channels are one bot.
const developmentMark = "!"

func plainBot(id string) string { return strings.TrimSuffix(id, developmentMark) }

// settings returns those of a bot; the caller holds the lock.
func (k *Kakao) settings(id string) *bot {
	known, ok := k.bots[plainBot(id)]
	if !ok {
		known = &bot{}
	}
	return known
}

// isFriend tells whether a person added the channel: as registered, else everybody but those
// whose id begins with "stranger-". The caller holds the lock.
func (k *Kakao) isFriend(id string) bool {
	if friend, ok := k.friends[id]; ok {
		return friend
	}
	return !strings.HasPrefix(id, "stranger-")
}

// resolves tells whether Kakao can make a person of an id.
func resolves(id string) bool { return !strings.HasPrefix(id, "unresolvable-") }

// newUUID returns a random identifier in the form of Kakao's task ids.
func newUUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	s := hex.EncodeToString(b[:])
	return s[:8] + "-" + s[8:12] + "-" + s[12:16] + "-" + s[16:20] + "-" + s[20:]
}
