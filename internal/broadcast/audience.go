package broadcast

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/malgil/malgil/internal/fault"
)

// AudienceID identifies a named audience.
type AudienceID string

// Audience is a list of people under a name, uploaded once and used by many broadcasts of its bot.
type Audience struct {
	ID     AudienceID
	BotID  string
	Name   string // of its bot's audiences it alone has it
	Counts Report // of the upload that its people are from
	Chunks int
	// UploadEpoch counts uploads, the latest of which may be under way; PeopleEpoch is the one that its
	// people are from, 0 for none yet.
	UploadEpoch, PeopleEpoch int
	CreatedAt, UploadedAt    time.Time
}

// Audiences keeps named audiences. Every method is NotFound for one that is not there.
type Audiences interface {
	// CreateAudience stores an audience without people. It is NotFound when there is no such bot, and a
	// Conflict when the bot has an audience of that name.
	CreateAudience(ctx context.Context, a Audience) error
	Audience(ctx context.Context, id AudienceID) (Audience, error)
	// DeleteAudience takes an audience with its people away. Broadcasts that used it keep theirs. It is a
	// Conflict while a schedule uses it.
	DeleteAudience(ctx context.Context, id AudienceID) error
	// BeginAudience, StoreAudience and EndAudience are an upload, as [Uploads] has it.
	BeginAudience(ctx context.Context, id AudienceID) (epoch int, err error)
	StoreAudience(ctx context.Context, id AudienceID, epoch int, chunks []Packed) error
	EndAudience(ctx context.Context, id AudienceID, epoch int, chunks int, r Report, now time.Time) error
	// AudienceChunks reads the people of an upload in order, those after a seq.
	AudienceChunks(ctx context.Context, id AudienceID, epoch, after, limit int) ([]Packed, error)
}

// CreateAudience stores an audience, which has no people yet.
func (d *Desk) CreateAudience(ctx context.Context, botID, name string) (Audience, error) {
	name = strings.TrimSpace(name)
	switch {
	case botID == "" || !plain(botID):
		return Audience{}, fault.Field("bot", "is missing; name the bot that speaks")
	case name == "":
		return Audience{}, fault.Field("name", "is missing")
	case !plain(name):
		return Audience{}, fault.Field("name", "must be UTF-8 without control characters")
	case utf8.RuneCountInString(name) > 200:
		return Audience{}, fault.Field("name", "must be at most 200 characters")
	}
	a := Audience{ID: AudienceID(d.newID("aud")), BotID: botID, Name: name, CreatedAt: d.now()}
	if err := d.audiences.CreateAudience(ctx, a); err != nil {
		return Audience{}, fmt.Errorf("create audience: %w", err)
	}
	return a, nil
}

// DeleteAudience takes an audience away. Broadcasts that used it keep their people; one that a schedule
// uses is not taken away, which is a Conflict.
func (d *Desk) DeleteAudience(ctx context.Context, id AudienceID) error {
	return d.audiences.DeleteAudience(ctx, id)
}

// UploadAudience replaces the people of an audience, as [Desk.Upload] does those of a broadcast.
func (d *Desk) UploadAudience(ctx context.Context, id AudienceID, rows Rows, o UploadOptions) (Report, error) {
	a, err := d.audiences.Audience(ctx, id)
	if err != nil {
		return Report{}, err
	}
	return d.take(ctx, a.BotID, rows, o, sink{
		check: func() error { return nil },
		begin: func() (int, error) { return d.audiences.BeginAudience(ctx, id) },
		store: func(epoch int, chunks []Packed) error { return d.audiences.StoreAudience(ctx, id, epoch, chunks) },
		end: func(epoch, chunks int, r Report) error {
			return d.audiences.EndAudience(ctx, id, epoch, chunks, r, d.now())
		},
	})
}

// UseAudience makes the people of an audience of the same bot those of a broadcast that is not sealed,
// as an upload of them would: they are copied, and what becomes of the audience later changes nothing. It
// is a Conflict when the audience has nobody, or changes meanwhile.
func (d *Desk) UseAudience(ctx context.Context, id ID, from AudienceID, o UploadOptions) (Report, error) {
	b, err := d.orders.Broadcast(ctx, id)
	if err != nil {
		return Report{}, err
	}
	a, err := d.audiences.Audience(ctx, from)
	switch {
	case err != nil:
		return Report{}, err
	case a.BotID != b.BotID:
		return Report{}, fault.Field("audience", "is of bot %s, the broadcast of %s", a.BotID, b.BotID)
	case a.Counts.Audience == 0:
		return Report{}, Nobody(from)
	}
	return d.Upload(ctx, id, &audienceRows{ctx: ctx, audiences: d.audiences, of: a}, o)
}

const codeNobody = "NO_RECIPIENTS"

// Nobody is a Conflict: an audience has no people.
func Nobody(id AudienceID) error {
	return fault.Coded(fault.Conflict, codeNobody, "audience %s has nobody; upload people to it first", id)
}

func audienceChanged(id AudienceID) error {
	return fault.Coded(fault.Conflict, "AUDIENCE_CHANGED", "audience %s was changed while it was copied; try again", id)
}

// audienceChunks is how many chunks of an audience are read at a time.
const audienceChunks = 100

// audienceRows reads the people of an audience as [Rows].
type audienceRows struct {
	ctx       context.Context
	audiences Audiences
	of        Audience
	ready     []Packed
	people    []Recipient
	seq, line int
}

// Next implements [Rows].
func (r *audienceRows) Next() (Recipient, error) {
	for len(r.people) == 0 {
		if err := r.more(); err != nil {
			return Recipient{}, err
		}
	}
	person := r.people[0]
	r.people = r.people[1:]
	r.line++
	return person, nil
}

// more reads the people of the next chunk.
func (r *audienceRows) more() (err error) {
	if len(r.ready) == 0 {
		if r.ready, err = r.audiences.AudienceChunks(r.ctx, r.of.ID, r.of.PeopleEpoch, r.seq, audienceChunks); err != nil {
			return err
		}
	}
	if len(r.ready) == 0 {
		if r.line != r.of.Counts.Audience {
			return audienceChanged(r.of.ID)
		}
		return io.EOF
	}
	chunk := r.ready[0]
	r.ready, r.seq, r.people = r.ready[1:], chunk.Seq, nil
	if err := json.Unmarshal([]byte(chunk.Recipients), &r.people); err != nil {
		return fmt.Errorf("read chunk %d of audience %s: %w", chunk.Seq, r.of.ID, err)
	}
	for i := range r.people {
		r.people[i].Type = CanonicalType(r.people[i].Type)
	}
	return nil
}

// Line implements [Rows]: the place in the audience.
func (r *audienceRows) Line() int { return r.line }
