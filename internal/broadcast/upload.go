package broadcast

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"unicode/utf8"

	"github.com/malgil/malgil/internal/fault"
)

// The kinds of keys that Kakao takes, in the order in which chunks are made of them.
var recipientTypes = []string{"botUserKey", "plusfriendUserKey", "appUserId"}

const (
	maxRecipientID   = 200
	maxProperties    = 50
	maxPropertyBytes = 4096
	// uploadBatch is how many chunks one transaction stores.
	uploadBatch = 1000
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
	BadRows    int
	Problems   []BadRow // the first 100 of them
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
}

// Upload replaces the audience of a broadcast that is not sealed; an upload that fails leaves the
// one before as it is. Duplicates are dropped and counted. A bad row fails the whole upload, with
// every bad row reported, unless skipBad is set; then bad rows are left out and counted. Memory grows by 16 bytes a person, for the duplicates.
func (d *Desk) Upload(ctx context.Context, id ID, rows Rows, skipBad bool) (Report, error) {
	epoch, err := d.uploads.BeginUpload(ctx, id)
	if err != nil {
		return Report{}, fmt.Errorf("begin upload: %w", err)
	}
	u := upload{seen: make(map[[16]byte]struct{}), open: make(map[string][]Recipient)}
	store := func() error {
		if err := d.uploads.StoreChunks(ctx, id, epoch, u.ready); err != nil {
			return fmt.Errorf("store chunks: %w", err)
		}
		u.ready = u.ready[:0]
		return nil
	}
	for {
		person, err := rows.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		var bad *BadRow
		if errors.As(err, &bad) {
			u.bad(*bad)
			continue
		}
		if err != nil {
			return u.report, fmt.Errorf("read recipients: %w", err)
		}
		if len(u.report.Problems) > 0 && !skipBad {
			continue // only looking for more bad rows
		}
		if err := u.add(person); err != nil {
			return u.report, err
		}
		if len(u.ready) >= uploadBatch {
			if err := store(); err != nil {
				return u.report, err
			}
		}
	}
	if u.report.BadRows > 0 && !skipBad {
		first := u.report.Problems[0]
		return u.report, fault.Field("recipients", "%d bad rows, the first is %s; nothing was taken over: mend the file, or send it with skip_bad_rows=true", u.report.BadRows, first.Error())
	}
	if err := u.flush(); err != nil {
		return u.report, err
	}
	if err := store(); err != nil {
		return u.report, err
	}
	if err := d.uploads.EndUpload(ctx, id, epoch, u.seq, u.report); err != nil {
		return u.report, fmt.Errorf("end upload: %w", err)
	}
	return u.report, nil
}

// upload packs people into chunks of one kind of key each: ids of one kind fail to resolve more
// often than those of another, and Kakao's counts do not say whose.
type upload struct {
	report Report
	seen   map[[16]byte]struct{}
	open   map[string][]Recipient
	ready  []Packed
	seq    int
}

func (u *upload) bad(row BadRow) {
	u.report.BadRows++
	if len(u.report.Problems) < maxBadRows {
		u.report.Problems = append(u.report.Problems, row)
	}
}

func (u *upload) add(person Recipient) error {
	sum := sha256.Sum256([]byte(person.Type + "\x00" + person.ID))
	key := [16]byte(sum[:16])
	if _, twice := u.seen[key]; twice {
		u.report.Duplicates++
		return nil
	}
	u.seen[key] = struct{}{}
	u.report.Audience++
	u.open[person.Type] = append(u.open[person.Type], person)
	if len(u.open[person.Type]) == MaxPeople {
		return u.pack(person.Type)
	}
	return nil
}

func (u *upload) flush() error {
	for _, kind := range recipientTypes {
		if len(u.open[kind]) > 0 {
			if err := u.pack(kind); err != nil {
				return err
			}
		}
	}
	return nil
}

func (u *upload) pack(kind string) error {
	people := u.open[kind]
	text, err := json.Marshal(people)
	if err != nil {
		return fmt.Errorf("pack a chunk: %w", err)
	}
	u.seq++
	u.ready = append(u.ready, Packed{Seq: u.seq, People: len(people), Recipients: string(text)})
	u.open[kind] = people[:0]
	return nil
}

// CanonicalType returns the name of a kind of key as this package has it, so that a million people
// share three texts; another text as it is.
func CanonicalType(name string) string {
	for _, known := range recipientTypes {
		if name == known {
			return known
		}
	}
	return name
}

// Check returns what is wrong with a recipient, nil when nothing is.
func (r Recipient) Check() *fault.Error {
	switch {
	case !slices.Contains(recipientTypes, r.Type):
		return fault.Field("type", "must be botUserKey, plusfriendUserKey or appUserId")
	case r.ID == "":
		return fault.Field("id", "is empty")
	case !utf8.ValidString(r.ID):
		return fault.Field("id", "is not UTF-8")
	case len(r.ID) > maxRecipientID:
		return fault.Field("id", "must be at most %d bytes", maxRecipientID)
	case len(r.Properties) > maxProperties:
		return fault.Field("properties", "must be at most %d", maxProperties)
	}
	size := 0
	for key, value := range r.Properties {
		size += len(key) + len(value)
		if !utf8.ValidString(key) || !utf8.ValidString(value) {
			return fault.Field("properties", "are not UTF-8")
		}
	}
	if size > maxPropertyBytes {
		return fault.Field("properties", "must be at most %d bytes together", maxPropertyBytes)
	}
	return nil
}

// packAll packs people who are in memory already.
func packAll(people []Recipient) (*upload, error) {
	u := &upload{seen: make(map[[16]byte]struct{}, len(people)), open: make(map[string][]Recipient)}
	for _, person := range people {
		if err := u.add(person); err != nil {
			return nil, err
		}
	}
	return u, u.flush()
}
