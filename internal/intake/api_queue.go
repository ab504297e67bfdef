package intake

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/malgil/malgil/internal/access"
	"github.com/malgil/malgil/internal/backlog"
	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/tasks"
)

func (s *Server) addQueues() {
	const group = "Queues"
	missing := []int{http.StatusNotFound}
	decides := append(missing, http.StatusConflict)
	add(s, operation{route: "GET /api/v1/queues", id: "list-queues", group: group, summary: "Show how each queue stands"}, s.listQueues)
	add(s, operation{route: "PUT /api/v1/queues/{queue}/pause", id: "pause-queue", group: group, summary: "Have nothing taken from a queue until a time", errors: decides}, s.pauseQueue)
	add(s, operation{route: "DELETE /api/v1/queues/{queue}/pause", id: "resume-queue", group: group, summary: "Have tasks taken from a queue again", status: http.StatusNoContent, errors: decides}, s.resumeQueue)
	add(s, operation{route: "GET /api/v1/dead-tasks", id: "list-dead-tasks", group: group, summary: "List tasks that died, the latest first"}, s.listDead)
	add(s, operation{route: "GET /api/v1/dead-tasks/groups", id: "list-dead-groups", group: group, summary: "Count the dead tasks about which nothing is decided by type and cause"}, s.listDeadGroups)
	add(s, operation{route: "POST /api/v1/dead-tasks/retry", id: "retry-dead-tasks", group: group, summary: "Give the rows of dead tasks another task", errors: decides}, s.retryDead)
	add(s, operation{route: "POST /api/v1/dead-tasks/discard", id: "discard-dead-tasks", group: group, summary: "Note that dead tasks were seen", errors: decides}, s.discardDead)
}

// reasoned returns why the caller says that he does something, for what nobody does without a reason.
func reasoned(ctx context.Context) (string, error) {
	if deed := access.DeedOf(ctx); deed != nil && deed.Reason != "" {
		return deed.Reason, nil
	}
	return "", fault.Field("header."+reasonHeader, "is missing; say why, for whoever finds it so: it stands in the audit log")
}

// queuePauseView is a queue from which nothing is to be taken.
type queuePauseView struct {
	Queue  string    `json:"queue"`
	Until  time.Time `json:"until"`
	Since  time.Time `json:"since"`
	Reason string    `json:"reason"`
	By     string    `json:"by" doc:"Account, or token of the platform's own"`
}

func viewQueuePause(p backlog.Pause) queuePauseView {
	return queuePauseView{Queue: p.Queue, Until: p.Until, Since: p.Since, Reason: p.Reason, By: p.By}
}

// queueView is how a queue stands.
type queueView struct {
	Queue     string          `json:"queue"`
	Pending   int64           `json:"pending"`
	Active    int64           `json:"active"`
	Scheduled int64           `json:"scheduled"`
	Retry     int64           `json:"retry" doc:"Failed, and to be run again"`
	Archived  int64           `json:"archived" doc:"What Redis keeps of those that died"`
	Oldest    float64         `json:"oldest_waiting_seconds"`
	Dead      int             `json:"dead" doc:"Died, and nothing is decided"`
	Pause     *queuePauseView `json:"pause,omitempty"`
	Stands    bool            `json:"stands" doc:"Servers take nothing from it; it agrees with pause within seconds"`
}

type queueList struct {
	Items []queueView `json:"items" nullable:"false"`
}

func (s *Server) listQueues(ctx context.Context, _ *none) (*body[queueList], error) {
	pauses, err := s.services.Backlog.Pauses(ctx)
	if err != nil {
		return nil, err
	}
	groups, err := s.services.Backlog.DeadGroups(ctx)
	if err != nil {
		return nil, err
	}
	stands, err := s.services.Queues.Paused(ctx, tasks.Queues)
	if err != nil {
		return nil, fault.Wrap(fault.Unavailable, err, "Redis does not answer; try again")
	}
	loads, err := s.services.Queues.Loads(ctx, tasks.Queues)
	if err != nil {
		return nil, fault.Wrap(fault.Unavailable, err, "Redis does not answer; try again")
	}
	list := queueList{Items: make([]queueView, 0, len(tasks.Queues))}
	for _, name := range tasks.Queues {
		load := loads[name]
		v := queueView{
			Queue: name, Pending: load.Pending, Active: load.Active, Scheduled: load.Scheduled, Retry: load.Retry, Archived: load.Archived,
			Oldest: load.Oldest.Seconds(), Stands: stands[name],
		}
		for _, g := range groups {
			if g.Queue == name {
				v.Dead += g.Tasks
			}
		}
		if i := slices.IndexFunc(pauses, func(p backlog.Pause) bool { return p.Queue == name }); i >= 0 {
			pause := viewQueuePause(pauses[i])
			v.Pause = &pause
		}
		list.Items = append(list.Items, v)
	}
	return reply(list), nil
}

// ByQueue is the input of a route about a queue.
type ByQueue struct {
	Queue string `path:"queue" maxLength:"64"`
}

func (q ByQueue) known() error {
	if !slices.Contains(tasks.Queues, q.Queue) {
		return fault.New(fault.NotFound, "there is no queue %q; there are %s", q.Queue, strings.Join(tasks.Queues, ", "))
	}
	return nil
}

// longestSilence bounds a pause of a queue of utterances, which are worth nothing after a minute and are kept nowhere else.
const longestSilence = 10 * time.Minute

type pauseQueueInput struct {
	ByQueue
	Body struct {
		Until time.Time `json:"until" doc:"Within 7 days; within 10 minutes for reply and echo"`
		Force bool      `json:"force,omitempty" doc:"Also a queue at which people wait for answers: reply and echo"`
	}
}

func (s *Server) pauseQueue(ctx context.Context, in *pauseQueueInput) (*body[queuePauseView], error) {
	reason, err := reasoned(ctx)
	if err != nil {
		return nil, err
	}
	if err := in.known(); err != nil {
		return nil, err
	}
	if in.Queue == tasks.QueueReply || in.Queue == tasks.QueueEcho {
		switch {
		case !in.Body.Force:
			return nil, fault.Coded(fault.Conflict, "PEOPLE_WAIT", "people wait for the answers of queue %s, and would be told to try later; force it if that is meant", in.Queue)
		case in.Body.Until.After(s.config.Now().Add(longestSilence)):
			return nil, fault.Field("until", "must be within 10 minutes: what people say meanwhile waits in Redis")
		}
	}
	p := backlog.Pause{Queue: in.Queue, Until: in.Body.Until, Since: s.config.Now(), Reason: reason, By: actorOf(ctx)}
	if err := p.Check(); err != nil {
		return nil, err
	}
	if p, err = s.services.Backlog.PutPause(ctx, p); err != nil {
		return nil, err
	}
	s.stop(ctx, p.Queue, true)
	return reply(viewQueuePause(p)), nil
}

func (s *Server) resumeQueue(ctx context.Context, in *ByQueue) (*none, error) {
	if _, err := reasoned(ctx); err != nil {
		return nil, err
	}
	if err := in.known(); err != nil {
		return nil, err
	}
	if err := s.services.Backlog.DropPause(ctx, in.Queue); err != nil {
		return nil, err
	}
	s.stop(ctx, in.Queue, false)
	return nil, nil
}

// afterwards is how long Redis is waited for when the rows are committed: whoever called is told so soon, and what
// is not done by then is done without him.
const afterwards = time.Second

// stop stops a queue at once, or lets it go. The row is committed; the sweep does what fails here.
func (s *Server) stop(ctx context.Context, name string, paused bool) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), afterwards)
	defer cancel()
	if err := s.services.Queues.SetPaused(ctx, name, paused); err != nil {
		s.log.WarnContext(ctx, "queue not stopped or let go at once", "pool", name, "err", err)
	}
}

// deadView is a task that died.
type deadView struct {
	ID        string        `json:"id"`
	Queue     string        `json:"queue"`
	Type      string        `json:"type"`
	Task      string        `json:"task" doc:"Id of the task"`
	Row       string        `json:"row,omitempty" doc:"The row that it pointed at, such as a chunk"`
	Epoch     int           `json:"epoch,omitempty" doc:"Of the row"`
	Cause     backlog.Cause `json:"cause"`
	Error     string        `json:"error,omitempty" doc:"Of its last run"`
	Retried   int           `json:"retried"`
	DiedAt    time.Time     `json:"died_at"`
	State     backlog.State `json:"state" enum:"dead,retried,discarded"`
	DecidedAt time.Time     `json:"decided_at,omitzero"`
	DecidedBy string        `json:"decided_by,omitempty" doc:"Account, or token of the platform's own"`
}

func viewDead(d backlog.Dead) deadView {
	return deadView{
		ID: d.ID, Queue: d.Queue, Type: d.Type, Task: d.TaskID, Row: d.RowID, Epoch: d.Epoch, Cause: d.Cause, Error: d.Error, Retried: d.Retried,
		DiedAt: d.DiedAt, State: d.State, DecidedAt: d.DecidedAt, DecidedBy: d.DecidedBy,
	}
}

type listDeadInput struct {
	Paged
	State string `query:"state" enum:"dead,retried,discarded" doc:"Only those in a state"`
	Queue string `query:"queue" maxLength:"64" doc:"Only those of a queue"`
	Type  string `query:"type" maxLength:"64" doc:"Only those of a type, such as mail:send"`
	Cause string `query:"cause" maxLength:"64" doc:"Only those of a cause, such as panic"`
}

func (s *Server) listDead(ctx context.Context, in *listDeadInput) (*body[page[deadView]], error) {
	var before string
	if err := in.after(&before); err != nil {
		return nil, err
	}
	if in.Cause != "" && !slices.Contains(backlog.Causes, backlog.Cause(in.Cause)) {
		return nil, fault.Field("query.cause", "is none of the causes of death")
	}
	f := backlog.Filter{State: backlog.State(in.State), Queue: in.Queue, Type: in.Type, Cause: backlog.Cause(in.Cause)}
	dead, err := s.services.Backlog.DeadTasks(ctx, f, before, in.Limit+1)
	if err != nil {
		return nil, err
	}
	return pageOf(in.Paged, dead, func(d backlog.Dead) any { return d.ID }, viewDead)
}

// deadGroupView is how many tasks died of one cause.
type deadGroupView struct {
	Queue  string        `json:"queue"`
	Type   string        `json:"type"`
	Cause  backlog.Cause `json:"cause"`
	Tasks  int           `json:"tasks"`
	First  time.Time     `json:"first_at"`
	Latest time.Time     `json:"latest_at"`
	Error  string        `json:"error,omitempty" doc:"Of the latest"`
}

type deadGroupList struct {
	Items []deadGroupView `json:"items" nullable:"false"`
}

func (s *Server) listDeadGroups(ctx context.Context, _ *none) (*body[deadGroupList], error) {
	groups, err := s.services.Backlog.DeadGroups(ctx)
	if err != nil {
		return nil, err
	}
	list := deadGroupList{Items: make([]deadGroupView, len(groups))}
	for i, g := range groups {
		list.Items[i] = deadGroupView{Queue: g.Queue, Type: g.Type, Cause: g.Cause, Tasks: g.Tasks, First: g.First, Latest: g.Last, Error: g.Error}
	}
	return reply(list), nil
}

type decideDeadInput struct {
	Body struct {
		IDs   []string `json:"ids,omitempty" maxItems:"500" doc:"Dead tasks: all of them are decided about, or none"`
		Type  string   `json:"type,omitempty" maxLength:"64" doc:"With cause, in place of ids: those of a group that can be decided about, at most 500 at once"`
		Cause string   `json:"cause,omitempty" maxLength:"64"`
		After string   `json:"after,omitempty" maxLength:"64" doc:"next of the answer before, to go on in the group"`
	}
}

// decidedDeadView is what a decision about dead tasks came to.
type decidedDeadView struct {
	Items []deadView `json:"items" nullable:"false"`
	Left  int        `json:"left" doc:"Of the group: left as they are, since their rows wait no more, or wait for the sweep"`
	Next  string     `json:"next,omitempty" doc:"The group goes on after it"`
}

// decideDead has something decided about dead tasks that a caller names.
func (s *Server) decideDead(ctx context.Context, in *decideDeadInput,
	decide func(context.Context, backlog.Pick, backlog.Decision) (backlog.Outcome, error),
) (backlog.Outcome, error) {
	if _, err := reasoned(ctx); err != nil {
		return backlog.Outcome{}, err
	}
	p := backlog.Pick{IDs: in.Body.IDs, Type: in.Body.Type, Cause: backlog.Cause(in.Body.Cause), After: in.Body.After}
	if err := p.Check(); err != nil {
		return backlog.Outcome{}, err
	}
	return decide(ctx, p, backlog.Decision{By: actorOf(ctx), At: s.config.Now()})
}

func viewDecidedDead(o backlog.Outcome) *body[decidedDeadView] {
	v := decidedDeadView{Items: make([]deadView, len(o.Done)), Left: o.Left, Next: o.Next}
	for i, d := range o.Done {
		v.Items[i] = viewDead(d)
	}
	return reply(v)
}

func (s *Server) retryDead(ctx context.Context, in *decideDeadInput) (*body[decidedDeadView], error) {
	o, err := s.decideDead(ctx, in, s.services.Backlog.RetryDead)
	if err != nil {
		return nil, err
	}
	return viewDecidedDead(o), nil
}

func (s *Server) discardDead(ctx context.Context, in *decideDeadInput) (*body[decidedDeadView], error) {
	o, err := s.decideDead(ctx, in, s.services.Backlog.DiscardDead)
	if err != nil {
		return nil, err
	}
	byQueue := map[string][]string{}
	for _, d := range o.Done {
		byQueue[d.Queue] = append(byQueue[d.Queue], d.TaskID)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), afterwards)
	defer cancel()
	for name, ids := range byQueue {
		if _, err := s.services.Queues.Bury(ctx, name, ids); err != nil { // they are trimmed in a week
			s.log.WarnContext(ctx, "discarded tasks not deleted from their archive", "pool", name, "err", err)
		}
	}
	return viewDecidedDead(o), nil
}
