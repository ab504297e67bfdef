package store

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/malgil/malgil/internal/access"
	"github.com/malgil/malgil/internal/backlog"
	"github.com/malgil/malgil/internal/fault"
)

// MirrorDead keeps tasks that were given up and returns how many it did not know. A task is kept once,
// whoever finds it and how often. Texts that a database would refuse are kept as [backlog.Text] makes them:
// one task must not keep others from being kept.
func (s *Store) MirrorDead(ctx context.Context, dead []backlog.Dead) (fresh int, err error) {
	if len(dead) == 0 {
		return 0, nil
	}
	err = s.inTx(ctx, func(tx *sql.Tx) error {
		fresh = 0
		for _, d := range dead {
			mine, err := changed(tx.ExecContext(ctx, `INSERT INTO dead_task (id, queue, type, task_id, row_id, epoch, cause, error, retried, died_at,
					state, decided_at, decided_by)
				VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 'dead', 0, '') ON CONFLICT (queue, task_id) DO NOTHING`,
				d.ID, d.Queue, backlog.Text(d.Type), backlog.Text(d.TaskID), backlog.Text(d.RowID), d.Epoch, string(d.Cause), backlog.Text(d.Error), d.Retried, millis(d.DiedAt)))
			if err != nil {
				return err
			}
			if mine {
				fresh++
			}
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("keep dead tasks: %w", err)
	}
	return fresh, nil
}

// UnknownDead returns those of some task ids of a queue that [Store.MirrorDead] was never told of.
func (s *Store) UnknownDead(ctx context.Context, queue string, taskIDs []string) ([]string, error) {
	if len(taskIDs) == 0 {
		return nil, nil
	}
	args := []any{queue}
	for _, id := range taskIDs {
		args = append(args, backlog.Text(id))
	}
	rows, err := s.read.QueryContext(ctx, `SELECT task_id FROM dead_task WHERE queue = $1 AND task_id IN (`+placeholders(2, len(taskIDs))+`)`, args...)
	known, err := collect(rows, err, func(row scanner) (id string, err error) {
		err = row.Scan(&id)
		return id, err
	})
	if err != nil {
		return nil, fmt.Errorf("look for dead tasks of queue %s: %w", queue, err)
	}
	is := make(map[string]bool, len(known))
	for _, id := range known {
		is[id] = true
	}
	return slices.DeleteFunc(slices.Clone(taskIDs), func(id string) bool { return is[backlog.Text(id)] }), nil
}

const deadColumns = `id, queue, type, task_id, row_id, epoch, cause, error, retried, died_at, state, decided_at, decided_by`

func scanDead(row scanner) (d backlog.Dead, err error) {
	err = row.Scan(&d.ID, &d.Queue, &d.Type, &d.TaskID, &d.RowID, &d.Epoch, &d.Cause, &d.Error, &d.Retried, at(&d.DiedAt),
		&d.State, at(&d.DecidedAt), &d.DecidedBy)
	return d, err
}

// DeadTasks lists dead tasks, the latest first, those before an id.
func (s *Store) DeadTasks(ctx context.Context, f backlog.Filter, before string, limit int) ([]backlog.Dead, error) {
	if before == "" {
		before = "~" // after every id
	}
	query, args := `SELECT `+deadColumns+` FROM dead_task WHERE id < $1`, []any{before}
	for _, one := range []struct{ column, value string }{
		{"state", string(f.State)}, {"queue", f.Queue}, {"type", f.Type}, {"cause", string(f.Cause)},
	} {
		if one.value != "" {
			args = append(args, one.value)
			query += fmt.Sprintf(" AND %s = $%d", one.column, len(args))
		}
	}
	args = append(args, limit)
	rows, err := s.read.QueryContext(ctx, query+fmt.Sprintf(" ORDER BY id DESC LIMIT $%d", len(args)), args...)
	return collect(rows, err, scanDead)
}

// DeadGroups counts the dead tasks about which nothing is decided by type and cause, the most first.
func (s *Store) DeadGroups(ctx context.Context) ([]backlog.Group, error) {
	rows, err := s.read.QueryContext(ctx, `SELECT g.queue, g.type, g.cause, g.tasks, g.first_at, g.last_at, d.error
		FROM (SELECT queue, type, cause, COUNT(*) AS tasks, MIN(died_at) AS first_at, MAX(died_at) AS last_at, MAX(id) AS last_id
			FROM dead_task WHERE state = 'dead' GROUP BY queue, type, cause) g
		JOIN dead_task d ON d.id = g.last_id ORDER BY g.tasks DESC, g.type, g.cause, g.queue`)
	return collect(rows, err, func(row scanner) (g backlog.Group, err error) {
		err = row.Scan(&g.Queue, &g.Type, &g.Cause, &g.Tasks, at(&g.First), at(&g.Last), &g.Error)
		return g, err
	})
}

// RetryDead gives the rows of dead tasks another task as soon as the sweep comes by, and returns what
// became of each: a row that does not wait any more, or got another task since, is left alone, and so
// is its dead task. Where dead tasks are named by their ids that is a Conflict that says what to do,
// and nothing is done; an unknown id is NotFound.
func (s *Store) RetryDead(ctx context.Context, p backlog.Pick, by backlog.Decision) (backlog.Outcome, error) {
	return s.decideDead(ctx, p, backlog.Retried, by, requeue)
}

// DiscardDead notes that dead tasks were seen. One whose row waits for the sweep to find its task dead
// is left open, or a Conflict, as in [Store.RetryDead].
func (s *Store) DiscardDead(ctx context.Context, p backlog.Pick, by backlog.Decision) (backlog.Outcome, error) {
	return s.decideDead(ctx, p, backlog.Discarded, by, notAwaited)
}

// decideDead decides about each dead task of a pick what act does not refuse with a Conflict.
func (s *Store) decideDead(ctx context.Context, p backlog.Pick, become backlog.State, by backlog.Decision,
	act func(context.Context, *sql.Tx, workTable, backlog.Dead) error,
) (o backlog.Outcome, err error) {
	err = s.inTx(ctx, func(tx *sql.Tx) error {
		o = backlog.Outcome{}
		picked, err := s.pickDead(ctx, tx, p)
		if err != nil {
			return err
		}
		if len(p.IDs) == 0 && len(picked) == backlog.MaxPick {
			o.Next = picked[len(picked)-1].ID
		}
		slices.SortFunc(picked, byLock)
		for _, d := range picked {
			err := act(ctx, tx, workTables[Work(d.Work())], d)
			if len(p.IDs) == 0 && fault.KindOf(err) == fault.Conflict {
				o.Left++
				continue
			}
			if err != nil {
				return err
			}
			d.State, d.DecidedAt, d.DecidedBy = become, by.At, by.By
			if _, err := tx.ExecContext(ctx, `UPDATE dead_task SET state = $2, decided_at = $3, decided_by = $4 WHERE id = $1`,
				d.ID, string(d.State), millis(d.DecidedAt), d.DecidedBy); err != nil {
				return fmt.Errorf("decide about dead task %s: %w", d.ID, err)
			}
			o.Done = append(o.Done, d)
		}
		slices.SortFunc(o.Done, func(a, b backlog.Dead) int { return cmp.Compare(a.ID, b.ID) })
		tellDead(access.DeedOf(ctx), p, become, o)
		return nil
	})
	return o, err
}

// lockOrder is the order in which tables are locked everywhere: a wallet first.
var lockOrder = []string{"wallet", "attempt", "chunk", "mail", "webhook_delivery"}

// byLock sorts dead tasks so that their rows are locked as everywhere: by table, and in a table by id, whatever
// kinds of tasks wait for its rows.
func byLock(a, b backlog.Dead) int {
	rank := func(d backlog.Dead) int { return slices.Index(lockOrder, workTables[Work(d.Work())].table) }
	return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a.RowID, b.RowID), cmp.Compare(a.Epoch, b.Epoch), cmp.Compare(a.ID, b.ID))
}

// tellDead tells the audit log what was decided.
func tellDead(deed *access.Deed, p backlog.Pick, become backlog.State, o backlog.Outcome) {
	if len(o.Done) == 0 {
		deed.Nothing()
		return
	}
	tasks := make([]string, len(o.Done))
	for i, d := range o.Done {
		tasks[i] = d.TaskID
	}
	before := map[string]any{"state": backlog.Open}
	if len(p.IDs) == 0 {
		before["type"], before["cause"] = p.Type, p.Cause
	}
	deed.Did(access.Object{Kind: access.Platform}, before, map[string]any{"state": become, "tasks": tasks})
}

// pickDead locks what a pick names.
func (s *Store) pickDead(ctx context.Context, tx *sql.Tx, p backlog.Pick) ([]backlog.Dead, error) {
	if len(p.IDs) == 0 {
		rows, err := tx.QueryContext(ctx, `SELECT `+deadColumns+` FROM dead_task WHERE state = 'dead' AND type = $1 AND cause = $2 AND id > $3
			ORDER BY id LIMIT $4`+s.dialect.lock, p.Type, string(p.Cause), p.After, backlog.MaxPick)
		picked, err := collect(rows, err, scanDead)
		if err != nil {
			return nil, fmt.Errorf("look for dead tasks: %w", err)
		}
		return picked, nil
	}
	ids := slices.Clone(p.IDs)
	slices.Sort(ids)
	var picked []backlog.Dead
	for _, id := range slices.Compact(ids) {
		d, err := scanDead(tx.QueryRowContext(ctx, `SELECT `+deadColumns+` FROM dead_task WHERE id = $1`+s.dialect.lock, id))
		if err != nil {
			return nil, orNotFound(err, "dead task", id)
		}
		if d.State != backlog.Open {
			return nil, fault.Coded(fault.Conflict, "DEAD_TASK_DECIDED", "dead task %s is %s already", id, d.State)
		}
		picked = append(picked, d)
	}
	return picked, nil
}

// requeue has the sweep give the row of a dead task another one.
func requeue(ctx context.Context, tx *sql.Tx, t workTable, d backlog.Dead) error {
	if t.table == "" {
		return fault.Coded(fault.Conflict, "DEAD_TASK_OVER", "dead task %s has no row, so nothing can be done again; discard it", d.ID)
	}
	again, err := changed(tx.ExecContext(ctx, `UPDATE `+t.table+` SET `+t.enqueued+` = 0 WHERE id = $1 AND `+t.epoch+` = $2 AND `+t.waiting, d.RowID, d.Epoch))
	if err != nil {
		return fmt.Errorf("give %s another task: %w", d.RowID, err)
	}
	if again {
		return nil
	}
	if Work(d.Work()) == WorkChunk {
		var parked bool
		err := tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM chunk WHERE id = $1 AND state = 'parked')`, d.RowID).Scan(&parked)
		if err != nil {
			return fmt.Errorf("look up chunk %s: %w", d.RowID, err)
		}
		if parked {
			of, _, _ := strings.Cut(d.RowID, "-")
			return fault.Coded(fault.Conflict, "CHUNK_PARKED", "chunk %s is parked, since its tasks died again and again: decide about it with malgil broadcast decide %s %[1]s, and discard dead task %[3]s",
				d.RowID, of, d.ID)
		}
	}
	return fault.Coded(fault.Conflict, "DEAD_TASK_OVER", "%s waits for the task of dead task %s no more: it got another one, or is done; discard it", d.RowID, d.ID)
}

// notAwaited refuses to discard a task that its row still counts on: the sweep is to find it dead.
func notAwaited(ctx context.Context, tx *sql.Tx, t workTable, d backlog.Dead) error {
	if t.table == "" {
		return nil
	}
	var awaited bool
	err := tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM `+t.table+` WHERE id = $1 AND `+t.epoch+` = $2 AND `+t.enqueued+` > 0 AND `+t.waiting+`)`,
		d.RowID, d.Epoch).Scan(&awaited)
	if err != nil {
		return fmt.Errorf("look up %s: %w", d.RowID, err)
	}
	if awaited {
		return fault.Coded(fault.Conflict, "ROW_WAITS", "%s still waits for the task of dead task %s; retry it, or discard it when the sweep has found it, in a minute or two", d.RowID, d.ID)
	}
	return nil
}

// CloseDead discards the dead tasks that no row waits for any more, at most 5,000 at a time, and returns how many: their
// row is done or got another task, or they are of the type that never has one. A chunk that is parked waits for a person,
// and its task with it.
func (s *Store) CloseDead(ctx context.Context, rowless string, now time.Time) (int, error) {
	over := []string{`(row_id = '' AND type = $4)`}
	for work, t := range workTables {
		standing := t.epoch + ` = dead_task.epoch AND ` + t.waiting
		if work == WorkChunk {
			standing += ` OR state = 'parked'`
		}
		over = append(over, `(row_id <> '' AND task_id LIKE '`+string(work)+`:%' AND NOT EXISTS
			(SELECT 1 FROM `+t.table+` WHERE id = dead_task.row_id AND (`+standing+`)))`)
	}
	var any bool
	if err := s.read.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM dead_task WHERE state = 'dead')`).Scan(&any); err != nil || !any {
		return 0, err
	}
	result, err := s.write.ExecContext(ctx, `UPDATE dead_task SET state = 'discarded', decided_at = $1, decided_by = $2 WHERE id IN
		(SELECT id FROM dead_task WHERE state = 'dead' AND (`+strings.Join(over, " OR ")+`) ORDER BY id LIMIT $3) AND state = 'dead'`,
		millis(now), backlog.ByItsRow, deadAtOnce, rowless)
	if err != nil {
		return 0, fmt.Errorf("close dead tasks: %w", err)
	}
	n, err := result.RowsAffected()
	return int(n), err
}

const (
	deadLife   = 90 * 24 * time.Hour // as long as asynq keeps an archive
	deadAtOnce = 5_000
)

// ForgetDead removes tasks that died more than 90 days ago and that somebody decided about, at most 5,000 at a time,
// and returns how many.
func (s *Store) ForgetDead(ctx context.Context, now time.Time) (int, error) {
	before := millis(now.Add(-deadLife))
	var any bool
	err := s.read.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM dead_task WHERE died_at < $1 AND state <> 'dead')`, before).Scan(&any)
	if err != nil || !any {
		return 0, err
	}
	result, err := s.write.ExecContext(ctx, `DELETE FROM dead_task WHERE id IN
		(SELECT id FROM dead_task WHERE died_at < $1 AND state <> 'dead' ORDER BY died_at LIMIT $2)`, before, deadAtOnce)
	if err != nil {
		return 0, fmt.Errorf("forget dead tasks: %w", err)
	}
	n, err := result.RowsAffected()
	return int(n), err
}
