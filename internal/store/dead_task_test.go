package store

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/malgil/malgil/internal/access"
	"github.com/malgil/malgil/internal/backlog"
	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/fault"
)

var opener = backlog.Decision{By: "acc_1", At: t0.Add(time.Hour)}

// deadOf is the task of an epoch of a chunk, given up.
func deadOf(n int, c chunkRow, cause backlog.Cause) backlog.Dead {
	return backlog.Dead{
		ID: fmt.Sprintf("dead_%06d", n), Queue: "broadcast", Type: "broadcast:send_chunk", TaskID: fmt.Sprintf("chunk:%s:%d", c.ID, c.Epoch),
		RowID: string(c.ID), Epoch: c.Epoch, Cause: cause, Error: "claim chunk: the database is away", Retried: 8, DiedAt: t0.Add(time.Duration(n) * time.Second),
	}
}

func mirror(t testing.TB, s *Store, dead ...backlog.Dead) int {
	t.Helper()
	n, err := s.MirrorDead(t.Context(), dead)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func openDead(t testing.TB, s *Store) []string {
	t.Helper()
	all, err := s.DeadTasks(t.Context(), backlog.Filter{State: backlog.Open}, "", 1000)
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, d := range all {
		ids = append(ids, d.ID)
	}
	return ids
}

func wantConflict(t *testing.T, what string, err error, code, says string) {
	t.Helper()
	if fault.KindOf(err) != fault.Conflict || fault.CodeOf(err) != code || !strings.Contains(fault.MessageOf(err), says) {
		t.Errorf("%s error = %v, want the conflict %s that says %q", what, err, code, says)
	}
}

// A task is kept once, with everything that is known of it, and what is known is not asked for again.
func TestMirrorDead(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		_, botID := shop(t, s, "1", 1000)
		running(t, s, order("brd_1", botID), 2)
		dispatch(t, s, t0)
		first := deadOf(1, chunkOf(t, s, "brd_1", 1), "internal")
		utterance := backlog.Dead{ID: "dead_000002", Queue: "reply", Type: "utterance:answer", TaskID: "0b8d", Cause: backlog.LeaseOver, DiedAt: t0}
		if n := mirror(t, s, first, utterance); n != 2 {
			t.Errorf("MirrorDead = %d, want 2", n)
		}
		again := first
		again.ID, again.Cause, again.Error = "dead_000009", backlog.Unrecorded, "said by the archive"
		if n := mirror(t, s, again); n != 0 {
			t.Errorf("MirrorDead of a task that is kept = %d, want 0", n)
		}
		got, err := s.DeadTasks(t.Context(), backlog.Filter{}, "", 10)
		first.State, utterance.State = backlog.Open, backlog.Open
		if want := []backlog.Dead{utterance, first}; err != nil || !slices.Equal(got, want) {
			t.Errorf("DeadTasks = %+v, %v, want %+v", got, err, want)
		}
		unknown, err := s.UnknownDead(t.Context(), "broadcast", []string{"chunk:x:1", first.TaskID, "0b8d"})
		if want := []string{"chunk:x:1", "0b8d"}; err != nil || !slices.Equal(unknown, want) {
			t.Errorf("UnknownDead = %v, %v, want %v", unknown, err, want)
		}
		for _, f := range []backlog.Filter{{Queue: "reply"}, {Type: "utterance:answer"}, {Cause: backlog.LeaseOver}} {
			if got, err := s.DeadTasks(t.Context(), f, "", 10); err != nil || len(got) != 1 || got[0].ID != utterance.ID {
				t.Errorf("DeadTasks(%+v) = %+v, %v, want the utterance", f, got, err)
			}
		}
		if got, err := s.DeadTasks(t.Context(), backlog.Filter{}, utterance.ID, 10); err != nil || len(got) != 1 || got[0].ID != first.ID {
			t.Errorf("DeadTasks before %s = %+v, %v, want the one", utterance.ID, got, err)
		}
	})
}

// A retried task has its row wait for the sweep at once, whatever the age at which that looks itself; a
// row that has gone on is left alone, and an operator hears what to do instead.
func TestRetryDead(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		walletID, botID := shop(t, s, "1", 1000)
		newAccount(t, s, "acc_1")
		b := running(t, s, order("brd_1", botID), 2, 3, 1)
		dispatch(t, s, t0)
		var chunks []chunkRow
		for seq := 1; seq <= 3; seq++ {
			chunks = append(chunks, chunkOf(t, s, b.ID, seq))
			mirror(t, s, deadOf(seq, chunks[seq-1], "internal"))
		}
		mirror(t, s, backlog.Dead{ID: "dead_000004", Queue: "reply", Type: "utterance:answer", TaskID: "0b8d", Cause: backlog.LeaseOver, DiedAt: t0})

		ctx := doing(t, "retry-dead-tasks")
		o, err := s.RetryDead(ctx, backlog.Pick{IDs: []string{"dead_000001", "dead_000001"}}, opener)
		if err != nil || len(o.Done) != 1 || o.Done[0].State != backlog.Retried || o.Left != 0 {
			t.Fatalf("RetryDead = %+v, %v, want one retried", o, err)
		}
		if got, want := stamp(t, s, WorkChunk, t0, 10), []broadcast.Row{{ID: string(chunks[0].ID), Epoch: chunks[0].Epoch + 1}}; !slices.Equal(got, want) {
			t.Errorf("Stamp after it = %v, want %v", got, want)
		}
		if c := chunkOf(t, s, b.ID, 1); c.Dead != 0 {
			t.Errorf("it counts as dead %d times, want 0: a person says that it may go", c.Dead)
		}
		entry := audited(t, s, AuditFilter{})[0]
		if entry.Action != "retry-dead-tasks" || entry.Reason != "연습" || entry.Subject.Kind != access.Platform ||
			!strings.Contains(entry.After, `"chunk:`+string(chunks[0].ID)+`:1"`) || !strings.Contains(entry.After, "retried") || !strings.Contains(entry.Before, "dead") {
			t.Errorf("the audit log has %+v", entry)
		}

		_, err = s.RetryDead(doing(t, "retry-dead-tasks"), backlog.Pick{IDs: []string{"dead_000002", "dead_000001"}}, opener)
		wantConflict(t, "RetryDead of a decided one", err, "DEAD_TASK_DECIDED", "retried already")
		if got := openDead(t, s); !slices.Contains(got, "dead_000002") {
			t.Errorf("open = %v, want the other one that was named left alone", got)
		}
		_, err = s.RetryDead(t.Context(), backlog.Pick{IDs: []string{"dead_9"}}, opener)
		if fault.KindOf(err) != fault.NotFound {
			t.Errorf("RetryDead of an unknown one error = %v, want NotFound", err)
		}
		_, err = s.RetryDead(t.Context(), backlog.Pick{IDs: []string{"dead_000004"}}, opener)
		wantConflict(t, "RetryDead of an utterance", err, "DEAD_TASK_OVER", "has no row")

		// The sweep was there first: the row has another task.
		if err := s.Forget(t.Context(), WorkChunk, []broadcast.Row{{ID: string(chunks[1].ID), Epoch: chunks[1].Epoch}}, true, t0); err != nil {
			t.Fatal(err)
		}
		stamp(t, s, WorkChunk, t0, 10)
		_, err = s.RetryDead(t.Context(), backlog.Pick{IDs: []string{"dead_000002"}}, opener)
		wantConflict(t, "RetryDead of an old epoch", err, "DEAD_TASK_OVER", "discard it")
		exec(t, s, `UPDATE chunk SET dead = 2 WHERE id = $1`, string(chunks[2].ID))
		if err := s.Forget(t.Context(), WorkChunk, []broadcast.Row{{ID: string(chunks[2].ID), Epoch: chunks[2].Epoch}}, true, t0); err != nil {
			t.Fatal(err)
		}
		_, err = s.RetryDead(t.Context(), backlog.Pick{IDs: []string{"dead_000003"}}, opener)
		wantConflict(t, "RetryDead of a parked one", err, "CHUNK_PARKED", "malgil broadcast decide brd_1 brd_1-000003")

		entries := len(audited(t, s, AuditFilter{}))
		o, err = s.RetryDead(doing(t, "retry-dead-tasks"), backlog.Pick{Type: "broadcast:send_chunk", Cause: "internal"}, opener)
		if err != nil || len(o.Done) != 0 || o.Left != 2 || o.Next != "" {
			t.Errorf("RetryDead of the group = %+v, %v, want two left", o, err)
		}
		if got := len(audited(t, s, AuditFilter{})); got != entries {
			t.Errorf("what had no effect wrote %d entries", got-entries)
		}
		wantBroadcast(t, s, b.ID)
		wantWallet(t, s, walletID)
	})
}

// Each kind of row behind a task is found by what the id of the task begins with.
func TestRetryDead_everyKindOfRow(t *testing.T) {
	for work, table := range workTables {
		if table.table == "" {
			t.Errorf("work %s has no table", work)
		}
	}
	eachDatabase(t, func(t *testing.T, s *Store) {
		for work := range workTables {
			id := "dead_" + string(work)
			mirror(t, s, backlog.Dead{ID: id, Queue: "q", Type: "t", TaskID: string(work) + ":none:1", RowID: "none", Epoch: 1, Cause: "internal", DiedAt: t0})
			_, err := s.RetryDead(t.Context(), backlog.Pick{IDs: []string{id}}, opener)
			wantConflict(t, "RetryDead of a "+string(work)+" that is gone", err, "DEAD_TASK_OVER", "none waits")
			if _, err := s.DiscardDead(t.Context(), backlog.Pick{IDs: []string{id}}, opener); err != nil {
				t.Errorf("DiscardDead of a %s that is gone error = %v", work, err)
			}
		}
	})
}

// Rows are locked in one order, whatever their tasks are called: of wallets before others, and those of one table by id.
func TestByLock(t *testing.T) {
	for work, table := range workTables {
		if !slices.Contains(lockOrder, table.table) {
			t.Errorf("rows of %s are locked in no order: %s is missing in lockOrder", work, table.table)
		}
	}
	var dead []backlog.Dead
	for _, d := range []struct {
		taskType, work, row string
		epoch               int
	}{
		{"broadcast:fetch_result", "result", "brd_1-000002", 1}, {"broadcast:send_chunk", "chunk", "brd_1-000003", 1}, {"mail:send", "mail", "mail_1", 0},
		{"broadcast:send_chunk", "chunk", "brd_1-000001", 2}, {"billing:charge_card", "attempt", "att_2", 0}, {"billing:charge_wallet", "wallet", "wal_1", 3},
		{"billing:resolve_attempt", "resolve", "att_1", 0}, {"broadcast:send_chunk", "chunk", "brd_1-000001", 1}, {"billing:charge_wallet", "wallet", "wal_0", 1},
		{"webhook:deliver", "webhook", "whd_1", 0},
	} {
		dead = append(dead, backlog.Dead{Type: d.taskType, TaskID: fmt.Sprintf("%s:%s:%d", d.work, d.row, d.epoch), RowID: d.row, Epoch: d.epoch})
	}
	slices.SortFunc(dead, byLock)
	var got []string
	for _, d := range dead {
		got = append(got, d.TaskID)
	}
	want := []string{
		"wallet:wal_0:1", "wallet:wal_1:3", "resolve:att_1:0", "attempt:att_2:0", "chunk:brd_1-000001:1", "chunk:brd_1-000001:2",
		"result:brd_1-000002:1", "chunk:brd_1-000003:1", "mail:mail_1:0", "webhook:whd_1:0",
	}
	if !slices.Equal(got, want) {
		t.Errorf("locked in the order %v, want %v", got, want)
	}
}

// What is discarded is seen to; what the sweep has yet to find dead is not, or it would not count.
func TestDiscardDead(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		_, botID := shop(t, s, "1", 1000)
		b := running(t, s, order("brd_1", botID), 2, 3)
		rows := dispatch(t, s, t0)
		for seq := 1; seq <= 2; seq++ {
			mirror(t, s, deadOf(seq, chunkOf(t, s, b.ID, seq), backlog.LeaseOver))
		}
		group := backlog.Pick{Type: "broadcast:send_chunk", Cause: backlog.LeaseOver}
		if o, err := s.DiscardDead(t.Context(), group, opener); err != nil || len(o.Done) != 0 || o.Left != 2 {
			t.Errorf("DiscardDead before the sweep = %+v, %v, want two left", o, err)
		}
		_, err := s.DiscardDead(t.Context(), backlog.Pick{IDs: []string{"dead_000001"}}, opener)
		wantConflict(t, "DiscardDead before the sweep", err, "ROW_WAITS", "retry it")
		if err := s.Forget(t.Context(), WorkChunk, rows[:1], true, t0); err != nil {
			t.Fatal(err)
		}
		o, err := s.DiscardDead(doing(t, "discard-dead-tasks"), group, opener)
		if err != nil || len(o.Done) != 1 || o.Done[0].RowID != rows[0].ID || o.Left != 1 {
			t.Errorf("DiscardDead after the sweep found one = %+v, %v, want it alone", o, err)
		}
		got, err := s.DeadTasks(t.Context(), backlog.Filter{State: backlog.Discarded}, "", 10)
		if err != nil || len(got) != 1 || got[0].DecidedBy != "acc_1" || !got[0].DecidedAt.Equal(opener.At) {
			t.Errorf("discarded = %+v, %v, want one, by whom and when", got, err)
		}
		if after := audited(t, s, AuditFilter{Action: "discard-dead-tasks"}); len(after) != 1 || !strings.Contains(after[0].Before, "lease_expired") {
			t.Errorf("the audit log has %+v, want the group that was named", after)
		}
	})
}

// A group of more than are decided about at once is gone through from an id on.
func TestDiscardDead_inPages(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		const all = backlog.MaxPick + 20
		var dead []backlog.Dead
		for n := range all {
			dead = append(dead, backlog.Dead{
				ID: fmt.Sprintf("dead_%06d", n), Queue: "mail", Type: "mail:send", TaskID: fmt.Sprintf("mail:m%d:1", n), RowID: fmt.Sprint("m", n), Epoch: 1,
				Cause: backlog.Panic, Error: fmt.Sprint("panic ", n), DiedAt: t0.Add(time.Duration(n) * time.Second),
			})
		}
		mirror(t, s, dead...)
		mirror(t, s, backlog.Dead{ID: "dead_x", Queue: "mail", Type: "mail:send", TaskID: "mail:x:1", RowID: "x", Epoch: 1, Cause: backlog.Timeout, DiedAt: t0})
		groups, err := s.DeadGroups(t.Context())
		want := []backlog.Group{
			{Queue: "mail", Type: "mail:send", Cause: backlog.Panic, Tasks: all, First: t0, Last: dead[all-1].DiedAt, Error: fmt.Sprint("panic ", all-1)},
			{Queue: "mail", Type: "mail:send", Cause: backlog.Timeout, Tasks: 1, First: t0, Last: t0},
		}
		if err != nil || !slices.Equal(groups, want) {
			t.Errorf("DeadGroups = %+v, %v, want %+v", groups, err, want)
		}
		p := backlog.Pick{Type: "mail:send", Cause: backlog.Panic}
		done := 0
		for page := 1; ; page++ {
			o, err := s.DiscardDead(t.Context(), p, opener)
			if err != nil {
				t.Fatal(err)
			}
			done += len(o.Done)
			if p.After = o.Next; p.After == "" {
				if page != 2 {
					t.Errorf("it took %d pages, want 2", page)
				}
				break
			}
		}
		if left := openDead(t, s); done != all || !slices.Equal(left, []string{"dead_x"}) {
			t.Errorf("discarded %d, left %v, want %d and the one of another cause", done, left, all)
		}
	})
}

// A task that is not ours may be called anything: it is kept as far as databases can, once, and keeps no other from it.
func TestMirrorDead_ofOthers(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		odd := []string{"a\x00b", "torn \xff\xfe", strings.Repeat("long", 2000)}
		for range 2 {
			var dead []backlog.Dead
			for n, text := range odd {
				dead = append(dead, backlog.Dead{ID: fmt.Sprint("dead_", n), Queue: "mail", Type: text, TaskID: text, RowID: text, Cause: backlog.UnknownType, Error: text, DiedAt: t0})
			}
			mirror(t, s, append(dead, backlog.Dead{ID: "dead_3", Queue: "mail", Type: "mail:send", TaskID: "mail:mail_1:1", RowID: "mail_1", Epoch: 1, Cause: backlog.Panic, DiedAt: t0})...)
		}
		if got := openDead(t, s); len(got) != 4 {
			t.Errorf("kept %v, want each once", got)
		}
		ids := append([]string{"mail:mail_1:1", "mail:mail_2:1"}, odd...)
		unknown, err := s.UnknownDead(t.Context(), "mail", ids)
		if err != nil || !slices.Equal(unknown, []string{"mail:mail_2:1"}) {
			t.Errorf("UnknownDead = %q, %v, want the one that was never told of", unknown, err)
		}
	})
}

// What nobody waits for any more is closed by itself: a row that is done or got another task, an utterance. What may
// need a person stays.
func TestCloseDead(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		_, botID := shop(t, s, "1", 10_000)
		running(t, s, order("brd_1", botID), 2, 2, 2, 2)
		dispatch(t, s, t0)
		for n := range 4 {
			mirror(t, s, deadOf(n+1, chunkOf(t, s, "brd_1", n+1), "internal"))
		}
		exec(t, s, `UPDATE chunk SET state = 'settled', hold_krw = 0 WHERE id = 'brd_1-000002'`)
		exec(t, s, `UPDATE chunk SET epoch = epoch + 1 WHERE id = 'brd_1-000003'`)
		exec(t, s, `UPDATE chunk SET state = 'parked', hold_krw = 0, epoch = epoch + 1 WHERE id = 'brd_1-000004'`)
		mirror(t, s,
			backlog.Dead{ID: "dead_000005", Queue: "reply", Type: "utterance:answer", TaskID: "0b8d", Cause: backlog.LeaseOver, DiedAt: t0},
			backlog.Dead{ID: "dead_000006", Queue: "mail", Type: "later:thing", TaskID: "0c", Cause: backlog.UnknownType, DiedAt: t0},
			backlog.Dead{ID: "dead_000007", Queue: "mail", Type: "mail:send", TaskID: "mail:gone:1", RowID: "gone", Epoch: 1, Cause: backlog.Panic, DiedAt: t0})
		for _, want := range []int{4, 0} {
			if n, err := s.CloseDead(t.Context(), "utterance:answer", t0.Add(time.Hour)); err != nil || n != want {
				t.Errorf("CloseDead = %d, %v, want %d", n, err, want)
			}
		}
		if got := openDead(t, s); !slices.Equal(got, []string{"dead_000006", "dead_000004", "dead_000001"}) {
			t.Errorf("open = %v, want the chunk that waits, the one that is parked, and the task that nothing handles", got)
		}
		closed, err := s.DeadTasks(t.Context(), backlog.Filter{State: backlog.Discarded}, "", 1)
		if err != nil || len(closed) != 1 || closed[0].DecidedBy != backlog.ByItsRow || !closed[0].DecidedAt.Equal(t0.Add(time.Hour)) {
			t.Errorf("closed = %+v, %v, want when and that nobody had to", closed, err)
		}
	})
}

func TestForgetDead(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		for n, age := range []time.Duration{deadLife + time.Millisecond, deadLife, 0} {
			mirror(t, s, backlog.Dead{ID: fmt.Sprint("dead_", n), Queue: "mail", Type: "mail:send", TaskID: fmt.Sprint("mail:m:", n), Cause: backlog.Panic, DiedAt: t0.Add(-age)})
		}
		if n, err := s.ForgetDead(t.Context(), t0); err != nil || n != 0 {
			t.Errorf("ForgetDead = %d, %v of tasks that nobody decided about, want none", n, err)
		}
		exec(t, s, `UPDATE dead_task SET state = 'discarded'`)
		for _, want := range []int{1, 0} {
			if n, err := s.ForgetDead(t.Context(), t0); err != nil || n != want {
				t.Errorf("ForgetDead = %d, %v, want %d", n, err, want)
			}
		}
		if got := texts(t, s, `SELECT id FROM dead_task ORDER BY id DESC`); !slices.Equal(got, []string{"dead_2", "dead_1"}) {
			t.Errorf("left = %v, want the two that are young enough", got)
		}
	})
}
