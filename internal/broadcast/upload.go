package broadcast

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/malgil/malgil/internal/fault"
)

const (
	// uploadBatch is how many chunks one transaction stores, and uploadBytes how much of them.
	uploadBatch = 200
	uploadBytes = 2 << 20
	// maxBadRows is how many bad rows an upload reports one by one.
	maxBadRows = 100
)

// Rows yields recipients one by one, so that an audience is never held whole. Next returns
// [io.EOF] at the end and a [*BadRow] for a row that breaks a rule, after which it may be called
// again; every other error ends the upload.
type Rows interface {
	Next() (Recipient, error)
	// Line is where the row stood that Next returned last, as in [BadRow].
	Line() int
}

// BadRow is a row of an upload that cannot be sent to.
type BadRow struct {
	Line   int    // line in the file or place in the list, counted from 1
	Column string // field at fault, or empty
	Reason string
}

func (e *BadRow) Error() string {
	if e.Column == "" {
		return fmt.Sprintf("line %d: %s", e.Line, e.Reason)
	}
	return fmt.Sprintf("line %d, %s: %s", e.Line, e.Column, e.Reason)
}

// Report tells what became of an upload.
type Report struct {
	Audience   int // people who will be sent to
	Duplicates int // named twice and counted once
	Excluded   int // reached by an earlier broadcast
	// ExcludedOpen is how many people of the excluded broadcast had no outcome yet: who is reached later was not
	// left out.
	ExcludedOpen int
	// Suppressed is how many of the audience a dry run finds who would be left out now, by the lists of the bot.
	Suppressed int
	BadRows    int
	Problems   []BadRow  // the first 100 of them
	Dropped    []Dropped // of a dry run, the first 100 that are not bad
	// CanaryChunks is how many chunks hold the people who go first; 0 without a canary.
	CanaryChunks int
}

// UploadOptions say what an upload does with its rows. The zero value takes all or nothing.
type UploadOptions struct {
	SkipBad bool // leave bad rows out and count them
	// Exclude is a broadcast of the same bot: who was reached by it is left out. Empty for none.
	Exclude ID
	// DryRun stores nothing. Bad rows are counted and refuse nothing.
	DryRun bool
	// Dropped is told of every row that is left out, in order but for the suppressed; nil to be told of none. Its
	// error ends the upload.
	Dropped func(Dropped) error
	asIs    bool // the people of a broadcast were filled in before
}

// Packed is a chunk as an upload stores it.
type Packed struct {
	Seq        int
	People     int
	Recipients string // JSON array of [Recipient]
}

// Uploads stores audiences.
type Uploads interface {
	// BeginUpload starts an upload and returns its epoch; the audience of an earlier one stays until
	// EndUpload. It is a Conflict when the broadcast is sealed.
	BeginUpload(ctx context.Context, id ID) (epoch int, err error)
	// StoreChunks adds chunks in one transaction. It is a Conflict when a later upload began.
	StoreChunks(ctx context.Context, id ID, epoch int, chunks []Packed) error
	// EndUpload makes the upload the broadcast's audience, in place of any earlier one.
	EndUpload(ctx context.Context, id ID, epoch int, chunks int, r Report) error
	// PastChunks reads chunks of a broadcast's audience in order, those after a seq: all, or those that may
	// hold one of at most [MaxNamed] ids of people.
	PastChunks(ctx context.Context, id ID, people []string, after, limit int) ([]PastChunk, error)
	// LeftOut tells of each of people why the lists of a bot leave him out now, of advertising or of everything;
	// empty for who is sent to.
	LeftOut(ctx context.Context, botID string, ad bool, people []Recipient, now time.Time) ([]LeftOut, error)
}

// Upload replaces the audience of a broadcast that is not sealed; an upload that fails leaves the
// one before as it is. People are filled in as the order says: see [Personal]. Duplicates are dropped
// and counted. A bad row fails the whole upload, with every bad row reported, unless the options say
// otherwise. Memory grows by 16 bytes a person and the table around them, for the duplicates, and
// likewise by whom the options exclude.
func (d *Desk) Upload(ctx context.Context, id ID, rows Rows, o UploadOptions) (Report, error) {
	b, err := d.orders.Broadcast(ctx, id)
	if err != nil {
		return Report{}, err
	}
	if !o.asIs {
		if b.RetryOf != "" {
			return Report{}, fault.Coded(fault.Conflict, "IS_RETRY", "broadcast %s is for those whom %s did not reach, and takes nobody else; seal it, or cancel it", id, b.RetryOf)
		}
		if rows, err = b.Personal.Over(rows); err != nil {
			return Report{}, err
		}
	}
	return d.take(ctx, b.BotID, rows, o, sink{
		canary: b.Caution.Canary.People,
		ad:     b.Purpose == Ad,
		check: func() error {
			if b.State != Uploading {
				return Sealed(id)
			}
			return nil
		},
		begin: func() (int, error) { return d.uploads.BeginUpload(ctx, id) },
		store: func(epoch int, chunks []Packed) error { return d.uploads.StoreChunks(ctx, id, epoch, chunks) },
		end: func(epoch, chunks int, r Report) error {
			return d.uploads.EndUpload(ctx, id, epoch, chunks, r)
		},
	})
}

// Sealed is a Conflict: a broadcast takes no more recipients.
func Sealed(id ID) error {
	return fault.Coded(fault.Conflict, "SEALED", "broadcast %s takes no more recipients; they stay as they are", id)
}

// sink is where the people of an upload go.
type sink struct {
	canary int          // how many of them go first, in chunks of their own
	ad     bool         // they get advertising
	check  func() error // of a dry run: would it be taken
	begin  func() (epoch int, err error)
	store  func(epoch int, chunks []Packed) error
	end    func(epoch, chunks int, r Report) error
}

// take reads people to the end and stores them, in batches.
func (d *Desk) take(ctx context.Context, botID string, rows Rows, o UploadOptions, to sink) (_ Report, err error) {
	if o.DryRun {
		to = to.dry()
	}
	u := newUpload(o, to.canary)
	if o.Exclude != "" {
		if u.report.ExcludedOpen, err = d.exclude(ctx, botID, o.Exclude, u.past); err != nil {
			return Report{}, err
		}
	}
	epoch, err := to.begin()
	if err != nil {
		return Report{}, fmt.Errorf("begin upload: %w", err)
	}
	behind := storing{epoch: epoch, to: to}
	defer func() { _ = behind.wait() }() // when something else has failed
	store := func() error {
		if err := behind.wait(); err != nil {
			return err
		}
		u.ready, u.size = behind.begin(u.ready), 0
		return nil
	}
	ahead := readAhead(rows)
	defer ahead.stop()
	for {
		row := ahead.next()
		err := row.err
		if errors.Is(err, io.EOF) {
			break
		}
		switch bad, is := errors.AsType[*BadRow](err); {
		case is:
			err = u.bad(*bad)
		case err != nil:
			return u.report, fmt.Errorf("read recipients: %w", err)
		case u.refused(): // only looking for more bad rows
		default:
			err = u.add(row.person, row.line)
		}
		if err == nil && len(u.looked) == lookedAtOnce {
			err = d.look(ctx, botID, to.ad, u)
		}
		if err != nil {
			return u.report, err
		}
		if len(u.ready) >= uploadBatch || u.size >= uploadBytes {
			if err := store(); err != nil {
				return u.report, err
			}
		}
	}
	if u.refused() {
		first := u.report.Problems[0]
		return u.report, fault.Field("recipients", "%d bad rows, the first is %s; nothing was taken over: mend the file, or send it with skip_bad_rows=true", u.report.BadRows, first.Error())
	}
	if err := d.look(ctx, botID, to.ad, u); err != nil {
		return u.report, err
	}
	u.flush()
	if err := errors.Join(store(), behind.wait()); err != nil {
		return u.report, err
	}
	if err := to.end(epoch, u.seq, u.report); err != nil {
		return u.report, fmt.Errorf("end upload: %w", err)
	}
	return u.report, nil
}

// storing stores one batch while the next is read.
type storing struct {
	epoch int
	to    sink
	done  chan error // nil while nothing is stored
	spare []Packed   // of the batch before
}

// begin stores a batch and returns an empty one to fill.
func (s *storing) begin(batch []Packed) []Packed {
	done, empty := make(chan error, 1), s.spare[:0]
	s.done, s.spare = done, batch
	go func() { done <- s.to.store(s.epoch, batch) }()
	return empty
}

// wait returns when nothing is stored any more, with what came of it, once.
func (s *storing) wait() error {
	if s.done == nil {
		return nil
	}
	err := <-s.done
	s.done = nil
	if err != nil {
		return fmt.Errorf("store chunks: %w", err)
	}
	return nil
}

// personKey is what of a person is remembered: 16 bytes of a hash of the type and the id.
type personKey [16]byte

// crowd is a set of people, by their keys.
type crowd map[personKey]struct{}

func keyOf(r Recipient) personKey {
	var text [maxRecipientID + 32]byte
	sum := sha256.Sum256(append(append(append(text[:0], r.Type...), 0), r.ID...))
	return personKey(sum[:16])
}

// upload packs people into chunks of one kind of key each: ids of one kind fail to resolve more
// often than those of another, and Kakao's counts do not say whose.
type upload struct {
	options UploadOptions
	canary  int // people who go first
	report  Report
	seen    crowd // who is in it
	past    crowd // who is excluded
	open    map[string][]Recipient
	ready   []Packed
	looked  []Dropped // of a dry run: people who are yet to be looked up
	size    int       // of ready, in bytes
	seq     int
	text    []byte // to pack in
}

func newUpload(o UploadOptions, canary int) *upload {
	return &upload{options: o, canary: canary, seen: crowd{}, past: crowd{}, open: make(map[string][]Recipient)}
}

// refused reports whether a bad row has decided that nothing is taken.
func (u *upload) refused() bool {
	return u.report.BadRows > 0 && !u.options.SkipBad && !u.options.DryRun
}

func (u *upload) bad(row BadRow) error {
	u.report.BadRows++
	if len(u.report.Problems) < maxBadRows {
		u.report.Problems = append(u.report.Problems, row)
	}
	return u.tell(Dropped{BadRow: row, Why: DroppedBad})
}

func (u *upload) tell(d Dropped) error {
	if u.options.Dropped == nil {
		return nil
	}
	return u.options.Dropped(d)
}

// drop leaves a person out.
func (u *upload) drop(person Recipient, line int, why DropReason) error {
	d := Dropped{BadRow: BadRow{Line: line, Column: "id", Reason: "is named before"}, Why: why, Person: person}
	if why == DroppedExcluded {
		u.report.Excluded++
		d.Reason = "was reached by " + string(u.options.Exclude)
	} else {
		u.report.Duplicates++
	}
	return u.left(d)
}

// left tells of somebody who is left out.
func (u *upload) left(d Dropped) error {
	if u.options.DryRun && len(u.report.Dropped) < maxBadRows {
		u.report.Dropped = append(u.report.Dropped, d)
	}
	return u.tell(d)
}

func (u *upload) add(person Recipient, line int) error {
	key := keyOf(person)
	if _, reached := u.past[key]; reached {
		return u.drop(person, line, DroppedExcluded)
	}
	before := len(u.seen)
	if u.seen[key] = struct{}{}; len(u.seen) == before {
		return u.drop(person, line, DroppedDuplicate)
	}
	u.report.Audience++
	if u.options.DryRun {
		u.looked = append(u.looked, Dropped{BadRow: BadRow{Line: line, Column: "id"}, Person: person})
		return nil
	}
	u.open[person.Type] = append(u.open[person.Type], person)
	if len(u.open[person.Type]) == MaxPeople {
		u.pack(person.Type)
	}
	if u.report.Audience == u.canary {
		u.flush()
	}
	return nil
}

// flush packs whoever is not packed yet: at the end, and behind the canary.
func (u *upload) flush() {
	for _, kind := range recipientTypes {
		if len(u.open[kind]) > 0 {
			u.pack(kind)
		}
	}
	if u.canary > 0 && u.report.CanaryChunks == 0 {
		u.report.CanaryChunks = u.seq
	}
}

func (u *upload) pack(kind string) {
	people := u.open[kind]
	u.text = appendPeople(u.text[:0], people)
	text := string(u.text)
	u.seq++
	u.size += len(text)
	u.ready = append(u.ready, Packed{Seq: u.seq, People: len(people), Recipients: text})
	u.open[kind] = people[:0]
}

// packAll packs people who are in memory already; the first ones in chunks of their own.
func packAll(people []Recipient, canary int) (*upload, error) {
	u := newUpload(UploadOptions{}, canary)
	for _, person := range people {
		if err := u.add(person, 0); err != nil {
			return nil, err
		}
	}
	u.flush()
	return u, nil
}
