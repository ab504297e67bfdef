// Package stance takes lists of who refused the messages of a bot (수신거부) and who agreed to its
// advertising (수신동의) from files.
package stance

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/fault"
)

// AtOnce is the most people whose stances [Lists] takes in one go: a transaction of some 20 ms.
const AtOnce = 500

// Lists keeps the lists. Everybody is named once in a go.
type Lists interface {
	// PutStances puts people on a list of a bot and takes them off the other one: what they said last counts.
	// The audit log has what tell returns, and nothing where tell is nil.
	PutStances(ctx context.Context, botID string, list broadcast.PeopleList, said []broadcast.Stance, tell func(broadcast.Noted) any) (broadcast.Noted, error)
	// WeighStances tells what PutStances would do, and does nothing.
	WeighStances(ctx context.Context, botID string, list broadcast.PeopleList, said []broadcast.Stance) (broadcast.Noted, error)
}

// maxProblems is how many bad rows are reported one by one.
const maxProblems = 100

// Report tells what became of an import, or would.
type Report struct {
	broadcast.Noted
	Duplicates int // rows about somebody who said something later in another row
	BadRows    int
	Problems   []broadcast.BadRow // the first 100 of them
}

// Import puts the people of a file on a list of a bot. A bad row refuses the whole file, with every bad row
// reported, unless the options say otherwise: so it is read to the end, into a temporary file where it is long,
// before anything is stored. Of somebody who is named more than once, what he said last counts. Memory is
// the same however many people there are.
//
// People are stored [AtOnce] at a time. An import that breaks off in between leaves those before, and is
// Unavailable: the same file again changes nothing of them but the time of refusals that say none. The audit log tells of it when
// it begins to store and when it has ended, which is once where few are in it.
func Import(ctx context.Context, to Lists, botID string, list broadcast.PeopleList, rows broadcast.Rows, o broadcast.UploadOptions, now time.Time) (r Report, err error) {
	said := pile{limit: runLength}
	defer func() { err = errors.Join(err, said.close()) }()
	good, err := read(&said, list, rows, o, now, &r)
	if err != nil {
		return r, err
	}
	if r.BadRows > 0 && !o.SkipBad && !o.DryRun {
		return r, fault.Field("recipients", "%d bad rows, the first is %s; nothing was taken over: mend the file, or send it with skip_bad_rows=true", r.BadRows, r.Problems[0].Error())
	}
	people, told := 0, map[string]any{"list": list, "rows": good, "bad_rows": r.BadRows}
	put := func(batch []broadcast.Stance, last bool) (broadcast.Noted, error) {
		switch {
		case o.DryRun:
			return to.WeighStances(ctx, botID, list, batch)
		case last:
			return to.PutStances(ctx, botID, list, batch, func(n broadcast.Noted) any {
				all := r.plus(n)
				told["new"], told["changed"], told["unchanged"] = all.New, all.Changed, all.Unchanged
				return told
			})
		case people == 0:
			return to.PutStances(ctx, botID, list, batch, func(broadcast.Noted) any { return told })
		}
		return to.PutStances(ctx, botID, list, batch, nil)
	}
	store := func(batch []broadcast.Stance, last bool) error {
		noted, err := put(batch, last)
		switch {
		case err != nil && people > 0 && !o.DryRun:
			return &fault.Error{Kind: fault.Unavailable, Code: "CUT_SHORT", Err: err,
				Message: fmt.Sprintf("the import broke off behind %d people, who are stored; send the same file again", people)}
		case err != nil:
			return fmt.Errorf("store people: %w", err)
		}
		r.Noted = r.plus(noted)
		people += len(batch)
		return nil
	}
	batch := make([]broadcast.Stance, 0, AtOnce)
	err = said.each(func(s broadcast.Stance) error {
		if len(batch) == AtOnce {
			if err := store(batch, false); err != nil {
				return err
			}
			batch = batch[:0]
		}
		batch = append(batch, s)
		return nil
	})
	if err == nil && len(batch) > 0 {
		err = store(batch, true)
	}
	if err != nil {
		return r, err
	}
	r.Duplicates = good - people
	return r, nil
}

// plus adds what became of some more.
func (r Report) plus(n broadcast.Noted) broadcast.Noted {
	return broadcast.Noted{New: r.New + n.New, Changed: r.Changed + n.Changed, Unchanged: r.Unchanged + n.Unchanged}
}

// read reads a file to its end onto a pile, and reports its bad rows.
func read(to *pile, list broadcast.PeopleList, rows broadcast.Rows, o broadcast.UploadOptions, now time.Time, r *Report) (good int, err error) {
	for {
		person, err := rows.Next()
		if errors.Is(err, io.EOF) {
			return good, nil
		}
		var bad *broadcast.BadRow
		if err == nil {
			one, wrong := of(list, person, now)
			if wrong == nil {
				good++
				if err := to.add(one); err != nil {
					return good, err
				}
				continue
			}
			bad = &broadcast.BadRow{Line: rows.Line(), Column: wrong.Field, Reason: wrong.Message}
		} else if !errors.As(err, &bad) {
			return good, fmt.Errorf("read people: %w", err)
		}
		r.BadRows++
		if len(r.Problems) < maxProblems {
			r.Problems = append(r.Problems, *bad)
		}
		if o.Dropped != nil {
			if err := o.Dropped(broadcast.Dropped{BadRow: *bad, Why: broadcast.DroppedBad}); err != nil {
				return good, err
			}
		}
	}
}
