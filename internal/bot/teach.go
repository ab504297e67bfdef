package bot

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/malgil/malgil/internal/knowledge"
)

// Teach adds an item to the knowledge base of a bot's newest version, which makes a new one. What is
// wrong with the item is told in a [ContentError] by its own fields: question, answer, image_url,
// landing_url, categories. It is a Conflict when somebody else imports at the same moment.
func (a *Admin) Teach(ctx context.Context, id string, item knowledge.Item, i Import) (Imported, error) {
	b, err := a.store.BotDetails(ctx, id)
	if err != nil {
		return Imported{}, fmt.Errorf("read bot %s: %w", id, err)
	}
	if b.Version > 0 {
		if i.Content, err = a.store.BotContent(ctx, id, b.Version); err != nil {
			return Imported{}, fmt.Errorf("read version %d of bot %s: %w", b.Version, id, err)
		}
	}
	i.Follows = b.Version
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
	return made, err
}
