package intake

import (
	"context"
	"net/http"
	"time"

	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/store"
)

type scheduleView struct {
	ID           broadcast.ScheduleID    `json:"id"`
	Name         string                  `json:"name,omitempty"`
	Bot          string                  `json:"bot"`
	Channel      broadcast.Side          `json:"channel"`
	Event        eventView               `json:"event"`
	Params       map[string]any          `json:"params,omitempty"`
	Variables    map[string]string       `json:"variables,omitempty" doc:"What was filled in for everybody"`
	Properties   map[string]string       `json:"properties,omitempty" doc:"What is filled in for each person"`
	Audience     broadcast.AudienceID    `json:"audience"`
	Cron         string                  `json:"cron"`
	Zone         string                  `json:"zone"`
	Overlap      broadcast.Overlap       `json:"overlap"`
	CatchUp      int64                   `json:"catch_up_seconds"`
	Until        time.Time               `json:"until,omitzero"`
	ExpiresAfter int64                   `json:"expires_after_seconds,omitempty"`
	OnDoubt      broadcast.OnDoubt       `json:"on_doubt"`
	Purpose      broadcast.Purpose       `json:"purpose"`
	State        broadcast.ScheduleState `json:"state"`
	NextAt       time.Time               `json:"next_at,omitzero" doc:"Its next time; absent while it is not active, and when there is none any more"`
	CreatedAt    time.Time               `json:"created_at"`
	CreatedBy    string                  `json:"created_by,omitempty" doc:"Account, or a token that stands for nobody: none of its broadcasts is approved by that person"`
}

func viewSchedule(s broadcast.Schedule) scheduleView {
	return scheduleView{
		ID: s.ID, Name: s.Name, Bot: s.BotID, Channel: s.Side, Event: eventView{Name: s.Message.Event, Data: s.Message.Data}, Params: s.Message.Params,
		Variables: s.Personal.Variables, Properties: s.Personal.Properties,
		Audience: s.Audience, Cron: s.Cron, Zone: s.Zone, Overlap: s.Overlap, CatchUp: int64(s.Window / time.Second), Until: s.Until,
		ExpiresAfter: int64(s.ExpiresAfter / time.Second), OnDoubt: s.OnDoubt, Purpose: s.Purpose, State: s.State, NextAt: s.NextAt, CreatedAt: s.CreatedAt, CreatedBy: s.CreatedBy,
	}
}

func (s *Server) addSchedules() {
	const group = "Schedules"
	missing, conflict := []int{http.StatusNotFound}, []int{http.StatusNotFound, http.StatusConflict}
	add(s, operation{route: "POST /api/v1/schedules", id: "create-schedule", group: group, summary: "Order a broadcast to a named audience again and again", status: http.StatusCreated, errors: conflict}, s.createSchedule)
	add(s, operation{route: "GET /api/v1/schedules", id: "list-schedules", group: group, summary: "List schedules in the order in which they were made"}, s.listSchedules)
	add(s, operation{route: "GET /api/v1/schedules/preview", id: "preview-schedule", group: group, summary: "Tell the next times of a cron expression"}, s.previewSchedule)
	add(s, operation{route: "GET /api/v1/schedules/{id}", id: "get-schedule", group: group, summary: "Show a schedule", errors: missing}, s.getSchedule)
	add(s, operation{route: "PATCH /api/v1/schedules/{id}", id: "change-schedule", group: group, summary: "Change what is given of a schedule; what has begun stays as it is", errors: conflict}, s.changeSchedule)
	add(s, operation{route: "DELETE /api/v1/schedules/{id}", id: "delete-schedule", group: group, summary: "End a schedule for good; what has begun goes on", status: http.StatusNoContent, errors: missing}, s.deleteSchedule)
	add(s, operation{route: "GET /api/v1/schedules/{id}/next", id: "list-schedule-times", group: group, summary: "Tell the next times of a schedule", errors: missing}, s.nextOfSchedule)
	add(s, operation{route: "GET /api/v1/schedules/{id}/runs", id: "list-schedule-runs", group: group, summary: "List what became of the times of a schedule, newest first", errors: missing}, s.listRuns)
	for _, step := range []struct {
		word, summary string
		do            func(context.Context, broadcast.ScheduleID) (broadcast.Schedule, error)
	}{
		{"pause", "Have a schedule rest; what has begun goes on", s.services.Schedules.Pause},
		{"resume", "Have a paused schedule go on with its next time", s.services.Schedules.Resume},
	} {
		add(s, operation{route: "POST /api/v1/schedules/{id}/" + step.word, id: step.word + "-schedule", group: group, summary: step.summary, errors: conflict},
			func(ctx context.Context, in *ByID) (*body[scheduleView], error) {
				schedule, err := step.do(ctx, broadcast.ScheduleID(in.ID))
				if err != nil {
					return nil, err
				}
				return reply(viewSchedule(schedule)), nil
			})
	}
}

type createScheduleInput struct {
	Keyed
	RawBody []byte
	Body    struct {
		Bot          string            `json:"bot"`
		Channel      string            `json:"channel,omitempty" enum:"live,development" doc:"live, when left out"`
		Name         string            `json:"name,omitempty" doc:"For people, also of its broadcasts; at most 200 characters"`
		Event        eventView         `json:"event"`
		Params       map[string]any    `json:"params,omitempty" doc:"Becomes userRequest.params of the block's skill"`
		Variables    map[string]string `json:"variables,omitempty" doc:"As of a broadcast"`
		Properties   map[string]string `json:"properties,omitempty" doc:"As of a broadcast; who lacks a word is left out"`
		Audience     string            `json:"audience" maxLength:"64" doc:"Named audience of the bot; each broadcast takes its people as they are when it begins"`
		Cron         string            `json:"cron" doc:"Minute, hour, day of month, month and day of week, or @daily and the like"`
		Zone         string            `json:"zone,omitempty" doc:"By whose clock, as IANA names it; Asia/Seoul, when left out"`
		Overlap      string            `json:"overlap,omitempty" enum:"skip,queue" doc:"What becomes of a time that comes before the broadcast of the one before is finished: it is left out, or waits for that; skip, when left out"`
		CatchUp      int64             `json:"catch_up_seconds,omitempty" minimum:"0" maximum:"604800" doc:"How long after its time a broadcast may still begin; 3600, when left out"`
		Until        time.Time         `json:"until,omitzero" doc:"The last moment at which it may send; without end, when left out"`
		ExpiresAfter int64             `json:"expires_after_seconds,omitempty" minimum:"0" maximum:"2592000" doc:"Who was not sent to so long after a broadcast began is skipped"`
		OnDoubt      string            `json:"on_doubt,omitempty" enum:"hold,assume_sent" doc:"As of a broadcast; hold, when left out"`
		Purpose      string            `json:"purpose,omitempty" enum:"info,ad" doc:"As of a broadcast; info, when left out"`
	}
}

func (s *Server) createSchedule(ctx context.Context, in *createScheduleInput) (*created[scheduleView], error) {
	r, err := in.request(ctx, "schedule", in.RawBody)
	if err != nil {
		return nil, err
	}
	schedule, err := s.services.Schedules.Create(ctx, broadcast.ScheduleOrder{
		BotID: in.Body.Bot, Side: broadcast.Side(in.Body.Channel), Name: in.Body.Name,
		Message:  broadcast.Message{Event: in.Body.Event.Name, Data: in.Body.Event.Data, Params: in.Body.Params},
		Personal: broadcast.Personal{Variables: in.Body.Variables, Properties: in.Body.Properties},
		Audience: broadcast.AudienceID(in.Body.Audience), Cron: in.Body.Cron, Zone: in.Body.Zone, Overlap: broadcast.Overlap(in.Body.Overlap),
		Window: time.Duration(in.Body.CatchUp) * time.Second, Until: in.Body.Until.UTC(), ExpiresAfter: time.Duration(in.Body.ExpiresAfter) * time.Second,
		OnDoubt: broadcast.OnDoubt(in.Body.OnDoubt), Purpose: broadcast.Purpose(in.Body.Purpose), By: actorOf(ctx),
	}, r)
	if err != nil {
		return nil, err
	}
	return &created[scheduleView]{Location: "/api/v1/schedules/" + string(schedule.ID), Body: viewSchedule(schedule)}, nil
}

type changeScheduleInput struct {
	ByID
	Body struct {
		Name         *string               `json:"name,omitempty" doc:"At most 200 characters"`
		Event        *eventView            `json:"event,omitempty" doc:"All that it sends, with params, variables and properties: what is left out of these is gone"`
		Params       map[string]any        `json:"params,omitempty"`
		Variables    map[string]string     `json:"variables,omitempty"`
		Properties   map[string]string     `json:"properties,omitempty"`
		Audience     *broadcast.AudienceID `json:"audience,omitempty" maxLength:"64"`
		Cron         *string               `json:"cron,omitempty"`
		Zone         *string               `json:"zone,omitempty"`
		Overlap      *broadcast.Overlap    `json:"overlap,omitempty" enum:"skip,queue"`
		CatchUp      *int64                `json:"catch_up_seconds,omitempty" minimum:"60" maximum:"604800"`
		Until        *time.Time            `json:"until,omitempty"`
		Endless      bool                  `json:"endless,omitempty" doc:"Takes until away"`
		ExpiresAfter *int64                `json:"expires_after_seconds,omitempty" minimum:"0" maximum:"2592000"`
		OnDoubt      *broadcast.OnDoubt    `json:"on_doubt,omitempty" enum:"hold,assume_sent"`
		Purpose      *broadcast.Purpose    `json:"purpose,omitempty" enum:"info,ad"`
	}
}

func (s *Server) changeSchedule(ctx context.Context, in *changeScheduleInput) (*body[scheduleView], error) {
	b := in.Body
	c := broadcast.ScheduleChange{Name: b.Name, Audience: b.Audience, Cron: b.Cron, Zone: b.Zone, Overlap: b.Overlap,
		Window: seconds(b.CatchUp), ExpiresAfter: seconds(b.ExpiresAfter), OnDoubt: b.OnDoubt, Purpose: b.Purpose, By: actorOf(ctx)}
	switch {
	case b.Event != nil:
		c.Text = &broadcast.ScheduleText{Message: broadcast.Message{Event: b.Event.Name, Data: b.Event.Data, Params: b.Params},
			Personal: broadcast.Personal{Variables: b.Variables, Properties: b.Properties}}
	case b.Params != nil || b.Variables != nil || b.Properties != nil:
		return nil, fault.Field("event", "is missing; give all that it sends, with params, variables and properties")
	}
	switch {
	case b.Endless && b.Until != nil:
		return nil, fault.Field("endless", "is not true of one that has until; give one of them")
	case b.Endless:
		c.Until = new(time.Time)
	case b.Until != nil:
		until := b.Until.UTC()
		c.Until = &until
	}
	schedule, err := s.services.Schedules.Change(ctx, broadcast.ScheduleID(in.ID), c)
	if err != nil {
		return nil, err
	}
	return reply(viewSchedule(schedule)), nil
}

// seconds is a number of seconds as a length of time, nil for nil.
func seconds(n *int64) *time.Duration {
	if n == nil {
		return nil
	}
	length := time.Duration(*n) * time.Second
	return &length
}

type listSchedulesInput struct {
	Paged
	Bot string `query:"bot" maxLength:"64"`
}

func (s *Server) listSchedules(ctx context.Context, in *listSchedulesInput) (*body[page[scheduleView]], error) {
	var after broadcast.ScheduleID
	if err := in.after(&after); err != nil {
		return nil, err
	}
	found, err := s.services.Read.ScheduleList(ctx, store.ScheduleFilter{Sight: principalOf(ctx).Sight(), BotID: in.Bot}, after, in.Limit+1)
	if err != nil {
		return nil, err
	}
	return pageOf(in.Paged, found, func(s broadcast.Schedule) any { return s.ID }, viewSchedule)
}

func (s *Server) getSchedule(ctx context.Context, in *ByID) (*body[scheduleView], error) {
	schedule, err := s.services.Read.Schedule(ctx, broadcast.ScheduleID(in.ID))
	if err != nil {
		return nil, err
	}
	return reply(viewSchedule(schedule)), nil
}

func (s *Server) deleteSchedule(ctx context.Context, in *ByID) (*none, error) {
	return &none{}, s.services.Schedules.Delete(ctx, broadcast.ScheduleID(in.ID))
}

// times is the next moments of a calendar.
type times struct {
	Times []time.Time `json:"times" nullable:"false"`
}

func viewTimes(all []time.Time) *body[times] {
	return reply(times{Times: append([]time.Time{}, all...)})
}

type previewInput struct {
	Cron  string `query:"cron" required:"true" maxLength:"200"`
	Zone  string `query:"zone" maxLength:"64" doc:"Asia/Seoul, when left out"`
	Count int    `query:"count" minimum:"1" maximum:"100" default:"5"`
}

func (s *Server) previewSchedule(_ context.Context, in *previewInput) (*body[times], error) {
	all, err := s.services.Schedules.Preview(in.Cron, in.Zone, in.Count)
	if err != nil {
		return nil, inQuery(err, "cron", "zone")
	}
	return viewTimes(all), nil
}

type nextOfScheduleInput struct {
	ByID
	Count int `query:"count" minimum:"1" maximum:"100" default:"5"`
}

func (s *Server) nextOfSchedule(ctx context.Context, in *nextOfScheduleInput) (*body[times], error) {
	all, err := s.services.Schedules.Next(ctx, broadcast.ScheduleID(in.ID), in.Count)
	if err != nil {
		return nil, err
	}
	return viewTimes(all), nil
}

type runView struct {
	DueAt     time.Time          `json:"due_at"`
	State     broadcast.RunState `json:"state"`
	Reason    string             `json:"reason,omitempty" doc:"Why it waits, or did not start"`
	Broadcast *runBroadcastView  `json:"broadcast,omitempty" doc:"What it started"`
	Times     int                `json:"times" doc:"How many times it stands for: when more than 100 were missed at once, the first entry stands for those before it too"`
	ChangedAt time.Time          `json:"changed_at"`
}

type runBroadcastView struct {
	ID    broadcast.ID    `json:"id"`
	State broadcast.State `json:"state"`
	Wait  broadcast.Wait  `json:"wait,omitempty" doc:"Why it does not move, in one word"`
}

func viewRun(r store.RunView) runView {
	v := runView{DueAt: r.DueAt, State: r.State, Reason: r.Reason, Times: r.Times, ChangedAt: r.ChangedAt}
	if r.Broadcast != "" {
		v.Broadcast = &runBroadcastView{ID: r.Broadcast, State: r.BroadcastState, Wait: r.Wait}
	}
	return v
}

type listRunsInput struct {
	ByID
	Paged
}

func (s *Server) listRuns(ctx context.Context, in *listRunsInput) (*body[page[runView]], error) {
	var before time.Time
	if err := in.after(&before); err != nil {
		return nil, err
	}
	found, err := s.services.Read.ScheduleRuns(ctx, broadcast.ScheduleID(in.ID), before, in.Limit+1)
	if err != nil {
		return nil, err
	}
	return pageOf(in.Paged, found, func(r store.RunView) any { return r.DueAt }, viewRun)
}
