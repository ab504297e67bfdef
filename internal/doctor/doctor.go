// Package doctor looks at an installation from outside: is what it needs there, and is it set as
// docs/operations.md asks. It changes nothing, sends nothing and moves no money; what it asks of
// providers are look-ups of orders that there are not.
package doctor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/malgil/malgil/internal/disk"
	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/holiday"
	"github.com/malgil/malgil/internal/kakaopay"
	"github.com/malgil/malgil/internal/store"
)

// State is how a check ended.
type State string

// How a check ends. Only a problem keeps an installation from working as it should.
const (
	OK      State = "ok"
	Warning State = "warning"
	Problem State = "problem"
	Skipped State = "skipped" // it could not be made
)

// Result is what one check found. No text of it holds a secret, and each is one line.
type Result struct {
	Check string `json:"check"`
	State State  `json:"state"`
	Found string `json:"found"`
	Do    string `json:"do,omitempty"` // what to do about it; empty for what is ok or skipped
}

// Report is everything that was found.
type Report struct {
	OK       bool     `json:"ok"` // no problem
	Problems int      `json:"problems"`
	Warnings int      `json:"warnings"`
	Checks   []Result `json:"checks"`
}

// Installation is what there is to look at. Settings that Wrong names are not looked at.
type Installation struct {
	Wrong    error             // what a start would find wrong with the settings, joined, each a [*fault.Error] of its setting
	Settings map[string]string // settings as they may be shown

	DB    string
	Redis string // empty for a queue inside the process
	Keys  func(ctx context.Context, db *store.Store) error

	Kakao          string
	KakaoPay       string
	KakaoPaySecret string
	Merchant       kakaopay.Merchant
	Bank           string // empty for none
	BankSecret     string
	Tax            string // empty for none
	TaxSecret      string
	Supplier       []string // settings of the supplier that are given
	NoSupplier     []error  // what is missing or wrong about it
	SMTP           string   // empty for none

	Holidays func() (holiday.Calendar, error)
	Folders  []disk.Folder
	Now      func() time.Time
}

// check is one look at something.
type check struct {
	name string
	run  func(ctx context.Context) Result
}

const (
	checkTime  = 10 * time.Second       // signing in to mail servers and gateways takes seconds
	checkSlack = 500 * time.Millisecond // for a check to tell that its time is over
)

// Examine makes all checks at once, each for ten seconds at most. None keeps another from being made.
func Examine(ctx context.Context, i Installation) Report {
	configured := i.configuration()
	db, queue := &visit[*store.Store]{open: i.openDatabase}, &visit[*redisServers]{open: i.openRedis}
	checks := slices.Concat(i.databaseChecks(db), i.redisChecks(queue), i.peerChecks(), i.localChecks())
	results := make([]Result, len(checks))
	var all sync.WaitGroup
	for n, c := range checks {
		all.Go(func() { results[n] = c.within(ctx, checkTime) })
	}
	all.Wait()
	db.close(func(s *store.Store) { _ = s.Close() })
	queue.close((*redisServers).close)
	return reported(append(configured, results...))
}

func reported(results []Result) Report {
	r := Report{Checks: results}
	for _, one := range results {
		switch one.State {
		case Problem:
			r.Problems++
		case Warning:
			r.Warnings++
		}
	}
	r.OK = r.Problems == 0
	return r
}

// within makes a check for so long at most.
func (c check) within(ctx context.Context, limit time.Duration) Result {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	done := make(chan Result, 1)
	go func() { done <- c.run(ctx) }()
	named := func(r Result) Result {
		r.Check, r.Found, r.Do = c.name, oneLine(r.Found), oneLine(r.Do)
		return r
	}
	select {
	case r := <-done:
		return named(r)
	case <-ctx.Done():
	}
	slack := time.NewTimer(checkSlack)
	defer slack.Stop()
	select {
	case r := <-done:
		return named(r)
	case <-slack.C:
		return named(problem("It hangs: whatever was asked does not answer.", "no answer within %v", limit))
	}
}

// visit is a connection that several checks share; the first that needs it opens it.
type visit[T any] struct {
	open  func(ctx context.Context) (T, error)
	once  sync.Mutex
	tried bool
	value T
	err   error
}

// get returns the connection, or why there is none: what is skipped is not worth a line of its own.
func (v *visit[T]) get(ctx context.Context) (T, error) {
	v.once.Lock()
	defer v.once.Unlock()
	if !v.tried {
		v.tried = true
		v.value, v.err = v.open(ctx)
	}
	return v.value, v.err
}

// close ends a connection, unless something still waits for it.
func (v *visit[T]) close(end func(T)) {
	if v.once.TryLock() {
		defer v.once.Unlock()
		if v.tried && v.err == nil {
			end(v.value)
		}
	}
}

func ok(format string, args ...any) Result {
	return Result{State: OK, Found: fmt.Sprintf(format, args...)}
}

func skipped(format string, args ...any) Result {
	return Result{State: Skipped, Found: fmt.Sprintf(format, args...)}
}

func warning(do, format string, args ...any) Result {
	return Result{State: Warning, Found: fmt.Sprintf(format, args...), Do: do}
}

func problem(do, format string, args ...any) Result {
	return Result{State: Problem, Found: fmt.Sprintf(format, args...), Do: do}
}

// oneLine keeps what others say from being more than one line, or from moving the cursor.
func oneLine(text string) string {
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, text)
	return strings.Join(strings.Fields(text), " ")
}

// said is the text of an error, with the setting in front that it is of.
func said(err error) string {
	var e *fault.Error
	if errors.As(err, &e) && e.Field != "" {
		return e.Field + " " + err.Error()
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return "no answer in time"
	}
	lines := strings.Split(err.Error(), "\n")
	for n := range lines {
		lines[n] = strings.TrimSpace(lines[n])
	}
	return strings.Join(slices.Compact(lines), "; ") // a driver that tried twice says the same twice
}

// wrong reports whether a setting is one that a start would refuse.
func (i Installation) wrong(setting string) bool {
	return slices.ContainsFunc(each(i.Wrong), func(err error) bool {
		var e *fault.Error
		return errors.As(err, &e) && e.Field == setting
	})
}

// each takes joined errors apart.
func each(err error) []error {
	if err == nil {
		return nil
	}
	if joined, is := err.(interface{ Unwrap() []error }); is {
		var all []error
		for _, one := range joined.Unwrap() {
			all = append(all, each(one)...)
		}
		return all
	}
	return []error{err}
}

// configuration tells everything that a start would find wrong, in its words.
func (i Installation) configuration() []Result {
	const name = "configuration"
	var results []Result
	for _, err := range each(i.Wrong) {
		setting := "it"
		var e *fault.Error
		if errors.As(err, &e) && e.Field != "" {
			setting = e.Field
		}
		r := problem("Set "+setting+" right; malgil config shows what is in force.", "%s", oneLine(said(err)))
		r.Check = name
		results = append(results, r)
	}
	if results == nil {
		r := ok("%d settings, nothing wrong with any", len(i.Settings))
		r.Check = name
		results = append(results, r)
	}
	return results
}

// seeConfiguration is the result of a check of a setting that is wrong.
func seeConfiguration(setting string) Result {
	return skipped("%s is wrong, see configuration", setting)
}
