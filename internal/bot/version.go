package bot

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"time"

	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/scenario"
)

// Version (버전) tells of all that a bot could say when somebody imported it. It never changes.
type Version struct {
	Number int64
	MadeAt time.Time
	MadeBy string // account, or a token that stands for nobody; empty for nobody that is known
	Note   string // of whoever imported it
	Blocks int    // how many
	Items  int    // how many, of its knowledge base
	Newest bool   // the development channel runs it
	Live   bool   // the live channel runs it
}

// Draft is a version that is to be stored.
type Draft struct {
	Version           // without a number
	Events   []string // the event names of its blocks
	JSON     []byte   // of its content
	Hash     []byte   // SHA-256 of that
	Follows  int64    // the newest version that it was made from; 0 for any
	OnLive   bool     // only where the newest version is the live one: see [NewestNotLive]
	Deploy   bool     // make it live, too
	Reason   string   // of the deploy
	OnlyLook bool     // tell what would be done, and store nothing
}

// Deploy (배포) is that a version came to the live channel.
type Deploy struct {
	Number     int64 // from 1; the last one is in force
	Version    int64
	At         time.Time
	By         string // as MadeBy
	Reason     string
	RolledBack bool // it brought an earlier one back
}

// VersionStore keeps versions and deploys. Each is NotFound without the bot.
type VersionStore interface {
	// AddVersion stores a draft as the newest version, unless the newest one is the same; added
	// tells which. It is a Conflict when another version is newest than the one that it follows.
	AddVersion(ctx context.Context, id string, d Draft) (v Version, added bool, err error)
	// BotContent reads what a version holds. It is NotFound when there is none.
	BotContent(ctx context.Context, id string, version int64) (scenario.Content, error)
	// DeployVersion makes a version live, NotFound when there is none. One that is live stays as it is.
	DeployVersion(ctx context.Context, id string, version int64, d Deploy) (Deploy, error)
	// RollBack makes live what was live before. It is a Conflict when nothing was, or when another
	// version than from is live, unless that is 0.
	RollBack(ctx context.Context, id string, from int64, d Deploy) (Deploy, error)
}

const (
	maxNote    = 500      // bytes
	maxContent = 64 << 20 // bytes of JSON
)

// Import is content that is to become a version.
type Import struct {
	Content scenario.Content
	Note    string
	Deploy  bool   // make it live at once
	Reason  string // of the deploy
	By      string // who imports it
	DryRun  bool   // check it and tell what would be done
	Follows int64  // the newest version that it was made from; 0 for any
	OnLive  bool   // only where the newest version is the live one: see [NewestNotLive]
}

// Imported is what became of an import.
type Imported struct {
	Version
	Added bool // false when the newest version was the same; then that one is told of
}

// Import checks content as a whole and stores it as the newest version of a bot, which its
// development channel then runs. Content with a problem is Invalid, all of them told in a
// [ContentError]; then nothing is stored.
func (a *Admin) Import(ctx context.Context, id string, i Import) (Imported, error) {
	note, err := fault.Line("note", i.Note, maxNote)
	if err != nil {
		return Imported{}, err
	}
	if i.Content.Blocks == nil {
		i.Content.Blocks = []scenario.Block{}
	}
	if problems := a.rules.Check(ctx, i.Content); ctx.Err() != nil {
		return Imported{}, fault.Wrap(fault.Unavailable, ctx.Err(), "the content was not checked to its end; try again")
	} else if len(problems) > 0 {
		return Imported{}, &ContentError{problems}
	}
	text, err := json.Marshal(i.Content)
	if err != nil {
		return Imported{}, fmt.Errorf("encode the content of bot %s: %w", id, err)
	}
	if len(text) > maxContent {
		return Imported{}, fault.New(fault.Invalid, "all of a bot must be at most %d MiB of JSON, this is %d", maxContent>>20, len(text)>>20)
	}
	hash := sha256.Sum256(text)
	draft := Draft{
		Version: Version{MadeAt: a.now(), MadeBy: i.By, Note: note, Blocks: len(i.Content.Blocks), Items: len(i.Content.Knowledge)},
		JSON:    text, Hash: hash[:], Follows: i.Follows, OnLive: i.OnLive, Deploy: i.Deploy, Reason: i.Reason, OnlyLook: i.DryRun,
	}
	for _, b := range i.Content.Blocks {
		if b.Event != "" {
			draft.Events = append(draft.Events, b.Event)
		}
	}
	version, added, err := a.store.AddVersion(ctx, id, draft)
	if err != nil {
		return Imported{}, fmt.Errorf("import a version of bot %s: %w", id, err)
	}
	return Imported{version, added}, nil
}

// Deploy makes a version live.
func (a *Admin) Deploy(ctx context.Context, id string, version int64, by, reason string) (Deploy, error) {
	d, err := a.store.DeployVersion(ctx, id, version, Deploy{At: a.now(), By: by, Reason: reason})
	if err != nil {
		return Deploy{}, fmt.Errorf("deploy version %d of bot %s: %w", version, id, err)
	}
	return d, nil
}

// RollBack makes live what was live before the deploy that is in force. Done again, it goes back
// further; from says which version is believed to be live, 0 for any, so that a call can be repeated.
func (a *Admin) RollBack(ctx context.Context, id string, from int64, by, reason string) (Deploy, error) {
	d, err := a.store.RollBack(ctx, id, from, Deploy{At: a.now(), By: by, Reason: reason})
	if err != nil {
		return Deploy{}, fmt.Errorf("roll bot %s back: %w", id, err)
	}
	return d, nil
}
