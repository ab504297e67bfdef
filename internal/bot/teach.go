package bot

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/knowledge"
	"github.com/malgil/malgil/internal/scenario"
)

// Taught is what became of an item that was taught.
type Taught struct {
	Imported
	Near []scenario.Candidate // other answers that are much like its question, best first
}

// NewestNotLive refuses to put an item live on top of a newest version that nobody deployed or named.
func NewestNotLive(newest, live int64) error {
	running := "no version is live"
	if live != 0 {
		running = fmt.Sprintf("version %d is live", live)
	}
	return fault.Coded(fault.Conflict, "NEWEST_NOT_LIVE", "%s and version %d is the newest, all of which would go live with the item; "+
		"deploy that first, teach without deploying, or name the version to build on", running, newest)
}

// Teach adds an item to the knowledge base of a version of a bot, the newest one for 0, which makes a new
// version. What is wrong with the item is told in a [ContentError] by its own fields: question, answer,
// image_url, landing_url, categories. It is a Conflict when somebody else imports at the same moment, and
// when the newest version would come to the live channel that nobody deployed or named.
func (a *Admin) Teach(ctx context.Context, id string, item knowledge.Item, on int64, i Import) (Taught, error) {
	b, err := a.store.BotDetails(ctx, id)
	if err != nil {
		return Taught{}, fmt.Errorf("read bot %s: %w", id, err)
	}
	i.Follows, i.OnLive = b.Version, i.Deploy && on == 0
	if on == 0 {
		on = b.Version
	}
	if on > 0 {
		if i.Content, err = a.store.BotContent(ctx, id, on); err != nil {
			return Taught{}, fmt.Errorf("read version %d of bot %s: %w", on, id, err)
		}
	}
	i.Content.Knowledge = append(slices.Clip(i.Content.Knowledge), item)
	own := fmt.Sprintf("knowledge[%d]", len(i.Content.Knowledge)-1)
	made, err := a.Import(ctx, id, i)
	if wrong, ok := err.(*ContentError); ok {
		for n := range wrong.Problems {
			field := &wrong.Problems[n].Field
			if rest, found := strings.CutPrefix(*field, own); found {
				*field = strings.TrimPrefix(rest, ".")
			}
		}
	}
	if err != nil {
		return Taught{}, err
	}
	taught := scenario.Bot{ID: id, Content: i.Content, Settings: b.Talking}
	return Taught{made, taught.Near(item.Question)}, nil
}
