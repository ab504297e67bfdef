package scheduler_test

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	_ "github.com/jackc/pgx/v5/stdlib"
	"pgregory.net/rapid"

	"github.com/malgil/malgil/internal/bot"
	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/clock"
	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/kakao"
	"github.com/malgil/malgil/internal/queue"
	"github.com/malgil/malgil/internal/scheduler"
	"github.com/malgil/malgil/internal/seal"
	"github.com/malgil/malgil/internal/store"
	"github.com/malgil/malgil/internal/testserver"
	"github.com/malgil/malgil/internal/wallet"
	"github.com/malgil/malgil/tasks"
)

// field is where broadcasts are stormed: one database for all of them, the services that a scheduler and
// workers use, a queue that forgets, and a Kakao that keeps its own truth.
type field struct {
	t               *testing.T
	now             time.Time
	store           *store.Store
	db              *sql.DB
	desk            *broadcast.Desk
	sender          *broadcast.Sender
	results         *broadcast.Results
	dispatch, sweep func(context.Context) error
	runs            int

	queue  map[string]*asynq.Task // by id: what waits
	ran    []*asynq.Task          // what was taken off it, which a queue may run again
	losing bool                   // the queue takes tasks and forgets them

	sends   string // how Kakao and the worker behave at the next send
	lookups string // and at the next look-up
	reached map[string]int
	told    map[string][]string // whom a task id is about
	deaf    map[string]bool     // people who are no friends: messages to them fail
	seen    map[string]int      // how often each trouble was met

	order  broadcast.Broadcast // what is stormed, as it was ordered
	people []string
	faults []string // what was sent and should not have been

	// What people have said of advertising, and when the capped bot has sent to them: true across broadcasts.
	refused, agreed map[string]bool
	contacts        map[string][]contact
}

// contact is a message that somebody got of the capped bot.
type contact struct {
	at        time.Time
	broadcast broadcast.ID
	task      string // Kakao's receipt for it
}

// stormCap is that of the bot that sends advertising.
var stormCap = bot.Cap{Messages: 2, Days: 3}

const stormPrice = 15

func newField(t *testing.T, address, driver, dsn string) *field {
	t.Helper()
	f := &field{t: t, now: time.Date(2026, 11, 24, 3, 0, 0, 0, time.UTC), seen: map[string]int{},
		refused: map[string]bool{}, agreed: map[string]bool{}, contacts: map[string][]contact{}}
	keys, err := seal.New(base64.StdEncoding.EncodeToString(slices.Repeat([]byte{7}, 32)), rand.Reader)
	f.must(err)
	f.store, err = store.Open(t.Context(), store.Config{Address: address, Limits: wallet.Limits{AccrualCap: 10_000_000}, Settlement: wallet.Settlement{Threshold: 500_000}, Keys: keys})
	f.must(err)
	t.Cleanup(func() { f.must(f.store.Close()) })
	_, err = f.store.Migrate(t.Context())
	f.must(err)
	f.must(f.store.FirstPrice(t.Context(), stormPrice))
	f.db, err = sql.Open(driver, dsn)
	f.must(err)
	t.Cleanup(func() { f.must(f.db.Close()) })
	clock := func() time.Time { return f.now }
	ids := 0
	newID := func(prefix string) string { ids++; return fmt.Sprintf("%s_%08d", prefix, ids) }
	f.desk = broadcast.NewDesk(f.store, f.store, f.store, f.store, clock, newID)
	f.sender = broadcast.NewSender(dying{f.store, f}, f, f, f, 30*time.Second, clock)
	f.results = broadcast.NewResults(f.store, f, f, clock)
	f.dispatch = scheduler.Dispatch(broadcast.NewDispatcher(f.store, broadcast.DefaultPace, clock), f, nil)
	f.sweep = scheduler.NewSweep(broadcastsAlone{f.store}, f, f, age, clock).Run
	f.exec(`INSERT INTO wallet (id, name, kind, business_number, invoice_email, status, payment_state, unpaid_since,
		free_krw, paid_krw, accrual_krw, charging_krw, held_krw, daily_limit_krw, accrual_day, accrual_old_krw, accrued_krw,
		next_charge_at, charge_epoch, charge_enqueued_at, created_at)
		VALUES ('wal_1', '한빛서점', 'personal', '', '', 'in_use', 'ACTIVE', 0, 0, 1000000000, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)`)
	capped := bot.Sending{Cap: &stormCap}
	for id, sending := range map[string]bot.Sending{"bot_1": {}, "bot_2": capped} {
		sealed, err := keys.Seal([]byte("rest-key"), "bot", id)
		f.must(err)
		text, err := json.Marshal(sending)
		f.must(err)
		f.exec(`INSERT INTO bot (id, name, wallet_id, skill_key_hash, rest_key_sealed, rate_per_second, in_flight,
			paused_reason, paused_at, version, created_at, sending, capped) VALUES ($1, '한빛서점 도우미', 'wal_1', $2, $3, 500, 8, '', 0, 1, 0, $4, $5)`, id, []byte(id), sealed, string(text), sending.Capped())
	}
	return f
}

// broadcastsAlone is a store in which a sweep finds nothing but broadcasts: there are thousands of them.
type broadcastsAlone struct{ *store.Store }

func (broadcastsAlone) ExpireFree(context.Context, time.Time) (wallet.KRW, error) { return 0, nil }
func (broadcastsAlone) ExpireCalling(context.Context, time.Time) (int, error)     { return 0, nil }
func (broadcastsAlone) ExpireMails(context.Context, time.Time) (int, error)       { return 0, nil }
func (broadcastsAlone) TellLongUnpaid(context.Context, time.Time) (int, error)    { return 0, nil }
func (broadcastsAlone) Remind(context.Context, time.Time) (int, error)            { return 0, nil }
func (broadcastsAlone) CloseMonths(context.Context, time.Time) (int, error)       { return 0, nil }

func (f *field) must(err error) {
	f.t.Helper()
	if err != nil {
		f.t.Fatal(err)
	}
}

func (f *field) exec(statement string, args ...any) {
	f.t.Helper()
	_, err := f.db.ExecContext(f.t.Context(), statement, args...)
	f.must(err)
}

// EnqueueAll implements [scheduler.Queue].
func (f *field) EnqueueAll(_ context.Context, made []*asynq.Task) (int, error) {
	if f.losing {
		f.seen["lost at enqueue"]++
		return 0, errors.New("Redis is away")
	}
	for _, task := range made {
		id, err := taskIDOf(task)
		f.must(err)
		f.queue[id] = task
	}
	return len(made), nil
}

func rowOf(task *asynq.Task) (row tasks.Row, err error) {
	err = json.Unmarshal(task.Payload(), &row)
	return row, err
}

func taskIDOf(task *asynq.Task) (string, error) {
	row, err := rowOf(task)
	if err != nil {
		return "", err
	}
	kind := map[string]string{tasks.TypeSendChunk: tasks.KindChunk, tasks.TypeFetchResult: tasks.KindResult}[task.Type()]
	return tasks.RowTaskID(kind, row), nil
}

// Fates implements [scheduler.Fates]: a task that is not there is gone.
func (f *field) Fates(_ context.Context, _ string, ids []string) ([]queue.Fate, error) {
	fates := make([]queue.Fate, len(ids))
	for i, id := range ids {
		if _, waits := f.queue[id]; waits {
			fates[i] = queue.Waiting
		}
	}
	return fates, nil
}

// Acquire implements [broadcast.Limiter].
func (f *field) Acquire(context.Context, string, int, int, int) (func(bool, error), error) {
	if f.sends == "rate used up" {
		f.seen[f.sends]++
		f.sends = ""
		return nil, &fault.Error{Kind: fault.Throttled, Message: "later", RetryAfter: 3 * time.Second}
	}
	return func(bool, error) {}, nil
}

// ChunkSent and Messages implement the meters.
func (f *field) ChunkSent(string, int) {}
func (f *field) Messages(string, int)  {}

// sendTroubles are what can go wrong with a request: whether Kakao acts, and what the worker learns.
var sendTroubles = map[string]struct {
	acts bool
	err  error
}{
	"429":                    {false, &fault.Error{Kind: fault.Throttled, Message: "slower", RetryAfter: 2 * time.Second}},
	"not reached":            {false, fault.New(fault.Unavailable, "no line")},
	"500 before it acts":     {false, fault.New(fault.InDoubt, "status 500")},
	"500 after it acts":      {true, fault.New(fault.InDoubt, "status 500")},
	"answer lost, not acted": {false, fault.New(fault.InDoubt, "cut")},
	"answer lost, acted":     {true, fault.New(fault.InDoubt, "cut")},
	"refused":                {false, fault.Coded(fault.Refused, kakao.CodeRejected, "bad request")},
	"dies after it acts":     {true, nil},
	"dies before it acts":    {false, fault.New(fault.Unavailable, "never known")},
	"dies at the claim":      {},
}

// Send implements [broadcast.Events].
func (f *field) Send(_ context.Context, r kakao.SendRequest) (kakao.SendReceipt, error) {
	trouble, troubled := sendTroubles[f.sends]
	if troubled {
		f.seen[f.sends]++
	}
	if troubled && !trouble.acts {
		return kakao.SendReceipt{}, trouble.err
	}
	id := fmt.Sprintf("task-%d", len(f.told)+1)
	for _, u := range r.Users {
		f.told[id] = append(f.told[id], u.ID)
		if !f.deaf[u.ID] {
			f.reached[u.ID]++
		}
		f.judge(u.ID, id)
	}
	if f.order.Watch.CanarySeq > 0 {
		f.judgeCanary(fmt.Sprint(r.Params[broadcast.ChunkParam]))
	}
	return kakao.SendReceipt{TaskID: id}, trouble.err
}

// judge says what is wrong when advertising goes out to somebody now.
func (f *field) judge(person, task string) {
	if f.order.Purpose != broadcast.Ad {
		return
	}
	if f.refused[person] {
		f.faults = append(f.faults, person+" has refused advertising")
	}
	if hour := f.now.In(clock.Seoul).Hour(); hour >= 21 || hour < 8 {
		if f.seen["sent at night"]++; !f.agreed[person] {
			f.faults = append(f.faults, fmt.Sprintf("%s has not agreed to the night, at %s", person, f.now))
		}
	}
	had := 0
	for _, c := range f.contacts[person] {
		if !c.at.Before(stormCap.Since(f.now)) {
			had++
		}
	}
	if had >= stormCap.Messages {
		f.faults = append(f.faults, fmt.Sprintf("%s got %d messages already", person, had))
	}
	f.contacts[person] = append(f.contacts[person], contact{f.now, f.order.ID, task})
}

// judgeCanary says what is wrong when a chunk goes out that is none of a canary which holds the others back.
func (f *field) judgeCanary(chunk string) {
	b, err := f.desk.Broadcast(f.t.Context(), f.order.ID)
	f.must(err)
	if chunk > string(broadcast.NewChunkID(b.ID, b.Watch.CanarySeq)) && b.CanaryHolds() {
		f.faults = append(f.faults, chunk+" went before its canary was over")
	}
}

// says has somebody refuse advertising, or agree to it by day and night.
func (f *field) says(person string, refuses bool) {
	list, said := broadcast.Consents, broadcast.Stance{Type: "botUserKey", ID: person, At: f.now, NightAt: f.now}
	if refuses {
		list, said.NightAt, said.Scope = broadcast.Suppressions, time.Time{}, broadcast.RefusesAds
	}
	changed, err := f.store.PutStance(f.t.Context(), "bot_2", list, said)
	f.must(err)
	if changed {
		f.refused[person], f.agreed[person] = refuses, !refuses
	}
}

// dying is a store whose worker may die before it has written anything down.
type dying struct {
	*store.Store
	field *field
}

var errDied = errors.New("the worker died")

// ClaimChunk dies right after the claim when it has to.
func (d dying) ClaimChunk(ctx context.Context, id broadcast.ChunkID, epoch int, now, lease time.Time) (bool, error) {
	ok, err := d.Store.ClaimChunk(ctx, id, epoch, now, lease)
	if d.field.sends == "dies at the claim" && err == nil && ok {
		d.field.seen[d.field.sends]++
		return false, errDied
	}
	return ok, err
}

// ClaimSome dies right after the claim when it has to.
func (d dying) ClaimSome(ctx context.Context, id broadcast.ChunkID, epoch int, now, lease time.Time) ([]broadcast.Recipient, bool, error) {
	people, ok, err := d.Store.ClaimSome(ctx, id, epoch, now, lease)
	if err == nil && !ok {
		d.field.seen["nobody left to send to"]++
	}
	if d.field.sends == "dies at the claim" && err == nil && ok {
		d.field.seen[d.field.sends]++
		return nil, false, errDied
	}
	return people, ok, err
}

// RecordSend writes nothing when the worker has died.
func (d dying) RecordSend(ctx context.Context, id broadcast.ChunkID, epoch int, v broadcast.Verdict, now time.Time) (bool, error) {
	if strings.HasPrefix(d.field.sends, "dies") {
		return true, nil
	}
	return d.Store.RecordSend(ctx, id, epoch, v, now)
}

// Result implements [broadcast.ResultEvents].
func (f *field) Result(_ context.Context, _, taskID string) (kakao.SendResult, error) {
	people := f.told[taskID]
	r := kakao.SendResult{TaskID: taskID, AllRequestCount: len(people), Raw: []byte("{}")}
	switch f.lookups {
	case "not reached":
		f.seen["look-up not reached"]++
		return kakao.SendResult{}, fault.New(fault.Unavailable, "no line")
	case "not complete":
		f.seen["look-up not complete"]++
		return r, nil
	}
	for _, id := range people {
		if f.deaf[id] {
			r.FailCount++
			r.Failures = append(r.Failures, kakao.SendFailure{UserID: id, ErrorType: 100})
			f.contacts[id] = slices.DeleteFunc(f.contacts[id], func(c contact) bool { return c.task == taskID }) // he may be sent another
		} else {
			r.SuccessCount++
		}
	}
	return r, nil
}

// begin orders a broadcast to some people, a few of whom are no friends. Half of them are advertising, also at
// night and to people who get more of it than they may; some begin with a canary, some have little time.
func (f *field) begin(rt *rapid.T) broadcast.ID {
	f.runs++
	f.queue, f.ran, f.reached, f.told, f.deaf = map[string]*asynq.Task{}, nil, map[string]int{}, map[string][]string{}, map[string]bool{}
	f.losing, f.sends, f.lookups, f.people, f.faults = false, "", "", nil, nil
	advertising := rapid.Bool().Draw(rt, "advertising")
	atNight := advertising && rapid.IntRange(0, 3).Draw(rt, "at night") == 3
	if atNight {
		f.now = clock.NextMidnight(f.now).Add(23 * time.Hour)
	}
	b := broadcast.Broadcast{ID: broadcast.ID(fmt.Sprintf("brd_%06d", f.runs)), BotID: "bot_1", Side: broadcast.Live,
		Message: broadcast.Message{Event: "restock_alert"}, Price: stormPrice, State: broadcast.Uploading, StartAt: f.now, CreatedAt: f.now}
	if advertising {
		b.BotID, b.Purpose = "bot_2", broadcast.Ad
	}
	if rapid.IntRange(0, 5).Draw(rt, "little time") == 5 {
		b.ExpiresAt = f.now.Add(5 * time.Minute)
		f.seen["little time"]++
	}
	var chunks []broadcast.Packed
	report := broadcast.Report{}
	for seq := 1; seq <= rapid.IntRange(1, 6).Draw(rt, "chunks"); seq++ {
		n := rapid.IntRange(1, 3).Draw(rt, "people")
		list := make([]string, n)
		for i := range list {
			person := fmt.Sprintf("u-%d-%d-%d", f.runs, seq, i)
			if i == 0 && rapid.IntRange(0, 3).Draw(rt, "regular") == 3 {
				person = fmt.Sprintf("regular-%d", seq)
			}
			list[i] = fmt.Sprintf(`{"type":"botUserKey","id":%q}`, person)
			f.deaf[person] = rapid.IntRange(0, 5).Draw(rt, "friend") == 5
			if f.people = append(f.people, person); atNight && rapid.Bool().Draw(rt, "has agreed") {
				f.says(person, false)
			}
		}
		chunks = append(chunks, broadcast.Packed{Seq: seq, People: n, Recipients: "[" + strings.Join(list, ",") + "]"})
		report.Audience += n
	}
	if rapid.IntRange(0, 3).Draw(rt, "canary") == 3 {
		report.CanaryChunks = rapid.IntRange(1, len(chunks)).Draw(rt, "chunks of the canary")
		for _, c := range chunks[:report.CanaryChunks] {
			b.Caution.Canary.People += c.People
		}
		b.Caution.Canary.Wait, b.Caution.Canary.MaxMissed = time.Duration(rapid.IntRange(0, 1).Draw(rt, "waits"))*time.Minute, 20
		f.seen["canary"]++
	}
	_, _, err := f.store.CreateBroadcast(f.t.Context(), b, nil, 0, broadcast.Request{})
	must(rt, err)
	epoch, err := f.store.BeginUpload(f.t.Context(), b.ID)
	must(rt, err)
	must(rt, f.store.StoreChunks(f.t.Context(), b.ID, epoch, chunks))
	must(rt, f.store.EndUpload(f.t.Context(), b.ID, epoch, len(chunks), report))
	f.order, err = f.desk.Seal(f.t.Context(), b.ID, broadcast.Sealing{})
	must(rt, err)
	return b.ID
}

func must(rt *rapid.T, err error) {
	rt.Helper()
	if err != nil && !errors.Is(err, errDied) && fault.KindOf(err) != fault.Conflict {
		rt.Fatal(err)
	}
}

// take takes a task off the queue, or one that was taken off before: a queue may run it again.
func (f *field) take(rt *rapid.T, again bool) *asynq.Task {
	if again && len(f.ran) > 0 {
		f.seen["run twice"]++
		return f.ran[rapid.IntRange(0, len(f.ran)-1).Draw(rt, "old task")]
	}
	ids := slices.Sorted(maps.Keys(f.queue))
	if len(ids) == 0 {
		return nil
	}
	id := ids[rapid.IntRange(0, len(ids)-1).Draw(rt, "task")]
	task := f.queue[id]
	delete(f.queue, id)
	f.ran = append(f.ran, task)
	return task
}

// work runs a task as a worker does. What it fails with, the sweep finds.
func (f *field) work(rt *rapid.T, task *asynq.Task) {
	if task == nil {
		return
	}
	row, err := rowOf(task)
	must(rt, err)
	ctx := f.t.Context()
	switch task.Type() {
	case tasks.TypeSendChunk:
		must(rt, f.sender.SendChunk(ctx, ctx, broadcast.ChunkID(row.ID), row.Epoch))
	case tasks.TypeFetchResult:
		must(rt, f.results.FetchResult(ctx, broadcast.ChunkID(row.ID), row.Epoch))
	}
	f.sends, f.lookups = "", ""
}

// wrong returns what may never be, whatever has happened.
func (f *field) wrong(b broadcast.Broadcast) error {
	if len(f.faults) > 0 {
		return fmt.Errorf("%s", strings.Join(f.faults, "; "))
	}
	for person, times := range f.reached {
		if times > 1 {
			return fmt.Errorf("%s was reached %d times", person, times)
		}
	}
	if done := b.Counts.Done() == b.Counts.Audience; done != !b.FinishedAt.IsZero() {
		return fmt.Errorf("%+v of it have an outcome, and its end is %v", b.Counts, b.FinishedAt)
	}
	var held, chunks int64
	err := f.db.QueryRowContext(f.t.Context(), `SELECT held_krw, (SELECT CAST(COALESCE(SUM(hold_krw), 0) AS BIGINT) FROM chunk WHERE state IN ('queued', 'sending', 'sent', 'in_doubt'))
		FROM wallet WHERE id = 'wal_1'`).Scan(&held, &chunks)
	if err != nil || held != chunks {
		return fmt.Errorf("the wallet holds %d KRW, its chunks %d: %v", held, chunks, err)
	}
	return nil
}

// calm lets everything go right until the broadcast is over, in a bounded number of ticks.
func (f *field) calm(rt *rapid.T, id broadcast.ID) broadcast.Broadcast {
	f.losing, f.sends, f.lookups = false, "", ""
	ctx := f.t.Context()
	const ticks = 60
	for tick := range ticks {
		if b, err := f.desk.Broadcast(ctx, id); err != nil {
			rt.Fatal(err)
		} else if !b.FinishedAt.IsZero() && len(f.queue) == 0 {
			return b
		} else if b.State == broadcast.Paused || b.Wait == broadcast.WaitCanary {
			_, err := f.desk.Resume(ctx, id)
			must(rt, err)
		} else if b.Wait == broadcast.WaitWindow && b.WaitUntil.After(f.now) {
			f.seen["waited for the morning"]++
			f.now = b.WaitUntil.Add(10 * time.Minute) // not all of it goes at once then
		}
		f.now = f.now.Add(time.Duration(1+tick/10*30) * time.Second)
		must(rt, f.dispatch(ctx))
		must(rt, f.sweep(ctx))
		for _, task := range slices.SortedFunc(maps.Values(f.queue), func(a, b *asynq.Task) int { return strings.Compare(string(a.Payload()), string(b.Payload())) }) {
			taken, err := taskIDOf(task)
			must(rt, err)
			delete(f.queue, taken)
			f.work(rt, task)
		}
	}
	b, err := f.desk.Broadcast(ctx, id)
	rt.Fatalf("after %d ticks without trouble it is %+v, %v", ticks, b, err)
	return b
}

// settled compares what is said of a broadcast that is over with Kakao's truth, person by person and won by won.
func (f *field) settled(rt *rapid.T, b broadcast.Broadcast) {
	ctx := f.t.Context()
	rows, err := f.db.QueryContext(ctx, `SELECT seq, state, people, delivered, hold_krw, recipients, left_out FROM chunk WHERE broadcast_id = $1`, string(b.ID))
	must(rt, err)
	defer rows.Close()
	delivered, doubt, skipped, held := 0, 0, 0, int64(0)
	var there, unclear []string
	for rows.Next() {
		var seq, people, got, reached int
		var state broadcast.ChunkState
		var hold int64
		var text, leftOut string
		must(rt, rows.Scan(&seq, &state, &people, &got, &hold, &text, &leftOut))
		var recipients []broadcast.Recipient
		must(rt, json.Unmarshal([]byte(text), &recipients))
		if len(recipients) != people {
			rt.Errorf("chunk %d has %d people and counts %d", seq, len(recipients), people)
		}
		friends := 0
		for _, r := range recipients {
			there = append(there, r.ID)
			if reached += f.reached[r.ID]; !f.deaf[r.ID] {
				friends++
			}
			if state == broadcast.InDoubt {
				unclear = append(unclear, r.ID)
			}
		}
		f.seen["left out: "+leftOut]++
		held, delivered = held+hold, delivered+got
		switch state {
		case broadcast.Settled:
			if got != friends || reached != friends {
				rt.Errorf("chunk %d is settled with %d delivered; Kakao reached %d of %d friends", seq, got, reached, friends)
			}
		case broadcast.InDoubt:
			if doubt += people; reached != 0 && reached != friends || hold != int64(stormPrice*people) {
				rt.Errorf("chunk %d is in doubt and holds %d KRW; Kakao reached %d of %d friends", seq, hold, reached, friends)
			}
		case broadcast.Rejected, broadcast.ChunkCancelled, broadcast.Expired:
			if reached != 0 || hold != 0 {
				rt.Errorf("chunk %d is %s and holds %d KRW; Kakao reached %d", seq, state, hold, reached)
			}
			if state != broadcast.Rejected {
				skipped += people
			}
		default:
			rt.Errorf("chunk %d is %s at the end", seq, state)
		}
	}
	slices.Sort(there)
	slices.Sort(f.people)
	if !slices.Equal(there, f.people) {
		rt.Errorf("its chunks hold %v, want everybody once: %v", there, f.people)
	}
	must(rt, rows.Err())
	if b.Counts.Delivered != delivered || b.Counts.InDoubt != doubt || b.Counts.Skipped != skipped || int64(b.Captured) != int64(stormPrice*delivered) || held != int64(stormPrice*doubt) {
		rt.Errorf("it counts %+v and %d KRW; its chunks %d delivered, %d skipped and %d in doubt, for whom %d KRW are held", b.Counts, b.Captured, delivered, skipped, doubt, held)
	}
	if doubt > 0 { // so that the next one finds nothing held
		_, err := f.desk.Decide(ctx, broadcast.Decision{Broadcast: b.ID, Finding: broadcast.FoundNothing, Note: "over"})
		must(rt, err)
		for _, person := range unclear { // who says that nothing was sent has it forgotten, be it true or not
			f.contacts[person] = slices.DeleteFunc(f.contacts[person], func(c contact) bool { return c.broadcast == b.ID })
		}
	}
}

// Whatever happens to a broadcast, in whatever order: nobody gets it twice, it is finished exactly when
// everybody has an outcome, and in the end nothing is held but for doubts. No advertising goes to who has refused
// it, at night to who has not agreed to that, or to anybody more often than its bot may; and nothing goes before
// its canary.
func TestStorm_orders(t *testing.T) {
	const runs = 2_500 // on each
	// rapid draws the first of a list more often: what leads far comes first, what ends it last.
	actions := rapid.SampledFrom([]string{"work", "work", "work", "sweep", "dispatch", "work", "sweep", "again", "FLUSHALL", "refuses", "agrees", "pause", "resume", "away", "cancel"})
	troubles := rapid.SampledFrom(append(append([]string{"", ""}, slices.Sorted(maps.Keys(sendTroubles))...), "rate used up"))
	lookups := rapid.SampledFrom([]string{"", "not complete", "not reached"})
	passes := rapid.SampledFrom([]time.Duration{3 * time.Second, time.Second, 31 * time.Second, 2 * time.Minute, 11 * time.Minute})
	checks(t, runs)
	fields := map[string]func(t *testing.T) *field{
		"sqlite": func(t *testing.T) *field {
			path := filepath.Join(t.TempDir(), "malgil.db")
			return newField(t, "sqlite:"+path, "sqlite", "file:"+path+"?_pragma=busy_timeout(10000)")
		},
		"postgres": func(t *testing.T) *field {
			address := testserver.Postgres(t)
			return newField(t, address, "pgx", address)
		},
	}
	for name, open := range fields {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := open(t)
			rapid.Check(t, func(rt *rapid.T) {
				id := f.begin(rt)
				ctx := t.Context()
				must(rt, f.dispatch(ctx))
				for range rapid.IntRange(0, 25).Draw(rt, "steps") {
					switch action := actions.Draw(rt, "action"); action {
					case "work":
						f.sends, f.lookups = troubles.Draw(rt, "send"), lookups.Draw(rt, "look-up")
						f.work(rt, f.take(rt, false))
					case "again":
						f.sends = troubles.Draw(rt, "send")
						f.work(rt, f.take(rt, true))
					case "dispatch":
						_ = f.dispatch(ctx) // a queue that is away is an error of its own
					case "sweep":
						f.now = f.now.Add(passes.Draw(rt, "passes"))
						_ = f.sweep(ctx)
					case "FLUSHALL":
						f.queue = map[string]*asynq.Task{}
						f.seen[action]++
					case "away":
						f.losing = !f.losing
					case "refuses", "agrees":
						f.says(rapid.SampledFrom(f.people).Draw(rt, "who"), action == "refuses")
						f.seen[action]++
					case "pause":
						_, err := f.desk.Pause(ctx, id)
						must(rt, err)
						f.seen[action]++
					case "resume":
						_, err := f.desk.Resume(ctx, id)
						must(rt, err)
					case "cancel":
						if rapid.IntRange(0, 4).Draw(rt, "really") == 4 {
							_, err := f.desk.Cancel(ctx, id)
							must(rt, err)
							f.seen[action]++
						}
					}
					b, err := f.desk.Broadcast(ctx, id)
					must(rt, err)
					if err := f.wrong(b); err != nil {
						rt.Fatal(err)
					}
				}
				b := f.calm(rt, id)
				if err := f.wrong(b); err != nil {
					rt.Fatal(err)
				}
				f.settled(rt, b)
			})
			t.Logf("%d broadcasts; troubles met: %v", f.runs, f.seen)
			for trouble := range sendTroubles {
				if f.seen[trouble] < 10 {
					t.Errorf("%q was met %d times in %d broadcasts, want 10 and more", trouble, f.seen[trouble], f.runs)
				}
			}
			for _, other := range []string{"FLUSHALL", "run twice", "pause", "cancel", "lost at enqueue", "rate used up", "look-up not reached", "look-up not complete", "refuses", "agrees", "canary",
				"little time", "sent at night", "waited for the morning", "nobody left to send to", "left out: opted_out", "left out: capped"} {
				if f.seen[other] < 10 {
					t.Errorf("%q was met %d times in %d broadcasts, want 10 and more", other, f.seen[other], f.runs)
				}
			}
		})
	}
}

// checks sets how many runs rapid makes in a test.
func checks(t *testing.T, n int) {
	t.Helper()
	before := flag.Lookup("rapid.checks").Value.String()
	if err := flag.Set("rapid.checks", fmt.Sprint(n)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = flag.Set("rapid.checks", before) })
}
