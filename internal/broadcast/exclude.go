package broadcast

import (
	"context"
	"fmt"
	"strings"

	"github.com/malgil/malgil/internal/fault"
)

// pastChunks is how many chunks are read at a time.
const pastChunks = 200

// ParseExclusion reads "broadcast:<id>"; an empty text excludes nobody. It is Invalid for anything else.
func ParseExclusion(text string) (ID, error) {
	id, is := strings.CutPrefix(text, "broadcast:")
	if text != "" && (!is || id == "") {
		return "", fault.Field("exclude", "must be broadcast: and the id of an earlier broadcast")
	}
	return ID(id), nil
}

// exclude marks everybody who was reached by a broadcast as it stands now, and returns how many of its people have
// no outcome yet: some of them may be reached later. It is Invalid when the bot has no such broadcast.
func (d *Desk) exclude(ctx context.Context, botID string, id ID, past crowd) (open int, err error) {
	earlier, err := d.orders.Broadcast(ctx, id)
	if fault.KindOf(err) == fault.NotFound || err == nil && earlier.BotID != botID {
		return 0, fault.Field("exclude", "names %q, which is no broadcast of bot %s", id, botID)
	}
	if err != nil {
		return 0, err
	}
	if err := d.gather(ctx, id, past, PastChunk.reached); err != nil {
		return 0, fmt.Errorf("read whom %s reached: %w", id, err)
	}
	return earlier.Counts.Audience - earlier.Counts.Done(), nil
}

// gather adds those of a broadcast's audience to a crowd whom who picks of each chunk.
func (d *Desk) gather(ctx context.Context, id ID, into crowd, who func(PastChunk) ([]Recipient, error)) error {
	for after := 0; ; {
		chunks, err := d.uploads.PastChunks(ctx, id, nil, after, pastChunks)
		if err != nil {
			return err
		}
		for _, c := range chunks {
			people, err := who(c)
			if err != nil {
				return err
			}
			for _, person := range people {
				into[keyOf(person)] = struct{}{}
			}
			after = c.Seq
		}
		if len(chunks) < pastChunks {
			return nil
		}
	}
}
