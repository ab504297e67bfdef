package intake

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/store"
	"github.com/malgil/malgil/internal/wallet"
	"github.com/malgil/malgil/tasks"
)

type eventView struct {
	Name string            `json:"name" doc:"Event name set on the block"`
	Data map[string]string `json:"data,omitempty" doc:"Reaches the block as {{#current.event.data.<key>}}"`
}

type broadcastView struct {
	ID         broadcast.ID      `json:"id"`
	Name       string            `json:"name,omitempty"`
	Bot        string            `json:"bot"`
	Wallet     string            `json:"wallet"`
	Channel    broadcast.Side    `json:"channel"`
	Event      eventView         `json:"event"`
	Params     map[string]any    `json:"params,omitempty"`
	Variables  map[string]string `json:"variables,omitempty" doc:"What was filled in for everybody"`
	Properties map[string]string `json:"properties,omitempty" doc:"What is filled in for each person"`
	State      broadcast.State   `json:"state"`
	Wait       *waitView         `json:"wait,omitempty"`
	Note       string            `json:"note,omitempty" doc:"Why it paused itself, why a request was refused last, or that it stays paused when it is approved"`
	Counts     countsView        `json:"counts"`
	Progress   float64           `json:"progress" doc:"Share of the audience that has an outcome, 0 to 1"`
	Chunks     chunksView        `json:"chunks"`
	Price      wallet.KRW        `json:"price_krw"`
	Captured   wallet.KRW        `json:"captured_krw"`
	OnDoubt    broadcast.OnDoubt `json:"on_doubt"`
	Purpose    broadcast.Purpose `json:"purpose"`
	Canary     *canaryView       `json:"canary,omitempty"`
	StopAbove  int               `json:"stop_above_percent" doc:"It pauses when more of its latest people were missed; 100 for never"`
	RetryOf    broadcast.ID      `json:"retry_of,omitempty" doc:"The broadcast whose missed people it is for"`
	RetryFor   *broadcast.Missed `json:"retry_for,omitempty" doc:"Which of them"`
	TestOf     broadcast.ID      `json:"test_of,omitempty" doc:"The broadcast whose message it shows a few people"`
	StartAt    time.Time         `json:"start_at"`
	ExpiresAt  time.Time         `json:"expires_at,omitzero"`
	CreatedAt  time.Time         `json:"created_at"`
	SealedAt   time.Time         `json:"sealed_at,omitzero"`
	SealedBy   string            `json:"sealed_by,omitempty" doc:"Who ordered it: account, or a token that stands for nobody"`
	ApprovedBy string            `json:"approved_by,omitempty" doc:"The second person's account, where one was needed"`
	ApprovedAt time.Time         `json:"approved_at,omitzero"`
	StartedAt  time.Time         `json:"started_at,omitzero"`
	FinishedAt time.Time         `json:"finished_at,omitzero"`
}

type canaryView struct {
	People    int       `json:"people" doc:"How many go first"`
	Wait      int       `json:"wait_seconds" doc:"How long after their outcomes the others go; 0 waits for resume"`
	MaxMissed int       `json:"max_missed_percent" doc:"More missed pause the broadcast"`
	DoneAt    time.Time `json:"done_at,omitzero" doc:"When all of them had an outcome"`
	Passed    bool      `json:"passed" doc:"Whether the others may go"`
}

type waitView struct {
	Reason broadcast.Wait `json:"reason" doc:"Why it does not move, in one word"`
	Until  time.Time      `json:"until,omitzero"`
}

type countsView struct {
	Audience   int `json:"audience"`
	Delivered  int `json:"delivered"`
	Failed     int `json:"failed" doc:"Named by Kakao"`
	Unknown    int `json:"unknown" doc:"Counted by Kakao as failed, not named"`
	Skipped    int `json:"skipped" doc:"Expired, cancelled or left out"`
	InDoubt    int `json:"in_doubt" doc:"Nobody knows whether it went out"`
	Duplicates int `json:"duplicates"`
	BadRows    int `json:"bad_rows"`
	Excluded   int `json:"excluded" doc:"Left out: reached by an earlier broadcast"`
}

type chunksView struct {
	Total   int                          `json:"total"`
	Planned int                          `json:"planned"`
	ByState map[broadcast.ChunkState]int `json:"by_state,omitempty"`
}

func viewBroadcast(b broadcast.Broadcast) broadcastView {
	n := b.Counts
	view := broadcastView{
		ID: b.ID, Name: b.Name, Bot: b.BotID, Wallet: b.WalletID, Channel: b.Side,
		Event: eventView{Name: b.Message.Event, Data: b.Message.Data}, Params: b.Message.Params,
		Variables: b.Personal.Variables, Properties: b.Personal.Properties,
		OnDoubt: b.OnDoubt, Purpose: b.Purpose, RetryOf: b.RetryOf, TestOf: b.TestOf, StopAbove: b.Caution.StopAbove,
		State: b.State, Note: b.Note, Price: b.Price, Captured: b.Captured,
		Counts: countsView{
			Audience: n.Audience, Delivered: n.Delivered, Failed: n.Failed, Unknown: n.Unknown, Skipped: n.Skipped,
			InDoubt: n.InDoubt, Duplicates: n.Duplicates, BadRows: n.BadRows, Excluded: n.Excluded,
		},
		Chunks:  chunksView{Total: b.Chunks, Planned: b.PlannedChunks},
		StartAt: b.StartAt, ExpiresAt: b.ExpiresAt, CreatedAt: b.CreatedAt, SealedAt: b.SealedAt,
		SealedBy: b.SealedBy, ApprovedBy: b.ApprovedBy, ApprovedAt: b.ApprovedAt, StartedAt: b.StartedAt, FinishedAt: b.FinishedAt,
	}
	if b.RetryOf != "" {
		view.RetryFor = &b.RetryFor
	}
	if n.Audience > 0 {
		view.Progress = float64(n.Done()) / float64(n.Audience)
	}
	if c := b.Caution.Canary; c.People > 0 {
		view.Canary = &canaryView{c.People, int(c.Wait.Seconds()), c.MaxMissed, b.Watch.CanaryDoneAt, b.Watch.CanaryPassed}
	}
	if b.Wait != broadcast.NotWaiting {
		view.Wait = &waitView{Reason: b.Wait, Until: b.WaitUntil}
	}
	return view
}

func (s *Server) addBroadcasts() {
	const group = "Broadcasts"
	missing, conflict := []int{http.StatusNotFound}, []int{http.StatusNotFound, http.StatusConflict}
	add(s, operation{route: "POST /api/v1/broadcasts", id: "create-broadcast", group: group, summary: "Order a broadcast", status: http.StatusAccepted, errors: conflict}, s.createBroadcast)
	add(s, operation{route: "GET /api/v1/broadcasts", id: "list-broadcasts", group: group, summary: "List broadcasts, newest first"}, s.listBroadcasts)
	add(s, operation{route: "GET /api/v1/broadcasts/{id}", id: "get-broadcast", group: group, summary: "Show how a broadcast goes", errors: missing}, s.getBroadcast)
	add(s, operation{route: "GET /api/v1/broadcasts/{id}/chunks", id: "list-chunks", group: group, summary: "List the chunks of a broadcast in order", errors: missing}, s.listChunks)
	add(s, operation{route: "GET /api/v1/broadcasts/{id}/failures", id: "list-failures", group: group, summary: "List the people whom Kakao names as not reached; limit counts chunks", errors: missing}, s.listFailures)
	add(s, operation{route: "POST /api/v1/broadcasts/{id}/decide", id: "decide-chunks", group: group, summary: "Say what became of chunks in doubt, of parked ones, or of those that stay unconfirmed", errors: conflict}, s.decideChunks)
	add(s, operation{route: "POST /api/v1/broadcasts/{id}/retry", id: "retry-broadcast", group: group, summary: "Send a broadcast to those whom another did not reach", status: http.StatusAccepted, errors: conflict}, s.retryBroadcast)
	add(s, operation{route: "POST /api/v1/broadcasts/{id}/preview", id: "preview-broadcast", group: group, summary: "Show what people of a broadcast are sent", errors: conflict}, s.previewBroadcast)
	add(s, operation{route: "POST /api/v1/broadcasts/{id}/test", id: "test-broadcast", group: group, summary: "Send the message of a broadcast now to a few people; it is paid for", status: http.StatusAccepted, errors: conflict}, s.testBroadcast)
	add(s, operation{route: "POST /api/v1/broadcasts/{id}/seal", id: "seal-broadcast", group: group, summary: "End the upload and let the broadcast go", errors: conflict}, s.sealBroadcast)
	add(s, operation{route: "POST /api/v1/broadcasts/{id}/approve", id: "approve-broadcast", group: group, summary: "Let a broadcast go that waits for a second person; one that was paused meanwhile stays paused", errors: conflict}, s.approveBroadcast)
	for _, step := range []struct {
		word, summary string
		do            func(context.Context, broadcast.ID) (broadcast.Broadcast, error)
	}{
		{"pause", "Stop a broadcast", s.services.Broadcasts.Pause},
		{"resume", "Let a paused broadcast go on", s.services.Broadcasts.Resume},
		{"cancel", "End a broadcast for good", s.services.Broadcasts.Cancel},
	} {
		add(s, operation{route: "POST /api/v1/broadcasts/{id}/" + step.word, id: step.word + "-broadcast", group: group, summary: step.summary, errors: conflict},
			func(ctx context.Context, in *ByID) (*body[broadcastView], error) {
				b, err := step.do(ctx, broadcast.ID(in.ID))
				if err != nil {
					return nil, err
				}
				return reply(viewBroadcast(b)), nil
			})
	}
}

type createBroadcastInput struct {
	Keyed
	RawBody []byte
	Body    struct {
		Bot        string            `json:"bot"`
		Channel    string            `json:"channel,omitempty" enum:"live,development" doc:"live, when left out"`
		Name       string            `json:"name,omitempty" doc:"For people; at most 200 characters"`
		Event      eventView         `json:"event"`
		Params     map[string]any    `json:"params,omitempty" doc:"Becomes userRequest.params of the block's skill"`
		Variables  map[string]string `json:"variables,omitempty" doc:"Words for everybody: #{name} in event.data, params and properties"`
		Properties map[string]string `json:"properties,omitempty" doc:"What each person is sent as his properties, with #{name} or #{name|default} filled in from his own, then from variables"`
		StartAt    time.Time         `json:"start_at,omitzero" doc:"At once, when left out"`
		IfPast     string            `json:"if_past,omitempty" enum:"refuse,send_now" doc:"What is done about a start_at that has passed; refuse, when left out"`
		ExpiresAt  time.Time         `json:"expires_at,omitzero" doc:"Who was not sent to by then is skipped"`
		OnDoubt    string            `json:"on_doubt,omitempty" enum:"hold,assume_sent" doc:"What becomes of messages of which nobody knows whether they went out: their money is held until a person says it or 72 hours are over, or they count as delivered at once; hold, when left out"`
		Purpose    string            `json:"purpose,omitempty" enum:"info,ad" doc:"ad for advertising, which is labelled, waits for the morning and leaves out who has refused it; info, when left out"`
		Canary     *canaryOrder      `json:"canary,omitempty" doc:"A part that goes first; the others when it went well"`
		StopAbove  int               `json:"stop_above_percent,omitempty" minimum:"1" maximum:"100" doc:"It pauses when more percent of its latest people were missed; 50, when left out; 100 for never"`
		Recipients []recipientView   `json:"recipients,omitempty" doc:"With them the broadcast is sealed at once; without, they are uploaded"`
		Confirm    int               `json:"confirm,omitempty" minimum:"1" doc:"With recipients: how many people they are, duplicates apart; needed above a size"`
	}
}

type canaryOrder struct {
	People    int  `json:"people" minimum:"1" doc:"How many go first, of the beginning of the audience"`
	Wait      int  `json:"wait_seconds,omitempty" minimum:"0" maximum:"604800" doc:"How long after their outcomes the others go by themselves; left out, they wait until somebody resumes the broadcast"`
	MaxMissed *int `json:"max_missed_percent,omitempty" minimum:"0" maximum:"100" doc:"More missed pause the broadcast; 10, when left out"`
}

// caution is what an order says about going wrong.
func caution(stopAbove int, c *canaryOrder) broadcast.Caution {
	all := broadcast.Caution{StopAbove: stopAbove}
	if c == nil {
		return all
	}
	all.Canary = broadcast.Canary{People: c.People, Wait: time.Duration(c.Wait) * time.Second, MaxMissed: broadcast.DefaultMaxMissed}
	if c.MaxMissed != nil {
		all.Canary.MaxMissed = *c.MaxMissed
	}
	return all
}

type recipientView struct {
	Type       string            `json:"type" doc:"botUserKey, plusfriendUserKey, appUserId, or botGroupKey for a group room"`
	ID         string            `json:"id"`
	Properties map[string]string `json:"properties,omitempty" doc:"Merged into the user properties of a skill call; a room has none"`
}

func (s *Server) createBroadcast(ctx context.Context, in *createBroadcastInput) (*created[broadcastView], error) {
	r, err := in.request(ctx, "broadcast", in.RawBody)
	if err != nil {
		return nil, err
	}
	order := broadcast.Order{
		BotID: in.Body.Bot, Side: broadcast.Side(in.Body.Channel), Name: in.Body.Name,
		Message: broadcast.Message{Event: in.Body.Event.Name, Data: in.Body.Event.Data, Params: in.Body.Params},
		StartAt: in.Body.StartAt.UTC(), IfPast: broadcast.IfPast(in.Body.IfPast), ExpiresAt: in.Body.ExpiresAt.UTC(), OnDoubt: broadcast.OnDoubt(in.Body.OnDoubt),
		Purpose:  broadcast.Purpose(in.Body.Purpose),
		Caution:  caution(in.Body.StopAbove, in.Body.Canary),
		Personal: broadcast.Personal{Variables: in.Body.Variables, Properties: in.Body.Properties},
		Confirm:  in.Body.Confirm,
		By:       actorOf(ctx),
	}
	var b broadcast.Broadcast
	if in.Body.Recipients == nil {
		b, err = s.services.Broadcasts.Create(ctx, order, r)
	} else {
		b, err = s.services.Broadcasts.Send(ctx, order, recipientsOf(in.Body.Recipients), r)
	}
	if err != nil {
		return nil, err
	}
	return &created[broadcastView]{Location: "/api/v1/broadcasts/" + string(b.ID), Body: viewBroadcast(b)}, nil
}

type listBroadcastsInput struct {
	Paged
	Wallet string `query:"wallet" maxLength:"64"`
	Bot    string `query:"bot" maxLength:"64"`
}

func (s *Server) listBroadcasts(ctx context.Context, in *listBroadcastsInput) (*body[page[broadcastView]], error) {
	var before broadcast.ID
	if err := in.after(&before); err != nil {
		return nil, err
	}
	found, err := s.services.Read.Broadcasts(ctx, store.BroadcastFilter{Sight: principalOf(ctx).Sight(), WalletID: in.Wallet, BotID: in.Bot}, before, in.Limit+1)
	if err != nil {
		return nil, err
	}
	if err := s.tellStanding(ctx, found); err != nil {
		return nil, err
	}
	return pageOf(in.Paged, found, func(b broadcast.Broadcast) any { return b.ID }, viewBroadcast)
}

type getBroadcastInput struct {
	ByID
	Chunks bool `query:"chunks" doc:"Count the chunks by state"`
}

func (s *Server) getBroadcast(ctx context.Context, in *getBroadcastInput) (*body[broadcastView], error) {
	b, err := s.readBroadcast(ctx, broadcast.ID(in.ID))
	if err != nil {
		return nil, err
	}
	view := viewBroadcast(b)
	if in.Chunks {
		if view.Chunks.ByState, err = s.services.Read.ChunkStates(ctx, b.ID); err != nil {
			return nil, err
		}
	}
	return reply(view), nil
}

// readBroadcast reads a broadcast and why it does not move.
func (s *Server) readBroadcast(ctx context.Context, id broadcast.ID) (broadcast.Broadcast, error) {
	b, err := s.services.Read.Broadcast(ctx, id)
	if err != nil {
		return b, err
	}
	one := []broadcast.Broadcast{b}
	err = s.tellStanding(ctx, one)
	return one[0], err
}

// tellStanding says of those that would move that an operator paused the queue of their requests.
func (s *Server) tellStanding(ctx context.Context, all []broadcast.Broadcast) error {
	now := s.config.Now()
	moves := func(b broadcast.Broadcast) bool {
		return b.State == broadcast.Running && (b.Wait == broadcast.NotWaiting || !b.WaitUntil.IsZero() && !b.WaitUntil.After(now))
	}
	if !slices.ContainsFunc(all, moves) {
		return nil
	}
	pauses, err := s.services.Backlog.Pauses(ctx)
	if err != nil {
		return err
	}
	for _, p := range pauses {
		if p.Queue != tasks.QueueBroadcast || !p.Until.After(now) {
			continue
		}
		for i := range all {
			if moves(all[i]) {
				all[i].Wait, all[i].WaitUntil = broadcast.WaitQueue, p.Until
			}
		}
	}
	return nil
}

type chunkView struct {
	ID          broadcast.ChunkID    `json:"id"`
	State       broadcast.ChunkState `json:"state"`
	People      int                  `json:"people"`
	TaskID      string               `json:"task_id,omitempty" doc:"Kakao's receipt"`
	Delivered   int                  `json:"delivered"`
	Failed      int                  `json:"failed"`
	Unknown     int                  `json:"unknown"`
	Skipped     int                  `json:"skipped"`
	Held        wallet.KRW           `json:"held_krw"`
	Attempts    int                  `json:"attempts"`
	Unconfirmed bool                 `json:"unconfirmed,omitempty" doc:"Kakao answered look-ups for 24 h without a complete result"`
	SentAt      time.Time            `json:"sent_at,omitzero"`
	DoubtAt     time.Time            `json:"doubt_at,omitzero"`
	LeftOut     broadcast.LeftOut    `json:"left_out,omitempty" doc:"Why its people were left out when it was their turn: opted_out, no_consent or capped"`
	Error       string               `json:"error,omitempty"`
}

type listChunksInput struct {
	PageByID
	State string `query:"state" enum:"planned,queued,sending,sent,in_doubt,settled,rejected,expired,cancelled,parked"`
}

func (s *Server) listChunks(ctx context.Context, in *listChunksInput) (*body[page[chunkView]], error) {
	var after int
	if err := in.after(&after); err != nil {
		return nil, err
	}
	chunks, err := s.services.Read.Chunks(ctx, broadcast.ID(in.ID), broadcast.ChunkState(in.State), after, in.Limit+1)
	if err != nil {
		return nil, err
	}
	return pageOf(in.Paged, chunks, func(c store.ChunkView) any { return c.Seq }, func(c store.ChunkView) chunkView {
		return chunkView{
			ID: c.ID, State: c.State, People: c.People, TaskID: c.TaskID, Delivered: c.Delivered, Failed: c.Failed,
			Unknown: c.Unknown, Skipped: c.Skipped, Held: c.Held, Attempts: c.Attempts, Unconfirmed: c.Unconfirmed,
			SentAt: c.SentAt, DoubtAt: c.DoubtAt, LeftOut: c.LeftOut, Error: c.Error,
		}
	})
}
